/**
 * What user code threw, on its way from the loop that called it to the shell that names operator and row. These are
 * thrown, never shown: the task that runs the operator makes a `QueryError` of them.
 */
import { jsonText, textOf } from "../model/Text.ts"

/** A function of the row threw. `index` is the row's place in the chunk. */
export class RowFault extends Error {
  readonly index: number
  constructor(index: number, cause: unknown) {
    super(`threw on row ${index} of a chunk`, { cause })
    this.index = index
  }
}

/** A function of an aggregate threw: `reduce.add`, with the row it was given, or `reduce.merge`, without one. */
export class AggregateFault extends Error {
  readonly label: string
  readonly row: unknown
  /** Where the row stands, where that is known: its lane and its ordinal there. */
  readonly place: { readonly lane: string | number; readonly ordinal: number } | undefined
  constructor(label: string, row: unknown, cause: unknown, place?: AggregateFault["place"]) {
    super(`${label} threw: ${textOf(cause)}`, { cause })
    this.label = label
    this.row = row
    this.place = place
  }
}

/**
 * What an aggregate (or another owner of state, `label`) holds cannot be kept in a checkpoint: `first(basket)`, with the
 * value as `row`. Thrown by a `Later` of a snapshot, when that is encoded.
 */
export class StoringFault extends AggregateFault {
  constructor(label: string, value: unknown, cause: unknown) {
    super(label, value, cause)
    const why = cause instanceof Error ? cause.message : textOf(cause)
    this.message = `${label} holds ${jsonText(value).slice(0, 200)}: ${why}`
  }
}

/** The state of a user's operator in a checkpoint does not fit what its plan says now; thrown by `restore`. */
export class StateFault extends Error {}

/** A function's value of each of the first `n` rows; what it throws is a {@link RowFault}. */
export const valuesBy = (rows: ReadonlyArray<unknown>, n: number, get: (row: unknown) => unknown): Array<unknown> => {
  const out = new Array<unknown>(n)
  let i = 0
  try {
    for (; i < n; i++) out[i] = get(rows[i])
  } catch (cause) {
    throw new RowFault(i, cause)
  }
  return out
}

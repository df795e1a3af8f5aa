/**
 * A query as data: what the laws generate, the oracle evaluates by definition, and `test/engine/run.ts` builds with the
 * public API. Nothing here runs.
 */

/** An input row. Fields are `unknown` where hostile input puts anything. */
export interface Row {
  readonly id: unknown
  /** Event time: ms, or what is no instant. */
  readonly at: unknown
  readonly key: unknown
  readonly v: unknown
  /** For explicit watermarks: what the row claims. */
  readonly mark?: number
  /** Which copy of a flatMap it is. */
  readonly copy?: number
}

/** A fused operator, by what it does to a row. `id` is a number wherever steps are used. */
export type Step =
  | { readonly kind: "keep"; readonly modulo: number; readonly rest: number }
  | { readonly kind: "plus"; readonly by: number }
  /** id % (copies + 1) rows, told apart by `copy`. */
  | { readonly kind: "split"; readonly copies: number }
  /** An effect that doubles `v`; rows with id % 5 = `failRest` fail and become dead letters. */
  | { readonly kind: "effect"; readonly concurrency: number; readonly ordered: boolean; readonly failRest?: number }

export type Windows =
  | { readonly kind: "time"; readonly size: number; readonly slide: number; readonly offset: number }
  | { readonly kind: "session"; readonly gap: number }
  | { readonly kind: "global" }

/** Late rows are dropped, or written to a late output. */
export type Late = "drop" | "output"

export interface Dedupe {
  readonly late: "forward" | Late
  readonly lateness: number
}

/** T7, T12: before row number `before` its partition was raised to `to`. A fact of a run. */
export interface Raise {
  readonly before: number
  readonly to: number
}

/** One partition: its rows in order, and, when the source has them, the broker's append times. */
export interface Partition {
  readonly rows: ReadonlyArray<Row>
  readonly raises?: ReadonlyArray<Raise>
  readonly appendTimes?: ReadonlyArray<number>
}

export interface Job {
  /** Partitions of each source; several sources are joined by `union`. */
  readonly sources: ReadonlyArray<ReadonlyArray<Partition>>
  /** Before `withEventTime`. */
  readonly before: ReadonlyArray<Step>
  /** Out-of-orderness, ms, or the watermark that rows claim in `mark`. */
  readonly watermark: number | "explicit"
  /** Clock guard, ms (append times only). */
  readonly maxFutureSkew?: number
  /** The stream is timed a second time, with this out-of-orderness, and joined with what it was. */
  readonly again?: number
  /** After it. */
  readonly after: ReadonlyArray<Step>
  /** Two branches of the timed stream, joined again. */
  readonly branches?: readonly [ReadonlyArray<Step>, ReadonlyArray<Step>]
  readonly dedupe?: Dedupe
  /** No columns: all rows together. */
  readonly keyed: boolean
  /** Absent: running aggregates. */
  readonly windows?: Windows
  readonly lateness: number
  /** Results of windows that are still open, too: written in mode update or complete, where the last row counts. */
  readonly early?: boolean
  readonly late: Late
  /** Only `n`, `total`, `first` and `last`, instead of every aggregate there is. */
  readonly few?: true
  /** A second tumbling window over the results of the first, all keys together. */
  readonly chained?: number
}

/** What became of rows, by operator; the ledger must say the same. */
export interface Counts {
  readonly untimed: number
  readonly quarantined: number
  readonly filtered: number
  readonly effectDead: number
  /** Before the window: unfit key or aggregate input. */
  readonly refused: number
  readonly badId: number
  readonly duplicate: number
  readonly dedupeLate: number
  readonly contributed: number
  readonly late: number
  readonly outside: number
  readonly partlyLate: number
}

/** What a job must give: rows as multisets. */
export interface Outcome {
  readonly results: ReadonlyArray<unknown>
  readonly late: ReadonlyArray<Row>
  readonly dedupeLate: ReadonlyArray<Row>
  readonly counts: Counts
  /** The highest watermark at the end; -Infinity: no row had a time. */
  readonly watermark: number
}

/** Text of a row that tells every value apart which JavaScript does, whatever the order of its fields. */
export const textOf = (value: unknown): string => {
  if (typeof value === "bigint") return `${value}n`
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value === "number") return Object.is(value, -0) ? "0" : String(value)
  if (Array.isArray(value)) return `[${value.map(textOf).join(",")}]`
  if (typeof value !== "object" || value === null) return String(value)
  const fields = Object.keys(value).toSorted()
  return `{${fields.map((f) => `${JSON.stringify(f)}:${textOf((value as Record<string, unknown>)[f])}`).join(",")}}`
}

/** Rows as a multiset that compares with `toEqual`. */
export const multiset = (rows: ReadonlyArray<unknown>): ReadonlyArray<string> => rows.map(textOf).toSorted()

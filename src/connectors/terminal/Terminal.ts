/**
 * A sink that prints each epoch's rows as a table, as Spark's console sink does.
 *
 * At least once: a table is drawn when its epoch is prepared and printed when it is committed; after a crash the last
 * one may be printed again. An epoch without rows prints nothing. Output goes through effect's `Console`. Data cannot
 * act on the terminal: control characters are shown, not sent. It is a view, not a store: rows beyond `numRows` are
 * counted and forgotten.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type { OptionProblem } from "../../model/Errors.ts"
import { integer, names, text } from "../../model/Options.ts"
import { makeProcessMarkers } from "../../model/ProcessMarkers.ts"
import { fieldOf } from "../../model/RowChunk.ts"
import type { Sink, SinkBatch, SinkWriter, WriterContext } from "../../model/Sink.ts"
import { drawTable } from "./table.ts"

/** Options of {@link sink}. */
export interface TerminalOptions {
  /** Cuts cells: `true` (default) at 20 columns, a number at that many, `false` not. Numbers and instants are never cut. */
  readonly truncate?: boolean | number
  /** Rows shown of an epoch; default 20. */
  readonly numRows?: number
  /** Columns to show, in this order; default the rows' fields as they first appear. */
  readonly columns?: ReadonlyArray<string>
  /** Stands after the epoch in the header, to tell several tables apart. */
  readonly title?: string
}

const truncateDefault = 20
const numRowsDefault = 20

interface Shown {
  rows: Array<unknown>
  deletes: Array<boolean>
  total: number
  written: boolean
}

const nothing = (): Shown => ({ rows: [], deletes: [], total: 0, written: false })

const take = (shown: Shown, context: WriterContext, batch: SinkBatch<unknown>, numRows: number): Shown => {
  // In complete mode a batch is the whole table: it replaces an earlier one of the same epoch.
  const into = context.mode === "complete" ? nothing() : shown
  for (let i = 0; i < batch.rows.length && into.rows.length < numRows; i++) {
    into.rows.push(batch.rows[i])
    into.deletes.push(batch.deletes !== undefined && batch.deletes[i] === 1)
  }
  into.total += batch.rows.length
  into.written = true
  return into
}

/** What two parts of one epoch show, when its number was prepared again (rule C9). */
const joined = (a: Shown, b: Shown, { mode }: WriterContext, numRows: number): Shown => {
  if (mode === "complete" && b.written) return b
  const rows = [...a.rows, ...b.rows].slice(0, numRows)
  const deletes = [...a.deletes, ...b.deletes].slice(0, numRows)
  return { rows, deletes, total: a.total + b.total, written: a.written || b.written }
}

/**
 * Prints results: `EventStream.to(Terminal.sink({ numRows: 20 }))`. Takes every output mode; rows that an update takes
 * away are marked `-`. Does not fail.
 */
export const sink = (options?: TerminalOptions): Sink<unknown> => {
  const problems: Array<OptionProblem> = []
  const cut = options?.truncate ?? true
  const truncate =
    typeof cut === "boolean"
      ? cut
        ? truncateDefault
        : 0
      : integer("Terminal.sink.truncate", cut, problems, { min: 0 })
  const numRows = integer("Terminal.sink.numRows", options?.numRows ?? numRowsDefault, problems, { min: 1 })
  const columns = options?.columns === undefined ? undefined : names("Terminal.sink.columns", options.columns, problems)
  const title = options?.title === undefined ? undefined : text("Terminal.sink.title", options.title, problems)
  const committed = makeProcessMarkers()

  const writer = (context: WriterContext): SinkWriter<unknown> => {
    const { query, queryId, writer } = context
    let shown = nothing()
    let last = { epoch: -1, shown: nothing() }
    committed.begin(context)
    return {
      write: (batch) =>
        Effect.sync(() => {
          shown = take(shown, context, batch, numRows)
          return []
        }),
      prepare: (epoch) =>
        Effect.sync(() => {
          const whole = last.epoch === epoch ? joined(last.shown, shown, context, numRows) : shown
          last = { epoch, shown: whole }
          shown = nothing()
          const { rows, deletes, total } = whole
          const header = title === undefined ? `epoch ${epoch}` : `epoch ${epoch} · ${title}`
          const view = { header, rows, deletes, total, truncate, ...(columns === undefined ? {} : { columns }) }
          const data = total === 0 ? { queryId } : { queryId, text: drawTable(view) }
          return { query, writer, epoch, data, rows: total }
        })
    }
  }

  return {
    name: "terminal",
    features: { modes: ["append", "update", "complete"], guarantee: "at-least-once", multiWriter: true, deletes: true },
    problems,
    writer: (context) => Effect.sync(() => writer(context)),
    commit: (prepared) =>
      Effect.suspend(() => {
        if (committed.has(prepared)) return Effect.void
        const text = fieldOf(prepared.data, "text")
        const printed = typeof text === "string" ? Console.log(text) : Effect.void
        return Effect.map(printed, () => committed.set(prepared))
      }),
    committed: (query, w) => Effect.sync(() => committed.last(query, w))
  }
}

/**
 * Sinks made of a function (Spark's `foreach` and `foreachBatch`).
 *
 * At least once. `sink` calls the function for each row as it comes; `batch` calls it with all rows of an epoch when the
 * epoch is committed, with its number: after a crash the last epoch may come again, with the same number and equal rows,
 * so that a function which remembers the number, in one step with what it does, makes it exactly once. The function's
 * errors and requirements become the sink's.
 */
import * as Effect from "effect/Effect"
import type { DeadRow } from "../../model/DeadLetter.ts"
import { epochCount } from "../../model/epochCount.ts"
import { type OptionProblem, SinkError } from "../../model/Errors.ts"
import { Limits } from "../../model/Limits.ts"
import { functionOf } from "../../model/Options.ts"
import { makeProcessMarkers } from "../../model/ProcessMarkers.ts"
import { fieldOf } from "../../model/RowChunk.ts"
import type { Mode, Prepared, Sink, SinkFeatures, SinkWriter, WriterContext } from "../../model/Sink.ts"
import type { StoredProblem } from "../../model/StoredValue.ts"
import { decodeRow, encodeRow } from "./plainRow.ts"

/** What a function of {@link sink} is told beside the row. */
export interface RowInfo {
  readonly query: string
  readonly writer: string
  readonly mode: Mode
  /** Update mode: the row with this identity is taken away. */
  readonly deleted: boolean
}

/** What a function of {@link batch} is told beside the rows. */
export interface EpochInfo {
  readonly query: string
  readonly writer: string
  readonly mode: Mode
  /** Parallel to the rows: whether the row with this identity is taken away (update mode). */
  readonly deletes: ReadonlyArray<boolean>
}

const features: SinkFeatures = {
  modes: ["append", "update", "complete"],
  guarantee: "at-least-once",
  multiWriter: true,
  deletes: true
}

/**
 * Calls `f` for every row, one after the other, in order, as rows come. A row may be seen again after a restart: its
 * epoch is repeated when it was not committed. `f` runs before the epoch is safe; what must not be undone belongs
 * into {@link batch}.
 */
export const sink = <A, E = never, R = never>(
  f: (row: A, info: RowInfo) => Effect.Effect<unknown, E, R>
): Sink<A, Mode, E, R> => {
  const committed = makeProcessMarkers()
  const problems: Array<OptionProblem> = []
  functionOf("Foreach.sink", f, problems)
  return {
    name: "foreach",
    features,
    problems,
    writer: (context) =>
      Effect.map(Effect.context<R>(), (services): SinkWriter<A, E> => {
        const { query, queryId, writer, mode } = context
        committed.begin(context)
        const count = epochCount()
        return {
          write: (rows) =>
            Effect.gen(function* () {
              if (mode === "complete") count.clear()
              let done = 0
              for (let i = 0; i < rows.rows.length; i++) {
                yield* f(rows.rows[i], {
                  query,
                  writer,
                  mode,
                  deleted: rows.deletes !== undefined && rows.deletes[i] === 1
                })
                done++
              }
              // Counted once all are done: a batch that failed may be given again by whoever wraps this sink.
              count.add(done)
              return []
            }).pipe(Effect.provideContext(services)),
          prepare: (epoch) => Effect.sync(() => ({ query, writer, epoch, data: { queryId }, rows: count.of(epoch) }))
        }
      }),
    commit: (prepared) =>
      Effect.sync(() => {
        if (!committed.has(prepared)) committed.set(prepared)
      }),
    committed: (query, writer) => Effect.sync(() => committed.last(query, writer))
  }
}

const refused = (before: number, { path, what }: StoredProblem, json: string): DeadRow => {
  const where = path === "" ? "the row" : `field ${path}`
  const bytes = new TextEncoder().encode(json)
  return {
    before,
    reason: "sink",
    detail: `${where} is ${what}, which cannot be kept until the epoch is committed: make it plain data first`,
    place: `row ${before} of the batch`,
    bytes: bytes.slice(0, Limits.deadLetterBytesMax),
    truncated: bytes.length > Limits.deadLetterBytesMax
  }
}

interface OpenEpoch {
  readonly rows: Array<string>
  readonly deletes: Array<boolean>
  /** Complete mode: a table was written, maybe an empty one. */
  written: boolean
}

const nothing = (): OpenEpoch => ({ rows: [], deletes: [], written: false })

/** Two parts of one epoch as one; in complete mode the later table replaces the earlier. */
const joined = (a: OpenEpoch, b: OpenEpoch): OpenEpoch =>
  b.written ? b : { rows: [...a.rows, ...b.rows], deletes: [...a.deletes, ...b.deletes], written: a.written }

const batchWriter = <A>(context: WriterContext): SinkWriter<A> => {
  const { query, queryId, writer, mode } = context
  let open = nothing()
  /** The last one prepared: the same number again goes on with it (rule C9). */
  let last = { epoch: -1, content: nothing() }
  return {
    write: (batch) =>
      Effect.sync(() => {
        if (mode === "complete") open = { rows: [], deletes: [], written: true }
        const dead: Array<DeadRow> = []
        for (let i = 0; i < batch.rows.length; i++) {
          const encoded = encodeRow(batch.rows[i])
          if (encoded.refused !== undefined) dead.push(refused(i, encoded.refused, encoded.json))
          else {
            open.rows.push(encoded.json)
            open.deletes.push(batch.deletes !== undefined && batch.deletes[i] === 1)
          }
        }
        return dead
      }),
    prepare: (epoch) =>
      Effect.sync(() => {
        const content = last.epoch === epoch ? joined(last.content, open) : open
        last = { epoch, content }
        open = nothing()
        const { rows, deletes, written } = content
        const data = { queryId, mode, rows, written, ...(deletes.includes(true) ? { deletes } : {}) }
        return { query, writer, epoch, data, rows: rows.length }
      })
  }
}

const isMode = (value: unknown): value is Mode => value === "append" || value === "update" || value === "complete"

/** The rows of a prepared epoch; undefined when the record was not made by this sink. */
const preparedRows = (
  prepared: Prepared
): { readonly rows: ReadonlyArray<unknown>; readonly info: EpochInfo; readonly written: boolean } | undefined => {
  const rows = fieldOf(prepared.data, "rows")
  const mode = fieldOf(prepared.data, "mode")
  const deletes = fieldOf(prepared.data, "deletes")
  if (!Array.isArray(rows) || !isMode(mode)) return undefined
  const flags = Array.isArray(deletes) ? deletes.map((d) => d === true) : rows.map(() => false)
  return {
    rows: rows.map((json) => decodeRow(String(json))),
    info: { query: prepared.query, writer: prepared.writer, mode, deletes: flags },
    written: fieldOf(prepared.data, "written") === true
  }
}

/**
 * Calls `f` with an epoch's number and all its rows when the epoch is committed: after a crash maybe again, with the same
 * number and equal rows, so that a function which remembers the number makes it exactly once. Not called for an epoch
 * without rows (in complete mode: without a table). Rows are kept in the checkpoint until then: a row that is not plain
 * data (a class instance, a function) is a dead letter. An epoch is held in memory as a whole.
 */
export const batch = <A, E = never, R = never>(
  f: (epoch: number, rows: ReadonlyArray<A>, info: EpochInfo) => Effect.Effect<unknown, E, R>
): Sink<A, Mode, E | SinkError, R> => {
  const committed = makeProcessMarkers()
  const problems: Array<OptionProblem> = []
  functionOf("Foreach.batch", f, problems)
  return {
    name: "foreach batch",
    features,
    problems,
    writer: (context) =>
      Effect.sync(() => {
        committed.begin(context)
        return batchWriter<A>(context)
      }),
    commit: (prepared) =>
      Effect.gen(function* () {
        const { query, writer, epoch } = prepared
        if (committed.has(prepared)) return
        const found = preparedRows(prepared)
        if (found === undefined) {
          const message = `foreach batch: epoch ${epoch} of ${query} was prepared by another kind of sink: the output named ${writer} has changed; start with a new checkpoint`
          return yield* Effect.fail(new SinkError({ connector: "foreach batch", retryable: false, message }))
        }
        if (found.rows.length > 0 || found.written) yield* f(epoch, found.rows as ReadonlyArray<A>, found.info)
        committed.set(prepared)
      }),
    committed: (query, writer) => Effect.sync(() => committed.last(query, writer))
  }
}

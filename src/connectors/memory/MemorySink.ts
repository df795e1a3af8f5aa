/**
 * A sink that keeps what was committed in memory: for tests, examples and results that a program reads itself.
 *
 * Exactly once within one process: rows are staged per epoch and become visible at its commit, which may be repeated,
 * also by another sink over the same {@link MemoryTable}. All output modes. It dies with the process: a staged epoch
 * that this process does not have cannot be committed. A query that begins anew, with another chain of checkpoints,
 * adds to what its earlier runs brought; one that goes on from an older epoch than was committed is refused.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type OptionProblem, SinkError } from "../../model/Errors.ts"
import { has, show, text } from "../../model/Options.ts"
import { fieldOf } from "../../model/RowChunk.ts"
import type { Mode, Prepared, Sink, SinkBatch, SinkWriter, SweepContext, WriterContext } from "../../model/Sink.ts"

/** What one epoch of one writer brought. */
export interface CommittedEpoch<out A> {
  readonly query: string
  readonly writer: string
  readonly epoch: number
  readonly mode: Mode
  /** Rows in the order written; in update mode upserts and deletes together. */
  readonly rows: ReadonlyArray<A>
  /** Parallel to `rows`: true where the row was a delete. */
  readonly deletes: ReadonlyArray<boolean>
}

/** A prepared epoch. */
export interface Staged {
  readonly key: string
  /** Chain and attempt of whoever staged it. */
  readonly queryId: string
  readonly attempt: number
  epoch: number
  readonly mode: Mode
  readonly identity: ReadonlyArray<string>
  readonly rows: Array<unknown>
  readonly deletes: Array<boolean>
  /** Complete mode: whether a table was written at all in this epoch. */
  replaces: boolean
}

/** Where memory sinks keep rows; give one to several sinks to let them share it. */
export interface MemoryTable {
  /** Prepared epochs by their staged name. */
  readonly staged: Map<string, Staged>
  /** The last committed epoch by writer, and the chain of checkpoints that it belongs to. */
  readonly markers: Map<string, { readonly queryId: string; readonly epoch: number }>
  readonly epochs: Array<CommittedEpoch<unknown>>
  /** Current rows by writer, then by identity. */
  readonly tables: Map<string, Map<string, unknown>>
  /** Writers made so far: keeps the staged names of two attempts apart. */
  writers: number
}

/** An empty {@link MemoryTable}, for sinks that share one. */
export const makeTable = (): MemoryTable => ({
  staged: new Map(),
  markers: new Map(),
  epochs: [],
  tables: new Map(),
  writers: 0
})

/** A memory sink carries what it has committed. */
export interface MemorySink<A> extends Sink<A, Mode, SinkError> {
  /** Every committed row in commit order; without deletes. */
  readonly rows: Effect.Effect<ReadonlyArray<A>>
  /** What a reader of the output sees now: all rows (append), the rows by identity (update), the last table (complete). */
  readonly table: Effect.Effect<ReadonlyArray<A>>
  /** The committed epochs that brought something, in order. */
  readonly epochs: Effect.Effect<ReadonlyArray<CommittedEpoch<A>>>
}

const writerKey = (query: string, writer: string): string => JSON.stringify([query, writer])

const identityPart = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value)
  if (value instanceof Date) return `date ${value.getTime()}`
  if (typeof value === "object" && value !== null) return `object ${JSON.stringify(value)}`
  return Object.is(value, -0) ? "0" : `${typeof value} ${String(value)}`
}

const identityOf = (row: unknown, columns: ReadonlyArray<string>): string =>
  columns.map((column) => identityPart(fieldOf(row, column))).join("\n")

const stage = (into: Staged, batch: SinkBatch<unknown>): void => {
  if (into.mode === "complete") {
    into.rows.length = 0
    into.deletes.length = 0
    into.replaces = true
  }
  for (let i = 0; i < batch.rows.length; i++) {
    into.rows.push(batch.rows[i])
    into.deletes.push(batch.deletes !== undefined && batch.deletes[i] === 1)
  }
}

const apply = (table: MemoryTable, prepared: Prepared, staged: Staged): void => {
  const key = writerKey(prepared.query, prepared.writer)
  const { mode, rows, deletes, identity, replaces } = staged
  const current = table.tables.get(key) ?? new Map<string, unknown>()
  if (mode === "complete" && replaces) current.clear()
  for (let i = 0; i < rows.length; i++) {
    // Rows of append output have no identity: each is one of its own. An update without columns has one row in all.
    const id = mode === "update" ? identityOf(rows[i], identity) : `${prepared.epoch} ${i} ${staged.queryId}`
    if (deletes[i]) current.delete(id)
    else current.set(id, rows[i])
  }
  table.tables.set(key, current)
  if (rows.length > 0 || replaces) {
    const { query, writer, epoch } = prepared
    table.epochs.push({ query, writer, epoch, mode, rows: [...rows], deletes: [...deletes] })
  }
}

const stagedName = (data: unknown): string | undefined => {
  const name = fieldOf(data, "staged")
  return typeof name === "string" ? name : undefined
}

const refusal = (name: string, message: string): Effect.Effect<never, SinkError> =>
  Effect.fail(new SinkError({ connector: name, retryable: false, message: `${name}: ${message}` }))

/** A writer of a chain that is new here begins without a marker; one that goes on must know what was committed. */
const begin = (table: MemoryTable, name: string, context: WriterContext): Effect.Effect<void, SinkError> =>
  Effect.suspend(() => {
    const { query, queryId, writer, continues } = context
    const key = writerKey(query, writer)
    const marker = table.markers.get(key)
    if (marker === undefined) return Effect.void
    if (continues === 0 && marker.queryId !== queryId) {
      table.markers.delete(key)
      return Effect.void
    }
    if (marker.epoch <= continues) return Effect.void
    return refusal(
      name,
      `holds epochs of ${query} up to ${marker.epoch}, and the checkpoint goes on from ${continues}: it is an older one; start with the newest, or with another sink`
    )
  })

const writerOf = <A>(table: MemoryTable, context: WriterContext): SinkWriter<A, SinkError> => {
  const { query, queryId, writer, attempt, mode, identity } = context
  const key = writerKey(query, writer)
  const fresh = (): Staged => ({
    key,
    queryId,
    attempt,
    epoch: 0,
    mode,
    identity,
    rows: [],
    deletes: [],
    replaces: false
  })
  const number = table.writers++
  let open = fresh()
  /** The last one prepared, until another number is: the same number again goes on with it (rule C9). */
  let last = fresh()
  return {
    write: (batch) =>
      Effect.sync(() => {
        stage(open, batch)
        return []
      }),
    prepare: (epoch) =>
      Effect.sync(() => {
        const name = `${key} ${number} ${epoch}`
        const staged = last.epoch === epoch && !open.replaces ? last : open
        if (staged === last) {
          for (const row of open.rows) staged.rows.push(row)
          for (const deleted of open.deletes) staged.deletes.push(deleted)
        }
        staged.epoch = epoch
        last = staged
        open = fresh()
        // What this value covers stays as it is when the number is prepared again.
        const rows = staged.rows.length
        table.staged.set(name, staged)
        return { query, writer, epoch, data: { staged: name, queryId, rows, replaces: staged.replaces }, rows }
      })
  }
}

const commitTo = (table: MemoryTable, name: string, prepared: Prepared): Effect.Effect<void, SinkError> =>
  Effect.suspend(() => {
    const { query, writer, epoch, data } = prepared
    const key = writerKey(query, writer)
    const queryId = String(fieldOf(data, "queryId"))
    const marker = table.markers.get(key)
    if (marker !== undefined && marker.queryId === queryId && marker.epoch >= epoch) return Effect.void
    const staged = stagedName(data)
    const rows = staged === undefined ? undefined : table.staged.get(staged)
    const isEmpty = fieldOf(data, "rows") === 0 && fieldOf(data, "replaces") === false
    if (rows !== undefined) apply(table, prepared, rows)
    else if (!isEmpty) {
      return refusal(
        name,
        `the rows of epoch ${epoch} of ${query} were in the memory of another process: start the query from its beginning, with a new checkpoint`
      )
    }
    table.markers.set(key, { queryId, epoch })
    // What an attempt that died had staged for these epochs is of no use any more.
    for (const [other, { key: theirs, queryId: chain, epoch: e }] of table.staged)
      if (theirs === key && chain === queryId && e <= epoch) table.staged.delete(other)
    return Effect.void
  })

/** Takes away what lower attempts of the chain staged. */
const sweepIn = (table: MemoryTable, { query, queryId, writer, attempt, keep }: SweepContext): void => {
  const key = writerKey(query, writer)
  const kept = stagedName(keep?.data)
  for (const [name, staged] of table.staged) {
    const isOld = staged.key === key && staged.queryId === queryId && staged.attempt < attempt
    if (isOld && name !== kept) table.staged.delete(name)
  }
}

/** Options of {@link sink}. */
export interface MemorySinkOptions {
  /** For errors and progress; default `memory`. */
  readonly name?: string
  /** Where rows are kept; default a table of its own. */
  readonly table?: MemoryTable
}

const tableOf = (table: MemoryTable | undefined, problems: Array<OptionProblem>): MemoryTable => {
  if (table === undefined) return makeTable()
  if (has(table, "staged", "markers", "epochs", "tables")) return table
  problems.push({ option: "Memory.sink.table", value: show(table), fix: "must be a table (try Memory.makeTable())" })
  return makeTable()
}

/**
 * A sink in memory, exactly once, for all modes. `Memory.sink<Row>()`, then after the query `yield* sink.rows`.
 * A commit fails with `SinkError` only when its rows were staged by another process.
 */
export const sink = <A = unknown>(options?: MemorySinkOptions): MemorySink<A> => {
  const problems: Array<OptionProblem> = []
  const name = text("Memory.sink.name", options?.name ?? "memory", problems)
  const table = tableOf(options?.table, problems)
  return {
    name,
    features: { modes: ["append", "update", "complete"], guarantee: "exactly-once", multiWriter: true, deletes: true },
    problems,
    writer: (context) => Effect.map(begin(table, name, context), () => writerOf<A>(table, context)),
    commit: (prepared) => commitTo(table, name, prepared),
    committed: (query, writer) =>
      Effect.sync(() => Option.fromUndefinedOr(table.markers.get(writerKey(query, writer))?.epoch)),
    sweep: (context) => Effect.sync(() => sweepIn(table, context)),
    rows: Effect.sync(() => table.epochs.flatMap((e) => (e.rows as ReadonlyArray<A>).filter((_, i) => !e.deletes[i]))),
    table: Effect.sync(() => [...table.tables.values()].flatMap((rows) => [...rows.values()] as Array<A>)),
    epochs: Effect.sync(() => [...table.epochs] as Array<CommittedEpoch<A>>)
  }
}

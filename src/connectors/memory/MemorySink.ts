/**
 * A sink that keeps what was committed in memory: for tests, examples and results that a program reads itself.
 *
 * Exactly once within one process: rows are staged per epoch and become visible at its commit, which may be repeated,
 * also by another sink over the same {@link MemoryTable}. All output modes. It dies with the process: a staged epoch
 * that this process does not have cannot be committed.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type OptionProblem, SinkError } from "../../model/Errors.ts"
import { has, show, text } from "../../model/Options.ts"
import { fieldOf } from "../../model/RowChunk.ts"
import type { Mode, Prepared, Sink, SinkBatch, SinkWriter, WriterContext } from "../../model/Sink.ts"

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
  /** The last committed epoch by writer. */
  readonly markers: Map<string, number>
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
    const id = mode === "update" ? identityOf(rows[i], identity) : `${prepared.epoch} ${i}`
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

const writerOf = <A>(table: MemoryTable, context: WriterContext): SinkWriter<A, SinkError> => {
  const key = writerKey(context.query, context.writer)
  const fresh = (): Staged => ({
    key,
    epoch: 0,
    mode: context.mode,
    identity: context.identity,
    rows: [],
    deletes: [],
    replaces: false
  })
  const number = table.writers++
  let open = fresh()
  return {
    write: (batch) =>
      Effect.sync(() => {
        stage(open, batch)
        return []
      }),
    prepare: (epoch) =>
      Effect.sync(() => {
        const staged = `${key} ${number} ${epoch}`
        open.epoch = epoch
        table.staged.set(staged, open)
        open = fresh()
        return { query: context.query, writer: context.writer, epoch, data: { staged } }
      })
  }
}

const commitTo = (table: MemoryTable, name: string, prepared: Prepared): Effect.Effect<void, SinkError> =>
  Effect.suspend(() => {
    const key = writerKey(prepared.query, prepared.writer)
    const staged = stagedName(prepared.data)
    if ((table.markers.get(key) ?? Number.NEGATIVE_INFINITY) >= prepared.epoch) return Effect.void
    const rows = staged === undefined ? undefined : table.staged.get(staged)
    if (staged === undefined || rows === undefined) {
      const message = `${name}: the rows of epoch ${prepared.epoch} of ${prepared.query} were in the memory of another process: start the query from its beginning, with a new checkpoint`
      return Effect.fail(new SinkError({ connector: name, retryable: false, message }))
    }
    apply(table, prepared, rows)
    table.markers.set(key, prepared.epoch)
    // What an attempt that died had staged for these epochs is of no use any more.
    for (const [name, other] of table.staged)
      if (other.key === key && other.epoch <= prepared.epoch) table.staged.delete(name)
    return Effect.void
  })

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
    writer: (context) => Effect.sync(() => writerOf<A>(table, context)),
    commit: (prepared) => commitTo(table, name, prepared),
    committed: (query, writer) =>
      Effect.sync(() => Option.fromUndefinedOr(table.markers.get(writerKey(query, writer)))),
    rows: Effect.sync(() => table.epochs.flatMap((e) => (e.rows as ReadonlyArray<A>).filter((_, i) => !e.deletes[i]))),
    table: Effect.sync(() => [...table.tables.values()].flatMap((rows) => [...rows.values()] as Array<A>)),
    epochs: Effect.sync(() => [...table.epochs] as Array<CommittedEpoch<A>>)
  }
}

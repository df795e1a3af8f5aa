/**
 * Reads the row groups of one Parquet file, one after the other, column by column: at most one row group is held, as
 * columns. Loads hyparquet when it is first used.
 *
 * What cannot be read is one dead row: a footer costs the file, a page its row group; the next row group is read.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Hyparquet from "hyparquet"
import type { AsyncBuffer, FileMetaData, RowGroup, SchemaTree } from "hyparquet"
import type { DeadRow } from "../model/DeadLetter.ts"
import type { Column } from "../model/Source.ts"
import { shown } from "./shown.ts"
import { deadRow, type Fault, type RandomAccess, type TableCursor, type TablePart } from "./Format.ts"
import { nestedParsers, type Want, wantOf } from "./parquetColumn.ts"
import { type ColumnEngine, readGroupColumn } from "./parquetRead.ts"
import type { RowSchema } from "./RowSchema.ts"

/** The libraries, loaded. */
export interface Engine extends ColumnEngine {
  readonly parquet: Pick<typeof Hyparquet, "parquetMetadataAsync" | "parquetScan" | "parquetSchema">
}

/** What to read of a file. */
export interface TablePlan<A> {
  /** The columns; absent: the schema's, or all. */
  readonly columns?: ReadonlyArray<string>
  readonly schema?: RowSchema<A>
  /** Type tests by column, when the schema does no more than that: rows then stay columns. */
  readonly tests?: ReadonlyMap<string, (value: unknown) => boolean>
}

interface Opened {
  readonly metadata: FileMetaData
  readonly trees: ReadonlyArray<SchemaTree>
  /** Row number, from 0, at which each row group begins, and the number of rows at the end. */
  readonly starts: ReadonlyArray<number>
}

interface Group {
  readonly index: number
  readonly columns: Map<string, Column>
}

type Columns = { [name: string]: Column }

const corrupt = (what: string, error: unknown): Fault => ({
  reason: "malformed",
  detail: `${what}: ${error instanceof Error ? error.message : String(error)}`.replace(/\s+/g, " ").slice(0, 400)
})

/** Runs hyparquet over a file. Its failures are faults; those of the file system are failures of the effect. */
const reading = <A, E>(
  file: RandomAccess<E>,
  what: string,
  run: (buffer: AsyncBuffer) => Promise<A>
): Effect.Effect<A | Fault, E> =>
  Effect.flatMap(Effect.context<never>(), (context) =>
    Effect.suspend(() => {
      let failed: Exit.Failure<never, E> | undefined
      const slice = async (start: number, end = file.size): Promise<ArrayBuffer> => {
        if (!(start >= 0 && end >= start && end <= file.size))
          throw new Error(`bytes ${start} to ${end} of a file of ${file.size}`)
        const exit = await Effect.runPromiseExitWith(context)(file.read(start, end - start))
        if (Exit.isFailure(exit)) {
          failed = Exit.failCause(exit.cause) as Exit.Failure<never, E>
          throw new Error("the file could not be read")
        }
        const bytes = exit.value
        if (bytes.length !== end - start)
          throw new Error(`the file ends at byte ${start + bytes.length}, it had ${file.size} when it was opened`)
        return bytes.byteOffset === 0 && bytes.length === bytes.buffer.byteLength
          ? (bytes.buffer as ArrayBuffer)
          : (bytes.slice().buffer as ArrayBuffer)
      }
      return Effect.flatMap(
        Effect.promise(() => run({ byteLength: file.size, slice }).catch((error: unknown) => corrupt(what, error))),
        (result) => failed ?? Effect.succeed(result)
      )
    })
  )

const isFault = (value: object): value is Fault => "reason" in value && "detail" in value

const startsOf = (groups: ReadonlyArray<RowGroup>, total: bigint): ReadonlyArray<number> => {
  const starts = [0]
  for (const group of groups) starts.push(starts[starts.length - 1] + Number(group.num_rows))
  const rows = starts[starts.length - 1]
  if (!starts.every((s, i) => Number.isSafeInteger(s) && s >= 0 && (i === 0 || s >= starts[i - 1])))
    throw new Error("impossible row counts")
  if (BigInt(rows) !== total) throw new Error(`${rows} rows in its row groups where it says ${total}`)
  return starts
}

const rowOf = (columns: Columns, names: ReadonlyArray<string>, i: number): { [field: string]: unknown } => {
  const row: { [field: string]: unknown } = {}
  for (const name of names) {
    if (name === "__proto__")
      Object.defineProperty(row, name, {
        value: columns[name][i],
        writable: true,
        enumerable: true,
        configurable: true
      })
    else row[name] = columns[name][i]
  }
  return row
}

const passes = (column: Column, test: (value: unknown) => boolean): boolean => {
  if (column instanceof Float64Array || column instanceof Int32Array) return test(0)
  for (let i = 0; i < column.length; i++) if (!test(column[i])) return false
  return true
}

/** Values `from` to `to` of a column. */
const cut = (column: Column, from: number, to: number): Column =>
  column instanceof Float64Array || column instanceof Int32Array ? column.subarray(from, to) : column.slice(from, to)

/** Reads one file from row `from` (0 is the first). */
export const tableCursor = <A, E>(
  engine: Engine,
  plan: TablePlan<A>,
  file: RandomAccess<E>,
  source: string,
  from: number
): TableCursor<A, E> => {
  let opened: Opened | undefined
  let lost = false
  let at = from
  let group: Group | undefined
  let checked: { readonly group: Group; readonly columns: boolean } | undefined

  const part = (fields: Partial<TablePart<A>>, start: number, total: number): TablePart<A> => ({
    length: 0,
    rows: [],
    lineAt: (i) => start + i + 1,
    dead: [],
    bytes: 0,
    next: at,
    last: lost || at >= total,
    ...fields
  })
  const giveUp = (fault: Fault): TablePart<A> => {
    lost = true
    return part({ dead: [deadRow(0, fault, source, new Uint8Array(0))] }, at, at)
  }

  const open = Effect.map(
    reading(file, "the footer cannot be read", async (buffer): Promise<Opened> => {
      const metadata = await engine.parquet.parquetMetadataAsync(buffer, { geoparquet: false, parsers: nestedParsers })
      return {
        metadata,
        trees: engine.parquet.parquetSchema(metadata).children,
        starts: startsOf(metadata.row_groups, metadata.num_rows)
      }
    }),
    (result) => {
      if (!isFault(result)) opened = result
      return result
    }
  )

  /** The columns to read, or the one that is wanted and not there. */
  const wanted = (
    trees: ReadonlyArray<SchemaTree>
  ): ReadonlyArray<{ readonly tree: SchemaTree; readonly want: Want }> | Fault => {
    const { schema, columns } = plan
    const names = columns ?? schema?.fields?.map((f) => f.name) ?? trees.map((t) => t.element.name)
    const absent = schema?.fields?.find((f) => !f.optional && !names.includes(f.name))
    if (absent !== undefined)
      return {
        reason: "schema",
        detail: `the schema needs the column ${JSON.stringify(absent.name)}, which is not among those read: the file is not read`
      }
    const out: Array<{ readonly tree: SchemaTree; readonly want: Want }> = []
    for (const name of new Set(names)) {
      const field = schema?.fields?.find((f) => f.name === name)
      const tree = trees.find((t) => t.element.name === name)
      if (tree !== undefined) out.push({ tree, want: field === undefined ? "any" : wantOf(field.ast) })
      else if (field?.optional !== true)
        return { reason: "schema", detail: `the file has no column ${JSON.stringify(name)}: the file is not read` }
    }
    return out
  }

  const readColumn = (
    { metadata }: Opened,
    index: number,
    tree: SchemaTree,
    want: Want
  ): Effect.Effect<{ readonly column: Column } | Fault, E> =>
    reading(file, `row group ${index + 1}, column ${JSON.stringify(tree.element.name)}`, (buffer) =>
      readGroupColumn(engine, metadata, index, tree, want, buffer)
    )

  /** Reads what is missing of a row group; what is there stays when it is interrupted. */
  const load = (file: Opened, index: number): Effect.Effect<Group | Fault, E> =>
    Effect.gen(function* () {
      const columns = wanted(file.trees)
      if ("reason" in columns) return columns
      if (group?.index !== index) group = { index, columns: new Map() }
      const into = group.columns
      for (const { tree, want } of columns) {
        if (into.has(tree.element.name)) continue
        const read = yield* readColumn(file, index, tree, want)
        if (isFault(read)) return read
        into.set(tree.element.name, read.column)
        // A column of a large row group takes some 50 ms: let others run in between.
        yield* Effect.yieldNow
      }
      return group
    })

  /** Whether the columns can be handed on as they are. */
  const asColumns = (g: Group): boolean => {
    if (checked?.group === g) return checked.columns
    const { tests, schema } = plan
    const fits = [...g.columns].every(
      ([name, column]) =>
        name !== "__proto__" &&
        (tests === undefined || (tests.has(name) && passes(column, tests.get(name) as (v: unknown) => boolean)))
    )
    const columns = fits && (schema === undefined || tests !== undefined)
    checked = { group: g, columns }
    return columns
  }

  const decoded = (
    schema: RowSchema<A> | undefined,
    columns: Columns,
    names: ReadonlyArray<string>,
    n: number,
    first: number
  ) => {
    const rows: Array<A> = []
    const lines: Array<number> = []
    const dead: Array<DeadRow> = []
    for (let i = 0; i < n; i++) {
      const row = rowOf(columns, names, i)
      const fault = schema === undefined ? undefined : schema.decode(row, rows)
      if (schema === undefined) rows.push(row as A)
      if (fault === undefined) lines.push(first + i + 1)
      else dead.push(deadRow(rows.length, fault, `${source}:${first + i + 1}`, shown(row)))
    }
    return { length: rows.length, rows, lineAt: (i: number) => lines[i], dead }
  }

  const slice = (g: Group, { metadata, starts }: Opened, rows: number): TablePart<A> => {
    const first = at
    const offset = first - starts[g.index]
    const n = Math.min(rows, starts[g.index + 1] - first)
    const names = [...g.columns.keys()]
    const columns = Object.create(null) as Columns
    for (const [name, column] of g.columns) columns[name] = cut(column, offset, offset + n)
    const size = metadata.row_groups[g.index]
    const bytes = Math.ceil((Number(size.total_byte_size) / Math.max(1, Number(size.num_rows))) * n)
    at += n
    const total = starts[starts.length - 1]
    if (at >= starts[g.index + 1]) group = undefined
    if (!asColumns(g)) return part({ ...decoded(plan.schema, columns, names, n, first), bytes }, first, total)
    const { rows: _, ...bareColumns } = part({ length: n, columns: { ...columns }, bytes }, first, total)
    return bareColumns
  }

  const takeFault = (file: Opened, fault: Fault): TablePart<A> => {
    if (fault.reason === "schema") return giveUp(fault)
    const first = at
    at = file.starts[file.starts.findLastIndex((start) => start <= first) + 1]
    group = undefined
    const told = { ...fault, detail: `${fault.detail} (rows ${first + 1} to ${at} are lost)` }
    return part({ dead: [deadRow(0, told, `${source}:${first + 1}`, new Uint8Array(0))] }, first, totalOf(file))
  }

  /** What `take` hands on: a row group, or why there is none. */
  let loaded: Group | Fault | undefined

  return {
    ready: Effect.gen(function* () {
      if (lost) return false
      const file = opened ?? (yield* open)
      if (isFault(file)) loaded = file
      else if (at >= totalOf(file)) return false
      else
        loaded = yield* load(
          file,
          file.starts.findLastIndex((start) => start <= at)
        )
      return true
    }),
    take: (rows) => {
      if (loaded === undefined) throw new Error("taken from a table that was not ready")
      const now = loaded
      loaded = undefined
      if (!isFault(now)) return slice(now, opened as Opened, rows)
      return opened === undefined ? giveUp(now) : takeFault(opened, now)
    }
  }
}

const totalOf = (file: Opened): number => file.starts[file.starts.length - 1]

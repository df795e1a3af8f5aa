/** Feeds rows to an aggregate in any shape: batches, slots, merges, snapshots. Shared by examples and laws. */
import { exactPieces, parseExact } from "../../src/checkpoint/exactJson.ts"
import type { SnapshotColumn, SnapshotValue } from "../../src/model/Snapshot.ts"
import type { Column } from "../../src/model/Source.ts"
import type { Accumulators, AggregateSpec, BatchOrder } from "../../src/streams/aggregates/Aggregate.ts"

/** One row: what the aggregate reads of it, and its place. */
export interface Row {
  readonly value: unknown
  readonly time?: number
  readonly lane?: string | number
  readonly ordinal?: number
  readonly sub?: number
}

export const rowsOf = (...values: ReadonlyArray<unknown>): ReadonlyArray<Row> =>
  values.map((value, ordinal) => ({ value, ordinal }))

const orderOf = (rows: ReadonlyArray<Row>): BatchOrder => ({
  times: Float64Array.from(rows, (r) => r.time ?? 0),
  lanes: rows.map((r) => r.lane ?? 0),
  ordinals: Float64Array.from(rows, (r) => r.ordinal ?? 0),
  subs: Float64Array.from(rows, (r) => r.sub ?? 0)
})

/** The column as a source would give it: typed where it can be. */
const columnOf = (rows: ReadonlyArray<Row>, typed: boolean): Column => {
  const values = rows.map((r) => r.value)
  if (!typed || !values.every((v) => typeof v === "number" && !Object.is(v, -0))) return values
  return values.every((v) => (v as number) === ((v as number) | 0))
    ? Int32Array.from(values as Array<number>)
    : Float64Array.from(values as Array<number>)
}

/** Adds rows to one slot as one batch, with rows of another slot on both sides that must not be touched. */
export const add = (
  spec: AggregateSpec,
  into: Accumulators,
  slot: number,
  rows: ReadonlyArray<Row>,
  typed = true
): void => {
  const fenced = [...rows.slice(0, 1), ...rows, ...rows.slice(0, 1)]
  const slots = new Int32Array(fenced.length).fill(slot)
  into.addBatch(
    slots,
    spec.input === undefined ? undefined : columnOf(fenced, typed),
    rows.length === 0 ? 0 : 1,
    rows.length === 0 ? 0 : rows.length + 1,
    spec.needsOrder ? orderOf(fenced) : undefined
  )
}

/** A snapshot as a checkpoint gives it back. */
export const written = (value: SnapshotValue): SnapshotValue => {
  const columns: Array<SnapshotColumn> = []
  const next = exactPieces(value, (column) => columns.push(column) - 1)
  let text = ""
  for (let piece = next(); piece !== undefined; piece = next()) text += piece
  return parseExact(text, (i) => columns[i].slice()) as SnapshotValue
}

/** Through a checkpoint and into fresh columns, the slots in other places: slot s becomes s + `at`. */
export const throughCheckpoint = (spec: AggregateSpec, from: Accumulators, count: number, at = 0): Accumulators => {
  const fresh = spec.make()
  fresh.reserve(at + count)
  fresh.restore(
    written(from.snapshot(count)),
    Int32Array.from({ length: count }, (_, slot) => slot),
    at
  )
  return fresh
}

/** The result of all rows in one batch. */
export const resultOf = (spec: AggregateSpec, rows: ReadonlyArray<Row>): unknown => {
  const a = spec.make()
  a.reserve(1)
  add(spec, a, 0, rows)
  return a.result(0)
}

/** Rows to leave in a slot before it is cleared: of every kind that leaves traces. */
const dirtFor = (spec: AggregateSpec, rows: ReadonlyArray<Row>): ReadonlyArray<Row> =>
  spec.input?.type === "number"
    ? rowsOf(0.5, -7n, 2n ** 80n, -(2n ** 90n), 1e300, -1e300)
    : spec.input?.type === "value"
      ? rowsOf("dirt", 7, 7n, null, new Date(3))
      : rows

/** How rows reach the result: in pieces, each in a slot of its own, merged as a tree, stored and restored on the way. */
export interface Shape {
  readonly pieces: ReadonlyArray<ReadonlyArray<Row>>
  /** Step i merges the columns at `a` into those at `b`, both taken modulo what is left. */
  readonly merges: ReadonlyArray<{ readonly a: number; readonly b: number }>
  readonly typed: boolean
  /** Which merged columns pass through a checkpoint. */
  readonly stored: ReadonlyArray<boolean>
}

/** The result of rows fed in a shape. Slots are dirty and cleared, or fresh; merges come from other columns or the same. */
export const resultInShape = (spec: AggregateSpec, shape: Shape): unknown => {
  const slot = 2
  let parts = shape.pieces.map((piece, i) => {
    const a = spec.make()
    a.reserve(i % 3 === 0 ? 3 : 40)
    if (i % 2 === 1) {
      add(spec, a, slot, dirtFor(spec, shape.pieces[0]), false)
      a.clear(slot)
    }
    const half = piece.length >> 1
    add(spec, a, slot, piece.slice(0, half), shape.typed)
    const stored = shape.stored[i % shape.stored.length] ? throughCheckpoint(spec, a, 3) : a
    stored.reserve(50)
    add(spec, stored, slot, piece.slice(half), !shape.typed)
    return stored
  })
  for (let i = 0; parts.length > 1; i++) {
    const step = shape.merges[i % shape.merges.length]
    const from = parts[step.a % parts.length]
    const rest = parts.filter((p) => p !== from)
    const into = rest[step.b % rest.length]
    if (i % 2 === 0) into.mergeSlot(slot, from, slot)
    else {
      into.mergeSlot(7, from, slot)
      into.mergeSlot(slot, into, 7)
      into.clear(7)
    }
    parts = rest
  }
  return parts[0].result(slot)
}

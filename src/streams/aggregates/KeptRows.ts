/**
 * Rows that are kept until the result is asked for, for a reducer without `merge` (rule A1): each with its place, to be
 * folded by (slice, lane, ordinal, sub).
 */
import type { SnapshotValue } from "../../model/Snapshot.ts"
import type { Accumulators } from "./Aggregate.ts"
import { growArray, grownCapacity, grownInts } from "./Columns.ts"
import { compareLanes } from "./FirstLast.ts"
import { referenceBytes, roughBytes } from "./StateBytes.ts"
import { inParts, slotsPerPart, startsInParts, storedPart, type StoredPart, valueOfPart } from "./StoredColumn.ts"

/** How rows are folded. */
export interface Fold {
  readonly zero: () => unknown
  readonly add: (state: unknown, row: unknown) => unknown
  readonly result?: (state: unknown) => unknown
}

/** Rows of a slot with their places; they are only appended to. A slice of -Infinity: none was told. */
interface KeptRows {
  readonly rows: Array<unknown>
  readonly slices: Array<number>
  readonly lanes: Array<string | number>
  readonly ordinals: Array<number>
  readonly subs: Array<number>
}

const noRows = (): KeptRows => ({ rows: [], slices: [], lanes: [], ordinals: [], subs: [] })

interface KeepingAccumulators extends Accumulators {
  readonly kept: Array<KeptRows | undefined>
}

const keep = (k: KeptRows, row: unknown, slice: number, lane: string | number, ordinal: number, sub: number): void => {
  k.rows.push(row)
  k.slices.push(slice)
  k.lanes.push(lane)
  k.ordinals.push(ordinal)
  k.subs.push(sub)
}

/** The indices of the rows in the order of A1. */
const foldOrder = (k: KeptRows): Int32Array => {
  const { slices, lanes, ordinals, subs } = k
  const order = new Int32Array(k.rows.length)
  for (let i = 0; i < order.length; i++) order[i] = i
  return order.sort((a, b) =>
    slices[a] !== slices[b]
      ? slices[a] < slices[b]
        ? -1
        : 1
      : compareLanes(lanes[a], lanes[b]) || ordinals[a] - ordinals[b] || subs[a] - subs[b]
  )
}

/** The rows of several slots, one after the other. */
interface StoredRows {
  readonly rows: StoredPart
  readonly slices: Float64Array
  readonly lanes: StoredPart
  readonly ordinals: Float64Array
  readonly subs: Float64Array
}

/** The first `sizes[slot]` rows of each slot: what it held at the barrier, since rows are only appended. */
const partOf = (
  label: string,
  kept: ReadonlyArray<KeptRows | undefined>,
  sizes: Int32Array,
  from: number,
  to: number
): SnapshotValue => {
  const all = noRows()
  for (let slot = from; slot < to; slot++) {
    const k = kept[slot]
    if (k === undefined) continue
    for (let i = 0; i < sizes[slot]; i++) keep(all, k.rows[i], k.slices[i], k.lanes[i], k.ordinals[i], k.subs[i])
  }
  return {
    rows: storedPart(label, all.rows, 0, all.rows.length),
    slices: Float64Array.from(all.slices),
    lanes: storedPart(label, all.lanes, 0, all.lanes.length),
    ordinals: Float64Array.from(all.ordinals),
    subs: Float64Array.from(all.subs)
  }
}

const snapshotRows = (
  label: string,
  kept: ReadonlyArray<KeptRows | undefined>,
  sizes: Int32Array,
  total: number
): SnapshotValue => {
  const per = slotsPerPart(sizes.length, total)
  return { sizes, per, parts: inParts(sizes.length, per, (from, to) => partOf(label, kept, sizes, from, to)) }
}

const readRows = (snapshot: SnapshotValue, from: Int32Array, put: (i: number, k: KeptRows) => void): void => {
  const { sizes, per, parts } = snapshot as unknown as {
    readonly sizes: Int32Array
    readonly per: number
    readonly parts: ReadonlyArray<StoredRows>
  }
  const starts = startsInParts(sizes, per)
  for (let i = 0; i < from.length; i++) {
    const slot = from[i]
    if (sizes[slot] === 0) continue
    const { rows, slices, lanes, ordinals, subs } = parts[Math.floor(slot / per)]
    const k = noRows()
    for (let at = starts[slot]; at < starts[slot] + sizes[slot]; at++) {
      const lane = valueOfPart(lanes, at) as string | number
      keep(k, valueOfPart(rows, at), slices[at], lane, ordinals[at], subs[at])
    }
    put(i, k)
  }
}

/** What a kept row takes beside itself. */
const placeBytes = 5 * referenceBytes

/** Makes accumulators that keep rows; `label` is told of rows that cannot be stored. */
export const makeKeeping = (label: string, fold: Fold) => (): KeepingAccumulators => {
  const kept: Array<KeptRows | undefined> = []
  /** Rows of each slot: what a barrier copies. */
  let sizes: Int32Array = new Int32Array(0)
  let total = 0
  /** Of the row looked at last: rows are of one kind, mostly. */
  let typicalBytes = 0
  const at = (slot: number): KeptRows => (kept[slot] ??= noRows())
  const added = (slot: number, rows: number): void => {
    sizes[slot] += rows
    total += rows
  }
  return {
    kept,
    reserve: (capacity) => {
      if (capacity <= kept.length) return
      growArray(kept, grownCapacity(kept.length, capacity), undefined)
      sizes = grownInts(sizes, kept.length)
    },
    addBatch: (slots, input, from, to, order) => {
      if (input === undefined || order === undefined || to <= from) return
      typicalBytes = roughBytes(input[from])
      for (let i = from; i < to; i++) {
        keep(at(slots[i]), input[i], -Infinity, order.lanes[i], order.ordinals[i], order.subs[i])
        added(slots[i], 1)
      }
    },
    mergeSlot: (slot, other, otherSlot, slice) => {
      const theirs = (other as KeepingAccumulators).kept[otherSlot]
      if (theirs === undefined) return
      const ours = at(slot)
      const n = theirs.rows.length
      for (let i = 0; i < n; i++) {
        keep(ours, theirs.rows[i], slice ?? theirs.slices[i], theirs.lanes[i], theirs.ordinals[i], theirs.subs[i])
      }
      added(slot, n)
    },
    result: (slot) => {
      const k = kept[slot]
      let state = fold.zero()
      if (k !== undefined) for (const i of foldOrder(k)) state = fold.add(state, k.rows[i])
      return fold.result === undefined ? state : fold.result(state)
    },
    clear: (slot) => {
      kept[slot] = undefined
      added(slot, -sizes[slot])
    },
    snapshot: (count) => snapshotRows(label, kept.slice(0, count), sizes.slice(0, count), total),
    restore: (snapshot, from, first) =>
      readRows(snapshot, from, (i, k) => {
        kept[first + i] = k
        typicalBytes = roughBytes(k.rows[0])
        added(first + i, k.rows.length)
      }),
    bytes: () => kept.length * (referenceBytes + Int32Array.BYTES_PER_ELEMENT) + total * (placeBytes + typicalBytes)
  }
}

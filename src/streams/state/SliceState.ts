/**
 * The accumulators of one slice (or session store): a column per aggregate, a slot per key, and the hidden count of
 * rows per slot, from which the ledger reads `held` (rule L2).
 */
import type { Accumulators, BatchOrder, AggregateSpec } from "../aggregates/Aggregate.ts"
import { takeNumbers } from "../aggregates/Columns.ts"
import type { SnapshotValue } from "../../model/Snapshot.ts"
import type { Column } from "../../model/Source.ts"
import { IdSlots } from "./IdSlots.ts"
import type { KeysAtBarrier } from "./StoredKeys.ts"

/** What a snapshot has of the columns of a slice. */
interface StoredColumns {
  readonly counts: Float64Array
  readonly aggregates: ReadonlyArray<SnapshotValue>
}

/** What a snapshot has of a slice, once it is encoded. */
export interface StoredSlice {
  readonly start: number
  readonly firstWindow: number
  /** The number of the key of each slot. */
  readonly keys: Int32Array
  readonly changed: Int32Array
  readonly early: Int32Array
  readonly columns: SnapshotValue
}

/** One slice: see the head of this file. */
export class SliceState {
  readonly slots: IdSlots
  readonly accumulators: ReadonlyArray<Accumulators>
  /** Rows in each slot. */
  counts: Float64Array
  /** Update mode: slots changed since the last emission of a window that has fired. */
  readonly changed = new Set<number>()
  /** Early emission: slots changed since the last barrier. */
  readonly early = new Set<number>()
  /** Slots whose keys the owner has already counted as in use. */
  retained = 0
  /** The slice, and the start of the first window its rows may enter (rule T5). */
  start: number
  firstWindow: number

  constructor(specs: ReadonlyArray<AggregateSpec>, start: number, firstWindow: number, expected: number) {
    this.start = start
    this.firstWindow = firstWindow
    this.slots = new IdSlots(expected)
    this.counts = new Float64Array(this.slots.ids.length)
    this.accumulators = specs.map((spec) => spec.make())
    for (const a of this.accumulators) a.reserve(this.counts.length)
  }

  /** The slot of a key, made empty when new. */
  slotOf(id: number): number {
    const slot = this.slots.getOrAdd(id)
    if (slot >= this.counts.length) this.#grow()
    return slot
  }

  #grow(): void {
    const counts = new Float64Array(this.slots.ids.length)
    counts.set(this.counts)
    this.counts = counts
    for (const a of this.accumulators) a.reserve(counts.length)
  }

  /** Adds rows `from..to)` of a batch, row i to `slots[i]`. */
  add(
    slots: Int32Array,
    inputs: ReadonlyArray<Column | undefined>,
    from: number,
    to: number,
    order: BatchOrder | undefined
  ): void {
    const counts = this.counts
    for (let i = from; i < to; i++) counts[slots[i]]++
    for (let a = 0; a < this.accumulators.length; a++) this.accumulators[a].addBatch(slots, inputs[a], from, to, order)
  }

  /** Adds all that `other` holds of `otherSlot` to `slot`; `slice`: see {@link Accumulators.mergeSlot}. */
  mergeSlot(slot: number, other: SliceState, otherSlot: number, slice?: number): void {
    this.counts[slot] += other.counts[otherSlot]
    for (let a = 0; a < this.accumulators.length; a++) {
      this.accumulators[a].mergeSlot(slot, other.accumulators[a], otherSlot, slice)
    }
  }

  /** Makes it an empty state of another slice, with the room it has. */
  reuse(start: number, firstWindow: number): this {
    for (let slot = 0; slot < this.slots.size; slot++) {
      this.counts[slot] = 0
      for (const a of this.accumulators) a.clear(slot)
    }
    this.slots.clear()
    this.changed.clear()
    this.early.clear()
    this.retained = 0
    this.start = start
    this.firstWindow = firstWindow
    return this
  }

  /** Rows held here. */
  rows(): number {
    let total = 0
    for (let slot = 0; slot < this.slots.size; slot++) total += this.counts[slot]
    return total
  }

  /** Approximate bytes; the marks of changed slots are among them. */
  bytes(): number {
    let total = this.counts.byteLength + this.slots.bytes() + (this.changed.size + this.early.size) * 32
    for (const a of this.accumulators) total += a.bytes()
    return total
  }

  /** Copies of the columns of slots `0..count)`. */
  snapshotColumns(count: number): SnapshotValue {
    return { counts: this.counts.slice(0, count), aggregates: this.accumulators.map((a) => a.snapshot(count)) }
  }

  /** Puts slot `from[i]` of a snapshot into slot `at + i`, which is empty and has room. */
  restoreColumns(snapshot: SnapshotValue, from: Int32Array, at: number): void {
    const { counts, aggregates } = snapshot as unknown as StoredColumns
    takeNumbers(this.counts, counts, from, at)
    for (let a = 0; a < aggregates.length; a++) this.accumulators[a].restore(aggregates[a], from, at)
  }

  /** The slice as it is now: see `model/Snapshot.ts`. */
  snapshot(keys: KeysAtBarrier): SnapshotValue {
    return {
      start: this.start,
      firstWindow: this.firstWindow,
      keys: keys.numbersOf(this.slots.ids.slice(0, this.slots.size)),
      changed: Int32Array.from(this.changed),
      early: Int32Array.from(this.early),
      columns: this.snapshotColumns(this.slots.size)
    }
  }

  /** Adds slots `from` of a snapshot; `ids` are those of its keys, of which none may be here already. */
  restore(snapshot: StoredSlice, from: Int32Array, ids: Int32Array): void {
    const at = this.slots.size
    for (let i = 0; i < from.length; i++) {
      if (this.slotOf(ids[snapshot.keys[from[i]]]) !== at + i) throw new Error("two snapshots hold the same key")
    }
    this.restoreColumns(snapshot.columns, from, at)
    markRestored(this.changed, snapshot.changed, from, at)
    markRestored(this.early, snapshot.early, from, at)
  }
}

/** Marks the slots that were marked in a snapshot and are among those restored from it. */
const markRestored = (marks: Set<number>, stored: Int32Array, from: Int32Array, at: number): void => {
  if (stored.length === 0) return
  const placeOf = new Map<number, number>()
  for (let i = 0; i < from.length; i++) placeOf.set(from[i], at + i)
  for (const slot of stored) {
    const place = placeOf.get(slot)
    if (place !== undefined) marks.add(place)
  }
}

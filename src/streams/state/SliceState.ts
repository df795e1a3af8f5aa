/**
 * The accumulators of one slice (or session store): a column per aggregate, a slot per key, and the hidden count of
 * rows per slot, from which the ledger reads `held` (rule L2).
 */
import type { Accumulators, BatchOrder, AggregateSpec } from "../aggregates/Aggregate.ts"
import type { Column } from "../../model/Source.ts"
import { IdSlots } from "./IdSlots.ts"

/** One slice: see the head of this file. */
export class SliceState {
  readonly slots: IdSlots
  readonly accumulators: ReadonlyArray<Accumulators>
  /** Rows in each slot. */
  counts: Float64Array
  /** Update mode: slots changed since the last emission of a window that has fired. */
  readonly changed = new Set<number>()
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
}

/** Accumulator slots that are taken and freed one by one, over one `SliceState`: what sessions live in. */
import type { AggregateSpec, BatchOrder } from "../aggregates/Aggregate.ts"
import type { SnapshotValue } from "../../model/Snapshot.ts"
import type { Column } from "../../model/Source.ts"
import { SliceState } from "./SliceState.ts"

/** Hands out slots and takes them back, cleared. */
export class SlotStore {
  readonly state: SliceState
  readonly #free: Array<number> = []

  constructor(specs: ReadonlyArray<AggregateSpec>) {
    this.state = new SliceState(specs, 0, 0, 16)
  }

  /** An empty slot. */
  take(): number {
    return this.#free.pop() ?? this.state.slotOf(this.state.slots.size)
  }

  /** Slots in use are all below this. */
  get size(): number {
    return this.state.slots.size
  }

  free(slot: number): void {
    this.state.counts[slot] = 0
    for (const a of this.state.accumulators) a.clear(slot)
    this.#free.push(slot)
  }

  merge(into: number, from: number): void {
    this.state.mergeSlot(into, this.state, from)
  }

  add(
    slots: Int32Array,
    inputs: ReadonlyArray<Column | undefined>,
    from: number,
    to: number,
    order: BatchOrder | undefined
  ): void {
    this.state.add(slots, inputs, from, to, order)
  }

  /**
   * Copies of slots `0..count)`, where no slot from `count` on is in use. When most are free, the lowest are handed out
   * first from now on, so that `count` follows the number of slots in use down again.
   */
  snapshot(count: number): SnapshotValue {
    const { size } = this
    if (this.#free.length > size / 2) {
      const isFree = new Uint8Array(size)
      for (const slot of this.#free) isFree[slot] = 1
      this.#free.length = 0
      for (let slot = size - 1; slot >= 0; slot--) if (isFree[slot] === 1) this.#free.push(slot)
    }
    return this.state.snapshotColumns(count)
  }

  /** Takes slots `from` of a snapshot over into new ones; the first of them. */
  restore(snapshot: SnapshotValue, from: Int32Array): number {
    const at = this.size
    for (let i = 0; i < from.length; i++) this.state.slotOf(at + i)
    this.state.restoreColumns(snapshot, from, at)
    return at
  }
}

/** Accumulator slots that are taken and freed one by one, over one `SliceState`: what sessions live in. */
import type { AggregateSpec, BatchOrder } from "../aggregates/Aggregate.ts"
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
}

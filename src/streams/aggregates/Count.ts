/** `count`: how many rows. Exact up to 2^53. */
import type { Accumulators, AggregateSpec } from "./Aggregate.ts"
import { grownCapacity, grownFloats, takeNumbers } from "./Columns.ts"

interface CountAccumulators extends Accumulators {
  readonly counts: () => Float64Array
}

const addRows = (counts: Float64Array, slots: Int32Array, from: number, to: number): void => {
  for (let i = from; i < to; i++) counts[slots[i]] += 1
}

const make = (): CountAccumulators => {
  let counts: Float64Array = new Float64Array(0)
  return {
    counts: () => counts,
    reserve: (capacity) => {
      if (capacity > counts.length) counts = grownFloats(counts, grownCapacity(counts.length, capacity))
    },
    addBatch: (slots, _input, from, to) => addRows(counts, slots, from, to),
    mergeSlot: (slot, other, otherSlot) => {
      counts[slot] += (other as CountAccumulators).counts()[otherSlot]
    },
    result: (slot) => counts[slot],
    clear: (slot) => {
      counts[slot] = 0
    },
    snapshot: (count) => counts.slice(0, count),
    restore: (snapshot, from, at) => takeNumbers(counts, snapshot as Float64Array, from, at),
    bytes: () => counts.byteLength
  }
}

/** How many rows. */
export const count: AggregateSpec = { label: "count", needsOrder: false, fingerprinted: true, make }

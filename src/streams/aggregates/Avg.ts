/** `avg`: the sum (rule A1, {@link "./SumColumns.ts"}) divided by the exact count, a number. */
import type { SnapshotValue } from "../../model/Snapshot.ts"
import type { RowValue } from "../Plan.ts"
import type { Accumulators, AggregateSpec } from "./Aggregate.ts"
import { count } from "./Count.ts"
import {
  addSums,
  clearSum,
  makeSumColumns,
  meanResult,
  mergeSum,
  reserveSums,
  restoreSums,
  snapshotSums,
  sumBytes,
  type SumColumns
} from "./SumColumns.ts"

interface AvgAccumulators extends Accumulators {
  readonly sums: SumColumns
  readonly counts: Accumulators
}

const make = (): AvgAccumulators => {
  const sums = makeSumColumns()
  const counts = count.make()
  return {
    sums,
    counts,
    reserve: (capacity) => {
      reserveSums(sums, capacity)
      counts.reserve(capacity)
    },
    addBatch: (slots, input, from, to, order) => {
      if (input === undefined) return
      addSums(sums, slots, input, from, to)
      counts.addBatch(slots, undefined, from, to, order)
    },
    mergeSlot: (slot, other, otherSlot) => {
      const from = other as AvgAccumulators
      mergeSum(sums, slot, from.sums, otherSlot)
      counts.mergeSlot(slot, from.counts, otherSlot)
    },
    result: (slot) => {
      const n = counts.result(slot) as number
      return n === 0 ? null : meanResult(sums, slot, n)
    },
    clear: (slot) => {
      clearSum(sums, slot)
      counts.clear(slot)
    },
    snapshot: (n) => ({ sums: snapshotSums(sums, n), counts: counts.snapshot(n) }),
    restore: (snapshot, from, at) => {
      const s = snapshot as { readonly sums: SnapshotValue; readonly counts: SnapshotValue }
      restoreSums(sums, s.sums, from, at)
      counts.restore(s.counts, from, at)
    },
    bytes: () => sumBytes(sums) + counts.bytes()
  }
}

/** The mean of a number or bigint of each row; null for no rows. */
export const avg = (value: RowValue): AggregateSpec => ({
  label: `avg(${value.label})`,
  input: { type: "number", value },
  needsOrder: false,
  fingerprinted: value.field !== undefined,
  make
})

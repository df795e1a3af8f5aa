/** `sum`: exact for integers, compensated otherwise (rule A1); see {@link "./SumColumns.ts"}. */
import type { RowValue } from "../Plan.ts"
import type { Accumulators, AggregateSpec } from "./Aggregate.ts"
import {
  addSums,
  clearSum,
  makeSumColumns,
  mergeSum,
  reserveSums,
  restoreSums,
  snapshotSums,
  sumBytes,
  type SumColumns,
  sumResult
} from "./SumColumns.ts"

interface SumAccumulators extends Accumulators {
  readonly columns: SumColumns
}

const make = (): SumAccumulators => {
  const columns = makeSumColumns()
  return {
    columns,
    reserve: (capacity) => reserveSums(columns, capacity),
    addBatch: (slots, input, from, to) => {
      if (input !== undefined) addSums(columns, slots, input, from, to)
    },
    mergeSlot: (slot, other, otherSlot) => mergeSum(columns, slot, (other as SumAccumulators).columns, otherSlot),
    result: (slot) => sumResult(columns, slot),
    clear: (slot) => clearSum(columns, slot),
    snapshot: (count) => snapshotSums(columns, count),
    restore: (snapshot, from, at) => restoreSums(columns, snapshot, from, at),
    bytes: () => sumBytes(columns)
  }
}

/** The sum of a number or bigint of each row; 0 for no rows. */
export const sum = (value: RowValue): AggregateSpec => ({
  label: `sum(${value.label})`,
  input: { type: "number", value },
  needsOrder: false,
  fingerprinted: value.field !== undefined,
  make
})

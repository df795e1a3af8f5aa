/**
 * `min` and `max` over numbers and bigints, compared by their exact values (rule A1). Where a number and a bigint are
 * equal the number is the result, and -0 is 0, so that the result never depends on the order of rows.
 */
import type { SnapshotValue } from "../../model/Snapshot.ts"
import type { Column } from "../../model/Source.ts"
import type { RowValue } from "../Plan.ts"
import type { Accumulators, AggregateSpec } from "./Aggregate.ts"
import { bigintsLater, takeBigints } from "./BigintColumn.ts"
import { growArray, grownCapacity, grownFloats, takeNumbers } from "./Columns.ts"
import { referenceBytes } from "./StateBytes.ts"

/** The extreme of the numbers of a slot, infinite for none, and of its bigints. */
interface ExtremeAccumulators extends Accumulators {
  readonly numbers: () => Float64Array
  readonly bigints: () => Array<bigint | undefined> | undefined
}

const addLeast = (least: Float64Array, slots: Int32Array, values: Float64Array, from: number, to: number): void => {
  for (let i = from; i < to; i++) if (values[i] < least[slots[i]]) least[slots[i]] = values[i]
}
const addLeastInts = (least: Float64Array, slots: Int32Array, values: Int32Array, from: number, to: number): void => {
  for (let i = from; i < to; i++) if (values[i] < least[slots[i]]) least[slots[i]] = values[i]
}
const addGreatest = (
  greatest: Float64Array,
  slots: Int32Array,
  values: Float64Array,
  from: number,
  to: number
): void => {
  for (let i = from; i < to; i++) if (values[i] > greatest[slots[i]]) greatest[slots[i]] = values[i]
}
const addGreatestInts = (
  greatest: Float64Array,
  slots: Int32Array,
  values: Int32Array,
  from: number,
  to: number
): void => {
  for (let i = from; i < to; i++) if (values[i] > greatest[slots[i]]) greatest[slots[i]] = values[i]
}

const make = (least: boolean) => (): ExtremeAccumulators => {
  const empty = least ? Infinity : -Infinity
  let numbers: Float64Array = new Float64Array(0)
  let bigints: Array<bigint | undefined> | undefined

  const addNumber = (slot: number, x: number): void => {
    if (least ? x < numbers[slot] : x > numbers[slot]) numbers[slot] = x
  }
  const addBigint = (slot: number, x: bigint): void => {
    if (bigints === undefined) growArray((bigints = []), numbers.length, undefined)
    const present = bigints[slot]
    if (present === undefined || (least ? x < present : x > present)) bigints[slot] = x
  }
  const addBatch = (slots: Int32Array, input: Column | undefined, from: number, to: number): void => {
    if (input instanceof Float64Array) (least ? addLeast : addGreatest)(numbers, slots, input, from, to)
    else if (input instanceof Int32Array) (least ? addLeastInts : addGreatestInts)(numbers, slots, input, from, to)
    else if (input !== undefined) {
      for (let i = from; i < to; i++) {
        const x = input[i]
        if (typeof x === "bigint") addBigint(slots[i], x)
        else addNumber(slots[i], x as number)
      }
    }
  }
  return {
    numbers: () => numbers,
    bigints: () => bigints,
    reserve: (capacity) => {
      if (capacity <= numbers.length) return
      numbers = grownFloats(numbers, grownCapacity(numbers.length, capacity), empty)
      if (bigints !== undefined) growArray(bigints, numbers.length, undefined)
    },
    addBatch,
    mergeSlot: (slot, other, otherSlot) => {
      const from = other as ExtremeAccumulators
      addNumber(slot, from.numbers()[otherSlot])
      const big = from.bigints()?.[otherSlot]
      if (big !== undefined) addBigint(slot, big)
    },
    result: (slot) => {
      const x = numbers[slot]
      const big = bigints?.[slot]
      if (big !== undefined && (least ? big < x : big > x)) return big
      return x === empty ? null : x + 0
    },
    clear: (slot) => {
      numbers[slot] = empty
      if (bigints !== undefined) bigints[slot] = undefined
    },
    snapshot: (count) => ({
      numbers: numbers.slice(0, count),
      bigints: bigintsLater(bigints?.slice(0, count))
    }),
    restore: (snapshot, from, at) => {
      const s = snapshot as { readonly numbers: Float64Array; readonly bigints: SnapshotValue }
      takeNumbers(numbers, s.numbers, from, at)
      takeBigints(s.bigints, from, at, addBigint)
    },
    bytes: () => numbers.byteLength + (bigints?.length ?? 0) * referenceBytes
  }
}

const extreme = (name: string, least: boolean, value: RowValue): AggregateSpec => ({
  label: `${name}(${value.label})`,
  input: { type: "number", value },
  needsOrder: false,
  fingerprinted: value.field !== undefined,
  make: make(least)
})

/** The least number or bigint; null for no rows. */
export const min = (value: RowValue): AggregateSpec => extreme("min", true, value)

/** The greatest number or bigint; null for no rows. */
export const max = (value: RowValue): AggregateSpec => extreme("max", false, value)

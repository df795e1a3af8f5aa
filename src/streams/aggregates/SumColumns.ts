/**
 * Columns of sums, the heart of `sum` and `avg` (rule A1).
 *
 * A sum is kept in two parts: an unevaluated pair of doubles `high + low` (TwoSum, Knuth; renormalised after each row,
 * so that |low| is at most half a unit in the last place of `high`), and a bigint for what is at least 2^53 in size.
 * What goes into the pair is below 2^53, so integers stay exact in it for more than 2^50 rows, and it can never
 * overflow; every double of at least 2^53 is an integer, so the bigint is exact as well. Hence integer sums are exact,
 * and others are within n * 2^-104 of the sum of absolute values, whatever the order of rows and merges.
 *
 * Results: a bigint when there was a bigint and all were integers, else the nearest number.
 */
import type { Column } from "../../model/Source.ts"
import type { SnapshotValue } from "../../model/Snapshot.ts"
import { bigintsLater, takeBigints } from "./BigintColumn.ts"
import { growArray, grownBytes, grownCapacity, grownFloats, takeNumbers } from "./Columns.ts"
import { referenceBytes } from "./StateBytes.ts"

const sawBigint = 1
const sawFraction = 2
const pairMax = 9007199254740992
const pairMaxBigint = 9007199254740992n

/** The columns. Fields are replaced when they grow: read them anew in every batch. */
export interface SumColumns {
  high: Float64Array
  low: Float64Array
  /** What the slot saw: bits `sawBigint` and `sawFraction`. */
  flags: Uint8Array
  /** The bigint part; absent until some slot needs one. */
  big: Array<bigint> | undefined
}

/** Columns without slots. */
export const makeSumColumns = (): SumColumns => ({
  high: new Float64Array(0),
  low: new Float64Array(0),
  flags: new Uint8Array(0),
  big: undefined
})

/** Makes room for slots `0..capacity)`. */
export const reserveSums = (c: SumColumns, capacity: number): void => {
  if (capacity <= c.high.length) return
  const grown = grownCapacity(c.high.length, capacity)
  c.high = grownFloats(c.high, grown)
  c.low = grownFloats(c.low, grown)
  c.flags = grownBytes(c.flags, grown)
  if (c.big !== undefined) growArray(c.big, grown, 0n)
}

const addToPair = (high: Float64Array, low: Float64Array, slot: number, x: number): void => {
  const h = high[slot]
  const s = h + x
  const rest = s - h
  const error = h - (s - rest) + (x - rest) + low[slot]
  const sum = s + error
  high[slot] = sum
  low[slot] = error - (sum - s)
}

const addBig = (c: SumColumns, slot: number, x: bigint): void => {
  if (c.big === undefined) {
    c.big = []
    growArray(c.big, c.high.length, 0n)
  }
  c.big[slot] += x
}

const addFloats = (c: SumColumns, slots: Int32Array, values: Float64Array, from: number, to: number): void => {
  const { high, low, flags } = c
  for (let i = from; i < to; i++) {
    const x = values[i]
    const slot = slots[i]
    if (x < pairMax && x > -pairMax) {
      if (Math.floor(x) !== x) flags[slot] |= sawFraction
      addToPair(high, low, slot, x)
    } else addBig(c, slot, BigInt(x))
  }
}

const addInts = (c: SumColumns, slots: Int32Array, values: Int32Array, from: number, to: number): void => {
  const { high, low } = c
  for (let i = from; i < to; i++) addToPair(high, low, slots[i], values[i])
}

const addMixed = (c: SumColumns, slots: Int32Array, values: ReadonlyArray<unknown>, from: number, to: number): void => {
  const { high, low, flags } = c
  for (let i = from; i < to; i++) {
    const x = values[i] as number | bigint
    const slot = slots[i]
    if (typeof x === "number") {
      if (x < pairMax && x > -pairMax) {
        if (Math.floor(x) !== x) flags[slot] |= sawFraction
        addToPair(high, low, slot, x)
      } else addBig(c, slot, BigInt(x))
    } else {
      flags[slot] |= sawBigint
      if (x < pairMaxBigint && x > -pairMaxBigint) addToPair(high, low, slot, Number(x))
      else addBig(c, slot, x)
    }
  }
}

/** Adds rows `from..to)`; values are finite numbers and bigints. */
export const addSums = (c: SumColumns, slots: Int32Array, input: Column, from: number, to: number): void => {
  if (input instanceof Float64Array) addFloats(c, slots, input, from, to)
  else if (input instanceof Int32Array) addInts(c, slots, input, from, to)
  else addMixed(c, slots, input, from, to)
}

/** Adds the other columns' slot to `slot`. */
export const mergeSum = (c: SumColumns, slot: number, other: SumColumns, otherSlot: number): void => {
  addToPair(c.high, c.low, slot, other.high[otherSlot])
  addToPair(c.high, c.low, slot, other.low[otherSlot])
  c.flags[slot] |= other.flags[otherSlot]
  const big = other.big?.[otherSlot] ?? 0n
  if (big !== 0n) addBig(c, slot, big)
}

/** Makes a slot the sum of nothing. */
export const clearSum = (c: SumColumns, slot: number): void => {
  c.high[slot] = 0
  c.low[slot] = 0
  c.flags[slot] = 0
  if (c.big !== undefined) c.big[slot] = 0n
}

/** The integer part of a slot as a bigint: the whole sum when no fraction was added. */
const wholePart = (c: SumColumns, slot: number): bigint =>
  BigInt(Math.trunc(c.high[slot])) + BigInt(Math.trunc(c.low[slot])) + (c.big?.[slot] ?? 0n)

const fractionPart = (c: SumColumns, slot: number): number =>
  c.high[slot] - Math.trunc(c.high[slot]) + (c.low[slot] - Math.trunc(c.low[slot]))

/** The sum: exact for integers, a bigint if one was among them; 0 for nothing. */
export const sumResult = (c: SumColumns, slot: number): number | bigint => {
  if (c.flags[slot] === sawBigint) return wholePart(c, slot)
  const big = c.big?.[slot] ?? 0n
  return big === 0n ? c.high[slot] + c.low[slot] : Number(wholePart(c, slot)) + fractionPart(c, slot)
}

/** The sum divided by `n` > 0, as a number. Does not overflow when the sum does. */
export const meanResult = (c: SumColumns, slot: number, n: number): number => {
  const big = c.big?.[slot] ?? 0n
  if (big === 0n) return (c.high[slot] + c.low[slot]) / n
  const whole = wholePart(c, slot)
  const divisor = BigInt(n)
  const quotient = whole / divisor
  return Number(quotient) + (Number(whole - quotient * divisor) + fractionPart(c, slot)) / n
}

/** Copies of slots `0..count)`. */
export const snapshotSums = (c: SumColumns, count: number): SnapshotValue => ({
  high: c.high.slice(0, count),
  low: c.low.slice(0, count),
  flags: c.flags.slice(0, count),
  big: bigintsLater(c.big?.slice(0, count), 0n)
})

/** Puts slot `from[i]` of what {@link snapshotSums} gave into slot `at + i`, which is the sum of nothing. */
export const restoreSums = (c: SumColumns, snapshot: SnapshotValue, from: Int32Array, at: number): void => {
  const { high, low, flags, big } = snapshot as {
    readonly high: Float64Array
    readonly low: Float64Array
    readonly flags: Uint8Array
    readonly big: SnapshotValue
  }
  takeNumbers(c.high, high, from, at)
  takeNumbers(c.low, low, from, at)
  takeNumbers(c.flags, flags, from, at)
  takeBigints(big, from, at, (slot, x) => addBig(c, slot, x))
}

/** Approximate bytes of all slots. */
export const sumBytes = (c: SumColumns): number =>
  c.high.byteLength + c.low.byteLength + c.flags.byteLength + (c.big?.length ?? 0) * referenceBytes

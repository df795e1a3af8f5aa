/**
 * Columns of any values in a snapshot: in parts, each encoded when its turn comes, so that no part holds up what goes
 * on meanwhile for longer than a few milliseconds.
 *
 * A part whose values are all numbers is a typed array, any other a list of `model/StoredValue.ts`.
 */
import { Later, type SnapshotValue } from "../../model/Snapshot.ts"
import { decodeStored, encodeStored, type StoredValue } from "../../model/StoredValue.ts"
import { StoringFault } from "../UserCode.ts"

/** Values in one part of a column. Written into snapshots, so it may change between releases. */
const valuesPerPart = 8192

/** A part of a column. */
export type StoredPart = Float64Array | Int32Array | ReadonlyArray<StoredValue>

/** `encode(from, to)` of each range of `per` of `0..n)`, later. */
export const inParts = (
  n: number,
  per: number,
  encode: (from: number, to: number) => SnapshotValue
): ReadonlyArray<Later> =>
  Array.from(
    { length: Math.ceil(n / per) },
    (_, part) => new Later(() => encode(part * per, Math.min(n, (part + 1) * per)))
  )

/** A value for a snapshot; one that cannot be stored is a fault of `label`, an aggregate or another owner of state. */
export const storedOf = (label: string, value: unknown): StoredValue => {
  try {
    return encodeStored(value)
  } catch (cause) {
    throw new StoringFault(label, value, cause)
  }
}

/** Values `from..to)` as a part. */
export const storedPart = (label: string, values: ReadonlyArray<unknown>, from: number, to: number): StoredPart => {
  let integers = true
  for (let i = from; i < to; i++) {
    const value = values[i]
    if (typeof value !== "number") return Array.from({ length: to - from }, (_, k) => storedOf(label, values[from + k]))
    integers &&= (value | 0) === value && !Object.is(value, -0)
  }
  const out = integers ? new Int32Array(to - from) : new Float64Array(to - from)
  for (let i = from; i < to; i++) out[i - from] = values[i] as number
  return out
}

/** Value `i` of a part. */
export const valueOfPart = (part: StoredPart, i: number): unknown =>
  part instanceof Float64Array || part instanceof Int32Array ? part[i] : decodeStored(part[i])

/** A column of the first `n` values, which must not change any more (their own insides: never). */
export const storedColumn = (label: string, values: ReadonlyArray<unknown>, n = values.length): SnapshotValue => ({
  per: valuesPerPart,
  parts: inParts(n, valuesPerPart, (from, to) => storedPart(label, values, from, to))
})

/** Reads what is in parts of `per` entries by index; `open` reads one part by its own indices. */
export const partReader = <P, V>(snapshot: SnapshotValue, open: (part: P) => (i: number) => V): ((i: number) => V) => {
  const { per, parts } = snapshot as unknown as { readonly per: number; readonly parts: ReadonlyArray<P> }
  const opened: Array<((i: number) => V) | undefined> = []
  return (i) => {
    const part = Math.floor(i / per)
    return (opened[part] ??= open(parts[part]))(i % per)
  }
}

/** Reads a column of a snapshot by index. */
export const columnReader = (snapshot: SnapshotValue): ((i: number) => unknown) =>
  partReader(snapshot, (part: StoredPart) => (i) => valueOfPart(part, i))

/** How many slots make a part, when `count` slots have `total` entries: about as many entries as a column's part has. */
export const slotsPerPart = (count: number, total: number): number =>
  Math.max(1, Math.min(valuesPerPart, Math.floor((valuesPerPart * count) / Math.max(1, total))))

/** Slots with several entries each, in parts of `per` slots: where a slot's entries begin in its part. */
export const startsInParts = (sizes: Int32Array, per: number): Int32Array => {
  const starts = new Int32Array(sizes.length)
  for (let slot = 0, at = 0; slot < sizes.length; slot++) {
    if (slot % per === 0) at = 0
    starts[slot] = at
    at += Math.max(0, sizes[slot])
  }
  return starts
}

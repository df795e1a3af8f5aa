/** Columns of accumulators: typed arrays that grow by doubling, shared by the aggregates; and how they are restored. */

/** The capacity to grow to, so that growing slot by slot costs amortised constant time. */
export const grownCapacity = (present: number, wanted: number): number => Math.max(wanted, present * 2, 16)

/** A copy of `from` with room for `capacity` numbers; the new ones are `fill`. */
export const grownFloats = (from: Float64Array, capacity: number, fill = 0): Float64Array => {
  const out = new Float64Array(capacity)
  out.set(from)
  if (fill !== 0) out.fill(fill, from.length)
  return out
}

/** A copy of `from` with room for `capacity` small integers, zero where new. */
export const grownInts = (from: Int32Array, capacity: number): Int32Array => {
  const out = new Int32Array(capacity)
  out.set(from)
  return out
}

/** A copy of `from` with room for `capacity` bytes, zero where new. */
export const grownBytes = (from: Uint8Array, capacity: number): Uint8Array => {
  const out = new Uint8Array(capacity)
  out.set(from)
  return out
}

/** Appends `fill` until an array has `capacity` elements. */
export const growArray = <T>(array: Array<T>, capacity: number, fill: T): void => {
  for (let i = array.length; i < capacity; i++) array.push(fill)
}

/** A column of numbers that is written by index. */
interface Numbers {
  readonly length: number
  [i: number]: number
}

/** Puts entries `from[i]` of a stored column at `at + i`. */
export const takeNumbers = (into: Numbers, stored: Numbers, from: Int32Array, at: number): void => {
  for (let i = 0; i < from.length; i++) into[at + i] = stored[from[i]]
}

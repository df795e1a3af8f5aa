/**
 * Counter-based randomness: event number i of partition p draws from a hash of (seed, p, i), never from a generator with
 * state. So any event can be made without those before it, and a replay is identical (A4).
 *
 * MurmurHash3's finalizer (Austin Appleby, public domain) over the words. Not cryptographic.
 */

const golden = 0x9e3779b9
const two32 = 4_294_967_296

/** A bijection of 32-bit words that mixes every bit into every other. */
export const mix = (word: number): number => {
  let h = word | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** A seed of any safe integer as one word per partition. */
export const partitionSeed = (seed: number, partition: number): number =>
  mix(mix(seed) ^ mix(Math.floor(seed / two32) ^ golden) ^ Math.imul(partition + 1, golden))

/** The word of one event; different for each of the first 2^32 events of a partition. */
export const eventHash = (seed: number, index: number): number =>
  mix(mix(index ^ seed) ^ Math.imul(Math.floor(index / two32), golden))

/** Draw number `k` of an event: an unsigned 32-bit integer. */
export const draw = (event: number, k: number): number => mix(event + Math.imul(k + 1, golden)) >>> 0

/** Draw number `k` as a number in [0, 1) with 32 bits. */
export const unit = (event: number, k: number): number => draw(event, k) / two32

/** Draw number `k` as a number in [0, 1) with 53 bits. */
export const unit53 = (event: number, k: number): number =>
  ((draw(event, k) >>> 5) * 67_108_864 + (draw(event, k ^ 0x5bd1e995) >>> 6)) / 9_007_199_254_740_992

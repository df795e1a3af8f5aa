/** A small seeded generator of whole numbers (mulberry32), for the speeds and orders of tests: same seed, same run. */

/** A number from 0 to below `n`. */
export type Random = (n: number) => number

/** The numbers of a seed. */
export const randomOf = (seed: number): Random => {
  let state = seed | 0
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 4_294_967_296) * n)
  }
}

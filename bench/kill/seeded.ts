/** Randomness from a seed: what a check did can be done again. */

/** A sequence of numbers that its seed decides. */
export interface Seeded {
  /** From 0 up to, not including, `n`. */
  readonly below: (n: number) => number
  readonly pick: <A>(of: ReadonlyArray<A>) => A
  /** Another sequence, of its own. */
  readonly fork: () => Seeded
}

/** mulberry32. */
export const seeded = (seed: number): Seeded => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
  const below = (n: number): number => Math.floor((next() / 2 ** 32) * n)
  return { below, pick: (of) => of[below(of.length)], fork: () => seeded(next()) }
}

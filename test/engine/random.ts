/** Seeded whole numbers, for the speeds and orders of tests: same seed, same run. */
import { Seeded } from "../../src/testing/seeded.ts"

/** A number from 0 to below `n`. */
export type Random = (n: number) => number

/** The numbers of a seed. */
export const randomOf = (seed: number): Random => {
  const seeded = new Seeded(seed)
  return (n) => seeded.below(n)
}

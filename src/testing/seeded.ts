/**
 * Seeded numbers: the same seed gives the same numbers on any machine (mulberry32). Every choice of a simulation is made
 * with one of these, so that a seed is a whole history.
 */

/** A sequence of numbers. */
export class Seeded {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** From 0 to below 1. */
  chance(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let x = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296
  }

  /** A whole number from 0 to below `n`. */
  below(n: number): number {
    return Math.floor(this.chance() * n)
  }

  /** One of the items. */
  pick<A>(items: ReadonlyArray<A>): A {
    return items[this.below(items.length)]
  }

  /** A sequence of its own, decided by this one. */
  fork(): Seeded {
    return new Seeded(this.below(0x1_0000_0000) | 0)
  }
}

/**
 * Makes what was found small. fast-check shrinks what it draws, choice by choice; a history has a structure of which it
 * knows nothing, so here a suite says itself what is simpler. Its steps are part of fast-check's path: a token stands for the
 * small case, and replays it.
 */
import * as fc from "fast-check"

/** Cases that are simpler than one, in an order that is worth trying; each made when its turn comes. */
export type Pass<C> = (c: C) => ReadonlyArray<() => C>

interface At {
  readonly pass: number
  readonly from: number
  /** Something became simpler since the first pass. */
  readonly changed: boolean
}

const start: At = { pass: 0, from: 0, changed: false }

class Minimising<C> extends fc.Arbitrary<C> {
  readonly #of: fc.Arbitrary<C>
  readonly #passes: ReadonlyArray<Pass<C>>

  constructor(of: fc.Arbitrary<C>, passes: ReadonlyArray<Pass<C>>) {
    super()
    this.#of = of
    this.#passes = passes
  }

  override generate(random: fc.Random, biasFactor: number | undefined): fc.Value<C> {
    return new fc.Value(this.#of.generate(random, biasFactor).value, start)
  }

  override canShrinkWithoutContext(value: unknown): value is C {
    return this.#of.canShrinkWithoutContext(value)
  }

  override shrink(value: C, context: unknown): fc.Stream<fc.Value<C>> {
    return fc.stream(this.#simpler(value, (context as At | undefined) ?? start))
  }

  /** Goes on where the last simpler case was found; when all passes are through and something changed, once more. */
  *#simpler(value: C, at: At): Generator<fc.Value<C>> {
    let { pass, from, changed } = at
    for (;;) {
      if (pass === this.#passes.length) {
        if (!changed) return
        pass = 0
        changed = false
      }
      const candidates = this.#passes[pass](value)
      for (let i = from; i < candidates.length; i++)
        yield new fc.Value(candidates[i](), { pass, from: i, changed: true } satisfies At)
      from = 0
      pass++
    }
  }
}

/** The same cases, made small by these passes: every case of a pass must be simpler than what it was made from. */
export const minimisedBy = <C>(of: fc.Arbitrary<C>, passes: ReadonlyArray<Pass<C>>): fc.Arbitrary<C> =>
  new Minimising(of, passes)

/** A list without `size` of its items in a row, at every place. */
export const without = <A>(items: ReadonlyArray<A>, size: number): ReadonlyArray<() => ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => () => items.toSpliced(i * size, size))

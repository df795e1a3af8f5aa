/**
 * Where to kill next: failpoints that were hit least first, with random moments in between, so that each side of each
 * step has its share.
 */
import { unnumbered } from "../../src/testing/failpoints.ts"
import type { Seeded } from "../../src/testing/seeded.ts"

/** A side of a step: `manifest.copy:before`. */
export type Side = string

/** Where kills went, and where the next goes. */
export interface Targets {
  /** A rule for `TIDEMARK_FAILPOINT`, or undefined: a random moment. */
  readonly next: (random: Seeded) => string | undefined
  readonly hit: (rule: string | undefined) => void
  /** Sides that some process has passed. */
  readonly passed: (sides: Iterable<Side>) => void
  /** Kills by step, before and after, and how many were at random moments. */
  readonly hits: () => { readonly [step: string]: { readonly before: number; readonly after: number } }
  readonly moments: () => number
  /** Sides known that were hit less often than that. */
  readonly short: (times: number) => ReadonlyArray<Side>
}

/** Of so many kills one is at a random moment. */
const randomOneIn = 4
/** A process is killed at one of the first passages of a step, so that a history has many kills. */
const passagesMax = 3

/**
 * `known`: sides that are hit even if no process was seen to pass them yet. `rare`: those of them that others aim at.
 */
export const makeTargets = (known: ReadonlyArray<Side>, rare: ReadonlySet<Side>): Targets => {
  const hits = new Map<Side, number>(known.map((side) => [side, 0]))
  /** The names that a side goes by, for those with a number in it. */
  const names = new Map<Side, Set<string>>(known.map((side) => [side, new Set([side])]))
  /** Times a side was aimed at and not come to: these are rare, and are aimed at more seldom. */
  const missed = new Map<Side, number>()
  let moments = 0
  let asked = 0
  const next = (random: Seeded): string | undefined => {
    asked++
    if (asked % randomOneIn === 0 || hits.size === 0) return undefined
    const ranked = [...hits.keys()]
      .filter((side) => !rare.has(side))
      .map((side) => ({ side, rank: (hits.get(side) ?? 0) + (missed.get(side) ?? 0) / 4 + random.below(100) / 100 }))
      .toSorted((a, b) => a.rank - b.rank)
    const { side } = ranked[random.below(Math.min(3, ranked.length))]
    missed.set(side, (missed.get(side) ?? 0) + 1)
    const passage = 1 + random.below(1 + random.below(passagesMax))
    return `${random.pick([...(names.get(side) ?? [side])])}:${passage}:kill`
  }
  const sideOf = (rule: string): Side => unnumbered(rule.split(":").slice(0, 2).join(":"))
  return {
    next,
    hit: (rule) => {
      if (rule === undefined) {
        moments++
        return
      }
      const side = sideOf(rule)
      hits.set(side, (hits.get(side) ?? 0) + 1)
      missed.set(side, Math.max(0, (missed.get(side) ?? 0) - 1))
    },
    passed: (sides) => {
      for (const actual of sides) {
        const side = unnumbered(actual)
        if (!hits.has(side)) hits.set(side, 0)
        const known = names.get(side) ?? new Set()
        // A name that stood for a number is none that a process passes.
        known.delete(side === actual ? "" : side)
        names.set(side, known.add(actual))
      }
    },
    hits: () => {
      const names = [...new Set([...hits.keys()].map((side) => side.slice(0, side.lastIndexOf(":"))))].toSorted()
      const of = (name: string) => ({ before: hits.get(`${name}:before`) ?? 0, after: hits.get(`${name}:after`) ?? 0 })
      return Object.fromEntries(names.map((name) => [name, of(name)]))
    },
    moments: () => moments,
    short: (times) => [...hits].filter(([, n]) => n < times).map(([side]) => side)
  }
}

/** Event times that fall where something happens in a plan. As moves from the row before, so that they shrink. */
import * as fc from "fast-check"
import type { Hints } from "./planHints.ts"

/** Where the next row of a partition stands. */
export interface Move {
  readonly to: "near" | "edge" | "gap" | "behind" | "back"
  /** Which edge from here. */
  readonly k: number
  /** 1 ms beside it, or on it. */
  readonly d: number
  readonly pick: number
}

/** Random moves. */
export const move: fc.Arbitrary<Move> = fc.record({
  to: fc.oneof(
    { weight: 4, arbitrary: fc.constant<Move["to"]>("near") },
    { weight: 4, arbitrary: fc.constant<Move["to"]>("edge") },
    { weight: 2, arbitrary: fc.constant<Move["to"]>("gap") },
    { weight: 2, arbitrary: fc.constant<Move["to"]>("behind") },
    { weight: 2, arbitrary: fc.constant<Move["to"]>("back") }
  ),
  k: fc.integer({ min: 0, max: 3 }),
  d: fc.integer({ min: -1, max: 1 }),
  pick: fc.nat(0x3fff_ffff)
})

/** What is near, where a plan has neither windows nor gaps, ms. */
const stepDefaultMs = 60_000
/** Rows that are near are at most so much of a step apart. */
const nearShare = 4

const next = (to: Move, last: number, highest: number, disorderMs: number, hints: Hints): number => {
  const { grids, gapsMs, behindMs } = hints
  const steps = [...grids.map(({ everyMs }) => everyMs), ...gapsMs]
  const stepMs = steps.length === 0 ? stepDefaultMs : steps[to.pick % steps.length]
  switch (to.to) {
    case "near":
      return last + to.d + (to.pick % (1 + Math.floor(stepMs / nearShare)))
    case "edge": {
      if (grids.length === 0) return last + stepMs + to.d
      const { everyMs, offsetMs } = grids[to.pick % grids.length]
      return offsetMs + (Math.ceil((last - offsetMs) / everyMs) + to.k) * everyMs + to.d
    }
    case "gap":
      return last + (gapsMs.length === 0 ? stepMs : gapsMs[to.pick % gapsMs.length]) + to.d
    case "behind":
      return behindMs.length === 0 ? last : highest - behindMs[to.pick % behindMs.length] + to.d
    case "back":
      return highest - (to.pick % (disorderMs + 1))
  }
}

const after = (to: Move, last: number, highest: number, disorderMs: number, hints: Hints): number =>
  Math.max(next(to, last, highest, disorderMs, hints), highest - disorderMs)

/** The time of the next row, at most `disorderMs` behind the newest; `start` is that of the first row's predecessor. */
export const timeAfter = Object.assign(after, { start: Date.UTC(2026, 0, 1) })

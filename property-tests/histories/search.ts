/**
 * Looks for a history that goes wrong: so many of a suite from a seed. What is found is shrunk, and has a token, which is
 * all that it takes to see it again: suite, seed and path of fast-check.
 */
import * as fc from "fast-check"
import { loadStateCodec } from "../../src/streams/StateCodec.ts"
import { loadSchema } from "../../src/streams/aggregates/Reduce.ts"
import type { Verdict } from "./jobHistory.ts"
import { type SuiteName, suites } from "./suites.ts"
import { count, emptyTally, type Tally } from "./tally.ts"

/** What went wrong, as small as it became. */
export interface Failure {
  readonly token: string
  readonly problems: ReadonlyArray<string>
  readonly case: unknown
  readonly events: number
  readonly faults: number
  readonly shrinks: number
}

/** What came of a search. */
export interface Search {
  readonly tally: Tally
  readonly failure: Failure | undefined
}

/** What operators load when they are first used: the simulator waits for no promise. */
export const ready = async (): Promise<void> => {
  await loadSchema()
  await loadStateCodec()
}

class Wrong extends Error {
  readonly verdict: Verdict
  constructor(verdict: Verdict) {
    super(verdict.problems.join("\n"))
    this.verdict = verdict
  }
}

/** How far a search goes. */
export interface SearchOptions {
  /** Histories that are run to make what was found small; default 4,000. */
  readonly shrinksMax?: number
  /** Told when something was found, before it is made small. */
  readonly onFound?: () => void
}

/** Searches; {@link ready} must have been awaited. */
export const search = (
  suite: SuiteName,
  seed: number,
  runs: number,
  { shrinksMax = 4_000, onFound }: SearchOptions = {}
): Search => {
  const tally = emptyTally()
  let isShrinking = false
  let shrinks = 0
  const { arbitrary, run, faultsOf } = suites[suite]
  const law = fc.property(arbitrary, (c) => {
    if (isShrinking && ++shrinks > shrinksMax) return
    const verdict = run(c)
    if (!isShrinking) count(tally, verdict)
    if (verdict.problems.length === 0) return
    if (!isShrinking) onFound?.()
    isShrinking = true
    throw new Wrong(verdict)
  })
  const details = fc.check(law, { seed, numRuns: runs })
  if (!details.failed) return { tally, failure: undefined }
  const error = details.errorInstance
  const [c] = details.counterexample ?? []
  const verdict = error instanceof Wrong ? error.verdict : undefined
  return {
    tally,
    failure: {
      token: `${suite}.${details.seed}.${details.counterexamplePath ?? ""}`,
      problems: verdict?.problems ?? [String(error)],
      case: c,
      events: verdict?.events ?? 0,
      faults: c === undefined ? 0 : faultsOf(c),
      shrinks: details.numShrinks
    }
  }
}

/** No search has more histories of one seed: fast-check would draw all of them before the one that is asked for. */
const historiesMax = 100_000

/** A token taken apart; undefined: it is none. */
export const parseToken = (
  token: string
): { readonly suite: SuiteName; readonly seed: number; readonly path: string } | undefined => {
  const match = /^([a-z]+)\.(-?\d+)\.((\d+)(?::\d+)*)$/.exec(token)
  if (match === null || !Object.hasOwn(suites, match[1]) || Number(match[4]) >= historiesMax) return undefined
  return { suite: match[1] as SuiteName, seed: Number(match[2]), path: match[3] }
}

/** The one history that a token stands for. */
export const replay = (token: string): Verdict => {
  const parsed = parseToken(token)
  if (parsed === undefined) throw new Error(`${token} is no token: it is like job.1234.56:0:1`)
  const { arbitrary, run } = suites[parsed.suite]
  let verdict: Verdict | undefined
  fc.check(
    fc.property(arbitrary, (c) => {
      verdict = run(c)
      // The first case is the token's; where it held, fast-check would go on to its neighbours.
      throw new Error("seen")
    }),
    { seed: parsed.seed, path: parsed.path, numRuns: 1, endOnFailure: true }
  )
  if (verdict === undefined) throw new Error(`${token} stands for no history of this release`)
  return verdict
}

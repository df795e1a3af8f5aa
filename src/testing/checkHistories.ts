/** Runs random cases of a simulation until a law breaks, shrinks the case that broke it, and gives it a token. */
import * as Hash from "effect/Hash"
import * as fc from "fast-check"
import { show } from "../model/Options.ts"
import { NotSimulated } from "./HangingCalls.ts"
import { type Outcome, outcomeOf } from "./Outcome.ts"
import type { Prepared } from "./SimulationOptions.ts"
import { textOf } from "./textOf.ts"
import { type Case, type Manner, runUserHistory } from "./userHistory.ts"
import { ask } from "./verdicts.ts"
import { withoutGlobals } from "./withoutGlobals.ts"

/** A law that an outcome breaks, and how. */
export interface Breach {
  readonly law: string
  readonly problems: ReadonlyArray<string>
}

/** A case that broke a law, as small as it became. */
export interface Failure extends Breach {
  readonly token: string
  readonly case: Case
  readonly shrinks: number
}

/** What a batch of histories came to. */
export type Batch = { readonly failure?: Failure; readonly stopped?: NotSimulated | NotGenerated }

/** Histories of one seed, whose numbers tokens have: between two looks at the world outside. */
export const batchRuns = 25

/** Thrown where the rows of a feed cannot be made. */
export class NotGenerated extends Error {
  constructor(cause: unknown) {
    super(`feeds: rows cannot be made: ${cause instanceof Error ? cause.message : show(cause)}`, { cause })
  }
}

/** Cases that are run when one is shrunk, at most. */
const shrinksTriedMax = 1500

class Broken extends Error {
  readonly breach: Breach
  constructor(breach: Breach) {
    super(breach.problems.join("\n"))
    this.breach = breach
  }
}

/** Runs one case, and says the first law that it breaks. */
export const judged = (
  { queries, laws }: Prepared,
  c: Case,
  told?: Manner["told"]
): { readonly outcome: Outcome; readonly breach: Breach | undefined } => {
  const tested = queries[c.query]
  const manner: Manner = { kind: "stream", lives: c.lives, faults: c.faults, ...(told === undefined ? {} : { told }) }
  const outcome = outcomeOf(tested, c, runUserHistory(tested, c, manner))
  for (const law of laws) {
    const problems = ask(law, outcome)
    if (problems.length > 0) return { outcome, breach: { law: law.name, problems } }
  }
  return { outcome, breach: undefined }
}

/** Runs so many histories from a seed; tells each that went well, or broke a law first. */
export const checkBatch = (prepared: Prepared, seed: number, runs: number, seen: (outcome: Outcome) => void): Batch => {
  let first: Breach | undefined
  let tried = 0
  let ran = 0
  let notSimulated: NotSimulated | undefined
  const run = (c: Case): void => {
    ran++
    if (notSimulated !== undefined || (first !== undefined && ++tried > shrinksTriedMax)) return
    try {
      const { outcome, breach } = judged(prepared, c)
      if (first === undefined) seen(outcome)
      // What is shrunk stays the same: another law that breaks on the way is another failure.
      if (breach === undefined || (first !== undefined && first.law !== breach.law)) return
      first ??= breach
      throw new Broken(breach)
    } catch (error) {
      if (!(error instanceof NotSimulated)) throw error
      // Nor is what was broken before lost where a smaller case cannot be simulated.
      if (first === undefined) notSimulated = error
    }
  }
  const found = generating(() =>
    withoutGlobals(() => fc.check(fc.property(prepared.cases, run), { seed, numRuns: runs }))
  )
  if (found instanceof NotGenerated) return { stopped: found }
  if (notSimulated !== undefined) return { stopped: notSimulated }
  if (!found.failed) {
    if (ran !== runs) throw new Error(`${ran} histories were run, and not ${runs}`)
    return {}
  }
  const { errorInstance: error, counterexample } = found
  if (counterexample === null) return {}
  if (!(error instanceof Broken)) throw error
  const [c] = counterexample
  const token = `${found.seed}.${found.counterexamplePath ?? ""}.${markOf(c)}`
  return { failure: { ...error.breach, token, case: c, shrinks: found.numShrinks } }
}

/** What is thrown here is thrown by what makes cases: what runs them throws nothing past fast-check. */
const generating = <A>(run: () => A): A | NotGenerated => {
  try {
    return run()
  } catch (error) {
    return new NotGenerated(error)
  }
}

/** A few digits that tell cases apart: a token of other options, or of another release, stands for another case. */
const markOf = (c: Case): string => (Hash.string(textOf(c)) >>> 0).toString(16).padStart(8, "0")

/** What became of a token: the case that it stands for, or why there is none, in words. */
export const caseOf = ({ cases }: Prepared, token: string): Case | string => {
  const none = "stands for no history of this topology and these options: it is like 1000003.4:0:1.0a1b2c3d"
  const match = /^(-?\d{1,10})\.((\d{1,10})(?::\d{1,10})*)(?:\.([0-9a-f]{8}))?$/.exec(token)
  if (match === null || Number(match[3]) >= batchRuns) return none
  let found: Case | undefined
  // Fails at once: fast-check goes on with the siblings of the path until one fails.
  const catching = fc.property(cases, (c) => {
    found = c
    return false
  })
  try {
    withoutGlobals(() => fc.check(catching, { seed: Number(match[1]), path: match[2], numRuns: 1, endOnFailure: true }))
  } catch {
    // Its path leads nowhere here.
    return none
  }
  if (found === undefined) return none
  const isSame = match[4] === undefined || match[4] === markOf(found)
  return isSame ? found : "is not of this history: the feeds, the faults, their options or the release are others now"
}

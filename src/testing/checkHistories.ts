/** Runs random cases of a simulation until a law breaks, shrinks the case that broke it, and gives it a token. */
import * as fc from "fast-check"
import { NotSimulated } from "./HangingCalls.ts"
import { type Outcome, outcomeOf } from "./Outcome.ts"
import type { Prepared } from "./tested.ts"
import { type Case, type Manner, runUserHistory } from "./userHistory.ts"

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
export type Batch = { readonly failure?: Failure; readonly notSimulated?: NotSimulated }

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
    const problems = law.check(outcome)
    if (problems.length > 0) return { outcome, breach: { law: law.name, problems } }
  }
  return { outcome, breach: undefined }
}

/** Runs so many histories from a seed; tells each that went well, or broke a law first. */
export const checkBatch = (prepared: Prepared, seed: number, runs: number, seen: (outcome: Outcome) => void): Batch => {
  let first: Breach | undefined
  let tried = 0
  let notSimulated: NotSimulated | undefined
  const law = fc.property(prepared.cases, (c) => {
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
      notSimulated = error
    }
  })
  const details = fc.check(law, { seed, numRuns: runs })
  if (notSimulated !== undefined) return { notSimulated }
  if (!details.failed) return {}
  const { errorInstance: error, counterexample } = details
  if (counterexample === null) return {}
  if (!(error instanceof Broken)) throw error
  const token = `${details.seed}.${details.counterexamplePath ?? ""}`
  return { failure: { ...error.breach, token, case: counterexample[0], shrinks: details.numShrinks } }
}

/** The case that a token stands for; undefined: it is no token of these options. */
export const caseOf = ({ cases }: Prepared, token: string): Case | undefined => {
  const match = /^(-?\d+)\.(\d+(?::\d+)*)$/.exec(token)
  if (match === null) return undefined
  let found: Case | undefined
  // Fails at once: fast-check goes on with the siblings of the path until one fails.
  const catching = fc.property(cases, (c) => {
    found = c
    return false
  })
  try {
    fc.check(catching, { seed: Number(match[1]), path: match[2], numRuns: 1, endOnFailure: true })
  } catch {
    // Its path leads nowhere here.
    return undefined
  }
  return found
}

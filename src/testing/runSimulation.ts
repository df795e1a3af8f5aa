/** Checks and replays of simulations, for the library and for the command line, which say some things otherwise. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { batchRuns, caseOf, checkBatch, type Failure, judged, NotGenerated } from "./checkHistories.ts"
import { NotSimulated } from "./HangingCalls.ts"
import type { Outcome } from "./Outcome.ts"
import { Counts, describeFault, describeHistory, type SimulationReport } from "./report.ts"
import { SimulationFailed } from "./SimulationFailed.ts"
import { type Prepared, prepare, type SimulationOptions, type Testable } from "./SimulationOptions.ts"
import { simulatedStartMs } from "./Simulator.ts"
import type { Case } from "./userHistory.ts"

/** One history, run again by `Simulation.replay`. */
export interface Replayed {
  readonly outcome: Outcome
  /** The law that it breaks; undefined: it breaks none. */
  readonly law: string | undefined
  /** What is wrong, sentence by sentence; empty where no law is broken. */
  readonly problems: ReadonlyArray<string>
  /** The same each time the token is replayed. */
  readonly traceHash: string
  /** What happened, a line each, with the virtual time of it. */
  readonly timeline: ReadonlyArray<string>
  /** All of it in words, as a failure of `Simulation.check` says it. */
  readonly text: string
}

/** What a front end may say otherwise: how a history is replayed, and how far a check is. */
export interface Voice {
  readonly replayLine: (token: string) => string
  readonly progress: (report: SimulationReport) => void
}

/** `Simulation.check` in a voice. */
export const checkWith = <E, R>(
  topology: Testable<E, R>,
  options: SimulationOptions,
  voice: Voice
): Effect.Effect<SimulationReport, SimulationFailed, R> =>
  Effect.gen(function* () {
    const prepared = yield* prepare(topology, options)
    const clock = yield* Clock.Clock
    const began = clock.currentTimeMillisUnsafe()
    const counts = new Counts()
    for (let number = 0; counts.histories < prepared.histories; number++) {
      const seed = (Math.imul(prepared.seed, 1_000_003) + number) | 0
      const runs = Math.min(batchRuns, prepared.histories - counts.histories)
      const { failure, stopped } = checkBatch(prepared, seed, runs, (outcome) => counts.add(outcome))
      if (stopped !== undefined) return yield* Effect.fail(outside(stopped))
      if (failure !== undefined) return yield* Effect.fail(failed(prepared, failure, voice))
      voice.progress(counts.report(clock.currentTimeMillisUnsafe() - began))
      yield* Effect.yieldNow
    }
    return counts.report(clock.currentTimeMillisUnsafe() - began)
  })

/** `Simulation.replay` in a voice. */
export const replayWith = <E, R>(
  topology: Testable<E, R>,
  options: SimulationOptions,
  token: string,
  voice: Voice
): Effect.Effect<Replayed, SimulationFailed, R> =>
  Effect.gen(function* () {
    const prepared = yield* prepare(topology, options)
    const c = caseOf(prepared, token)
    if (typeof c === "string") {
      const message = `token: ${JSON.stringify(token)}: ${c}`
      return yield* Effect.fail(new SimulationFailed({ reason: "InvalidOptions", message }))
    }
    return yield* Effect.try({ try: () => again(prepared, c, token, voice), catch: (error) => outside(error) })
  })

const outside = (error: unknown): SimulationFailed => {
  if (error instanceof NotGenerated) return new SimulationFailed({ reason: "InvalidOptions", message: error.message })
  if (!(error instanceof NotSimulated)) throw error
  return new SimulationFailed({ reason: "NotSimulated", message: error.message })
}

/** Runs a case again; `first`: what was wrong with it when it was found. */
const again = (prepared: Prepared, c: Case, token: string, voice: Voice, first?: Failure): Replayed => {
  const timeline: Array<string> = []
  const { outcome, breach } = judged(prepared, c, (atMs, what) => {
    timeline.push(`${((atMs - simulatedStartMs) / 1000).toFixed(3)} s  ${what}`)
  })
  const problems = breach?.problems ?? []
  const differs = first !== undefined && first.problems.join("\n") !== problems.join("\n")
  const told = {
    breach: first ?? breach,
    laws: prepared.laws.map(({ name }) => name),
    shrinks: first?.shrinks,
    differs,
    timeline,
    replay: voice.replayLine(token)
  }
  return {
    outcome,
    law: breach?.law,
    problems,
    traceHash: outcome.traceHash,
    timeline,
    text: describeHistory(prepared.queries[c.query], c, told)
  }
}

const failed = (prepared: Prepared, failure: Failure, voice: Voice): SimulationFailed => {
  const { case: c, token, law, problems } = failure
  const { text: message, traceHash } = again(prepared, c, token, voice, failure)
  const events = c.feeds.flat().reduce((n, { rows }) => n + rows.length, 0)
  const faults = c.faults.map(describeFault)
  return new SimulationFailed({ reason: "LawViolated", message, law, problems, token, traceHash, events, faults })
}

/**
 * Simulations of a user's own topology: the real runtime, with the user's operators, effects and services, on simulated
 * partitions, clock, checkpoint store and processes, under faults, history after history, judged by laws.
 *
 * Everything is decided by the seed: the same token gives the same history, step by step. What does not go through
 * Effect's services cannot be simulated; a call that waits for such a thing is reported, and ends the simulation.
 */
import type * as Effect from "effect/Effect"
import type { SimulationReport } from "./report.ts"
import { checkWith, type Replayed, replayWith, type Voice } from "./runSimulation.ts"
import type { SimulationFailed } from "./SimulationFailed.ts"
import type { SimulationOptions, Testable } from "./SimulationOptions.ts"

export type { FaultName } from "./faultNames.ts"
export { faultNames } from "./faultNames.ts"
export { feed, type Feed, type FeedOptions, type Rows } from "./feed.ts"
export { own, type OwnSink } from "./ownSink.ts"
export type { SimulationReport } from "./report.ts"
export type { Replayed } from "./runSimulation.ts"
export { SimulationFailed, type SimulationFailure } from "./SimulationFailed.ts"
export type { SimulationOptions, Testable } from "./SimulationOptions.ts"

const library: Voice = {
  replayLine: (token) => `Simulation.replay(topology, options, ${JSON.stringify(token)})`,
  progress: () => undefined
}

/**
 * Runs so many random histories of a pipeline, of the queries of a job, or of what a function makes in each process, and
 * judges each by the laws. Fails with `LawViolated` at the first that breaks one, shrunk, which may take a thousand
 * histories more; the message ends with the line that replays it. Fails with `InvalidOptions` before anything is run, and
 * with `NotSimulated` where user code waits for what is not Effect's.
 */
export const check = <E, R>(
  topology: Testable<E, R>,
  options: SimulationOptions
): Effect.Effect<SimulationReport, SimulationFailed, R> => checkWith(topology, options, library)

/**
 * Runs the history of a token again, with what happened in it; breaking a law is no failure here. The topology and the
 * options have to be the same: fails with `InvalidOptions` where the token stands for nothing.
 */
export const replay = <E, R>(
  topology: Testable<E, R>,
  options: SimulationOptions,
  token: string
): Effect.Effect<Replayed, SimulationFailed, R> => replayWith(topology, options, token, library)

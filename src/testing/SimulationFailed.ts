/** How a simulation fails: with a history that breaks a law, small and with the line that replays it; or before it began. */
import * as Data from "effect/Data"

/**
 * Why. `LawViolated`: a history breaks a law. `NotSimulated`: user code waits for something that is not Effect's.
 * `InvalidOptions`: nothing was run; the message names every option that is wrong, and what it may be.
 */
export type SimulationFailure = "LawViolated" | "NotSimulated" | "InvalidOptions"

/** A simulation that failed. `message` says all of it; the fields below it are there for `LawViolated` alone. */
export class SimulationFailed extends Data.TaggedError("SimulationFailed")<{
  readonly reason: SimulationFailure
  readonly message: string
  /** The law that was broken. */
  readonly law?: string
  /** What was wrong, sentence by sentence. */
  readonly problems?: ReadonlyArray<string>
  /** What `Simulation.replay` and `tidemark simulate --replay` take. */
  readonly token?: string
  /** That of the history that was shrunk: a replay has the same. */
  readonly traceHash?: string
  /** Rows fed, after shrinking. */
  readonly events?: number
  /** The faults that are left after shrinking, in words: `crash after 84 steps`. */
  readonly faults?: ReadonlyArray<string>
}> {}

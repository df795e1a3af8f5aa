/** How a simulation fails: with a history that breaks a law, small and with the line that replays it; or before it began. */
import * as Data from "effect/Data"

/** Why. `NotSimulated`: user code waits for something that is not Effect's. */
export type SimulationFailure = "LawViolated" | "NotSimulated" | "InvalidOptions"

/** A simulation that failed. `message` says all of it. */
export class SimulationFailed extends Data.TaggedError("SimulationFailed")<{
  readonly reason: SimulationFailure
  readonly message: string
  /** The law that was broken. */
  readonly law?: string
  /** What was wrong, sentence by sentence. */
  readonly problems?: ReadonlyArray<string>
  /** What `Simulation.replay` and `tidemark simulate --replay` take. */
  readonly token?: string
  readonly traceHash?: string
  /** Rows fed, after shrinking. */
  readonly events?: number
  /** Names of the faults that are left after shrinking. */
  readonly faults?: ReadonlyArray<string>
}> {}

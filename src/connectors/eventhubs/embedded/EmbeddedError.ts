/** Why the embedded service could not start, or do what it was asked. */
import * as Data from "effect/Data"
import type { OptionProblem } from "../../../model/Errors.ts"

/** `reason` is for programs, `message` for people. */
export class EmbeddedError extends Data.TaggedError("EmbeddedError")<{
  readonly reason: "InvalidOptions" | "CannotListen" | "DataFolder"
  readonly message: string
  /** Of reason `InvalidOptions`. */
  readonly problems?: ReadonlyArray<OptionProblem>
  readonly cause?: unknown
}> {}

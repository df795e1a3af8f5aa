/** The pace of epochs (Spark's trigger; rule A5): how often results are prepared and committed. */
import type * as Duration from "effect/Duration"
import type { OptionProblem } from "../model/Errors.ts"
import { durationMs } from "../model/Options.ts"

/** A pace as data. */
export interface Trigger {
  readonly everyMs: number
  readonly problems: ReadonlyArray<OptionProblem>
}

/** An epoch at most this often, and only when something happened since the last. Default of a query: 1 second. */
export const every = (interval: Duration.Input): Trigger => {
  const problems: Array<OptionProblem> = []
  return { everyMs: durationMs("Trigger.every", interval, problems, { min: 1 }), problems }
}

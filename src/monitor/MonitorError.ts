/** The one error of what watches queries from outside: a server that cannot be opened, an address that is refused. */
import * as Data from "effect/Data"

/** What was wrong and what to do, one sentence. Queries go on without what failed. */
export class MonitorError extends Data.TaggedError("MonitorError")<{
  readonly message: string
  readonly cause?: unknown
}> {}

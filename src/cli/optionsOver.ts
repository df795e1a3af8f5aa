/** What the command line of `tidemark run` sets over the options of a job. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type JobOptions, JobTypeId, withOptions } from "../actors/Job.ts"
import { settingsOf } from "../actors/QueryOptions.ts"
import * as Trigger from "../streams/Trigger.ts"
import { type CliFailure, failed } from "./failure.ts"
import type { AnyJob } from "./loadJob.ts"

/** Absent: what the job says. */
export interface OptionsOver {
  readonly drainTimeoutMs: number | undefined
  /** Operators whose change of plan is meant, beside those that the job names (C8). */
  readonly accept: ReadonlyArray<string>
  /** What to do while another process runs a query of the job (C5a). */
  readonly ifOwned: "wait" | "fail" | undefined
  /** The attempt to take over from; for jobs of one query. */
  readonly takeOver: number | undefined
  /** The savepoint to begin with (C10); for jobs of one query, unless it is the label of each. */
  readonly savepoint: string | undefined
  readonly parallelism: number | undefined
  /** Reads what is there, and ends (Trigger.availableNow). */
  readonly availableNow: boolean
}

/** The job with these options over its own, or why it cannot have them. */
export const withOver = (job: AnyJob, o: OptionsOver): Effect.Effect<AnyJob, CliFailure> => {
  const { queries, options } = job[JobTypeId]
  if (o.takeOver !== undefined && queries.length > 1)
    return Effect.fail(
      failed(`--take-over names one attempt, and the job has ${queries.length} queries: run a file with one of them`)
    )
  const own = settingsOf({ ...options, name: "any" }, [])
  const maxEvents = own.epochRowsMax === Infinity ? {} : { maxEvents: own.epochRowsMax }
  const over: JobOptions = {
    ...(o.drainTimeoutMs === undefined ? {} : { drainTimeout: Duration.millis(o.drainTimeoutMs) }),
    ...(o.accept.length === 0 ? {} : { acceptPlanChanges: [...own.accepted, ...o.accept] }),
    ...(o.ifOwned === undefined ? {} : { ifOwned: o.ifOwned }),
    ...(o.takeOver === undefined ? {} : { takeOver: o.takeOver }),
    ...(o.savepoint === undefined ? {} : { savepoint: o.savepoint }),
    ...(o.parallelism === undefined ? {} : { parallelism: o.parallelism }),
    ...(o.availableNow ? { trigger: Trigger.availableNow(maxEvents) } : {})
  }
  return Effect.succeed(withOptions(job, over))
}

/** What a query is run with: names, bounds and paces, their defaults and their checks. */
import type * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"
import { type OptionProblem, type QueryError } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import { isObjectName } from "../model/ObjectStore.ts"
import { durationMs, has, integer, show } from "../model/Options.ts"
import type { Trigger } from "../streams/Trigger.ts"

/** Options of `Query.run` and `Query.start`; only the name is required. */
export interface QueryOptions<in E = never, out SR = never> {
  /** 1 to 128 of `A-Z a-z 0-9 . _ -`; the same after a restart. Queries of one checkpoint store should not share a name. */
  readonly name: string
  /** When and how often to restart after a failure; default: not at all. A restart reads the input from its start. */
  readonly restart?: Schedule.Schedule<unknown, E | QueryError, never, SR>
  /** At most this many restarts in this time, whatever the schedule says; default 10 in 1 minute. */
  readonly restartLimit?: { readonly restarts: number; readonly within: Duration.Input }
  /** The pace of epochs; default every second. */
  readonly trigger?: Trigger
  /** Instances of each keyed operator; default 1. Results do not depend on it. */
  readonly parallelism?: number
  /** Rows asked of a source at a time; default 1,024. Results do not depend on it. */
  readonly chunkRows?: number
  /** How long a drain may take; default 30 seconds. */
  readonly drainTimeout?: Duration.Input
}

/** The same as plain numbers. */
export interface QuerySettings {
  readonly restartsMax: number
  readonly restartsWithinMs: number
  readonly epochIntervalMs: number
  readonly parallelism: number
  readonly chunkRows: number
  readonly drainTimeoutMs: number
}

/** Reads the options; adds what is wrong with them to `problems`. */
export const settingsOf = (o: QueryOptions<never, unknown>, problems: Array<OptionProblem>): QuerySettings => {
  if (typeof o.name !== "string" || o.name.includes("/") || o.name.length > 128 || !isObjectName(o.name)) {
    problems.push({
      option: "name",
      value: show(o.name),
      fix: "must be 1 to 128 of A-Z a-z 0-9 . _ -, not starting with a dot"
    })
  }
  const { restart, restartLimit: limit, trigger } = o
  const wrong = (option: string, value: unknown, fix: string): void =>
    void problems.push({ option, value: show(value), fix })
  if (restart !== undefined && !Schedule.isSchedule(restart))
    wrong("restart", restart, 'must be a Schedule of effect (try Schedule.spaced("1 second"))')
  if (limit !== undefined && !has(limit, "restarts", "within"))
    wrong("restartLimit", limit, 'must be like { restarts: 10, within: "1 minute" }')
  const pace = trigger !== undefined && has(trigger, "everyMs", "problems") ? trigger : undefined
  if (pace !== undefined) problems.push(...pace.problems)
  else if (trigger !== undefined) wrong("trigger", trigger, 'must be a trigger (try Trigger.every("1 second"))')
  const int = (option: string, value: number | undefined, standard: number, min: number, max: number): number =>
    value === undefined ? standard : integer(option, value, problems, { min, max })
  const ms = (option: string, value: Duration.Input | undefined, standard: number): number =>
    value === undefined ? standard : durationMs(option, value, problems, { min: 0 })
  return {
    restartsMax: int("restartLimit.restarts", limit?.restarts, Limits.restartsMax, 0, 1_000_000),
    restartsWithinMs: ms("restartLimit.within", limit?.within, Limits.restartsWindowMs),
    epochIntervalMs: pace?.everyMs ?? Limits.epochIntervalMs,
    parallelism: int("parallelism", o.parallelism, 1, 1, Limits.keyGroups),
    chunkRows: int("chunkRows", o.chunkRows, Limits.chunkRowsTarget, 1, Limits.chunkRowsMax),
    drainTimeoutMs: ms("drainTimeout", o.drainTimeout, Limits.drainTimeoutMs)
  }
}

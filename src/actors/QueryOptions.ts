/** What a query is run with: names, bounds and paces, their defaults and their checks. */
import type * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"
import { type OptionProblem, type QueryError } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import { isObjectName } from "../model/ObjectStore.ts"
import { durationMs, has, integer, show } from "../model/Options.ts"
import type { Trigger } from "../streams/Trigger.ts"

/** How checkpoints are made and kept. */
export interface CheckpointOptions {
  /** A checkpoint that takes longer is given up, and the query goes on from the one before (C9). Default 10 minutes. */
  readonly timeout?: Duration.Input
  /** Checkpoints given up in a row after which the attempt ends (C9). Default 10. */
  readonly failures?: number
  /** Epochs that stay readable, for `tidemark state --at`. Default 3. */
  readonly retained?: number
}

/** Options of `Query.run` and `Query.start`; only the name is required. */
export interface QueryOptions<in E = never, out SR = never> {
  /**
   * 1 to 128 of `A-Z a-z 0-9 . _ -`; the same after a restart. It is the name of the checkpoint: a query that is run again
   * goes on where it stopped.
   */
  readonly name: string
  /**
   * When and how often to restart after a failure; default: not at all. A restart goes on from the last checkpoint. The
   * schedule begins anew once an epoch has been committed.
   */
  readonly restart?: Schedule.Schedule<unknown, E | QueryError, never, SR>
  /** At most this many restarts in this time, whatever the schedule says; default 10 in 1 minute. */
  readonly restartLimit?: { readonly restarts: number; readonly within: Duration.Input }
  /**
   * The pace of epochs (A5). Default: the slowest that a sink or the checkpoint store asks for: in files every second, in
   * memory and on the terminal ten times a second.
   */
  readonly trigger?: Trigger
  /** Instances of each keyed operator; default 1. Results do not depend on it, and a restart may change it (C11). */
  readonly parallelism?: number
  /** Rows asked of a source at a time; default 1,024. Results do not depend on it. */
  readonly chunkRows?: number
  /** How long a drain may take; default 30 seconds. */
  readonly drainTimeout?: Duration.Input
  /** How checkpoints are made and kept. */
  readonly checkpoint?: CheckpointOptions
  /** What to do while another process runs the query: wait, to take over when it is gone (the default), or fail (C5a). */
  readonly ifOwned?: "wait" | "fail"
  /**
   * Takes the query over from this attempt at once, dead or alive (C5a). Where another attempt is the latest: taken over
   * when its process is surely gone, else the query fails with reason `Owned`.
   */
  readonly takeOver?: number
  /** Begins, where there is no checkpoint yet, with the savepoint of this name (C10): `QUERY/LABEL`, or `LABEL` of its own. */
  readonly savepoint?: string
  /** Operators whose change of plan is meant, although it changes what they mean (C8); see `tidemark plan`. */
  readonly acceptPlanChanges?: ReadonlyArray<string>
  /** Most bytes that the state of all operators may take; default 60 % of what Node may use (A7). */
  readonly memoryBudgetBytes?: number
}

/** The same as plain numbers. */
export interface QuerySettings {
  readonly restartsMax: number
  readonly restartsWithinMs: number
  /** Undefined: by what sinks and store ask for. */
  readonly epochIntervalMs: number | undefined
  readonly epochRowsMax: number
  readonly untilAvailable: boolean
  readonly onlyOneEpoch: boolean
  readonly parallelism: number
  readonly chunkRows: number
  readonly drainTimeoutMs: number
  readonly checkpointTimeoutMs: number
  readonly checkpointFailuresMax: number
  readonly checkpointsRetained: number
  readonly ifOwned: "wait" | "fail"
  readonly takeOver: number | undefined
  readonly savepoint: string | undefined
  readonly accepted: ReadonlySet<string>
  readonly memoryBudgetBytes: number | undefined
}

type Wrong = (option: string, value: unknown, fix: string) => void

const triggerOf = (trigger: Trigger | undefined, problems: Array<OptionProblem>, wrong: Wrong): Trigger | undefined => {
  if (trigger === undefined) return undefined
  if (!has(trigger, "kind", "problems")) {
    wrong("trigger", trigger, 'must be a trigger (try Trigger.every("1 second"))')
    return undefined
  }
  problems.push(...trigger.problems)
  return trigger
}

const namesOf = (names: ReadonlyArray<string> | undefined, wrong: Wrong): ReadonlySet<string> => {
  if (names === undefined) return new Set()
  if (Array.isArray(names) && names.every((name) => typeof name === "string")) return new Set(names)
  wrong("acceptPlanChanges", names, "must be a list of operator names")
  return new Set()
}

/** Reads the options; adds what is wrong with them to `problems`. */
export const settingsOf = (o: QueryOptions<never, unknown>, problems: Array<OptionProblem>): QuerySettings => {
  const { restart, restartLimit: limit, checkpoint, ifOwned, savepoint } = o
  const wrong: Wrong = (option, value, fix) => void problems.push({ option, value: show(value), fix })
  if (typeof o.name !== "string" || o.name.includes("/") || o.name.length > 128 || !isObjectName(o.name))
    wrong("name", o.name, "must be 1 to 128 of A-Z a-z 0-9 . _ -, not starting with a dot")
  if (restart !== undefined && !Schedule.isSchedule(restart))
    wrong("restart", restart, 'must be a Schedule of effect (try Schedule.spaced("1 second"))')
  if (limit !== undefined && !has(limit, "restarts", "within"))
    wrong("restartLimit", limit, 'must be like { restarts: 10, within: "1 minute" }')
  if (checkpoint !== undefined && !has(checkpoint))
    wrong("checkpoint", checkpoint, 'must be like { timeout: "1 minute" }')
  if (ifOwned !== undefined && ifOwned !== "wait" && ifOwned !== "fail")
    wrong("ifOwned", ifOwned, 'must be "wait" or "fail"')
  if (savepoint !== undefined && (typeof savepoint !== "string" || !isObjectName(savepoint)))
    wrong("savepoint", savepoint, "must be the name of a savepoint")
  const trigger = triggerOf(o.trigger, problems, wrong)
  const int = (option: string, value: number | undefined, standard: number, min: number, max: number): number =>
    value === undefined ? standard : integer(option, value, problems, { min, max })
  const ms = (option: string, value: Duration.Input | undefined, standard: number, min = 0): number =>
    value === undefined ? standard : durationMs(option, value, problems, { min })
  const most = Number.MAX_SAFE_INTEGER
  return {
    restartsMax: int("restartLimit.restarts", limit?.restarts, Limits.restartsMax, 0, 1_000_000),
    restartsWithinMs: ms("restartLimit.within", limit?.within, Limits.restartsWindowMs),
    epochIntervalMs: trigger?.kind === "asap" ? Limits.asapCheckMs : trigger?.everyMs,
    epochRowsMax: trigger?.maxEvents ?? Infinity,
    untilAvailable: trigger?.kind === "availableNow" || trigger?.kind === "once",
    onlyOneEpoch: trigger?.kind === "once",
    parallelism: int("parallelism", o.parallelism, 1, 1, Limits.keyGroups),
    chunkRows: int("chunkRows", o.chunkRows, Limits.chunkRowsTarget, 1, Limits.chunkRowsMax),
    drainTimeoutMs: ms("drainTimeout", o.drainTimeout, Limits.drainTimeoutMs),
    checkpointTimeoutMs: ms("checkpoint.timeout", checkpoint?.timeout, Limits.checkpointTimeoutMs, 1),
    checkpointFailuresMax: int("checkpoint.failures", checkpoint?.failures, Limits.checkpointFailuresMax, 1, 1_000_000),
    checkpointsRetained: int("checkpoint.retained", checkpoint?.retained, Limits.checkpointsRetained, 1, 1_000),
    ifOwned: ifOwned ?? "wait",
    takeOver: o.takeOver === undefined ? undefined : int("takeOver", o.takeOver, 0, 1, most),
    savepoint,
    accepted: namesOf(o.acceptPlanChanges, wrong),
    memoryBudgetBytes:
      o.memoryBudgetBytes === undefined ? undefined : int("memoryBudgetBytes", o.memoryBudgetBytes, 0, 1, most)
  }
}

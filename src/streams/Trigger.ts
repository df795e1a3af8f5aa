/**
 * The pace of epochs (Spark's trigger; rule A5): how often results are prepared and committed, and whether the query
 * ends when it has caught up. Plain values; the engine reads them. Results do not depend on the pace, apart from which
 * intermediate states an update or complete output gets to see.
 *
 * It is not when a window emits: that is the emit policy of the window.
 */
import type * as Duration from "effect/Duration"
import type { OptionProblem } from "../model/Errors.ts"
import { durationMs, integer, show } from "../model/Options.ts"

/** Options of a pace that goes from epoch to epoch. */
export interface TriggerOptions {
  /**
   * At most this many rows of input in an epoch, over all partitions (Spark's `maxRowsPerTrigger`,
   * `maxOffsetsPerTrigger`); when they are reached, the epoch ends and the next one begins at once. Default: no bound.
   */
  readonly maxEvents?: number
}

/** A pace as data. */
export interface Trigger {
  /**
   * `every`: an epoch at an interval. `asap`: one after the other. `availableNow`: what is there at the start, then the
   * end. `once`: the same in one epoch.
   */
  readonly kind: "every" | "asap" | "availableNow" | "once"
  /** Milliseconds between epochs; of `every` only. */
  readonly everyMs: number | undefined
  /** Rows of input after which an epoch ends; undefined: no bound. */
  readonly maxEvents: number | undefined
  readonly problems: ReadonlyArray<OptionProblem>
}

/**
 * An epoch at most this often, and only when something happened since the last (Spark's `ProcessingTime("10 seconds")`).
 * An epoch that takes longer than the interval is followed by the next one at once; missed ones are not made up for.
 */
export const every = (interval: Duration.Input, options?: TriggerOptions): Trigger => {
  const problems: Array<OptionProblem> = []
  const everyMs = durationMs("Trigger.every", interval, problems, { min: 1 })
  return { kind: "every", everyMs, maxEvents: maxEventsOf("every", options, problems), problems }
}

/**
 * An epoch as soon as the last one is committed and there is something to put in it (what Spark does when no trigger is
 * given, or `ProcessingTime(0)`). The lowest latency, and the most commits: of files or tables, as many as the store
 * keeps up with.
 */
export const asFastAsPossible = (options?: TriggerOptions): Trigger => {
  const problems: Array<OptionProblem> = []
  return { kind: "asap", everyMs: undefined, maxEvents: maxEventsOf("asFastAsPossible", options, problems), problems }
}

/**
 * Reads what is there when the query starts, in as many epochs as `maxEvents` asks for, commits it and ends (Spark's
 * `AvailableNow`); run again, it goes on where it stopped. Windows that are still open stay open in the checkpoint: more
 * rows may come for them (rule T11). Where a partition ends is asked once, at the start.
 */
export const availableNow = (options?: TriggerOptions): Trigger => {
  const problems: Array<OptionProblem> = []
  const maxEvents = maxEventsOf("availableNow", options, problems)
  return { kind: "availableNow", everyMs: undefined, maxEvents, problems }
}

/**
 * Reads what is there when the query starts in one single epoch, commits it and ends (Spark's `Once`): all of it
 * appears in the sinks at one moment, or nothing does. Windows that are still open stay open, as with `availableNow`,
 * which is the better choice when there is much to read: an epoch that fails begins again from its start.
 */
export const once = (): Trigger => ({ kind: "once", everyMs: undefined, maxEvents: undefined, problems: [] })

const maxEventsOf = (
  of: string,
  options: TriggerOptions | undefined,
  problems: Array<OptionProblem>
): number | undefined => {
  if (options === undefined) return undefined
  const given: unknown = options
  if (typeof given !== "object" || given === null) {
    problems.push({ option: `Trigger.${of}`, value: show(given), fix: "must be like { maxEvents: 10_000 }" })
    return undefined
  }
  const { maxEvents } = options
  return maxEvents === undefined ? undefined : integer(`Trigger.${of}.maxEvents`, maxEvents, problems, { min: 1 })
}

/**
 * `EventStream.withEventTime`: which moment of a row counts, and how its stream's watermark comes about (rules T1, T2,
 * T7, T8, T14). Builds the plan node; the watermark itself is computed by the readers.
 */
import type * as Duration from "effect/Duration"
import type { OptionProblem } from "../model/Errors.ts"
import { isTimeZone } from "../model/EventTime.ts"
import { rowValue } from "./Arguments.ts"
import { durationMs, functionOf, show } from "../model/Options.ts"
import type { EventTimeSpec } from "./Plan.ts"
import { checkNeeds } from "./PlanFacts.ts"
import type { Holds, Instant, Refused, Stage, Timed, UntimedRows } from "./Stage.ts"
import { type EventStream, streamOf } from "./StreamValue.ts"

interface CommonOptions {
  /** A partition without rows for this long holds no window open (T7; default 30 seconds). */
  readonly idleAfter?: Duration.Input
  /**
   * When every partition is idle: "hold" keeps the watermark, "follow the clock" lets it rise with the broker's time,
   * so that the last windows close. Default: "follow the clock" for sources with append times, else "hold" (T7).
   */
  readonly whenQuiet?: "hold" | "follow the clock"
  /**
   * A row further ahead of its append time is quarantined and moves no watermark (T8). Default, for sources with
   * append times: the out-of-orderness, at most 5 minutes, at least 1 second; for others "off".
   */
  readonly maxFutureSkew?: Duration.Input | "off"
  /** A reader further ahead of the slowest, in event time, pauses (T14; default 5 minutes). */
  readonly alignment?: Duration.Input
  /** Zone of times that are written without one: an IANA name such as "Europe/Berlin", or an offset. Default: UTC. */
  readonly zone?: string
}

/** How far behind the newest event an on-time row may be. */
export interface BoundedOptions extends CommonOptions {
  readonly outOfOrderness: Duration.Input
  readonly watermark?: never
}

/** The watermark that a row claims; the running maximum counts. */
export interface ExplicitOptions<in A> extends CommonOptions {
  readonly watermark: (row: A) => Instant
  readonly outOfOrderness?: never
}

/** How the watermark comes about, and what else there is to say about time. */
export type OutOfOrdernessOrWatermark<A> = BoundedOptions | ExplicitOptions<A>

/**
 * Gives rows their event time: a field or a function that yields epoch milliseconds, a `Date`, a `DateTime.Utc` or an
 * ISO string. A row without a valid one becomes a dead letter.
 */
export const withEventTime: {
  <A, const F extends (keyof A & string) | ((row: A) => Instant)>(
    time: F,
    options: OutOfOrdernessOrWatermark<A>
  ): <E, R, S extends UntimedRows>(self: EventStream<A & Holds<F, Instant>, E, R, S>) => EventStream<A, E, R, Timed>
  (
    time: unknown
  ): Refused<'say how far rows may be out of order: EventStream.withEventTime(field, { outOfOrderness: "10 seconds" })'>
} = ((time: unknown, options?: OutOfOrdernessOrWatermark<never>) =>
  (self: EventStream<unknown, unknown, unknown, Stage>) => {
    const problems: Array<OptionProblem> = []
    checkNeeds("withEventTime", self.plan, { untimed: true, final: true }, problems)
    return streamOf({ kind: "withEventTime", input: self.plan, spec: eventTimeSpec(time, options, problems), problems })
  }) as never

const option = (name: string): string => `withEventTime.${name}`

const eventTimeSpec = (
  time: unknown,
  options: OutOfOrdernessOrWatermark<never> | undefined,
  problems: Array<OptionProblem>
): EventTimeSpec => {
  const given: CommonOptions = options ?? {}
  const { outOfOrderness, watermark } = given as {
    outOfOrderness?: Duration.Input
    watermark?: (row: unknown) => unknown
  }
  if (outOfOrderness === undefined && watermark === undefined) {
    problems.push({ option: option("outOfOrderness"), value: "undefined", fix: 'is missing (try "10 minutes")' })
  }
  if (outOfOrderness !== undefined && watermark !== undefined) {
    problems.push({ option: option("watermark"), value: "a function", fix: "give either outOfOrderness or watermark" })
  }
  const ms = (name: string, value: Duration.Input, min: number): number =>
    durationMs(option(name), value, problems, { min })
  const { idleAfter, whenQuiet, maxFutureSkew, alignment, zone } = given
  return {
    time: rowValue(option("time"), time, problems),
    outOfOrdernessMs: outOfOrderness === undefined ? 0 : ms("outOfOrderness", outOfOrderness, 0),
    ...(watermark === undefined ? {} : { explicit: functionOf(option("watermark"), watermark, problems) }),
    ...(idleAfter === undefined ? {} : { idleAfterMs: ms("idleAfter", idleAfter, 1) }),
    ...(whenQuiet === undefined ? {} : { whenQuiet: quiet(whenQuiet, problems) }),
    ...(maxFutureSkew === undefined
      ? {}
      : {
          maxFutureSkewMs: maxFutureSkew === "off" ? "off" : ms("maxFutureSkew", maxFutureSkew, 0)
        }),
    ...(alignment === undefined ? {} : { alignmentDriftMs: ms("alignment", alignment, 1) }),
    ...(zone === undefined ? {} : { zone: checkZone(zone, problems) })
  }
}

const quiet = (value: unknown, problems: Array<OptionProblem>): "hold" | "followClock" => {
  if (value === "follow the clock") return "followClock"
  if (value !== "hold") {
    problems.push({ option: option("whenQuiet"), value: show(value), fix: 'must be "hold" or "follow the clock"' })
  }
  return "hold"
}

const checkZone = (zone: unknown, problems: Array<OptionProblem>): string => {
  if (typeof zone === "string" && isTimeZone(zone)) return zone
  problems.push({ option: option("zone"), value: show(zone), fix: 'is not a time zone (try "Europe/Berlin")' })
  return "UTC"
}

/** Options of the generators, read into numbers with units; what is wrong is collected, not thrown. */
import type * as Duration from "effect/Duration"
import type { OptionProblem } from "../../model/Errors.ts"
import { eventTimeMs } from "../../model/EventTime.ts"
import { durationMs, flag, integer, show } from "../../model/Options.ts"

/** A share of the events: a number from 0 to 1, or a percentage such as `"0.1%"`. */
export type Fraction = number | `${number}%`

/** What all generators take. */
export interface GeneratorOptions {
  /** Same seed, same events; a whole number, default 1. */
  readonly seed?: number
  /** Events a second, of all partitions together; default 1,000. */
  readonly rate?: number
  /** Events in all (dead ones and duplicates count); absent: they never end. */
  readonly count?: number
  /** Default 4. */
  readonly partitions?: number
  /** How many customers or devices there are; default 100 customers, 1,000 devices. */
  readonly keys?: number
  /** An event happened up to this long before it arrives; default 0: in order. */
  readonly outOfOrderness?: Duration.Input
  /** Share of events that repeat an earlier one of their partition exactly; default 0. */
  readonly duplicates?: Fraction
  /** Share of events that arrive behind the watermark that `outOfOrderness` gives; default 0. */
  readonly late?: Fraction
  /** How far late events are behind that watermark, at least and up to twice; default 1 minute. */
  readonly lateBy?: Duration.Input
  /** Share of events that cannot be decoded: broken JSON, wrong types, invalid UTF-8; default 0. */
  readonly poison?: Fraction
  /** Share of events that claim to happen in the future; default 0. */
  readonly futureDated?: Fraction
  /** How far in the future; default 1 hour. */
  readonly futureBy?: Duration.Input
  /**
   * When the first event arrives: an instant as `withEventTime` takes it. Default: with `count`, so that the last event
   * arrives now (rule T8); without, now.
   */
  readonly startAt?: unknown
  /**
   * The first event happened so long before it arrives; from then on event time runs faster than the clock, and has caught
   * up with it after `caughtUpAfter`: so windows close within seconds, and no event is from the future (rule T8). Default 0.
   */
  readonly behind?: Duration.Input
  /** Default 1 minute. */
  readonly caughtUpAfter?: Duration.Input
  /** Hold each event back until its time of arrival has come on the clock; default true. */
  readonly paced?: boolean
}

/** The same, decoded. */
export interface Settings {
  readonly seed: number
  /** Milliseconds between one event and the next, over all partitions. */
  readonly spacingMs: number
  readonly count: number | undefined
  readonly partitions: number
  readonly keys: number
  readonly outOfOrdernessMs: number
  readonly duplicates: number
  readonly late: number
  readonly lateByMs: number
  readonly poison: number
  readonly futureDated: number
  readonly futureByMs: number
  readonly behindMs: number
  readonly caughtUpAfterMs: number
  readonly startAtMs: number | undefined
  readonly paced: boolean
}

/** A fraction as a number in [0, 1]; adds a problem and gives 0 when it is none. */
export const fraction = (option: string, value: Fraction | undefined, problems: Array<OptionProblem>): number => {
  if (value === undefined) return 0
  const percent = typeof value === "string" ? /^ *([0-9]*\.?[0-9]+) *% *$/.exec(value) : null
  const number = typeof value === "number" ? value : percent === null ? Number.NaN : Number(percent[1]) / 100
  if (number >= 0 && number <= 1) return number
  problems.push({
    option,
    value: show(value),
    fix: 'must be a number from 0 to 1, or a percentage (try 0.001 or "0.1%")'
  })
  return 0
}

const most = Number.MAX_SAFE_INTEGER

/** Most partitions a generator has. */
export const partitionsMax = 1024

/** Most customers or devices: their names have six digits. */
export const keysMax = 1_000_000

/** Reads the options of the generator `at` (`Generate.iot`). */
export const readSettings = (
  at: string,
  o: GeneratorOptions,
  keysDefault: number,
  problems: Array<OptionProblem>
): Settings => {
  const rate = o.rate ?? 1000
  const rateFits = typeof rate === "number" && rate > 0 && rate <= 1e9
  if (!rateFits)
    problems.push({
      option: `${at}.rate`,
      value: show(rate),
      fix: "must be a number of events a second, above 0 and up to 1e9"
    })
  const startAtMs = o.startAt === undefined ? undefined : eventTimeMs(o.startAt)
  if (Number.isNaN(startAtMs))
    problems.push({
      option: `${at}.startAt`,
      value: show(o.startAt),
      fix: 'is not an instant (try "2026-01-01T00:00:00Z")'
    })
  const int = (name: string, value: number, min: number, max: number): number =>
    integer(`${at}.${name}`, value, problems, { min, max })
  const ms = (name: string, value: Duration.Input): number => durationMs(`${at}.${name}`, value, problems, { min: 0 })
  const settings: Settings = {
    seed: int("seed", o.seed ?? 1, -most, most),
    spacingMs: 1000 / (rateFits ? rate : 1),
    count: o.count === undefined ? undefined : int("count", o.count, 0, most),
    partitions: int("partitions", o.partitions ?? 4, 1, partitionsMax),
    keys: int("keys", o.keys ?? keysDefault, 1, keysMax),
    outOfOrdernessMs: ms("outOfOrderness", o.outOfOrderness ?? 0),
    duplicates: fraction(`${at}.duplicates`, o.duplicates, problems),
    late: fraction(`${at}.late`, o.late, problems),
    lateByMs: ms("lateBy", o.lateBy ?? "1 minute"),
    poison: fraction(`${at}.poison`, o.poison, problems),
    futureDated: fraction(`${at}.futureDated`, o.futureDated, problems),
    futureByMs: ms("futureBy", o.futureBy ?? "1 hour"),
    behindMs: ms("behind", o.behind ?? 0),
    caughtUpAfterMs: ms("caughtUpAfter", o.caughtUpAfter ?? "1 minute"),
    startAtMs,
    paced: flag(`${at}.paced`, o.paced ?? true, problems)
  }
  if (settings.duplicates + settings.late + settings.poison + settings.futureDated > 1) {
    problems.push({
      option: `${at}.duplicates + late + poison + futureDated`,
      value: "more than 1",
      fix: "must be at most 1 together"
    })
  }
  return settings
}

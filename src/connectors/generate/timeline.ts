/**
 * When generated events arrive, when they claim to have happened, and which are odd. Pure: everything is a function of
 * (settings, start, partition, index).
 *
 * Event i of partition p is number n = i * partitions + p of all and arrives at start + n / rate. It happened up to
 * `outOfOrderness` before, so that in its partition no ordinary event is further than that behind the newest one; while
 * the timeline is `behind`, earlier by as much as it is.
 */
import { draw, eventHash, partitionSeed, unit } from "./hash.ts"
import type { Settings } from "./options.ts"

/** What an event is. */
export type Kind = "plain" | "late" | "future" | "duplicate" | "poison"

/** Draws that are not values of fields; fields draw from 16 on. */
const kindDraw = 0
const delayDraw = 1
const originDraw = 2
const microsDraw = 3
/** First draw that models may use. */
export const fieldDraw = 16

/** A duplicate repeats one of the events this close before it. */
const duplicateDistanceMax = 16

/** The timeline of one partition. */
export interface Timeline {
  readonly settings: Settings
  readonly partition: number
  readonly startMs: number
  /** Events of this partition; Infinity when they never end. */
  readonly count: number
  readonly seed: number
}

/** The timeline of partition number `partition` when the first event of all arrives at `startMs`. */
export const timeline = (settings: Settings, partition: number, startMs: number): Timeline => ({
  settings,
  partition,
  startMs,
  count:
    settings.count === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max(0, Math.ceil((settings.count - partition) / settings.partitions)),
  seed: partitionSeed(settings.seed, partition)
})

/** The number of an event among those of all partitions. */
export const globalIndex = (t: Timeline, index: number): number => index * t.settings.partitions + t.partition

/** When an event arrives, ms. */
export const arrivalMs = (t: Timeline, index: number): number =>
  Math.floor(t.startMs + globalIndex(t, index) * t.settings.spacingMs)

/** How many events of the partition have arrived at `nowMs`. */
export const arrived = (t: Timeline, nowMs: number): number => {
  if (nowMs < t.startMs) return 0
  const guess = Math.floor(((nowMs + 1 - t.startMs) / t.settings.spacingMs - t.partition) / t.settings.partitions) + 1
  let n = Math.max(0, Math.min(t.count, guess))
  // Division may be off by one at the edge; what counts is the time of arrival itself.
  while (n > 0 && arrivalMs(t, n - 1) > nowMs) n--
  while (n < t.count && arrivalMs(t, n) <= nowMs) n++
  return n
}

/** What event `index`, whose hash is `event`, is. The first of a partition repeats nothing. */
export const kindOf = (t: Timeline, index: number, event: number): Kind => {
  const { poison, duplicates, late, futureDated } = t.settings
  let u = unit(event, kindDraw)
  if (u < poison) return "poison"
  u -= poison
  if (u < duplicates) return index === 0 ? "plain" : "duplicate"
  u -= duplicates
  if (u < late) return "late"
  u -= late
  return u < futureDated ? "future" : "plain"
}

/** The event that event `index` is or repeats. */
export const originOf = (t: Timeline, index: number): number => {
  if (t.settings.duplicates === 0) return index
  let i = index
  for (;;) {
    const event = eventHash(t.seed, i)
    if (kindOf(t, i, event) !== "duplicate") return i
    i -= 1 + (draw(event, originDraw) % Math.min(i, duplicateDistanceMax))
  }
}

/** The latest that an event which arrives at `atMs` can have happened: it is `behind`, and catches up. */
const latestMs = ({ settings, startMs }: Timeline, atMs: number): number => {
  const { behindMs, caughtUpAfterMs } = settings
  const left = 1 - (atMs - startMs) / caughtUpAfterMs
  return left > 0 ? atMs - Math.ceil(behindMs * left) : atMs
}

/** When an event that is not a duplicate happened, in whole milliseconds. */
export const timeMs = (t: Timeline, index: number, event: number, kind: Kind): number => {
  const { outOfOrdernessMs, lateByMs, futureByMs } = t.settings
  const u = unit(event, delayDraw)
  const arrivedMs = arrivalMs(t, index)
  const at = latestMs(t, arrivedMs)
  if (kind === "late") {
    // The newest event seen is itself up to outOfOrderness old, and the watermark is as far behind that again.
    return at - 2 * outOfOrdernessMs - 1 - Math.floor(lateByMs * (1 + u))
  }
  return (kind === "future" ? arrivedMs + futureByMs : at) - Math.floor(u * outOfOrdernessMs)
}

/** Microseconds within the millisecond, for texts that show them. */
export const micros = (event: number): number => draw(event, microsDraw) % 1000

const pad3 = (n: number): string => (n < 10 ? `00${n}` : n < 100 ? `0${n}` : String(n))

/** An instant as ISO text with microseconds and without a zone, as Python's `isoformat` writes it. */
export const isoMicros = (ms: number, us: number): string => `${new Date(ms).toISOString().slice(0, -1)}${pad3(us)}`

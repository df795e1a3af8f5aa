/**
 * The time of one partition: its watermarks among those of the other readers. Decides when the partition is idle (T7,
 * ADR 4) and when its reader is so far ahead that it waits (T14).
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type EventTimeRange, mergeRanges } from "../streams/EventTimeStats.ts"
import type { WatermarkGenerator } from "../streams/Watermark.ts"
import type { Lanes } from "./Lanes.ts"
import { monotonicNow } from "../model/monotonic.ts"

/** A timed branch of a reader: its generator and its lane among the readers of the same stream. */
export interface TimedBranch {
  /** Name of its `withEventTime`. */
  readonly name: string
  readonly generator: WatermarkGenerator
  readonly lanes: Lanes
  readonly lane: number
  readonly idleAfterMs: number
  /** The bound to stay behind the clock when all are quiet; undefined: hold. */
  readonly followClockBehindMs: number | undefined
}

/** What the reader knows and its time does not. */
export interface ReaderView {
  /** When the pull that is waiting now began, in monotonic ms; undefined while none waits, or rows wait to be processed. */
  readonly waitingSince: () => number | undefined
  /** Everything that exists has been read, as far as the source can know. */
  readonly atEnd: Effect.Effect<boolean, unknown>
}

/** The timed branches of one reader, together. */
export class PartitionTime {
  readonly branches: ReadonlyArray<TimedBranch>
  idle = false

  constructor(branches: ReadonlyArray<TimedBranch>) {
    this.branches = branches
  }

  /** W_p of the last branch, for progress; -Infinity for none yet. */
  get watermark(): number {
    return this.branches.at(-1)?.generator.watermark ?? -Infinity
  }

  /** The wall clock and the time that only passes, when reading began. */
  #began = { wallMs: 0, monotonicMs: 0 }

  /** Where a partition that appears later, or goes on from a checkpoint, starts (T12). */
  start(clock: Clock.Clock): void {
    this.#began = { wallMs: clock.currentTimeMillisUnsafe(), monotonicMs: monotonicNow(clock) }
    for (const b of this.branches) b.generator.raise(b.lanes.watermarkOf(b.lane))
  }

  /** The wall clock, as far as time has passed since: one that is set forth for a moment makes no row late (T7). */
  #nowMs(clock: Clock.Clock): number {
    const passedMs = monotonicNow(clock) - this.#began.monotonicMs
    return Math.min(clock.currentTimeMillisUnsafe(), Math.floor(this.#began.wallMs + passedMs))
  }

  /** W_p of each branch that has one, for a checkpoint (T2: "none yet" is its absence). */
  watermarks(): { readonly [operator: string]: number } {
    const known = this.branches.filter((b) => b.generator.watermark !== -Infinity)
    return Object.fromEntries(known.map((b) => [b.name, b.generator.watermark]))
  }

  /** Event times of the rows since the last call. */
  takeEventTimes(): EventTimeRange | undefined {
    return mergeRanges(this.branches.map((b) => b.generator.eventTimes.take()))
  }

  get needsIngestionTime(): boolean {
    return this.branches.some((b) => b.generator.needsIngestionTime)
  }

  /** After rows: no longer idle, and the others learn the watermarks. */
  moved(): void {
    this.idle = false
    for (const b of this.branches) b.lanes.move(b.lane)
    this.#report()
  }

  end(): void {
    for (const b of this.branches) b.lanes.end(b.lane)
  }

  setIdle(idle: boolean): void {
    this.idle = idle
    for (const b of this.branches) b.lanes.setIdle(b.lane, idle)
  }

  /** Everything there was has been read, by all (T7): who had no rows is raised by those that had some. */
  settle(): void {
    for (const b of this.branches) b.generator.raise(b.lanes.settledMinimum())
    this.#report()
  }

  #report(): void {
    for (const b of this.branches) b.lanes.report(b.lane, b.generator.watermark)
  }

  /**
   * T14: whether to stop reading, being ahead of the slowest; `resume` is called when not any more. A reader of several
   * timed streams stops when it is ahead in all of them: the slowest of each is then never stopped, so some reader goes on.
   */
  pauseIfAhead(resume: () => void): boolean {
    const { branches } = this
    if (branches.length === 0 || !branches.every((b) => b.lanes.isAhead(b.lane))) return false
    for (const b of branches) b.lanes.pause(b.lane, resume)
    return true
  }

  /** T7: silent while asked for `idleAfter`, and, where the end is known, confirmed to be at it. Whether a watermark rose. */
  tick(view: ReaderView): Effect.Effect<boolean, unknown> {
    return Effect.gen({ self: this }, function* () {
      const asked = view.waitingSince()
      if (asked === undefined) return false
      const clock = yield* Clock.Clock
      const silentMs = monotonicNow(clock) - asked
      let rose = false
      for (const b of this.branches) {
        if (silentMs < b.idleAfterMs) continue
        const wasIdle = this.idle
        // Rows that came while the end was looked up are not late for that.
        if (!wasIdle && !((yield* view.atEnd) && view.waitingSince() === asked)) break
        this.idle = true
        b.lanes.setIdle(b.lane, true)
        const others = b.lanes.activeMinimum()
        const raised =
          others ?? (b.followClockBehindMs === undefined ? -Infinity : this.#nowMs(clock) - b.followClockBehindMs)
        if (raised <= b.generator.watermark) continue
        // At the end some time ago is not at the end now: what has come since may not have reached us.
        if (wasIdle && !((yield* view.atEnd) && view.waitingSince() === asked)) {
          this.setIdle(false)
          break
        }
        if (b.generator.raise(raised)) rose = true
      }
      this.#report()
      return rose
    })
  }
}

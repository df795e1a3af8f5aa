/**
 * Effect's scheduler, made fair by time: a fiber also yields when the present slice of the event loop has used
 * `Limits.timeSliceMs`, so that timers, sockets and heartbeats run on time beside a busy pipeline.
 *
 * Effect's own yields by operation count only; with chunks of 0.2 ms it starved timers for over a second (measured,
 * ADR 0002). The clock is read at every operation: the engine has few of them per chunk.
 */
import * as Scheduler from "effect/Scheduler"
import type * as Fiber from "effect/Fiber"
import { Limits } from "../model/Limits.ts"

class TimeSlice extends Scheduler.MixedScheduler {
  #started = performance.now()

  constructor() {
    super("async", (run) => {
      const handle = setImmediate(() => {
        this.#started = performance.now()
        run()
      })
      return () => clearImmediate(handle)
    })
  }

  override shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return super.shouldYield(fiber) || performance.now() - this.#started > Limits.timeSliceMs
  }
}

/** A scheduler for one query; provided as effect's `Scheduler.Scheduler`, unless the user or a simulator set one. */
export const makeTimeSliceScheduler = (): Scheduler.Scheduler => new TimeSlice()

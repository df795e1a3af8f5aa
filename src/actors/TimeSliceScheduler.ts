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

/**
 * Whether a fiber may be made to yield here: not at the first operation after it was resumed. That may be its end: one
 * that is interrupted before it began would come back from the yield to its beginning, and never hear of it (effect 4.1.0).
 */
export const mayYield = (fiber: Fiber.Fiber<unknown, unknown>): boolean => fiber.currentOpCount > 1

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
    if (!mayYield(fiber)) return false
    return super.shouldYield(fiber) || performance.now() - this.#started > Limits.timeSliceMs
  }
}

/** A scheduler for one query; provided as effect's `Scheduler.Scheduler`, unless the user or a simulator set one. */
export const makeTimeSliceScheduler = (): Scheduler.Scheduler => new TimeSlice()

/** A fiber that is interrupted before it began has ended, under both schedulers that a query runs on. */
import { Effect, Exit, Fiber, Scheduler } from "effect"
import { expect, it } from "vitest"
import { makeTimeSliceScheduler } from "../../src/actors/TimeSliceScheduler.ts"
import { Limits } from "../../src/model/Limits.ts"
import { Simulator } from "../../src/testing/Simulator.ts"

const usesUp = (ms: number): void => {
  for (const until = performance.now() + ms; performance.now() < until;);
}

/** Interrupts a fiber that waits for its first turn; `before` comes just before that. Whether it ended, some turns later. */
const interruptedEarly = (before: () => void): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const child = yield* Effect.forkDetach(Effect.never)
    yield* Effect.sync(() => {
      before()
      child.interruptUnsafe()
    })
    for (let turns = 0; turns < 8; turns++) yield* Effect.yieldNow
    const exit = child.pollUnsafe()
    yield* Fiber.interrupt(child)
    return exit !== undefined && Exit.hasInterrupts(exit)
  })

it("by time slices, where the slice is used up when the interruption comes", async () => {
  const program = interruptedEarly(() => usesUp(2 * Limits.timeSliceMs))
  const ended = await Effect.runPromise(Effect.provideService(program, Scheduler.Scheduler, makeTimeSliceScheduler()))
  expect(ended).toBe(true)
})

it("simulated, whatever the order of turns", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const simulator = new Simulator(seed)
    let ended: unknown
    simulator.spawn(
      interruptedEarly(() => undefined),
      (exit) => (ended = exit)
    )
    simulator.run(() => ended !== undefined, 1_000)
    expect([seed, ended]).toEqual([seed, Exit.succeed(true)])
  }
})

import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { expect, it } from "vitest"
import { closeInTime } from "../../src/connectors/eventhubs/closeInTime.ts"

it("what never closes is left after two seconds, also by a finalizer", () =>
  Effect.gen(function* () {
    const closing = yield* Effect.forkChild(
      Effect.scoped(Effect.acquireRelease(Effect.void, () => closeInTime(() => new Promise(() => undefined))))
    )
    yield* TestClock.adjust("1 second")
    expect(closing.pollUnsafe()).toBeUndefined()
    yield* TestClock.adjust("2 seconds")
    yield* Fiber.join(closing)
    yield* closeInTime(() => Promise.reject(new Error("it broke")))
  }).pipe(Effect.provide(TestClock.layer()), Effect.runPromise))

it("a finalizer closes also where its fiber is interrupted, as that of a reader is when its query ends", () =>
  Effect.gen(function* () {
    let closed = false
    const close = async (): Promise<void> => {
      await Promise.resolve()
      closed = true
    }
    const reading = yield* Effect.forkChild(
      Effect.scoped(
        Effect.andThen(
          Effect.acquireRelease(Effect.void, () => closeInTime(close)),
          Effect.never
        )
      )
    )
    yield* Effect.yieldNow
    yield* Fiber.interrupt(reading)
    expect(closed).toBe(true)
  }).pipe(Effect.runPromise))

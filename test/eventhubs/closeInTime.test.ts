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

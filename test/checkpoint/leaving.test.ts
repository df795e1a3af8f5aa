/** What an attempt leaves behind when it ends, and whether its heartbeat says that it left. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { readBeat } from "../../src/checkpoint/Heartbeat.ts"
import { make } from "../../src/connectors/memory/MemoryObjectStore.ts"
import { asProcess, epochs, impatient, own, refusal } from "./chains.ts"

describe("C5a: the heartbeat of an attempt that ends", () => {
  it.effect("says that it left, so that nobody waits", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* asProcess({ pid: 1 })(Effect.scoped(own(objects)))
      expect(yield* readBeat(objects, "q", 1)).toMatchObject({ released: true })
    })
  )

  it.effect("says nothing where the attempt has seen that it was fenced: the query is another's", () =>
    Effect.gen(function* () {
      const objects = make()
      const scope = yield* Scope.make()
      const first = yield* asProcess({ pid: 1 })(Scope.provide(own(objects), scope))
      yield* epochs(first, 2, 2)
      yield* TestClock.adjust("2 seconds")
      const second = yield* Scope.make()
      yield* asProcess(impatient(2))(Scope.provide(own(objects), second))
      expect(yield* refusal(epochs(first, 3, 3))).toMatch(/^Fenced/)
      yield* Scope.close(scope, Exit.void)
      expect(yield* readBeat(objects, "q", 1)).toMatchObject({ released: false })
      yield* Scope.close(second, Exit.void)
    })
  )
})

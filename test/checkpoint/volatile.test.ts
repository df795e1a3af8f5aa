/** What a chain leaves in a process that runs for ever: on a store that dies with it, and among the attempts it knows. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Attempts, enlist, LiveAttempts } from "../../src/checkpoint/LiveAttempts.ts"
import { make } from "../../src/connectors/memory/MemoryObjectStore.ts"
import { asProcess, attempt, epochs, impatient, own } from "./chains.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"

/** Objects of a chain after so many epochs, by two attempts. */
const objectsAfter = (objects: ObjectStore, count: number) =>
  Effect.gen(function* () {
    yield* attempt(objects, 1, count / 2)
    const again = Effect.gen(function* () {
      const owned = yield* own(objects)
      yield* epochs(owned, owned.base.number + 1, owned.base.number + count / 2)
    })
    yield* asProcess(impatient(2))(Effect.scoped(again))
    return (yield* objects.list("", 1e6)).length
  })

describe("C5: tombstones", () => {
  it.effect(
    "on a volatile store, those of the last thousand numbers stay, and a later attempt goes on",
    () =>
      Effect.gen(function* () {
        const objects = make()
        expect(yield* objectsAfter(objects, 3_000)).toBeLessThan(2 * 1_000 + 30)
        yield* attempt(objects, 3, 3)
        const { length } = yield* objects.list("queries/q/primary/", 2_000)
        expect(length).toBeGreaterThan(1_000)
        expect(length).toBeLessThan(1_010)
      }),
    20_000
  )

  it.effect(
    "on any other, all stay",
    () =>
      Effect.gen(function* () {
        expect(yield* objectsAfter({ ...make(), volatile: false }, 1_200)).toBeGreaterThan(2 * 1_200)
      }),
    20_000
  )
})

describe("C5a: attempts of this process", () => {
  it.effect("those that are over are dropped beyond a thousand, those that live never", () =>
    Effect.gen(function* () {
      const attempts: Attempts = new Map()
      yield* Effect.gen(function* () {
        yield* enlist("lives")
        for (let n = 0; n < 1_500; n++) yield* Effect.scoped(enlist(`a${n}`))
        expect(attempts.size).toBe(1_000)
        expect(attempts.get("lives")).toBe("live")
        expect(attempts.has("a0")).toBe(false)
        expect(attempts.get("a1499")).toBe("over")
      }).pipe(Effect.scoped, Effect.provideService(LiveAttempts, attempts))
    })
  )
})

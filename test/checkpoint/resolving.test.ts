import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, Option } from "effect"
import { TestClock } from "effect/testing"
import { dataPrefix, manifestName } from "../../src/checkpoint/names.ts"
import { readChain } from "../../src/checkpoint/ReadChain.ts"
import { make } from "../../src/connectors/memory/MemoryObjectStore.ts"
import type { StoreError } from "../../src/model/Errors.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import { asProcess, attempt, bent, epochs, impatient, inTime, own, refusal, stateOf, storeError } from "./chains.ts"
import { record } from "./manifests.ts"

const p1 = asProcess(impatient(1))

/** Every put-if-absent goes wrong in this way, `times` times each. */
const ambiguous = (objects: ObjectStore, how: "applied" | "lost" | "denied", times: number) => {
  const seen = new Map<string, number>()
  return bent(objects, <A>(operation: StoreError["operation"], name: string, call: Effect.Effect<A, StoreError>) => {
    if (operation !== "putIfAbsent") return call
    const n = seen.get(name) ?? 0
    seen.set(name, n + 1)
    if (n >= times) return call
    const noReply = Effect.fail(storeError(operation, name))
    if (how === "lost") return noReply
    // `denied`: the store tries again by itself, and finds the name taken by its own first try.
    return how === "applied" ? Effect.andThen(call, noReply) : Effect.andThen(call, call)
  })
}

/** An attempt of three epochs on such a store, to its end. */
const threeEpochs = (objects: ObjectStore) =>
  inTime(p1(Effect.scoped(Effect.flatMap(own(objects), (owned) => epochs(owned, 2, 4)))))

describe("C9: a reply that does not come is resolved by reading back", () => {
  it.effect.each(["applied", "lost", "denied"] as const)("%s", (how) =>
    Effect.gen(function* () {
      const objects = make()
      const last = yield* threeEpochs(ambiguous(objects, how, 2))
      expect(last).toMatchObject({ number: 4, attempt: 1 })
      for (const number of [2, 3, 4]) {
        const primary = Option.getOrThrow(yield* objects.get(manifestName("q", "primary", number)))
        expect(yield* objects.get(manifestName("q", "copy", number))).toEqual(Option.some(primary))
      }
      expect((yield* attempt(objects, 2, 0)).base).toMatchObject({ number: 5, epoch: 4 })
    })
  )

  it.effect("while reading back fails too, for a while", () =>
    Effect.gen(function* () {
      const objects = make()
      let isDown = 0
      const store = bent(objects, (operation, name, call) => {
        if (operation === "putIfAbsent" && name === manifestName("q", "primary", 3) && isDown === 0) {
          isDown = 5
          return Effect.andThen(call, Effect.fail(storeError(operation, name)))
        }
        return isDown > 0 && --isDown > 0 ? Effect.fail(storeError(operation, name)) : call
      })
      expect(yield* threeEpochs(store)).toMatchObject({ number: 4 })
    })
  )

  it.effect("a call that never returns is not waited for: its time ends, and it is resolved", () =>
    Effect.gen(function* () {
      const objects = make()
      let hung = false
      const store = bent(objects, (operation, name, call) => {
        if (operation !== "putIfAbsent" || name !== manifestName("q", "copy", 3) || hung) return call
        hung = true
        return Effect.andThen(call, Effect.never)
      })
      const program = p1(Effect.scoped(Effect.flatMap(own(store), (owned) => epochs(owned, 2, 4))))
      const fiber = yield* Effect.forkChild(program, { startImmediately: true })
      for (let n = 0; n < 7; n++) yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ number: 4 })
    })
  )

  it.effect("a store that stays silent ends the attempt: nothing is given up after the manifest was sent", () =>
    Effect.gen(function* () {
      const objects = make()
      const said: Array<string> = []
      const store = ambiguous(objects, "lost", 2)
      let isSilent = false
      const silent = bent(store, (operation, name, call) =>
        isSilent && operation === "putIfAbsent" ? Effect.fail(storeError(operation, name, "is silent")) : call
      )
      yield* inTime(
        p1(
          Effect.scoped(
            Effect.gen(function* () {
              const owned = yield* own(silent)
              yield* epochs(owned, 2, 2)
              const state = yield* owned.writeState(stateOf(3))
              isSilent = true
              said.push(yield* refusal(owned.publish(record(3), state)))
              isSilent = false
              said.push(yield* refusal(owned.publish(record(3), state)))
              said.push(yield* refusal(owned.writeState(stateOf(3))))
            })
          )
        )
      )
      expect(said[0]).toMatch(
        /^Checkpoint: checkpoint of query q: could not resolve whether manifest 3 was written: is silent\. See to/
      )
      expect(said).toEqual([said[0], said[0], said[0]])
    })
  )

  it.effect("a store without room for a while: it is said now and then, and the manifest is written in the end", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const logger = Logger.make(({ message }) => void said.push(String(message)))
      const objects = make()
      let isFull = false
      const store = bent(objects, (operation, name, call) =>
        isFull && operation === "putIfAbsent" ? Effect.fail(storeError(operation, name, "no space left")) : call
      )
      const program = p1(
        Effect.scoped(
          Effect.gen(function* () {
            const owned = yield* own(store)
            const state = yield* owned.writeState(stateOf(2))
            isFull = true
            return yield* owned.publish(record(2), state)
          })
        )
      )
      const logged = Effect.provide(program, Logger.layer([logger]))
      const fiber = yield* Effect.forkChild(logged, { startImmediately: true })
      for (let n = 0; n < 90; n++) yield* TestClock.adjust("2 seconds")
      expect(fiber.pollUnsafe()).toBeUndefined()
      isFull = false
      yield* TestClock.adjust("4 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ number: 2 })
      expect(said[0]).toBe("query q: manifest 2 cannot be written now, and is tried again: no space left")
      expect(said.length).toBe(4)
    })
  )

  it.effect("an interrupted publication leaves the attempt over, whatever it is asked", () =>
    Effect.gen(function* () {
      const objects = make()
      let hangs = false
      const store = bent(objects, (_operation, name, call) =>
        hangs && name === manifestName("q", "copy", 2) ? Effect.never : call
      )
      yield* p1(
        Effect.scoped(
          Effect.gen(function* () {
            const owned = yield* own(store)
            const state = yield* owned.writeState(stateOf(2))
            hangs = true
            const publishing = yield* Effect.forkChild(owned.publish(record(2), state), { startImmediately: true })
            expect(publishing.pollUnsafe()).toBeUndefined()
            yield* Fiber.interrupt(publishing)
            hangs = false
            for (const call of [owned.publish(record(2), state), owned.writeState(stateOf(2)), owned.collect]) {
              expect(yield* refusal(call)).toMatch(/^Checkpoint: .*manifest 2 was begun and never resolved/)
            }
          })
        )
      )
      // The next attempt decides: the primary is sound, so epoch 2 happened.
      expect((yield* attempt(objects, 2, 0)).base).toMatchObject({ number: 3, epoch: 2 })
    })
  )
})

describe("C9: a checkpoint that is given up before its manifest was sent", () => {
  it.effect("has its number used again, under another name, and what it wrote is collected", () =>
    Effect.gen(function* () {
      const objects = make()
      let hangs = false
      const late: Array<Effect.Effect<unknown, StoreError>> = []
      const store = bent(objects, (operation, name, call) => {
        if (!hangs || operation !== "put" || !name.startsWith(dataPrefix("q"))) return call
        late.push(call)
        return Effect.never
      })
      yield* p1(
        Effect.scoped(
          Effect.gen(function* () {
            const owned = yield* own(store)
            hangs = true
            const writing = yield* Effect.forkChild(owned.writeState(stateOf(99)), { startImmediately: true })
            yield* Fiber.interrupt(writing)
            hangs = false
            const state = yield* owned.writeState(stateOf(2))
            yield* owned.publish(record(2), state)
            // The calls that were given up take effect after all.
            expect(late.length).toBe(2)
            for (const call of late) yield* call
            const { states } = Option.getOrThrow(yield* readChain(objects, "q", 2))
            expect(yield* states).toStrictEqual(stateOf(2))
            yield* owned.collect
            expect(yield* objects.list(dataPrefix("q"), 100)).toEqual(state.names)
          })
        )
      )
    })
  )

  it.effect("a store that fails while the state is written: a StoreError, and the attempt goes on", () =>
    Effect.gen(function* () {
      const objects = make()
      let isFull = true
      const store = bent(objects, (operation, name, call) =>
        isFull && operation === "put" && name.includes("/data/")
          ? Effect.fail(storeError(operation, name, "no space left"))
          : call
      )
      yield* p1(
        Effect.scoped(
          Effect.gen(function* () {
            const owned = yield* own(store)
            for (let n = 0; n < 3; n++) {
              expect(yield* refusal(owned.writeState(stateOf(2)))).toBe("StoreError: no space left")
            }
            isFull = false
            yield* epochs(owned, 2, 4)
          })
        )
      )
      expect(Option.getOrThrow(yield* readChain(objects, "q")).manifest.number).toBe(4)
    })
  )
})

describe("a store that cannot be used", () => {
  it.effect("no rights: refused at the start, with the store's words and what to do", () =>
    Effect.gen(function* () {
      for (const denied of ["list", "get", "putIfAbsent"]) {
        const objects = bent(make(), (operation, name, call) =>
          operation === denied ? Effect.fail(storeError(operation, name, `${operation}: permission denied`)) : call
        )
        const exit = yield* inTime(Effect.exit(refusal(p1(Effect.scoped(own(objects))))))
        expect(Exit.isSuccess(exit) && exit.value).toMatch(
          new RegExp(`^Checkpoint: checkpoint of query q: could not .*: ${denied}: permission denied. See to the store`)
        )
      }
    })
  )

  it.effect("reads that fail for a moment are tried again", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* attempt(objects, 1, 3)
      let calls = 0
      const store = bent(objects, (operation, name, call) =>
        (operation === "get" || operation === "list") && calls++ % 2 === 0
          ? Effect.fail(storeError(operation, name))
          : call
      )
      const owned = yield* inTime(attempt(store, 2, 2))
      expect(owned.base).toMatchObject({ epoch: 4, number: 5 })
    })
  )

  it.effect("a slow store is only slow", () =>
    Effect.gen(function* () {
      const objects = make()
      const store = bent(objects, (_operation, _name, call) => Effect.andThen(Effect.sleep("3 seconds"), call))
      expect(yield* inTime(attempt(store, 1, 1))).toMatchObject({ attempt: 1 })
      expect(Option.getOrThrow(yield* readChain(objects, "q")).manifest.number).toBe(2)
    })
  )
})

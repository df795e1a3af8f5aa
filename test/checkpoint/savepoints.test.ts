import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Option, Scope } from "effect"
import type { TakeOverOptions } from "../../src/checkpoint/Chain.ts"
import { dataPrefix, manifestName, savepointManifest, savepointPrefix } from "../../src/checkpoint/names.ts"
import { listQueries, readChain } from "../../src/checkpoint/ReadChain.ts"
import { resetQuery } from "../../src/checkpoint/resetQuery.ts"
import { make } from "../../src/connectors/memory/MemoryObjectStore.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import { asProcess, attempt, damage, epochs, impatient, inTime, own, refusal, stateOf } from "./chains.ts"
import { record } from "./manifests.ts"

/** An attempt of query `q` that makes two epochs and a savepoint of the last. */
const saved = (objects: ObjectStore, pid: number, label: string) =>
  asProcess(impatient(pid))(
    Effect.scoped(
      Effect.gen(function* () {
        const owned = yield* own(objects)
        yield* epochs(owned, owned.base.number + 1, owned.base.number + 2)
        yield* owned.savepoint(label)
        return owned
      })
    )
  )

/** What a start finds: its takeover and its state. */
const begun = (objects: ObjectStore, pid: number, over: Partial<TakeOverOptions>) =>
  asProcess(impatient(pid))(
    Effect.scoped(
      Effect.gen(function* () {
        const owned = yield* own(objects, over)
        return { base: owned.base, states: yield* owned.readState, queryId: owned.queryId }
      })
    )
  )

describe("C10: savepoints", () => {
  it.effect("outlive every collection, and another query begins with one, under an identity of its own", () =>
    Effect.gen(function* () {
      const objects = make()
      const first = yield* saved(objects, 1, "v1")
      for (const pid of [2, 3]) yield* attempt(objects, pid, 5)
      const { base, states, queryId } = yield* begun(objects, 4, { query: "r", savepoint: "q/v1" })
      expect(states).toStrictEqual(stateOf(3))
      expect(base).toMatchObject({ number: 1, epoch: 0, origin: "q/v1", prepared: [], readers: record(3).readers })
      expect(base.ledger).toEqual(record(3).ledger)
      expect(queryId).not.toBe(first.queryId)
      // Until it has an epoch of its own, each attempt begins with the savepoint; then it goes on like any other.
      const again = yield* begun(objects, 5, { query: "r", savepoint: "q/v1" })
      expect(again).toMatchObject({ states, base: { number: 2, epoch: 0, origin: "q/v1" }, queryId })
      yield* attempt(objects, 6, 3, { query: "r", savepoint: "q/v1" })
      const later = yield* begun(objects, 7, { query: "r", savepoint: "q/v1" })
      expect(later).toMatchObject({ base: { epoch: 6, origin: "q/v1" }, states: stateOf(6) })
      expect((yield* objects.list(savepointPrefix("q", "v1"), 10)).length).toBe(4)
      expect(yield* listQueries(objects)).toEqual(["q", "r"])
    })
  )

  it.effect("the query itself begins with one again after a reset, above all its former numbers", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* saved(objects, 1, "v1")
      yield* attempt(objects, 2, 4)
      const said = yield* refusal(begun(objects, 3, { savepoint: "v1" }))
      expect(said).toMatch(
        /^Checkpoint: .*cannot begin with savepoint q\/v1: the query stands at epoch 8 already\. Begin anew with tidemark reset q/
      )
      yield* asProcess(impatient(4))(resetQuery(objects, "q"))
      const { base, states } = yield* begun(objects, 5, { savepoint: "v1" })
      expect(states).toStrictEqual(stateOf(3))
      expect(base).toMatchObject({ epoch: 0, origin: "q/v1" })
      expect(base.number).toBeGreaterThan(8)
    })
  )

  it.effect("are refused where there is one already, nothing to save, or no name; and where there is none", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* asProcess(impatient(1))(
        Effect.scoped(
          Effect.gen(function* () {
            const owned = yield* own(objects)
            expect(yield* refusal(owned.savepoint("v1"))).toMatch(/^Checkpoint: .*no epoch yet that could be saved/)
            yield* epochs(owned, 2, 2)
            for (const bad of ["", "a/b", "..", ".x", "a b"]) {
              expect(yield* refusal(owned.savepoint(bad))).toMatch(/^Checkpoint: .*a name is 1 to 200 of/)
            }
            yield* owned.savepoint("v1")
            expect(yield* refusal(owned.savepoint("v1"))).toMatch(/^Checkpoint: .*there is one already/)
          })
        )
      )
      const none = (savepoint: string) => refusal(begun(objects, 9, { query: "r", savepoint }))
      expect(yield* none("q/v2")).toMatch(
        /^Checkpoint: .*cannot begin with savepoint q\/v2: there is none of that name/
      )
      expect(yield* none("v1")).toMatch(/savepoint r\/v1: there is none/)
      expect(yield* none("q/../v1")).toMatch(/write QUERY\/LABEL, or LABEL/)
      // A refused start leaves nothing behind that would stand in the way of the next.
      expect((yield* begun(objects, 9, { query: "r", savepoint: "q/v1" })).states).toStrictEqual(stateOf(2))
    })
  )

  it.effect("C6: have two copies of everything", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* saved(objects, 1, "v1")
      const names = yield* objects.list(savepointPrefix("q", "v1"), 10)
      for (const name of names) {
        const copy = make()
        for (const each of names) yield* copy.put(each, Option.getOrThrow(yield* objects.get(each)))
        yield* damage(copy, name)
        expect((yield* begun(copy, 2, { query: "r", savepoint: "q/v1" })).states, name).toStrictEqual(stateOf(3))
      }
      for (const copy of ["primary", "copy"] as const) yield* damage(objects, savepointManifest("q", "v1", copy))
      expect(yield* refusal(begun(objects, 2, { query: "r", savepoint: "q/v1" }))).toMatch(
        /savepoint q\/v1: it .*checksum/
      )
    })
  )

  it.effect("one that was not finished can be made again", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* saved(objects, 1, "v1")
      for (const copy of ["primary", "copy"] as const) yield* objects.delete(savepointManifest("q", "v1", copy))
      yield* saved(objects, 2, "v1")
      expect((yield* begun(objects, 3, { query: "r", savepoint: "q/v1" })).states).toStrictEqual(stateOf(6))
    })
  )
})

describe("C5: reset", () => {
  it.effect("forgets state and positions, goes on with the numbers, and says what sinks may hold", () =>
    Effect.gen(function* () {
      const objects = make()
      const before = yield* attempt(objects, 1, 4)
      const facts = yield* asProcess(impatient(2))(resetQuery(objects, "q"))
      expect(facts).toEqual({ lastEpoch: 5, writers: ["results"], number: 6 })
      expect(yield* objects.list(dataPrefix("q"), 10)).toEqual([])
      expect(Option.isNone(yield* readChain(objects, "q", 5))).toBe(true)
      // Nobody waits for the one who has reset it, whoever that was.
      const { base, states, queryId } = yield* asProcess({ pid: 3 })(
        Effect.scoped(
          Effect.gen(function* () {
            const owned = yield* own(objects, { ifOwned: "fail" })
            return { base: owned.base, states: yield* owned.readState, queryId: owned.queryId }
          })
        )
      )
      expect(base).toMatchObject({ number: 7, epoch: 0, readers: [], prepared: [] })
      expect(base.released).toBeUndefined()
      expect(states.size).toBe(0)
      expect(queryId).not.toBe(before.queryId)
    })
  )

  it.effect("fences whoever ran it, and is refused while its owner lives", () =>
    Effect.gen(function* () {
      const objects = make()
      const scope = yield* Scope.make()
      const first = yield* asProcess({ pid: 1 })(Scope.provide(own(objects), scope))
      yield* epochs(first, 2, 3)
      expect(yield* inTime(refusal(asProcess({ pid: 2 })(resetQuery(objects, "q"))))).toMatch(
        /^Owned: query q is run by attempt 1 \(host web-1, pid 1\), which is alive/
      )
      yield* asProcess(impatient(3))(resetQuery(objects, "q"))
      const state = yield* first.writeState(stateOf(4))
      expect(yield* refusal(first.publish(record(4), state))).toMatch(/^Fenced: .*attempt 4 \(host web-1, pid 3\)/)
      yield* Scope.close(scope, Exit.void)
    })
  )

  it.effect("works on a chain that nobody can go on from", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* attempt(objects, 1, 4)
      for (const copy of ["primary", "copy"] as const) yield* damage(objects, manifestName("q", copy, 5))
      expect(yield* refusal(attempt(objects, 2, 0))).toMatch(/^Checkpoint: .*manifest 5 is lost.*tidemark reset/)
      expect(yield* asProcess(impatient(3))(resetQuery(objects, "q"))).toMatchObject({ number: 6 })
      expect((yield* attempt(objects, 4, 2)).base).toMatchObject({ number: 7, epoch: 0 })
      expect((yield* objects.list(dataPrefix("q"), 10)).length).toBe(4)
    })
  )

  it.effect("of nothing is refused", () =>
    Effect.gen(function* () {
      expect(yield* refusal(asProcess({ pid: 1 })(resetQuery(make(), "q")))).toMatch(/^Checkpoint: .*nothing to reset/)
    })
  )
})

import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Option, Scope } from "effect"
import { encodeManifest, encodeTombstone } from "../../src/checkpoint/ManifestCodec.ts"
import { dataPrefix, manifestName } from "../../src/checkpoint/names.ts"
import { readChain } from "../../src/checkpoint/ReadChain.ts"
import { requestsPerEpochMax } from "../../src/checkpoint/requests.ts"
import { make } from "../../src/connectors/memory/MemoryObjectStore.ts"
import { type FailpointHandler, Failpoints } from "../../src/model/Failpoint.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import { asProcess, attempt, bent, counting, epochs, impatient, own, refusal, stateOf, storeError } from "./chains.ts"
import { fullManifest, owner, record } from "./manifests.ts"

const p1 = asProcess(impatient(11))
const p2 = asProcess(impatient(22))

/** Epochs that can be read, of those up to `to`. */
const readable = (objects: ObjectStore, to: number) =>
  Effect.map(
    Effect.forEach(
      Array.from({ length: to }, (_, i) => i + 1),
      (epoch) => Effect.map(readChain(objects, "q", epoch), (found) => (Option.isSome(found) ? [epoch] : []))
    ),
    (found) => found.flat()
  )

describe("C3, C5: attempts one after the other", () => {
  it.effect("each goes on from the last epoch, with its state, readers and prepared output, verbatim", () =>
    Effect.gen(function* () {
      const objects = make()
      const first = yield* attempt(objects, 1, 4)
      expect(first.base).toMatchObject({ number: 1, epoch: 0, prepared: [], readers: [], attempt: 1 })
      expect(first.base.state).toBeUndefined()
      const second = yield* p2(
        Effect.scoped(
          Effect.gen(function* () {
            const owned = yield* own(objects)
            expect(yield* owned.readState).toStrictEqual(stateOf(5))
            return owned
          })
        )
      )
      const { atMs: _, ...carried } = record(5)
      expect(second.base).toMatchObject({ ...carried, kind: "takeover", number: 6, attempt: 6, epoch: 5 })
      expect(second.queryId).toBe(first.queryId)
      // A takeover that made no epoch is gone on from like the epoch it carries.
      const third = yield* attempt(objects, 3, 1)
      expect(third.base).toMatchObject({ ...carried, number: 7, epoch: 5 })
      const found = Option.getOrThrow(yield* readChain(objects, "q"))
      expect(found.manifest).toMatchObject({ number: 8, epoch: 8, attempt: 7, kind: "epoch" })
      expect(yield* found.states).toStrictEqual(stateOf(8))
    })
  )

  it.effect("refuses an epoch that is not the next: a fault of the caller", () =>
    Effect.gen(function* () {
      const objects = make()
      const exit = yield* Effect.exit(p1(Effect.scoped(Effect.flatMap(own(objects), (o) => epochs(o, 7, 7)))))
      expect(Exit.isFailure(exit) && String(exit.cause)).toMatch(/epoch 7 was to be published where 2 comes next/)
    })
  )

  it.effect("every step has its failpoints, in order", () =>
    Effect.gen(function* () {
      const steps: Array<string> = []
      const handler: FailpointHandler = (name, when) => Effect.sync(() => void steps.push(`${when} ${name}`))
      const objects = make()
      yield* attempt(objects, 1, 4)
      yield* Effect.provideService(attempt(objects, 2, 2), Failpoints, handler)
      const names = steps.filter((step) => step.startsWith("before")).map((step) => step.slice(7))
      expect(steps.length).toBe(2 * names.length)
      const takeover = ["list", "base.read", "takeover.primary", "takeover.listed", "takeover.copy", "takeover.listed"]
      const snapshot = ["snapshot.write", "snapshot.write"]
      const publish = ["manifest.primary", "manifest.listed", "manifest.copy", "manifest.copy.listed"]
      const collect = ["collect.tombstone.primary", "collect.tombstone.copy"]
      expect(names).toEqual([
        ...takeover,
        "sweep", // the heartbeat of the attempt before
        ...[...snapshot, ...publish],
        ...[...collect, "collect.data", "collect.data", ...collect], // epoch 3, and the takeover
        ...[...snapshot, ...publish, ...collect, "collect.data", "collect.data"]
      ])
    })
  )
})

describe("retention", () => {
  it.effect("keeps the newest data epochs, across attempts, and nothing else", () =>
    Effect.gen(function* () {
      const objects = make()
      for (const pid of [1, 2, 3]) yield* attempt(objects, pid, 4)
      expect(yield* readable(objects, 15)).toEqual([13, 14, 15])
      expect((yield* objects.list(dataPrefix("q"), 100)).length).toBe(6)
      for (const epoch of [13, 14, 15]) {
        const { states } = Option.getOrThrow(yield* readChain(objects, "q", epoch))
        expect(yield* states).toStrictEqual(stateOf(epoch))
      }
      expect(Option.isNone(yield* readChain(objects, "q", 11))).toBe(true) // a takeover
      expect(Option.isNone(yield* readChain(objects, "q", 0))).toBe(true)
      expect(Option.isNone(yield* readChain(objects, "q", 99))).toBe(true)
    })
  )

  it.effect("a takeover keeps the retained epochs before it until there are newer ones", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* attempt(objects, 1, 5)
      for (const pid of [2, 3, 4]) yield* attempt(objects, pid, 0)
      expect(yield* readable(objects, 9)).toEqual([4, 5, 6])
      yield* attempt(objects, 5, 1, { retained: 1 })
      expect(yield* readable(objects, 11)).toEqual([11])
    })
  )

  it.effect("what a collection could not take away goes with a later one, two at a time", () =>
    Effect.gen(function* () {
      let isFailing = false
      const objects = make()
      const store = bent(objects, (operation, name, call) =>
        isFailing && operation === "put" && name.includes("/primary/") ? Effect.fail(storeError(operation, name)) : call
      )
      yield* p1(
        Effect.scoped(
          Effect.gen(function* () {
            const owned = yield* own(store, { retained: 1 })
            yield* owned.sweep
            yield* epochs(owned, 2, 3)
            isFailing = true
            for (let n = 4; n <= 8; n++) {
              yield* owned.publish(record(n), yield* owned.writeState(stateOf(n)))
              expect(yield* refusal(owned.collect)).toMatch(/^StoreError: no reply/)
            }
            isFailing = false
            expect(yield* readable(objects, 8)).toEqual([3, 4, 5, 6, 7, 8])
            yield* owned.collect
            expect(yield* readable(objects, 8)).toEqual([5, 6, 7, 8])
            yield* epochs(owned, 9, 12)
            expect(yield* readable(objects, 12)).toEqual([12])
          })
        )
      )
    })
  )

  it.effect("C5: the sweep takes what earlier attempts left and no manifest names, and nothing of later ones", () =>
    Effect.gen(function* () {
      const objects = make()
      const left = yield* p1(
        Effect.scoped(
          Effect.gen(function* () {
            const owned = yield* own(objects)
            yield* epochs(owned, 2, 3)
            return yield* owned.writeState(stateOf(4))
          })
        )
      )
      const later = "queries/q/data/0000000009-0000000010-0.a"
      yield* objects.put(later, new Uint8Array(1))
      yield* objects.put("queries/q/data/of-someone-else", new Uint8Array(1))
      yield* attempt(objects, 2, 0)
      const names = yield* objects.list(dataPrefix("q"), 100)
      expect(names).toContain(later)
      expect(names).toContain("queries/q/data/of-someone-else")
      for (const name of left.names) expect(names).not.toContain(name)
      expect(yield* readable(objects, 3)).toEqual([2, 3])
    })
  )
})

describe("C5b: requests", () => {
  const busiest = (objects: ObjectStore, from: number) =>
    Effect.gen(function* () {
      const { store, asked } = counting(objects)
      const perEpoch: Array<number> = []
      yield* p2(
        Effect.scoped(
          Effect.gen(function* () {
            const owned = yield* own(store)
            yield* owned.sweep
            for (let n = from; n < from + 8; n++) {
              asked.length = 0
              yield* epochs(owned, n, n)
              perEpoch.push(asked.length)
              expect(asked.filter(([operation]) => operation === "list")).toEqual([])
            }
          })
        )
      )
      return perEpoch
    })

  it.effect("an epoch makes at most 14, on files 10 once it runs", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* attempt(objects, 1, 5)
      const perEpoch = yield* busiest(objects, 8)
      expect(Math.max(...perEpoch)).toBeLessThanOrEqual(requestsPerEpochMax)
      expect(perEpoch.at(-1)).toBe(10)
    })
  )

  it.effect("C6: on a store that replicates, state is written once: 8 requests", () =>
    Effect.gen(function* () {
      const objects: ObjectStore = { ...make(), replicated: true, heartbeatMs: 5_000 }
      yield* attempt(objects, 1, 5)
      const perEpoch = yield* busiest(objects, 8)
      expect(perEpoch.at(-1)).toBe(8)
      expect((yield* objects.list(dataPrefix("q"), 100)).length).toBe(3)
    })
  )

  it.effect("as many, and a takeover no more, with 100,000 tombstones behind", () =>
    Effect.gen(function* () {
      const objects: ObjectStore = { ...make(), volatile: false }
      for (let n = 1; n < 100_000; n++) {
        for (const copy of ["primary", "copy"] as const)
          yield* objects.put(manifestName("q", copy, n), encodeTombstone(n))
      }
      const { origin: _o, state: _s, ...rest } = fullManifest
      const manifest = encodeManifest({ ...rest, number: 100_000, epoch: 100_000, keptFrom: 100_000 })
      for (const copy of ["primary", "copy"] as const) yield* objects.put(manifestName("q", copy, 100_000), manifest)
      let listed = 0
      const store: ObjectStore = {
        ...objects,
        list: (prefix, limit) =>
          Effect.tap(objects.list(prefix, limit), (names) => Effect.sync(() => void (listed += names.length)))
      }
      const { asked, store: counted } = counting(store)
      yield* attempt(counted, 1, 0)
      expect(asked.length).toBeLessThan(25)
      expect(listed).toBeLessThan(20)
      const perEpoch = yield* busiest(objects, 100_003)
      expect(Math.max(...perEpoch)).toBeLessThanOrEqual(requestsPerEpochMax)
    })
  )
})

describe("C5: fenced is final, and names the winner", () => {
  it.effect("whatever is called, before or after the next publication", () =>
    Effect.gen(function* () {
      const objects = make()
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(p1(own(objects)), scope)
      yield* p1(epochs(first, 2, 3))
      const winner = yield* Scope.provide(asProcess({ ...impatient(22), host: "web-2" })(own(objects)), scope)
      yield* p2(epochs(winner, 5, 6))
      const state = yield* first.writeState(stateOf(4))
      const said = yield* refusal(first.publish(record(4), state))
      expect(said).toMatch(/^Fenced: query q was taken over by attempt 4 \(host web-2, pid 22\); attempt 1 is over/)
      const later = [first.publish(record(4), state), first.writeState(stateOf(4)), first.collect, first.sweep]
      for (const call of [...later, first.readState, first.savepoint("s")]) expect(yield* refusal(call)).toBe(said)
      expect(Option.getOrThrow(yield* readChain(objects, "q")).manifest.number).toBe(6)
      yield* Scope.close(scope, Exit.void)
    })
  )

  it.effect("seen by the look after the primary and after the copy, before any sink may commit", () =>
    Effect.gen(function* () {
      for (const step of ["manifest.primary", "manifest.copy"]) {
        const objects = make()
        const intrude: FailpointHandler = (name, when) =>
          name === step && when === "after" ? Effect.asVoid(Effect.orDie(attempt(objects, 2, 0))) : Effect.void
        const first = Effect.flatMap(own(objects), (owned) =>
          Effect.flatMap(owned.writeState(stateOf(2)), (state) =>
            Effect.provideService(owned.publish(record(2), state), Failpoints, intrude)
          )
        )
        expect(yield* refusal(p1(Effect.scoped(first))), step).toMatch(/^Fenced: .*attempt 3 \(host web-1, pid 2\)/)
      }
    })
  )

  it.effect("passed while it takes over: fenced; too late for the first put: it starts again", () =>
    Effect.gen(function* () {
      const objects = make()
      const once = (step: string, side: string): FailpointHandler => {
        let done = false
        return (name, when) => {
          if (name !== step || when !== side || done) return Effect.void
          done = true
          return Effect.asVoid(Effect.orDie(attempt(objects, 2, 0)))
        }
      }
      const take = p1(Effect.scoped(own(objects)))
      const passed = Effect.provideService(take, Failpoints, once("takeover.primary", "after"))
      expect(yield* refusal(passed)).toMatch(/^Fenced: .*attempt 2 /)
      const slower = yield* Effect.provideService(take, Failpoints, once("takeover.primary", "before"))
      expect(slower.base.number).toBe(4)
    })
  )
})

describe("a manifest that no sink's record fits into", () => {
  it.effect("is refused before anything is put, and the attempt goes on", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* p1(
        Effect.scoped(
          Effect.gen(function* () {
            const owned = yield* own(objects)
            const state = yield* owned.writeState(stateOf(2))
            const prepared = [{ query: "q", writer: "w", epoch: 2, data: new Map() }]
            expect(yield* refusal(owned.publish(record(2, { prepared }), state))).toMatch(
              /^Checkpoint: .*epoch 2: .*\.prepared\[0\]\.data: Map is not a plain value/
            )
            yield* owned.publish(record(2), state)
            const held = new Map([["t", { f: () => 1 } as never]])
            expect(yield* refusal(owned.writeState(held))).toMatch(/^Checkpoint: .*the state of t: \.f: function/)
          })
        )
      )
      expect(owner("x").host).toBe("web-1")
    })
  )
})

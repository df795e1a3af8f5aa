import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Option } from "effect"
import { frame } from "../../src/checkpoint/Frame.ts"
import { encodeTombstone } from "../../src/checkpoint/ManifestCodec.ts"
import { manifestName } from "../../src/checkpoint/names.ts"
import { readChain } from "../../src/checkpoint/ReadChain.ts"
import { crc32 } from "../../src/model/crc32.ts"
import { make } from "../../src/connectors/memory/MemoryObjectStore.ts"
import { asProcess, attempt, bent, damage, epochs, impatient, inTime, own, refusal } from "./chains.ts"

const p1 = asProcess(impatient(11))
const p2 = asProcess(impatient(22))

describe("C6: rot", () => {
  it.effect("a state with one damaged copy is read from the other, and repaired", () =>
    Effect.gen(function* () {
      for (const which of [0, 1]) {
        const objects = make()
        yield* attempt(objects, 1, 3)
        const { manifest } = Option.getOrThrow(yield* readChain(objects, "q"))
        const names = manifest.state?.names ?? []
        yield* damage(objects, names[which])
        yield* p2(Effect.scoped(Effect.flatMap(own(objects), (owned) => owned.readState)))
        // The second copy is looked at when the first is bad.
        if (which === 0) expect(yield* objects.get(names[0])).toEqual(yield* objects.get(names[1]))
        yield* objects.delete(names[0])
        expect(yield* refusal(p2(Effect.scoped(Effect.flatMap(own(objects), (owned) => owned.readState))))).toMatch(
          which === 0 ? /^succeeded/ : /^Checkpoint: .*its state is lost: .*is missing.*checksum.*tidemark reset/
        )
      }
    })
  )

  it.effect("a manifest with one damaged copy serves, and the retained ones are repaired", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* attempt(objects, 1, 4)
      yield* damage(objects, manifestName("q", "primary", 5))
      yield* damage(objects, manifestName("q", "copy", 4))
      yield* objects.delete(manifestName("q", "copy", 3))
      const owned = yield* attempt(objects, 2, 0)
      expect(owned.base).toMatchObject({ epoch: 5, number: 6 })
      for (const number of [4, 5]) {
        const primary = yield* objects.get(manifestName("q", "primary", number))
        expect(yield* objects.get(manifestName("q", "copy", number))).toEqual(primary)
        expect(Option.isSome(yield* readChain(objects, "q", number))).toBe(true)
      }
    })
  )

  it.effect("both copies lost: refused, and never an older epoch instead", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* attempt(objects, 1, 4)
      yield* damage(objects, manifestName("q", "primary", 5))
      yield* damage(objects, manifestName("q", "copy", 5))
      const said = yield* refusal(attempt(objects, 2, 0))
      expect(said).toMatch(
        /^Checkpoint: checkpoint of query q: manifest 5 is lost: its primary .*checksum.*; its copy /
      )
      expect(yield* refusal(readChain(objects, "q"))).toBe(said)
    })
  )

  it.effect("the only copy damaged before the second was there: a void, and its owner is fenced", () =>
    Effect.gen(function* () {
      const objects = make()
      const gate = yield* Latch.make(false)
      const held = bent(objects, (operation, name, call) =>
        operation === "putIfAbsent" && name === manifestName("q", "copy", 3) ? Effect.andThen(gate.await, call) : call
      )
      const first = yield* Effect.forkChild(
        refusal(p1(Effect.scoped(Effect.flatMap(own(held), (owned) => epochs(owned, 2, 3))))),
        { startImmediately: true }
      )
      yield* Effect.yieldNow
      for (let n = 0; n < 100 && Option.isNone(yield* objects.get(manifestName("q", "primary", 3))); n++) {
        yield* Effect.yieldNow
      }
      yield* damage(objects, manifestName("q", "primary", 3))
      expect(Option.getOrThrow(yield* readChain(objects, "q")).manifest.number).toBe(2)
      const second = yield* inTime(attempt(objects, 2, 1))
      expect(second.base).toMatchObject({ number: 4, epoch: 2 })
      yield* gate.open
      expect(yield* Fiber.join(first)).toMatch(/^Fenced: query q was taken over by attempt 4 \(host web-1, pid 2\)/)
      expect(Option.isNone(yield* readChain(objects, "q", 3))).toBe(true)
    })
  )

  it.effect("a void beats a primary that reads well again: its number never happened, for whoever comes", () =>
    Effect.gen(function* () {
      const objects = make()
      // Killed after P(3).
      const held = bent(objects, (operation, name, call) =>
        operation === "putIfAbsent" && name === manifestName("q", "copy", 3) ? Effect.interrupt : call
      )
      yield* Effect.exit(p1(Effect.scoped(Effect.flatMap(own(held), (owned) => epochs(owned, 2, 3)))))
      const sound = Option.getOrThrow(yield* objects.get(manifestName("q", "primary", 3)))
      yield* damage(objects, manifestName("q", "primary", 3))
      // Puts the void, and is killed before its takeover.
      const cut = bent(objects, (operation, name, call) =>
        operation === "putIfAbsent" && name === manifestName("q", "primary", 4) ? Effect.interrupt : call
      )
      yield* inTime(Effect.exit(p2(Effect.scoped(own(cut)))))
      yield* objects.put(manifestName("q", "primary", 3), sound)
      expect(Option.getOrThrow(yield* readChain(objects, "q")).manifest.number).toBe(2)
      expect(Option.isNone(yield* readChain(objects, "q", 3))).toBe(true)
      const third = yield* inTime(attempt(objects, 3, 1))
      expect(third.base).toMatchObject({ number: 4, epoch: 2 })
    })
  )

  it.effect("a newer format is refused, naming both, and so is the checkpoint of another query", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* attempt(objects, 1, 2)
      const bytes = Option.getOrThrow(yield* objects.get(manifestName("q", "primary", 3)))
      yield* objects.put(manifestName("r", "primary", 3), bytes)
      const said = yield* refusal(asProcess(impatient(3))(Effect.scoped(own(objects, { query: "r" }))))
      expect(said).toMatch(/^Checkpoint: .*manifest 3 is of query q, copied here/)
      const newer = frame("manifest", new TextEncoder().encode("{}"))
      newer[6] = 9
      new DataView(newer.buffer).setUint32(16, crc32(newer.subarray(0, 16), crc32(newer.subarray(20))), true)
      yield* objects.put(manifestName("q", "primary", 4), newer)
      expect(yield* refusal(attempt(objects, 2, 0))).toMatch(
        /^Checkpoint: .*manifest 4 is in format 9 of a manifest, and this release reads up to format 1: run/
      )
    })
  )

  it.effect("numbers that are missing below others are refused; a chain of tombstones alone too", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* attempt(objects, 1, 3)
      yield* objects.put(manifestName("q", "primary", 6), new Uint8Array(3))
      expect(yield* inTime(refusal(attempt(objects, 2, 0)))).toMatch(
        /^Checkpoint: .*manifest 5 is missing, and older ones/
      )
      for (const copy of ["primary", "copy"] as const)
        yield* objects.put(manifestName("t", copy, 1), encodeTombstone(1))
      const said = yield* refusal(asProcess(impatient(3))(Effect.scoped(own(objects, { query: "t" }))))
      expect(said).toMatch(/^Checkpoint: .*manifest 1 is collected, and no newer one is there/)
    })
  )
})

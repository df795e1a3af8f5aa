import { Effect, Option, Result } from "effect"
import { describe, expect, it } from "vitest"
import { putOnce } from "../../src/checkpoint/cells.ts"
import type { Fate } from "./proxy.ts"
import { azuriteForFile, bytes, run, worldOn } from "./support.ts"

const azurite = azuriteForFile()

/** How a put goes wrong so that its sender cannot know what became of it, by turns. */
const ambiguous: ReadonlyArray<Fate> = ["done, reply lost", "done, 500", "done, reply cut", "lost", "503"]

describe("C9: put-if-absent over a network that loses replies", () => {
  it("1,000 ambiguous replies: whoever made the blob is told so, and nobody else", () =>
    run(
      Effect.gen(function* () {
        const { proxy, open, direct } = yield* worldOn(azurite())
        let planted = 0
        const seen = new Set<string>()
        proxy.decide = ({ method, path, headers }) => {
          const key = `${path} ${String(headers["x-ms-meta-tidemarkput"])}`
          if (method !== "PUT" || seen.has(key)) return "pass"
          seen.add(key)
          return ambiguous[planted++ % ambiguous.length]
        }
        const store = open()
        // Two writers put the same bytes under each name, at once.
        const outcomes = yield* Effect.forEach(
          Array.from({ length: 500 }, (_, i) => i),
          (i) => {
            const put = store.putIfAbsent(`race/${i}`, bytes(`the same bytes ${i}`))
            return Effect.all([put, put], { concurrency: "unbounded" })
          },
          { concurrency: 16 }
        )
        expect(planted).toBe(1_000)
        const wrong = outcomes.flatMap((won, i) => (won.filter((w) => w).length === 1 ? [] : [[i, won]]))
        expect(wrong).toEqual([])
        expect((yield* direct.list("race/", 1_000)).length).toBe(500)
        const counts = ambiguous.map((fate) => proxy.asked.filter((a) => a.fate === fate).length)
        expect(counts).toEqual([200, 200, 200, 200, 200])
      })
    ))

  it("C5: a race of 20 writers on one name has one winner, whatever becomes of the replies", () =>
    run(
      Effect.gen(function* () {
        for (const fates of [["pass"], ["done, reply lost"], ["pass", "done, 500", "lost"]] as ReadonlyArray<
          ReadonlyArray<Fate>
        >) {
          const { proxy, open, direct } = yield* worldOn(azurite())
          let puts = 0
          proxy.decide = ({ method }) => (method === "PUT" && puts < 20 ? fates[puts++ % fates.length] : "pass")
          const won = yield* Effect.forEach(
            Array.from({ length: 20 }, (_, i) => i),
            (i) => Effect.map(open().putIfAbsent("n", bytes(`writer ${i}`)), (made) => ({ i, made })),
            { concurrency: "unbounded" }
          )
          const winners = won.filter(({ made }) => made)
          expect(winners.length).toBe(1)
          expect(Option.getOrThrow(yield* direct.get("n"))).toEqual(bytes(`writer ${winners[0].i}`))
        }
      })
    ))

  it("when every try's reply is lost, the blob is asked whose it is", () =>
    run(
      Effect.gen(function* () {
        const { proxy, open } = yield* worldOn(azurite())
        proxy.decide = ({ method }) => (method === "PUT" ? "done, reply lost" : "pass")
        expect(yield* open().putIfAbsent("a", bytes("mine"))).toBe(true)
        expect(yield* open().putIfAbsent("a", bytes("mine"))).toBe(false)
      })
    ))

  it("when nobody can tell, it fails; what the checkpoint makes of that is right either way", () =>
    run(
      Effect.gen(function* () {
        const { proxy, open } = yield* worldOn(azurite())
        const store = open()
        // The put is done, and then the service is gone for a while.
        let left = 0
        let isGone = false
        proxy.decide = ({ method }) => {
          if (isGone && left-- > 0) return "lost"
          if (method !== "PUT" || isGone) return "pass"
          isGone = true
          left = 10
          return "done, reply lost"
        }
        const first = yield* Effect.result(store.putIfAbsent("a", bytes("mine")))
        expect(Result.isFailure(first) && first.failure.message).toMatch(/putIfAbsent "a": 127\.0\.0\.1:\d+ cannot be/)
        expect(yield* putOnce(store, "a", bytes("mine"))).toBe("put")
        expect(yield* putOnce(store, "a", bytes("other"))).toBe("damaged")
      })
    ))

  it("409 and 412 alike are taken, when something is there; when nothing is, they are errors", () =>
    run(
      Effect.gen(function* () {
        const { proxy, open, direct } = yield* worldOn(azurite())
        yield* direct.put("there", bytes("x"))
        for (const [status, code] of [
          [409, "BlobAlreadyExists"],
          [412, "ConditionNotMet"],
          [412, "LeaseIdMissing"],
          [409, "BlobImmutableDueToPolicy"],
          [403, "UnauthorizedBlobOverwrite"]
        ] as const) {
          proxy.decide = ({ method }) => (method === "PUT" ? { status, code } : "pass")
          expect(yield* open().putIfAbsent("there", bytes("y")), code).toBe(false)
        }
        proxy.decide = ({ method }) => (method === "PUT" ? { status: 409, code: "ContainerBeingDeleted" } : "pass")
        const error = yield* Effect.flip(open().putIfAbsent("not-there", bytes("y")))
        expect(error.message).toMatch(/is being deleted: wait until it is gone/)
      })
    ))

  it("a taken name costs one request, a lost reply two more", () =>
    run(
      Effect.gen(function* () {
        const { proxy, open } = yield* worldOn(azurite())
        const store = open()
        expect(yield* store.putIfAbsent("a", bytes("1"))).toBe(true)
        expect(yield* store.putIfAbsent("a", bytes("2"))).toBe(false)
        expect(proxy.asked.map((a) => a.method)).toEqual(["PUT", "PUT"])
        proxy.asked.length = 0
        let puts = 0
        proxy.decide = ({ method }) => (method === "PUT" && puts++ === 0 ? "done, reply lost" : "pass")
        expect(yield* store.putIfAbsent("b", bytes("1"))).toBe(true)
        expect(proxy.asked.map((a) => a.method)).toEqual(["PUT", "PUT", "HEAD"])
      })
    ))
})

/** M1: sharing a source that cannot be read again: who waits for whom, and how long. */
import { Effect, Fiber, Logger, Option, Scope } from "effect"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import { shareSource, type SharedView } from "../../src/actors/shared/SharedSource.ts"
import { sliceChunk } from "../../src/actors/shared/sliceChunk.ts"
import type { ReadySource } from "../../src/actors/Topology.ts"
import { Limits } from "../../src/model/Limits.ts"
import { position } from "../../src/model/Position.ts"
import type { PartitionCursor, SourceChunk } from "../../src/model/Source.ts"
import { settle } from "./kit.ts"

type Cursor = PartitionCursor<unknown, unknown, unknown>

const bounds = { chunks: 3, history: 2, recent: 1, bytes: 1 << 20 }

/** A channel with ten rows, shared by readers of these names. */
const shared = (names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const channel = Memory.channel<number>({ replayable: false })
    yield* channel.push("0", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    return { channel, views: yield* shareSource(channel.source as ReadySource, names, bounds) }
  })

const open = (view: SharedView): Effect.Effect<Cursor, unknown, Scope.Scope> => view.source.open("0", Option.none())

/** Pulls one row after the other, as many as come. */
const pulling = (cursor: Cursor, rows = 1) =>
  Effect.gen(function* () {
    const got: Array<unknown> = []
    const fiber = yield* Effect.forkChild(
      Effect.forever(Effect.map(cursor.pull({ rows, bytes: 1 << 20 }), (chunk) => got.push(...(chunk.rows ?? []))))
    )
    yield* settle()
    return { got, fiber }
  })

const run = (effect: Effect.Effect<void, unknown, Scope.Scope>): Promise<void> =>
  Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(TestClock.layer())))

describe("M1: a source that cannot be read again", () => {
  it("waits for one that is slow, and for nobody who has gone", () =>
    run(
      Effect.gen(function* () {
        const { views } = yield* shared(["fast", "slow"])
        const fast = yield* open(views[0])
        const scope = Scope.makeUnsafe()
        const slow = yield* Scope.provide(open(views[1]), scope)
        const { got } = yield* pulling(fast)
        expect(got).toEqual([0, 1, 2])
        const one = yield* slow.pull({ rows: 1, bytes: 1 })
        expect(one.rows).toEqual([0])
        yield* settle()
        expect(got).toEqual([0, 1, 2, 3])
        yield* TestClock.adjust(10 * Limits.sharedStartMs)
        expect(got).toEqual([0, 1, 2, 3])
        yield* Scope.close(scope, one as never)
        yield* settle()
        expect(got.length).toBe(10)
        // Back again: what is still there, in order, and nothing twice.
        const again = yield* pulling(yield* open(views[1]))
        expect(again.got).toEqual([8, 9])
      })
    ))

  it("one that restarts at once has lost nothing", () =>
    run(
      Effect.gen(function* () {
        const { views } = yield* shared(["a", "b"])
        const a = yield* open(views[0])
        const scope = Scope.makeUnsafe()
        const b = yield* Scope.provide(open(views[1]), scope)
        yield* a.pull({ rows: 3, bytes: 1 })
        expect((yield* b.pull({ rows: 2, bytes: 1 })).rows).toEqual([0, 1])
        yield* Scope.close(scope, undefined as never)
        yield* a.pull({ rows: 2, bytes: 1 })
        const { got } = yield* pulling(yield* open(views[1]))
        expect(got.slice(0, 4)).toEqual([2, 3, 4, 5])
      })
    ))

  it("keeps its start for those who have not begun; after a time it goes on without them, and says so", () =>
    Effect.gen(function* () {
      const said: Array<unknown> = []
      const logger = Logger.make(({ message }) => void said.push(message))
      yield* Effect.gen(function* () {
        const { views } = yield* shared(["a", "late", "never", "gone"])
        yield* views[3].leave
        const a = yield* pulling(yield* open(views[0]))
        yield* TestClock.adjust(Limits.sharedStartMs - 1)
        yield* settle()
        expect(a.got).toEqual([0, 1, 2])
        const late = yield* pulling(yield* open(views[1]))
        expect(late.got).toEqual([0, 1, 2])
        expect(said).toEqual([])
        yield* TestClock.adjust(Limits.sharedStartMs)
        yield* settle()
        expect([a.got.length, late.got.length]).toEqual([10, 10])
        expect(said.length).toBe(1)
        expect(String(said[0])).toContain("goes on without never, which did not begin to read it within 10000 ms")
      }).pipe(Effect.provide(Logger.layer([logger])))
    }).pipe(run))

  it("nobody waits for one that has left before it began", () =>
    run(
      Effect.gen(function* () {
        const { views } = yield* shared(["a", "b"])
        const { got } = yield* pulling(yield* open(views[0]))
        expect(got).toEqual([0, 1, 2])
        yield* views[1].leave
        yield* settle()
        expect(got.length).toBe(10)
      })
    ))

  it("gives a chunk in parts to one that asks for less than it was read for", () =>
    run(
      Effect.gen(function* () {
        const { views, channel } = yield* shared(["a", "b"])
        const [a, b] = [yield* open(views[0]), yield* open(views[1])]
        expect((yield* a.pull({ rows: 4, bytes: 1 })).rows).toEqual([0, 1, 2, 3])
        const { got, fiber } = yield* pulling(b, 3)
        expect(got).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        yield* Fiber.interrupt(fiber)
        expect(yield* channel.handedOut("0")).toBe(10)
      })
    ))
})

describe("part of a chunk", () => {
  const dead = (before: number) => ({
    before,
    reason: "malformed" as const,
    detail: "bad",
    place: `after ${before}`,
    bytes: new Uint8Array(1),
    truncated: false
  })
  const chunk: SourceChunk<unknown> = {
    length: 4,
    columns: { n: Float64Array.of(1, 2, 3, 4), ["__proto__"]: ["a", "b", "c", "d"] },
    meta: (i) => ({ i }),
    place: (i) => `line ${i}`,
    appendTimes: Float64Array.of(10, 20, 30, 40),
    dead: [dead(0), dead(2), dead(2), dead(3), dead(4)],
    next: position("9"),
    bytes: 100
  }

  it("has its rows, what is known of them, and the bad input between them, once", () => {
    const [first, second] = [sliceChunk(chunk, 0, 2, position("5")), sliceChunk(chunk, 2, 4, position("5"))]
    expect(first.columns?.["n"]).toEqual(Float64Array.of(1, 2))
    expect(Object.getOwnPropertyDescriptor(second.columns, "__proto__")?.value).toEqual(["c", "d"])
    expect([first.meta?.(1), second.meta?.(1), second.place?.(0)]).toEqual([{ i: 1 }, { i: 3 }, "line 2"])
    expect([...(second.appendTimes ?? [])]).toEqual([30, 40])
    expect(first.dead?.map((row) => row.before)).toEqual([0, 2, 2])
    expect(second.dead?.map((row) => row.before)).toEqual([1, 2])
    expect([first.next, second.next, first.bytes, second.bytes]).toEqual(["5", "9", 50, 50])
    expect(sliceChunk(chunk, 0, 4, undefined)).toBe(chunk)
    const rows = sliceChunk({ length: 2, rows: ["x", "y"], next: position("2"), bytes: 3 }, 1, 2, undefined)
    expect(rows).toEqual({ length: 1, rows: ["y"], next: "2", bytes: 2 })
  })
})

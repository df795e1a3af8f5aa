/** M1: what a shared reading does in cases that chance seldom makes. */
import { Cause, Effect, Exit, Fiber, Option, Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import { PartitionHub, subscriberAt } from "../../src/actors/shared/PartitionHub.ts"
import { SharedPartition } from "../../src/actors/shared/SharedPartition.ts"
import { shareSource } from "../../src/actors/shared/SharedSource.ts"
import type { ReadySource } from "../../src/actors/Topology.ts"
import { SourceError } from "../../src/model/Errors.ts"
import { type Position, position } from "../../src/model/Position.ts"
import type { PartitionCursor } from "../../src/model/Source.ts"
import { settle } from "./kit.ts"

type Cursor = PartitionCursor<unknown, unknown, unknown>

const bounds = { chunks: 8, history: 4, recent: 4, bytes: 1 << 20 }
const rows = (n: number) => ({ rows: n, bytes: 1 << 20 })
const at = (n: number): Option.Option<Position> => Option.some(position(String(n)))
const partitionOf = (source: unknown, of = bounds): SharedPartition =>
  new SharedPartition(source as ReadySource, "0", { bounds: of, readers: ["a", "b"], gone: new Set(), hubs: 0 })
const lost = new SourceError({ connector: "c", retryable: true, message: "lost" })
const run = (effect: Effect.Effect<void, unknown, Scope.Scope>): Promise<void> =>
  Effect.runPromise(Effect.timeout(Effect.scoped(effect), "5 seconds"))
const pulled = (cursor: Cursor, n: number): Effect.Effect<unknown, unknown> =>
  Effect.map(cursor.pull(rows(n)), (chunk) => chunk.rows)

describe("M1: a shared reading", () => {
  it("fails for all who meet the failure; whoever opens again reads anew, though one has not noticed yet", () =>
    run(
      Effect.gen(function* () {
        const channel = Memory.channel<number>()
        const shared = partitionOf(channel.source)
        const [a, b] = [yield* shared.open(Option.none(), 0), yield* shared.open(Option.none(), 0)]
        yield* channel.push("0", [1])
        yield* channel.fail("0", lost)
        yield* channel.push("0", [2])
        expect(yield* pulled(a, 5)).toEqual([1])
        expect(yield* Effect.flip(a.pull(rows(5)))).toBe(lost)
        // B has not pulled at all.
        const again = yield* shared.open(at(1), 0)
        expect(yield* pulled(again, 5)).toEqual([2])
        expect(yield* pulled(b, 5)).toEqual([1])
        expect(yield* Effect.flip(b.pull(rows(5)))).toBe(lost)
        expect(yield* channel.cursors).toBe(1)
        // The failure is said once to each; a reader that goes on is back.
        expect(yield* pulled(b, 5)).toEqual([2])
        expect(shared.hubs.size).toBe(1)
      })
    ))

  it("that cannot be opened, fails for all who wait for it, and is tried again by the next", () =>
    run(
      Effect.gen(function* () {
        const channel = Memory.channel<number>()
        let opens = 0
        const shared = partitionOf({
          ...channel.source,
          open: (p: string, from: Option.Option<Position>) =>
            Effect.andThen(
              settle(5),
              Effect.suspend(() => (opens++ === 0 ? Effect.fail(lost) : (channel.source as ReadySource).open(p, from)))
            )
        })
        const both = yield* Effect.all(
          [1, 2].map(() => Effect.exit(Effect.scoped(shared.open(Option.none(), 0)))),
          {
            concurrency: "unbounded"
          }
        )
        expect(both.map((exit) => Exit.isFailure(exit) && Cause.squash(exit.cause))).toEqual([lost, lost])
        expect([opens, shared.hubs.size]).toEqual([1, 0])
        yield* shared.open(Option.none(), 0)
        expect([opens, yield* channel.cursors]).toEqual([2, 1])
      })
    ))

  it("goes on when the one that opens or pulls is interrupted", () =>
    run(
      Effect.gen(function* () {
        const channel = Memory.channel<number>()
        const slow = {
          ...channel.source,
          open: (p: string, from: Option.Option<Position>) => Effect.andThen(settle(5), channel.source.open(p, from))
        }
        const shared = partitionOf(slow)
        const first = yield* Effect.forkChild(
          Effect.scoped(Effect.andThen(shared.open(Option.none(), 0), Effect.never))
        )
        const second = yield* Effect.forkChild(
          Effect.scoped(Effect.flatMap(shared.open(Option.none(), 0), (cursor) => pulled(cursor, 5)))
        )
        yield* settle(2)
        yield* Fiber.interrupt(first)
        yield* channel.caughtUp("0")
        const third = yield* shared.open(Option.none(), 0)
        const waits = yield* Effect.forkChild(pulled(third, 5))
        yield* settle(2)
        yield* Fiber.interrupt(second)
        yield* channel.push("0", [1])
        expect(yield* Fiber.join(waits)).toEqual([1])
        expect(yield* channel.cursors).toBe(1)
      })
    ))

  it("of a slow one joins one that waits at the same place already, although it is the younger", () =>
    run(
      Effect.gen(function* () {
        const channel = Memory.channel<number>()
        yield* channel.push("0", [1, 2, 3, 4])
        const shared = partitionOf(channel.source, { ...bounds, history: 0, recent: 0 })
        const old = yield* shared.open(Option.none(), 0)
        yield* pulled(old, 2)
        const young = yield* shared.open(at(4), 0)
        const waits = yield* Effect.forkChild(pulled(young, 2))
        yield* settle()
        expect(shared.hubs.size).toBe(2)
        yield* pulled(old, 2)
        const too = yield* Effect.forkChild(pulled(old, 2))
        yield* settle()
        expect([shared.hubs.size, yield* channel.cursors]).toEqual([1, 1])
        yield* channel.push("0", [5])
        expect([yield* Fiber.join(waits), yield* Fiber.join(too)]).toEqual([[5], [5]])
      })
    ))

  it("gives nobody more rows than it asks for: what was read for others is read again in parts", () =>
    run(
      Effect.gen(function* () {
        const channel = Memory.channel<number>()
        yield* channel.push("0", [1, 2, 3, 4])
        const shared = partitionOf(channel.source)
        const [a, b] = [yield* shared.open(Option.none(), 0), yield* shared.open(Option.none(), 0)]
        expect(yield* pulled(a, 4)).toEqual([1, 2, 3, 4])
        expect(yield* pulled(b, 3)).toEqual([1, 2, 3])
        expect(yield* channel.cursors).toBe(2)
        // From here on all take what the least asks for.
        expect(yield* pulled(b, 3)).toEqual([4])
        yield* channel.push("0", [5, 6, 7, 8])
        expect(yield* pulled(b, 2)).toEqual([5, 6])
        expect(yield* pulled(a, 4)).toEqual([5, 6])
        expect(yield* channel.cursors).toBe(1)
      })
    ))

  it("keeps for each where it began without a position, so that `latest` stays what it was", () =>
    run(
      Effect.gen(function* () {
        const channel = Memory.channel<number>()
        yield* channel.push("0", [1, 2])
        const latest = {
          ...channel.source,
          open: (p: string, from: Option.Option<Position>) =>
            Effect.gen(function* () {
              const inner = channel.source as ReadySource
              const end = yield* Effect.flatMap(Effect.scoped(inner.open(p, Option.none())), (cursor) => cursor.end)
              const start = Option.getOrUndefined(Option.orElse(from, () => end))
              return { ...(yield* inner.open(p, Option.fromUndefinedOr(start))), start }
            })
        }
        const shared = partitionOf(latest)
        const a = yield* shared.open(Option.none(), 0)
        expect(a.start).toBe("2")
        yield* channel.push("0", [3])
        // B comes when the reading has begun, and while its first chunk is there: it begins where A did.
        const b = yield* shared.open(Option.none(), 1)
        expect([b.start, yield* channel.cursors]).toEqual(["2", 1])
        expect([yield* pulled(a, 5), yield* pulled(b, 5)]).toEqual([[3], [3]])
        const late = yield* shared.open(Option.none(), 1)
        expect(late.start).toBe("2")
        // A reading that fails before its first row is begun anew where it was.
        const failing = partitionOf(latest)
        const c = yield* failing.open(Option.none(), 0)
        yield* channel.fail("0", lost)
        expect(yield* Effect.flip(c.pull(rows(5)))).toBe(lost)
        yield* channel.push("0", [4])
        expect(yield* pulled(c, 5)).toEqual([4])
        // Where the source does not know where it begins, nobody does.
        const unknown = yield* partitionOf(channel.source).open(Option.none(), 0)
        expect(unknown.start).toBe(undefined)
      })
    ))

  const hubBounds = { ...bounds, bytes: () => 1 << 20, readers: 2, holds: false, isAwaited: () => false }

  it("knows a place by the last chunk that ends there, so that bad input without rows is not given twice", () => {
    const hub = new PartitionHub(0, undefined, hubBounds)
    const chunk = { length: 0, rows: [], next: position("7"), bytes: Number.NaN }
    hub.push(chunk, 5)
    hub.push(chunk, 5)
    expect([hub.numberOf(undefined), hub.numberOf(position("7")), hub.numberOf(position("8"))]).toEqual([
      0,
      2,
      undefined
    ])
    expect(hub.held).toEqual({ chunks: 2, bytes: 0 })
  })

  it("keeps some chunks for a query that restarts, and more for one that is behind, within its bytes", () => {
    const hub = new PartitionHub(0, undefined, { ...hubBounds, chunks: 6, history: 2, recent: 1, bytes: () => 100 })
    const [behind, other] = [subscriberAt(0, undefined), subscriberAt(1, undefined)]
    const push = (n: number, bytes: number): void =>
      hub.push({ length: 1, rows: [n], next: position(String(n)), bytes }, 1)
    hub.join(behind, 0)
    for (let n = 1; n <= 5; n++) push(n, 10)
    expect(hub.held).toEqual({ chunks: 5, bytes: 50 })
    behind.next = 4
    push(6, 10)
    expect(hub.held).toEqual({ chunks: 2, bytes: 20 })
    // With all readers there, fewer are kept.
    hub.join(other, 6)
    behind.next = 6
    push(7, 10)
    expect(hub.held).toEqual({ chunks: 1, bytes: 10 })
    // One that is too large for the bytes takes the place of all others.
    push(8, 1000)
    expect(hub.held).toEqual({ chunks: 1, bytes: 1000 })
    expect([behind.hub, hub.subscribers.size]).toEqual([undefined, 0])
  })

  it("is closed with the scope of its source, whoever has forgotten it", async () => {
    const channel = Memory.channel<number>({ partitions: ["p0", "p1"] })
    await run(
      Effect.gen(function* () {
        const [{ source }] = yield* shareSource(channel.source as ReadySource, ["a", "b"])
        const forgotten = Scope.makeUnsafe()
        for (const p of ["p0", "p1"]) yield* Scope.provide(source.open(p, Option.none()), forgotten)
        expect(yield* channel.cursors).toBe(2)
      })
    )
    expect(await Effect.runPromise(channel.cursors)).toBe(0)
  })
})

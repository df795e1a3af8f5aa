import { Effect, Exit, Fiber, Option } from "effect"
import { describe, expect, it } from "vitest"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import { SourceError } from "../../src/model/Errors.ts"
import { type Contents, sourceConformance, type SourceUnderTest } from "../conformance/source.ts"

interface Row {
  readonly n: number
  readonly text: string
}

const rowsOf = (partition: string, count: number): ReadonlyArray<Row> =>
  Array.from({ length: count }, (_, n) => ({ n, text: `${partition} ${n}` }))

const partitions = { p0: rowsOf("p0", 37), p1: rowsOf("p1", 5), __proto__x: rowsOf("odd", 1), empty: [] }
const contents: ReadonlyMap<string, Contents<Row>> = new Map(
  Object.entries(partitions).map(([p, rows]) => [p, { rows }])
)
const features = { bounded: true, appendTime: false, endPosition: true, replayable: true, dynamicPartitions: false }

sourceConformance("memory, rows", features, Effect.succeed({ source: Memory.source<Row>({ partitions }), contents }))
sourceConformance(
  "memory, columns in chunks of 4",
  features,
  Effect.succeed({ source: Memory.source<Row>({ partitions }, { columns: true, chunkRows: 4 }), contents })
)

const fed = (options: Memory.ChannelOptions): Effect.Effect<SourceUnderTest<Row>> =>
  Effect.gen(function* () {
    const channel = Memory.channel<Row>({ ...options, partitions: ["p0", "p1"] })
    const filled = new Map<string, Contents<Row>>()
    for (const p of ["p0", "p1"]) {
      const rows = rowsOf(p, p === "p0" ? 30 : 7)
      yield* channel.push(p, rows.slice(0, 5))
      yield* channel.pushDead(p, {
        reason: "malformed",
        detail: "not JSON",
        place: `${p}:5`,
        bytes: new Uint8Array(3),
        truncated: false
      })
      yield* channel.push(p, rows.slice(5))
      yield* channel.pushDead(p, {
        reason: "malformed",
        detail: "not JSON",
        place: `${p}:end`,
        bytes: new Uint8Array(3),
        truncated: false
      })
      if (options.bounded) yield* channel.end(p)
      filled.set(p, { rows, dead: 2 })
    }
    const added = rowsOf("added", 4)
    return {
      source: channel.source,
      contents: filled,
      held: channel.cursors,
      taken: channel.handedOut,
      readAheadRowsMax: 0,
      more: (p) => Effect.as(channel.push(p, added), added),
      addPartition: Effect.as(channel.addPartition("p2"), "p2")
    }
  })

const channelFeatures = {
  bounded: false,
  appendTime: false,
  endPosition: true,
  replayable: true,
  dynamicPartitions: false
}
sourceConformance("memory channel", channelFeatures, fed({}))
sourceConformance(
  "memory channel, bounded, append times",
  { ...channelFeatures, bounded: true, appendTime: true },
  fed({ bounded: true, appendTime: true })
)
sourceConformance(
  "memory channel, partitions come, no end position, not replayable",
  { ...channelFeatures, dynamicPartitions: true, endPosition: false, replayable: false },
  fed({ dynamicPartitions: true, endPosition: false, replayable: false })
)

const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)
const demand = { rows: 10, bytes: 1000 }

describe("Memory.source", () => {
  it("takes the row type from the rows, and one array is partition 0", () =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const source = Memory.source([{ at: "2026-01-01T12:00:01Z", category: "Books", amount: 20 }])
          expect(yield* source.partitions(new Set())).toEqual(["0"])
          const chunk = yield* (yield* source.open("0", Option.none())).pull(demand)
          const amount: number | undefined = chunk.rows?.[0].amount
          expect(amount).toBe(20)
          expect(chunk.meta?.(0)).toEqual({ partition: "0", index: 0 })
        })
      )
    ))
  it("rows that cannot be looked at are handed on: a getter that throws, a revoked proxy", () =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const getter = {
            get a(): number {
              throw new Error("not to be asked")
            }
          }
          const { proxy, revoke } = Proxy.revocable({ a: 1 }, {})
          revoke()
          for (const row of [getter, proxy, { inner: getter }, [proxy]]) {
            for (const columns of [false, true]) {
              const cursor = yield* Memory.source<unknown>([row], { columns }).open("0", Option.none())
              const chunk = yield* cursor.pull(demand)
              expect(chunk.length).toBe(1)
              expect(chunk.bytes).toBeGreaterThan(0)
            }
          }
        })
      )
    ))
  it("gives columns only where all rows of the chunk have the same fields", () =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const hostile = JSON.parse('{"__proto__":1,"a":2}') as { a: number }
          const source = Memory.source<unknown>([{ a: 1 }, { a: 2 }, { a: 1, b: 2 }, hostile, 7], { columns: true })
          const cursor = yield* source.open("0", Option.none())
          expect((yield* cursor.pull({ rows: 2, bytes: 100 })).columns).toEqual({ a: Float64Array.of(1, 2) })
          expect((yield* cursor.pull(demand)).rows).toEqual([{ a: 1, b: 2 }, hostile, 7])
        })
      )
    ))
  it("names a wrong option instead of throwing", () => {
    expect(Memory.source([1], { chunkRows: 0 }).problems).toEqual([
      { option: "Memory.chunkRows", value: "0", fix: "must be a whole number from 1" }
    ])
    expect(Memory.channel({ bounded: true, dynamicPartitions: true }).source.problems?.length).toBe(1)
  })
})

describe("Memory.channel", () => {
  it("fails where it was told to, once, and a cursor opened again goes on there", () =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const channel = Memory.channel<number>()
          yield* channel.push("0", [1, 2])
          yield* channel.fail("0", new SourceError({ connector: "channel", retryable: true, message: "broken pipe" }))
          yield* channel.push("0", [3])
          const cursor = yield* channel.source.open("0", Option.none())
          const chunk = yield* cursor.pull(demand)
          expect(chunk.rows).toEqual([1, 2])
          expect(yield* Effect.flip(cursor.pull(demand))).toMatchObject({ _tag: "SourceError", message: "broken pipe" })
          const again = yield* channel.source.open("0", Option.some(chunk.next))
          expect((yield* again.pull(demand)).rows).toEqual([3])
        })
      )
    ))
  it("tells when a cursor has caught up", () =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const channel = Memory.channel<number>()
          yield* channel.push("0", [1])
          const cursor = yield* channel.source.open("0", Option.none())
          const caughtUp = yield* Effect.forkChild(channel.caughtUp("0"))
          yield* Effect.yieldNow
          expect(caughtUp.pollUnsafe()).toBeUndefined()
          yield* cursor.pull(demand)
          const waiting = yield* Effect.forkChild(cursor.pull(demand))
          yield* Fiber.join(caughtUp)
          yield* Fiber.interrupt(waiting)
        })
      )
    ))
  it("takes append times as given, else from the clock", () =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const channel = Memory.channel<number>({ appendTime: true })
          yield* channel.push("0", [1, 2], { appendTimes: [5, 6] })
          yield* channel.push("0", [3])
          const cursor = yield* channel.source.open("0", Option.none())
          const times = (yield* cursor.pull(demand)).appendTimes ?? []
          expect([...times].slice(0, 2)).toEqual([5, 6])
          expect(times[2]).toBeGreaterThan(1e12)
        })
      )
    ))
  it("T11: an unbounded channel does not end", async () => {
    expect(Exit.isFailure(await Effect.runPromiseExit(Memory.channel().end("0")))).toBe(true)
  })
})

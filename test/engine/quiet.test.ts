import { Effect, Option, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Checkpoint, EventStream, Late, Memory, Query, Trigger, Window } from "tidemark"
import { describe, expect, it } from "vitest"
import type { SourceError } from "../../src/model/Errors.ts"
import { Limits } from "../../src/model/Limits.ts"
import { position } from "../../src/model/Position.ts"
import type { Source } from "../../src/model/Source.ts"
import { counted, settle } from "./kit.ts"
import { at, type Row } from "./windowed.ts"

type Timing = Omit<Parameters<typeof EventStream.withEventTime<Row, "t">>[1], "watermark"> & {
  readonly outOfOrderness?: number
}

/** A query over windows of 10 ms; `watermarks` are those of its partitions. */
const start = <E>(source: Source<Row, unknown, E>, timing: Partial<Timing> = {}) =>
  Effect.gen(function* () {
    const out = Memory.sink<{ window_end: number; n: number }>()
    const late = Memory.sink<Row>()
    const query = yield* Query.start(
      EventStream.from(source).pipe(
        EventStream.withEventTime("t", { outOfOrderness: 0, ...timing } as never),
        EventStream.keyBy(),
        EventStream.window(Window.tumbling(10), { late: Late.to(late) }),
        counted,
        EventStream.to(out)
      ),
      { name: "q", trigger: Trigger.every("1 second") }
    )
    yield* settle()
    const partitions = Effect.map(query.progress, (p) => Object.fromEntries(p.partitions.map((x) => [x.partition, x])))
    const ends = Effect.map(out.rows, (rows) => rows.map((r) => [r.window_end, r.n]))
    return { query, out, late, partitions, ends }
  })

/** Time passes in small steps, and everything runs in between. */
const pass = (seconds: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let i = 0; i < seconds * 2; i++) {
      yield* TestClock.adjust("500 millis")
      yield* settle(12)
    }
  })

/** Of two partitions, b has fallen quiet at 3 and was raised to 26, where a is. */
const raisedTo26 = Effect.gen(function* () {
  const input = Memory.channel<Row>({ partitions: ["a", "b"] })
  const started = yield* start(input.source, { idleAfter: "2 seconds" })
  yield* input.push("b", at(3))
  yield* input.push("a", at(25))
  yield* pass(1)
  yield* input.push("a", at(26))
  yield* pass(1.5)
  expect((yield* started.partitions)["b"]).toMatchObject({ idle: true, watermark: 26 })
  return { input, ...started }
})

/** Runs under a test clock, which stands still unless `pass` moves it. */
const timed = <A>(
  body: () => Generator<Effect.Effect<unknown, unknown, Checkpoint.CheckpointStore | Scope.Scope>, A, never>
) =>
  Effect.gen(body).pipe(
    Effect.scoped,
    Effect.provide(Checkpoint.layerMemory),
    Effect.provide(TestClock.layer()),
    Effect.runPromise
  )

describe("T7: a quiet partition", () => {
  it("is idle after 30 seconds without rows, at its end; it then holds no window open", () =>
    timed(function* () {
      const input = Memory.channel<Row>({ partitions: ["a", "b"] })
      const { query, partitions, ends } = yield* start(input.source)
      yield* input.push("a", at(1, 25))
      yield* input.push("b", at(3))
      yield* pass(29)
      expect((yield* partitions)["b"]).toMatchObject({ idle: false, watermark: 3 })
      expect(yield* ends).toEqual([])
      // a goes on, so that it is not quiet itself
      yield* input.push("a", at(26))
      yield* pass(3)
      expect((yield* partitions)["b"]).toMatchObject({ idle: true, watermark: 26 })
      expect((yield* partitions)["a"]).toMatchObject({ idle: false })
      expect(yield* ends).toEqual([[10, 2]])
      yield* query.drain
    }))

  it("is active with its next row, which is judged by the raised watermark", () =>
    timed(function* () {
      const { input, query, partitions, late } = yield* raisedTo26
      yield* input.push("b", at(4, 30))
      yield* settle()
      expect((yield* partitions)["b"]).toMatchObject({ idle: false, watermark: 30 })
      yield* pass(1)
      expect(yield* late.rows).toEqual([{ t: 4 }])
      yield* query.drain
    }))

  it("once it is active again, others that fall quiet are raised to it", () =>
    timed(function* () {
      const { input, query, partitions, late } = yield* raisedTo26
      // Now b goes on, and a says nothing.
      for (const t of [30, 40, 50]) {
        yield* input.push("b", at(t))
        yield* pass(1)
      }
      expect(yield* partitions).toMatchObject({ a: { idle: true, watermark: 50 }, b: { idle: false, watermark: 50 } })
      yield* input.push("a", at(45))
      yield* settle()
      yield* query.drain
      expect(yield* late.rows).toEqual([{ t: 45 }])
    }))

  it("is raised again and again while the others go on", () =>
    timed(function* () {
      const input = Memory.channel<Row>({ partitions: ["a", "b"], endPosition: false })
      const { query, partitions } = yield* start(input.source, { idleAfter: "2 seconds" })
      for (const t of [10, 20, 30, 40]) {
        yield* input.push("a", at(t))
        yield* pass(1)
      }
      expect((yield* partitions)["b"]).toMatchObject({ idle: true, watermark: 40 })
      yield* query.drain
    }))

  it("is not idle while rows that are there have not come: at first, and after it was idle", () =>
    timed(function* () {
      const input = Memory.channel<Row>({ partitions: ["a", "b"] })
      let end = 1
      const held: Source<Row, unknown, SourceError> = {
        ...input.source,
        // b is connected, but what comes after its first row is held up on the way.
        open: (p, from) =>
          Effect.map(input.source.open(p, from), (cursor) =>
            p === "b" ? { ...cursor, end: Effect.sync(() => Option.some(position(String(end)))) } : cursor
          )
      }
      const { query, partitions } = yield* start(held, { idleAfter: "2 seconds" })
      yield* input.push("b", at(3))
      end = 2
      const goOn = (t: number) => Effect.andThen(input.push("a", at(t)), pass(1))
      for (const t of [10, 20, 30, 40]) yield* goOn(t)
      expect((yield* partitions)["b"]).toMatchObject({ idle: false, watermark: 3 })
      end = 1
      for (const t of [50, 60]) yield* goOn(t)
      expect((yield* partitions)["b"]).toMatchObject({ idle: true, watermark: 60 })
      end = 2
      for (const t of [70, 80]) yield* goOn(t)
      expect((yield* partitions)["b"]).toMatchObject({ idle: false, watermark: 60 })
      yield* query.drain
    }))

  it("when all are quiet, hold keeps the watermark: nothing closes", () =>
    timed(function* () {
      const input = Memory.channel<Row>({ partitions: ["a", "b"] })
      const { query, partitions, ends } = yield* start(input.source, { idleAfter: "2 seconds", whenQuiet: "hold" })
      yield* input.push("a", at(5))
      yield* input.push("b", at(5))
      yield* pass(60)
      expect((yield* partitions)["a"]).toMatchObject({ idle: true, watermark: 5 })
      expect(yield* ends).toEqual([])
      yield* query.drain
    }))

  it("when all are quiet, following the clock lets it rise to now minus the bound: the last windows close", () =>
    timed(function* () {
      const input = Memory.channel<Row>({ partitions: ["a", "b"], appendTime: true })
      const { query, partitions, ends } = yield* start(input.source, { idleAfter: "2 seconds", outOfOrderness: 1000 })
      yield* input.push("a", at(5))
      yield* pass(10)
      // By default for a source with append times; the clock of the test began at 0.
      expect((yield* partitions)["a"].watermark).toBeGreaterThan(8000)
      expect((yield* partitions)["a"].watermark).toBeLessThanOrEqual(9000)
      expect(yield* ends).toEqual([[10, 1]])
      yield* query.drain
    }))

  it("holds by default where there are no append times", () =>
    timed(function* () {
      const input = Memory.channel<Row>()
      const { query, partitions } = yield* start(input.source, { idleAfter: "2 seconds" })
      yield* input.push("0", at(5))
      yield* pass(10)
      expect((yield* partitions)["0"]).toMatchObject({ idle: true, watermark: 5 })
      yield* query.drain
    }))

  it("a reader that has ended is none of those that are not idle", () =>
    timed(function* () {
      const input = Memory.channel<Row>({ partitions: ["a", "b", "c"], bounded: true })
      const { query, partitions, ends } = yield* start(input.source, { idleAfter: "2 seconds", whenQuiet: "hold" })
      yield* input.push("a", at(1))
      yield* input.end("a")
      yield* input.push("b", at(2))
      yield* pass(1.5)
      yield* input.push("c", at(35))
      yield* pass(1)
      // b is idle, a has ended at 1: what counts is c.
      expect((yield* partitions)["b"]).toMatchObject({ idle: true, watermark: 35 })
      yield* pass(1)
      expect(yield* ends).toEqual([[10, 2]])
      yield* query.drain
    }))
})

describe("T12: a partition that appears later", () => {
  it("starts at the minimum of the others: its older rows are late, and counted", () =>
    timed(function* () {
      const input = Memory.channel<Row>({ partitions: ["a", "b"], dynamicPartitions: true })
      const { query, partitions, ends, late } = yield* start(input.source)
      yield* input.push("a", at(1, 50))
      yield* input.push("b", at(1, 40))
      yield* pass(2)
      expect(yield* ends).toEqual([[10, 2]])
      yield* input.addPartition("c")
      yield* pass(2)
      expect((yield* partitions)["c"]).toMatchObject({ watermark: 40 })
      yield* input.push("c", at(2, 45))
      yield* input.push("a", at(60))
      yield* input.push("b", at(60))
      yield* pass(2)
      // c holds the windows from 50 on; the row at 45 counts.
      expect(yield* late.rows).toEqual([{ t: 2 }])
      expect(yield* ends).toEqual([[10, 2]])
      yield* input.push("c", at(60))
      yield* pass(2)
      expect(yield* ends).toEqual([
        [10, 2],
        [50, 2],
        [60, 1]
      ])
      const summary = yield* query.drain
      expect(summary.ended).toBe("drained")
    }))

  it("W_op stands still until it speaks", () =>
    timed(function* () {
      const input = Memory.channel<Row>({ partitions: ["a"], dynamicPartitions: true })
      const slowToOpen: typeof input.source = {
        ...input.source,
        open: (p, from) =>
          p === "b" ? Effect.delay(input.source.open(p, from), "20 seconds") : input.source.open(p, from)
      }
      const { query, ends } = yield* start(slowToOpen)
      yield* input.push("a", at(1))
      yield* pass(2)
      yield* input.addPartition("b")
      yield* pass(2)
      yield* input.push("a", at(100))
      yield* pass(5)
      expect(yield* ends).toEqual([])
      yield* pass(15)
      yield* input.push("b", at(100))
      yield* pass(2)
      expect(yield* ends).toEqual([[10, 1]])
      yield* query.drain
    }))

  it("a source that has none yet is waited for, and does not hold back the watermark once one is there", () =>
    timed(function* () {
      const input = Memory.channel<Row>({ partitions: [], dynamicPartitions: true })
      let asked = 0
      const emptyAtFirst: typeof input.source = {
        ...input.source,
        partitions: (known) => (asked++ === 0 ? Effect.succeed([]) : input.source.partitions(known))
      }
      const { query, ends } = yield* start(emptyAtFirst)
      yield* pass(5)
      yield* input.addPartition("a")
      yield* input.push("a", at(1, 15))
      yield* pass(3)
      expect(yield* ends).toEqual([[10, 1]])
      expect((yield* query.drain).ended).toBe("drained")
    }))

  it("while a source is asked for its first partitions, a drain ends the query", () =>
    timed(function* () {
      const input = Memory.channel<Row>({ partitions: [], dynamicPartitions: true })
      const { query } = yield* start(input.source)
      expect(yield* query.drain).toMatchObject({ ended: "drained", epoch: 0 })
    }))
})

describe("T14: a reader far ahead of the slowest", () => {
  it("pauses, so that little of it is in state; it goes on when the slowest has come up", () =>
    timed(function* () {
      const rows = Array.from({ length: 2000 }, (_, i) => i * 1000)
      const input = Memory.channel<Row>({ partitions: ["fast", "slow"], chunkRows: 10 })
      const { query, partitions } = yield* start(input.source)
      yield* input.push("slow", at(0))
      yield* settle()
      yield* input.push("fast", at(...rows))
      yield* settle(400)
      const drift = Limits.alignmentDriftMs
      const fast = (yield* partitions)["fast"]
      expect(fast.watermark).toBeGreaterThan(drift)
      // at most a chunk beyond
      expect(fast.watermark).toBeLessThanOrEqual(drift + 10_000)
      expect(fast.idle).toBe(false)
      // A paused reader still takes barriers.
      const before = (yield* query.progress).epoch
      yield* input.push("slow", at(1))
      // What an epoch writes takes real time, however the clock is set.
      for (let n = 0; n < 100 && (yield* query.progress).epoch <= before; n++) yield* pass(2)
      expect((yield* query.progress).epoch).toBeGreaterThan(before)
      yield* input.push("slow", at(1_000_000))
      yield* settle(400)
      expect((yield* partitions)["fast"].watermark).toBeGreaterThan(1_000_000 + drift)
      yield* input.push("slow", at(3_000_000))
      yield* settle(400)
      expect((yield* partitions)["fast"].rows).toBe(2000)
      yield* query.drain
    }))

  it("goes on when the slowest ends or becomes idle", () =>
    timed(function* () {
      const input = Memory.channel<Row>({ partitions: ["fast", "slow"], chunkRows: 1 })
      const { query, partitions } = yield* start(input.source, { alignment: 10, idleAfter: "2 seconds" })
      yield* input.push("slow", at(0))
      yield* settle()
      yield* input.push("fast", at(100, 200, 300))
      yield* pass(1)
      expect((yield* partitions)["fast"].rows).toBe(1)
      yield* pass(2)
      expect((yield* partitions)["slow"]).toMatchObject({ idle: true })
      expect((yield* partitions)["fast"].rows).toBe(3)
      yield* query.drain
    }))

  it("is drained with what it had read when it paused", () =>
    timed(function* () {
      const input = Memory.channel<Row>({ partitions: ["fast", "slow"], chunkRows: 1, replayable: false })
      const { query } = yield* start(input.source, { alignment: 10 })
      yield* input.push("slow", at(0))
      yield* settle()
      yield* input.push("fast", at(100, 200, 300, 400, 500, 600))
      yield* pass(1)
      const summary = yield* query.drain
      const read = (yield* input.handedOut("fast")) + (yield* input.handedOut("slow"))
      expect(read).toBeLessThan(6)
      expect(summary.ledger.operators.filter((o) => o.operator === "window-1")[0].in).toBe(read)
    }))

  it("of several timed streams waits only while it is ahead in all: two never wait for each other", () =>
    timed(function* () {
      const rows = (x: number, y: number) => Array.from({ length: 20 }, (_, i) => ({ x: i * x, y: i * y }))
      const input = Memory.channel<{ x: number; y: number }>({ partitions: ["a", "b"], chunkRows: 1, bounded: true })
      const raw = EventStream.from(input.source)
      const [x, y] = [Memory.sink<object>(), Memory.sink<object>()]
      const query = yield* Query.start(
        Query.outputs({
          x: raw.pipe(EventStream.withEventTime("x", { outOfOrderness: 0, alignment: 5 }), EventStream.to(x)),
          y: raw.pipe(EventStream.withEventTime("y", { outOfOrderness: 0, alignment: 5 }), EventStream.to(y))
        }),
        { name: "q" }
      )
      yield* settle()
      // Row by row, so that both speak before either runs ahead.
      for (let i = 0; i < 20; i++) {
        yield* input.push("a", rows(1000, 0).slice(i, i + 1))
        yield* input.push("b", rows(0, 1000).slice(i, i + 1))
        yield* settle(8)
      }
      yield* input.end("a")
      yield* input.end("b")
      yield* settle(200)
      expect((yield* query.progress).rowsIn).toBe(40)
      yield* query.await
      expect((yield* x.rows).length).toBe(40)
      expect((yield* y.rows).length).toBe(40)
    }))
})

/** What a source is told of committed epochs, so that it can publish a copy: never ahead of results, never in the way. */
import { Deferred, Effect, Fiber, Logger, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { EventStream, Memory, Query, SinkError, Trigger } from "tidemark"
import type { ReaderRecord } from "../../src/checkpoint/Manifest.ts"
import { CommittedPositions } from "../../src/actors/CommittedPositions.ts"
import type { Sink } from "../../src/model/Sink.ts"
import type { Source } from "../../src/model/Source.ts"
import { errorOf, runScoped, settle, startQuery, until } from "./kit.ts"

interface Row {
  readonly n: number
}
const rows = (from: number, to: number): Array<Row> => Array.from({ length: to - from }, (_, i) => ({ n: from + i }))

type Told = Array<ReadonlyArray<readonly [string, string]>>

/** The same source, which notes what it is told, and then does this. */
const noting = <A, M, E>(
  source: Source<A, M, E>,
  told: Told,
  then: () => Effect.Effect<void, unknown> = () => Effect.void
) => ({
  ...source,
  committed: (positions: ReadonlyMap<string, string>) =>
    Effect.suspend(() => {
      told.push([...positions])
      return then()
    })
})

const when = (what: string, holds: () => boolean) => until(what, Effect.sync(holds))

describe("positions of committed epochs", () => {
  it("are told after the commit and not before it, those that changed, and once more when the query goes on", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Row>({ partitions: ["a", "b"] })
        const told: Told = []
        const out = Memory.sink<Row>()
        const commits = yield* Deferred.make<void>()
        let isCommitting = false
        const slow: Sink<Row, "append", SinkError> = {
          ...out,
          commit: (prepared) =>
            Effect.andThen(
              Effect.suspend(() => {
                isCommitting = true
                return Deferred.await(commits)
              }),
              out.commit(prepared)
            )
        }
        const start = startQuery(EventStream.from(noting(input.source, told)).pipe(EventStream.to(slow)))
        const first = yield* start
        yield* input.push("a", rows(0, 3))
        yield* when("it commits", () => isCommitting)
        yield* settle()
        expect(told).toEqual([])
        yield* Deferred.succeed(commits, undefined)
        yield* when("it is told", () => told.length === 1)
        yield* input.push("b", rows(3, 5))
        yield* when("it is told again", () => told.length === 2)
        expect(told).toEqual([[["a", "3"]], [["b", "2"]]])
        yield* first.drain
        expect(told.length).toBe(2)
        const second = yield* start
        yield* when("it is told what it goes on from", () => told.length === 3)
        expect(Object.fromEntries(told[2])).toEqual({ a: "3", b: "2" })
        yield* second.drain
        expect(told.length).toBe(3)
      })
    ))

  it("of an epoch whose commit failed are told once the next attempt has made up for it", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Row>()
        const told: Told = []
        const out = Memory.sink<Row>()
        let left = 1
        const failing: Sink<Row, "append", unknown> = {
          ...out,
          commit: (prepared) =>
            Effect.suspend(() => {
              expect(told).toEqual([])
              const broken = new SinkError({ connector: "out", retryable: true, message: "planted" })
              return left-- > 0 ? Effect.fail(broken) : out.commit(prepared)
            })
        }
        yield* input.push("0", rows(0, 3))
        const stream = EventStream.from(noting(input.source, told)).pipe(EventStream.to(failing))
        yield* startQuery(stream, { restart: Schedule.spaced("1 millis") })
        yield* when("it is told", () => told.length > 0)
        expect([told, yield* out.rows]).toEqual([[[["0", "3"]]], rows(0, 3)])
      }).pipe(Effect.provide(Logger.layer([])))
    ))

  it("do not wait for one another: while one telling is under way the query goes on, and then the newest is told", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Row>()
        const told: Told = []
        const goOn = yield* Deferred.make<void>()
        const out = Memory.sink<Row>()
        let published = 0
        const slowly = Effect.andThen(
          Effect.sleep("100 millis"),
          Effect.sync(() => published++)
        )
        const source = noting(input.source, told, () => Effect.andThen(Deferred.await(goOn), slowly))
        const handle = yield* startQuery(EventStream.from(source).pipe(EventStream.to(out)))
        for (let n = 0; n < 5; n++) {
          yield* input.push("0", rows(n, n + 1))
          yield* until(
            "the epoch is committed",
            Effect.map(out.rows, (found) => found.length === n + 1)
          )
        }
        yield* when("it is told", () => told.length === 1)
        // The last ones are out when a drain is done.
        const draining = yield* Effect.forkChild(handle.drain)
        yield* Deferred.succeed(goOn, undefined)
        yield* Fiber.join(draining)
        expect(told).toEqual([[["0", "1"]], [["0", "5"]]])
        expect(published).toBe(2)
      })
    ))

  it("are those of one reading: a source that two queries read, or one reads twice, is refused", async () => {
    const source = noting(Memory.source(rows(0, 1)), [])
    const read = () => EventStream.from(source).pipe(EventStream.to(Memory.sink()))
    const twice = EventStream.from(source).pipe(
      EventStream.union(EventStream.from(source)),
      EventStream.to(Memory.sink())
    )
    const once = await errorOf(Effect.scoped(Query.startJob(Query.job({ a: read(), b: read() }))))
    expect(String(once)).toMatch(/query b.*publishes positions, and is also read by query a: give each query a source/)
    const job = await errorOf(Query.run(twice, { name: "q", trigger: Trigger.availableNow() }))
    expect(String(job)).toMatch(/publishes positions, and is read twice/)
  })

  const at = (n: number): ReadonlyArray<ReaderRecord> => [
    { operator: "s", partition: "0", lane: 0, position: String(n), rows: n, watermarks: {} },
    { operator: "other", partition: "0", lane: 1, position: "9", rows: 9, watermarks: {} },
    { operator: "s", partition: "none yet", lane: 2, position: undefined, rows: 0, watermarks: {} }
  ]

  it("that cannot be published are said once, and tried again; a drain waits five seconds for the last", () => {
    const said: Array<string> = []
    const logger = Logger.make(({ message }) => void said.push(String(message)))
    const told: Told = []
    let answer: () => Effect.Effect<void, unknown> = () => Effect.fail(new Error("no container"))
    const program = Effect.gen(function* () {
      const source = noting(Memory.source<Row>([]), told, () => answer())
      const positions = new CommittedPositions("s", source.committed)
      yield* Effect.forkChild(positions.run)
      positions.note(at(1))
      yield* settle()
      yield* TestClock.adjust("10 seconds")
      positions.note(at(2))
      // What is thrown is a failure like any other.
      answer = () => {
        throw new Error("no container")
      }
      yield* TestClock.adjust("9 seconds")
      expect(told).toEqual([[["0", "1"]], [["0", "1"]]])
      yield* TestClock.adjust("1 second")
      expect(told[2]).toEqual([["0", "2"]])
      answer = () => Effect.void
      yield* TestClock.adjust("10 seconds")
      expect(told.length).toBe(4)
      expect(said).toEqual([
        "s: committed positions are not published: Error: no container; the query goes on, and it is tried again",
        "s: committed positions are published again, after 3 failures"
      ])
      yield* TestClock.adjust("1 hour")
      yield* positions.settled
      expect(told.length).toBe(4)
      answer = () => Effect.never
      positions.note(at(3))
      const settled = yield* Effect.forkChild(positions.settled)
      yield* TestClock.adjust("4999 millis")
      expect(settled.pollUnsafe()).toBe(undefined)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(settled)
      expect(said.slice(2)).toEqual(["s: the last committed positions were not published within 5000 ms"])
      // The one that does not answer is given up after a minute.
      yield* TestClock.adjust("1 minute")
      expect(said.slice(3).join()).toMatch(/are not published: .*; the query goes on/)
    })
    return Effect.runPromise(Effect.provide(Effect.provide(program, TestClock.layer()), Logger.layer([logger])))
  })
})

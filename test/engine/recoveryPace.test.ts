/** Faults that a review found in when epochs come and what they read: each example failed once. */
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { EventStream, Memory, Query, Trigger, Window } from "tidemark"
import { factsOf } from "../../src/actors/QueryHandle.ts"
import { fillable, onStore, soon, soonRows, withWallClock } from "./faultsKit.ts"
import { counted, settle } from "./kit.ts"

interface Numbered {
  readonly v: number
}

const numbers = (n: number): Array<Numbered> => Array.from({ length: n }, (_, v) => ({ v }))
const dayMs = 86_400_000

describe("C9: a checkpoint that was given up", () => {
  /** Lets test time pass in small steps, and real time for what compresses beside. */
  const pass = (ms: number) =>
    Effect.forEach(Array.from({ length: ms / 50 }), () => Effect.andThen(TestClock.adjust("50 millis"), settle(20)))
  const givenUp = (handle: Query.QueryHandle<unknown>) =>
    Effect.gen(function* () {
      for (let n = 0; n < 500 && factsOf(handle).givenUp === 0; n++) yield* pass(50)
      expect(factsOf(handle).givenUp).toBe(1)
    })
  const inTestTime = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, TestClock.layer())

  it("is tried again when the input is quiet", () => {
    const store = fillable()
    return onStore(
      Effect.gen(function* () {
        const input = Memory.channel<Numbered>()
        const out = Memory.sink<Numbered>()
        const pipeline = EventStream.from(input.source).pipe(EventStream.to(out))
        store.isFull = true
        const handle = yield* Query.start(pipeline, { name: "q", trigger: Trigger.every("50 millis") })
        yield* input.push("0", numbers(2))
        yield* givenUp(handle)
        store.isFull = false
        for (let n = 0; n < 100 && (yield* out.rows).length === 0; n++) yield* pass(100)
        expect(yield* out.rows).toEqual(numbers(2))
        expect(factsOf(handle).givenUp).toBe(0)
      }).pipe(Effect.scoped, inTestTime),
      store.objects
    )
  })

  it("waits for its time, however often maxEvents asks for an epoch", () => {
    const store = fillable()
    return onStore(
      Effect.gen(function* () {
        const input = Memory.channel<Numbered>({ chunkRows: 5 })
        const out = Memory.sink<Numbered>()
        const pipeline = EventStream.from(input.source).pipe(EventStream.to(out))
        yield* input.push("0", numbers(100))
        store.isFull = true
        const trigger = Trigger.every("50 millis", { maxEvents: 10 })
        const handle = yield* Query.start(pipeline, { name: "q", trigger })
        yield* givenUp(handle)
        yield* pass(800)
        expect(factsOf(handle)).toMatchObject({ givenUp: 1, phase: "running" })
        store.isFull = false
        for (let n = 0; n < 100 && (yield* out.rows).length < 100; n++) yield* pass(100)
        expect(yield* out.rows).toHaveLength(100)
      }).pipe(Effect.scoped, inTestTime),
      store.objects
    )
  })
})

describe("A5: maxEvents", () => {
  it("a partition that joins has a share in the budget", () =>
    onStore(
      Effect.gen(function* () {
        const input = Memory.channel<Numbered>({ dynamicPartitions: true, partitions: ["a"] })
        const out = Memory.sink<Numbered>()
        yield* input.push("a", numbers(25))
        const trigger = Trigger.every("1 millis", { maxEvents: 10 })
        yield* Query.start(EventStream.from(input.source).pipe(EventStream.to(out)), { name: "q", trigger })
        yield* soonRows(out, 25)
        yield* input.addPartition("b")
        yield* input.push("b", numbers(2))
        yield* soonRows(out, 27)
      }).pipe(Effect.scoped)
    ))

  it("what is available now, and no more, though there is more by the time the budget allows for it", () =>
    onStore(
      Effect.gen(function* () {
        const input = Memory.channel<Numbered>({ chunkRows: 10 })
        const out = Memory.sink<Numbered>()
        const slow: typeof out = { ...out, commit: (p) => Effect.andThen(Effect.sleep(20), out.commit(p)) }
        yield* input.push("0", numbers(30))
        const trigger = Trigger.availableNow({ maxEvents: 10 })
        const pipeline = EventStream.from(input.source).pipe(EventStream.to(slow))
        const handle = yield* Query.start(pipeline, { name: "q", trigger })
        yield* soon(
          "it has looked where its end is",
          Effect.sync(() => factsOf(handle).status !== undefined)
        )
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(input.push("0", numbers(10)), Effect.sleep(1))))
        yield* Effect.timeout(handle.await, "3 seconds")
        expect(yield* out.rows).toEqual(numbers(30))
      }).pipe(Effect.scoped)
    ))
})

describe("a wall clock that is set", () => {
  it("A5: back by a day: epochs come as before", () =>
    onStore(
      withWallClock((set) =>
        Effect.gen(function* () {
          const input = Memory.channel<Numbered>()
          const out = Memory.sink<Numbered>()
          const pipeline = EventStream.from(input.source).pipe(EventStream.to(out))
          yield* Query.start(pipeline, { name: "q", trigger: Trigger.every("5 millis") })
          yield* input.push("0", [{ v: 1 }])
          yield* soonRows(out, 1)
          set(-dayMs)
          yield* input.push("0", [{ v: 2 }])
          yield* soonRows(out, 2)
        }).pipe(Effect.scoped)
      )
    ))

  it("T7: forth for a moment: no row is late for it", () =>
    onStore(
      withWallClock((set) =>
        Effect.gen(function* () {
          const input = Memory.channel<{ readonly t: number; readonly k: string }>({ appendTime: true })
          const out = Memory.sink()
          const pipeline = EventStream.from(input.source).pipe(
            EventStream.withEventTime("t", { outOfOrderness: "1 second", idleAfter: "20 millis" }),
            EventStream.keyBy("k"),
            EventStream.window(Window.tumbling("1 second"), { late: "drop" }),
            counted,
            EventStream.to(out)
          )
          const handle = yield* Query.start(pipeline, { name: "q", trigger: Trigger.every("5 millis") })
          const readers = () => factsOf(handle).status?.readers ?? []
          yield* input.push("0", [{ t: Date.now(), k: "a" }])
          yield* soon(
            "a watermark",
            Effect.sync(() => readers().some((r) => r.watermark > 0))
          )
          const before = readers()[0].watermark
          set(dayMs)
          yield* soon(
            "a watermark that follows the clock",
            Effect.sync(() => readers()[0].watermark > before)
          )
          set(0)
          expect(readers()[0].watermark).toBeLessThanOrEqual(Date.now())
          yield* input.push("0", [{ t: Date.now(), k: "a" }])
          const { ledger } = yield* handle.drain
          expect(ledger.operators.find((o) => o.operator.startsWith("window"))).toMatchObject({ in: 2, late: 0 })
        }).pipe(Effect.scoped)
      )
    ))
})

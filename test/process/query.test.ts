/** `EventStream.process` as part of a running query: exchanges, the ledger, the clock, restarts, the memory budget. */
import { Effect, References, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Checkpoint, EventStream, Late, Memory, Query, SourceError, Trigger, Window } from "tidemark"
import { describe, expect, it } from "vitest"
import { errorOf, operatorOf, run, runQuery, runScoped, settle, startQuery, until } from "../engine/kit.ts"
import { type Row, row } from "./kit.ts"

const quietly = Effect.provideService(References.MinimumLogLevel, "None")

describe("in a query", () => {
  it("with keys spread over instances, its ledger balances and its results can be windowed again", async () => {
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`)
    const rows = [0, 5, 30, 3].flatMap((t) => keys.map((k) => row(k, t, 1)))
    for (const parallelism of [1, 3]) {
      const out = Memory.sink<{ quiet: boolean; n: number; sum: number }>()
      const late = Memory.sink<Row>()
      const pipeline = EventStream.from(Memory.source(rows)).pipe(
        EventStream.withEventTime("t", { outOfOrderness: 2 }),
        EventStream.keyBy("k"),
        EventStream.process({
          state: Schema.Number,
          ttl: "1 minute",
          late: Late.to(late),
          onRow: (r, { state, onEventTime }) => {
            const total = (state.get() ?? 0) + r.v
            state.set(total)
            onEventTime(r.t + 10)
            return [{ total, quiet: false }]
          },
          onTimer: (_, { state }) => [{ total: state.get() ?? 0, quiet: true }]
        }),
        EventStream.keyBy("quiet"),
        EventStream.window(Window.tumbling(1000), { late: "drop" }),
        EventStream.aggregate(({ count, sum }) => ({ n: count, sum: sum("total") })),
        EventStream.to(out)
      )
      const { ledger } = await run(runQuery(pipeline, { parallelism, chunkRows: 7 }))
      const results = (await Effect.runPromise(out.rows)).map(({ quiet, n, sum }) => [quiet, n, sum])
      expect(new Set(results)).toEqual(
        new Set([
          [false, 150, 300],
          // The first row at 30 came when the watermark was 3, and moved its key on before it was due.
          [true, 99, 248]
        ])
      )
      expect(operatorOf(ledger, "process-1")).toMatchObject({ in: 200, forwarded: 150, late: 50, held: 0 })
      expect((await Effect.runPromise(late.rows)).length).toBe(50)
    }
  })

  it("without event time, timers come by the clock, in an epoch of their own", () =>
    Effect.gen(function* () {
      const input = Memory.channel<{ readonly k: string }>()
      const out = Memory.sink<string>()
      const pipeline = EventStream.from(input.source).pipe(
        EventStream.keyBy("k"),
        EventStream.process({
          state: Schema.Number,
          ttl: "1 minute",
          onRow: (_, { state, now, onProcessingTime }) => {
            state.set(now)
            onProcessingTime(now + 5000)
          },
          onTimer: (timer, { key, state }) => [`${key.k} ${timer.at - (state.get() ?? 0)}`]
        }),
        EventStream.to(out)
      )
      yield* Query.start(pipeline, { name: "q", trigger: Trigger.every("1 second") })
      const pass = (seconds: number) =>
        Effect.gen(function* () {
          for (let i = 0; i < seconds * 4; i++) {
            yield* TestClock.adjust("250 millis")
            yield* settle(12)
          }
        })
      yield* settle()
      yield* input.push("0", [{ k: "a" }])
      yield* pass(4)
      expect(yield* out.rows).toEqual([])
      yield* input.push("0", [{ k: "b" }])
      yield* pass(3)
      expect(yield* out.rows).toEqual(["a 5000"])
      yield* pass(4)
      expect(yield* out.rows).toEqual(["a 5000", "b 5000"])
    }).pipe(
      Effect.scoped,
      Effect.provide(Checkpoint.layerMemory),
      Effect.provide(TestClock.layer()),
      Effect.runPromise
    ))

  it("a restart goes on with state and timers", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Row>({ bounded: true })
        const out = Memory.sink<string>()
        const pipeline = EventStream.from(input.source).pipe(
          EventStream.withEventTime("t", { outOfOrderness: 0 }),
          EventStream.keyBy("k"),
          EventStream.process({
            state: Schema.Number,
            ttl: "1 minute",
            late: "drop",
            onRow: (r, { key, state, onEventTime }) => {
              const total = (state.get() ?? 0) + r.v
              state.set(total)
              onEventTime(r.t + 10)
              return [`${key.k}${total}`]
            },
            onTimer: (_, { key, state }) => [`${key.k}${state.get()}!`]
          }),
          EventStream.to(out)
        )
        const query = yield* startQuery(pipeline, { restart: Schedule.spaced("10 millis") })
        yield* input.push("0", [row("a", 1, 1), row("b", 2, 5)])
        yield* until(
          "a first epoch is out",
          Effect.map(out.rows, (rows) => rows.length === 2)
        )
        yield* input.fail("0", new SourceError({ connector: "channel", retryable: true, message: "gone" }))
        yield* input.push("0", [row("a", 3, 2), row("b", 50), row("a", 100, 3)])
        yield* input.end("0")
        const summary = yield* query.await
        expect(summary).toMatchObject({ ended: "exhausted", restarts: 1 })
        const rows = yield* out.rows
        expect(rows.filter((said) => said.startsWith("a"))).toEqual(["a1", "a3", "a3!", "a6", "a6!"])
        expect(rows.filter((said) => said.startsWith("b"))).toEqual(["b5", "b5", "b5!"])
        expect(operatorOf(summary.ledger, "process-1")).toMatchObject({ in: 5, forwarded: 5 })
      }).pipe(quietly)
    ))

  it("C8: a restart with another Schema for the state, and the same version, is refused", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Row>()
        const total = <S>(state: Schema.Codec<S, unknown>, set: (r: Row) => S) =>
          EventStream.from(input.source).pipe(
            EventStream.keyBy("k"),
            EventStream.process({
              state,
              ttl: "never",
              onRow: (r, context) => {
                context.state.set(set(r))
                return [r]
              }
            }),
            EventStream.to(out)
          )
        const out = Memory.sink<Row>()
        const first = yield* startQuery(total(Schema.Number, (r) => r.v))
        yield* input.push("0", [row("ann", 0, 3)])
        yield* until(
          "the row is out",
          Effect.map(out.rows, (rows) => rows.length === 1)
        )
        yield* first.drain
        yield* first.await
        const second = yield* startQuery(total(Schema.String, (r) => r.k))
        const error = yield* Effect.flip(second.await)
        expect(error).toMatchObject({ reason: "PlanChanged" })
        expect(String(error.message)).toContain(
          'query q cannot go on from its checkpoint: process-1[0]: the state of key ["ann"] in the checkpoint does not fit its Schema: raise version, and give migrate: { 1: (old) => state }: SchemaError(Expected string'
        )
      }).pipe(quietly)
    ))

  it("what its functions throw ends the query, naming function, key and row", async () => {
    const pipeline = EventStream.from(Memory.source([row("ann", 1, 7)])).pipe(
      EventStream.withEventTime("t", { outOfOrderness: 0 }),
      EventStream.keyBy("k"),
      EventStream.process({
        state: Schema.Number,
        ttl: "never",
        late: "drop",
        onRow: (r) => {
          if (r.v === 7) throw new RangeError("seven")
          return [r]
        }
      }),
      EventStream.to(Memory.sink())
    )
    expect(await errorOf(runQuery(pipeline).pipe(quietly))).toMatchObject({
      _tag: "QueryError",
      reason: "UserCode",
      message:
        'process.onRow (key {"k":"ann"}) of process-1[0] threw on row {"k":"ann","t":1,"v":7}: RangeError: seven. Mend the function, or filter such rows before it'
    })
  })

  it("a row on which it fails again and again is set aside as a dead letter", () =>
    runScoped(
      Effect.gen(function* () {
        const out = Memory.sink<number>()
        const rows = [1, 2, 3, 4].map((v) => row("a", v, v))
        const pipeline = EventStream.from(Memory.source(rows)).pipe(
          EventStream.withEventTime("t", { outOfOrderness: 0 }),
          EventStream.keyBy("k"),
          EventStream.process({
            state: Schema.Number,
            ttl: "never",
            late: "drop",
            onRow: (r, { state }) => {
              if (r.v === 3) throw new Error("three")
              state.set((state.get() ?? 0) + r.v)
              return [state.get() ?? 0]
            }
          }),
          EventStream.to(out)
        )
        const query = yield* startQuery(pipeline, { restart: Schedule.spaced("1 millis") })
        const { restarts, ledger } = yield* query.await
        expect(restarts).toBe(3)
        expect(yield* out.rows).toEqual([1, 3, 7])
        expect(ledger.operators.reduce((n, o) => n + o.dead, 0)).toBe(1)
      }).pipe(quietly)
    ))

  it("a row whose key is no key is a dead letter", async () => {
    const out = Memory.sink<Row>()
    const rows = [row("a", 1), { ...row("a", 2), k: null as unknown as string }]
    const pipeline = EventStream.from(Memory.source(rows)).pipe(
      EventStream.keyBy("k"),
      EventStream.process({ state: Schema.Number, ttl: "never", onRow: (r) => [r] }),
      EventStream.to(out)
    )
    const { ledger } = await run(runQuery(pipeline).pipe(quietly))
    expect(operatorOf(ledger, "process-1.exchange")).toMatchObject({ in: 2, forwarded: 1, dead: 1 })
    expect((await Effect.runPromise(out.rows)).length).toBe(1)
  })

  it("A7: state beyond the memory budget ends the query, naming operator, bytes and keys", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Row>()
        const pipeline = EventStream.from(input.source).pipe(
          EventStream.keyBy("k"),
          EventStream.process({
            state: Schema.String,
            ttl: "never",
            onRow: (r, { state }) => state.set("x".repeat(r.v))
          }),
          EventStream.named("hoard"),
          EventStream.to(Memory.sink())
        )
        const query = yield* startQuery(pipeline, {
          memoryBudgetBytes: 1_000_000,
          restart: Schedule.spaced("1 millis")
        })
        yield* input.push("0", [row("a", 0, 2_000_000)])
        const error = yield* Effect.flip(query.await)
        expect(error).toMatchObject({ reason: "MemoryBudget" })
        expect(String(error.message)).toContain("hoard holds 2.0 MB for 1 key.")
      }).pipe(quietly)
    ))
})

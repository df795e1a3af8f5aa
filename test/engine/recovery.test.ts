import { Effect, References, Schedule } from "effect"
import { describe, expect, it } from "vitest"
import { Checkpoint, EventStream, Foreach, Memory, Query, QueryError, StoreError, Trigger, Window } from "tidemark"
import { factsOf } from "../../src/actors/QueryHandle.ts"
import { Limits } from "../../src/model/Limits.ts"
import { counted, errorOf, until } from "./kit.ts"

interface Row {
  readonly t: number
  readonly k: string
}

const quietly = Effect.provideService(References.MinimumLogLevel, "None")
const rows = (from: number, to: number): ReadonlyArray<Row> =>
  Array.from({ length: to - from }, (_, i) => ({ t: (from + i) * 10, k: "ab"[(from + i) % 2] }))

/** Effects of one test share a store, as processes share a folder. */
const withStore = <A, E>(effect: Effect.Effect<A, E, Checkpoint.CheckpointStore>): Promise<A> =>
  Effect.runPromise(effect.pipe(quietly, Effect.provide(Checkpoint.layer(Memory.objectStore()))))

const windowed = (source: ReturnType<typeof Memory.source<Row>>, out: ReturnType<typeof Memory.sink>) =>
  EventStream.from(source).pipe(
    EventStream.withEventTime("t", { outOfOrderness: 0 }),
    EventStream.keyBy("k"),
    EventStream.window(Window.tumbling(100), { late: "drop" }),
    counted,
    EventStream.to(out)
  )

const windowsOf = (results: ReadonlyArray<unknown>): ReadonlyArray<number> =>
  [...new Set(results.map((r) => (r as { window_start: number }).window_start))].toSorted((a, b) => a - b)

describe("T11, A5: what is available, and then the end", () => {
  it("windows stay open in the checkpoint, and the next run goes on; nothing twice", () =>
    withStore(
      Effect.gen(function* () {
        const out = Memory.sink()
        const options = { name: "q", trigger: Trigger.availableNow({ maxEvents: 7 }) }
        const first = yield* Query.run(windowed(Memory.source(rows(0, 25)), out), options)
        expect(first.ended).toBe("drained")
        expect(windowsOf(yield* out.rows)).toEqual([0, 100])
        const second = yield* Query.run(windowed(Memory.source(rows(0, 45)), out), options)
        expect(windowsOf(yield* out.rows)).toEqual([0, 100, 200, 300])
        expect(second.ledger.operators.find((o) => o.operator === "window-1")).toMatchObject({ in: 45, held: 5 })
        const last = yield* Query.run(windowed(Memory.source(rows(0, 45)), out), { name: "q" })
        expect(last.ended).toBe("exhausted")
        expect(windowsOf(yield* out.rows)).toEqual([0, 100, 200, 300, 400])
        expect((yield* out.rows).reduce<number>((n, r) => n + (r as { n: number }).n, 0)).toBe(45)
      })
    ))

  it("an epoch holds at most maxEvents; once is one epoch", () =>
    withStore(
      Effect.scoped(
        Effect.gen(function* () {
          const epochsOf = (trigger: Trigger.Trigger, name: string) =>
            Effect.gen(function* () {
              const handle = yield* Query.start(windowed(Memory.source(rows(0, 50)), Memory.sink()), { name, trigger })
              yield* handle.await
              return factsOf(handle)
                .epochs.map((e) => e.rowsIn)
                .filter((n) => n > 0)
            })
          const bounded = yield* epochsOf(Trigger.availableNow({ maxEvents: 7 }), "bounded")
          expect(bounded.reduce((a, b) => a + b, 0)).toBe(50)
          expect(Math.max(...bounded)).toBeLessThanOrEqual(7)
          expect(yield* epochsOf(Trigger.once(), "once")).toEqual([50])
        })
      )
    ))

  it("rows after the end of a bounded input, whose windows are closed, are refused", () =>
    withStore(
      Effect.gen(function* () {
        const out = Memory.sink()
        yield* Query.run(windowed(Memory.source(rows(0, 25)), out), { name: "q" })
        // Nothing new is no problem.
        yield* Query.run(windowed(Memory.source(rows(0, 25)), out), { name: "q" })
        const error = yield* Effect.flip(Query.run(windowed(Memory.source(rows(0, 26)), out), { name: "q" }))
        expect(error).toMatchObject({ _tag: "QueryError", reason: "InputEnded" })
        expect((yield* out.rows).reduce<number>((n, r) => n + (r as { n: number }).n, 0)).toBe(25)
      })
    ))
})

describe("C10: savepoints", () => {
  it("stop with one, go on for a while, begin another query with it", () =>
    withStore(
      Effect.scoped(
        Effect.gen(function* () {
          const input = Memory.channel<Row>()
          const plan = (out: ReturnType<typeof Memory.sink>) =>
            windowed(input.source as unknown as ReturnType<typeof Memory.source<Row>>, out)
          const out = Memory.sink()
          const handle = yield* Query.start(plan(out), { name: "q", trigger: Trigger.every("1 millis") })
          yield* input.push("0", [...rows(0, 25)])
          yield* until(
            "two windows",
            Effect.map(out.rows, (all) => windowsOf(all).length === 2)
          )
          yield* handle.stopWithSavepoint("before-the-change")
          const other = Memory.sink()
          const again = yield* Query.start(plan(other), {
            name: "other",
            savepoint: "q/before-the-change",
            trigger: Trigger.every("1 millis")
          })
          yield* input.push("0", [...rows(25, 45)])
          yield* until(
            "two more windows",
            Effect.map(other.rows, (all) => windowsOf(all).length === 2)
          )
          yield* again.drain
          expect(windowsOf(yield* other.rows)).toEqual([200, 300])
          expect((yield* other.rows).map((r) => (r as { n: number }).n)).toEqual([5, 5, 5, 5])
          const missing = yield* Effect.flip(Query.run(plan(Memory.sink()), { name: "third", savepoint: "q/none" }))
          expect(missing).toMatchObject({ reason: "Checkpoint" })
        })
      )
    ))
})

describe("a row that fails attempt after attempt", () => {
  const failing = (n: number) =>
    EventStream.from(Memory.source(rows(0, 20))).pipe(
      EventStream.map((row) => {
        if (row.t === n) throw new Error("cannot be")
        return row
      })
    )

  it("is set aside as a dead letter, and the others go on", () =>
    withStore(
      Effect.gen(function* () {
        const out = Memory.sink<Row>()
        const summary = yield* Query.run(failing(120).pipe(EventStream.to(out)), {
          name: "q",
          chunkRows: 3,
          restart: Schedule.spaced("1 millis")
        })
        expect(summary.restarts).toBe(Limits.poisonAttempts)
        expect((yield* out.rows).map((r) => r.t)).toEqual(rows(0, 20).flatMap(({ t }) => (t === 120 ? [] : [t])))
        const letters = yield* Query.deadLetters("q")
        expect(letters).toHaveLength(1)
        expect(letters[0]).toMatchObject({ partition: "0", reason: "user-code", text: '{"t":120,"k":"a"}' })
        expect(letters[0].detail).toContain("cannot be")
      })
    ))

  it("an effect that fails on it likewise; without restarts the query fails at once", () =>
    withStore(
      Effect.gen(function* () {
        const out = Memory.sink<Row>()
        const effects = EventStream.from(Memory.source(rows(0, 20))).pipe(
          EventStream.mapEffect((row) => (row.t === 50 ? Effect.fail("no" as const) : Effect.succeed(row)))
        )
        expect(yield* Effect.flip(Query.run(effects.pipe(EventStream.to(out)), { name: "once" }))).toBe("no")
        yield* Query.run(effects.pipe(EventStream.to(out)), { name: "q", restart: Schedule.spaced("1 millis") })
        expect((yield* out.rows).map((r) => r.t)).toEqual(rows(0, 20).flatMap(({ t }) => (t === 50 ? [] : [t])))
        expect(yield* Query.deadLetters("q")).toHaveLength(1)
      })
    ))
})

describe("C3, C9: a store without room for dead letters", () => {
  it("is asked again: the epoch has happened, and the query goes on without a restart", async () => {
    const inner = Memory.objectStore()
    let refused = 0
    const put = (name: string, bytes: Uint8Array) =>
      Effect.suspend(() => {
        if (!name.startsWith("dead/") || refused++ > 0) return inner.put(name, bytes)
        return Effect.fail(new StoreError({ store: "m", name, operation: "put", message: "planted: disk full" }))
      })
    await Effect.gen(function* () {
      const out = Memory.sink<Row>()
      const pipeline = EventStream.from(Memory.source(rows(0, 9))).pipe(
        EventStream.mapEffect((row) => (row.t === 50 ? Effect.fail("no") : Effect.succeed(row)), {
          onError: "deadLetter"
        }),
        EventStream.to(out)
      )
      const summary = yield* Query.run(pipeline, { name: "q" })
      expect(summary.restarts).toBe(0)
      expect(refused).toBeGreaterThan(1)
      expect(yield* Query.deadLetters("q")).toHaveLength(1)
      expect(yield* out.rows).toHaveLength(8)
    }).pipe(quietly, Effect.provide(Checkpoint.layer({ ...inner, put })), Effect.runPromise)
  })
})

describe("C5a: one owner", () => {
  it("two queries of one name on one store in one process: the second is refused", () =>
    withStore(
      Effect.scoped(
        Effect.gen(function* () {
          const input = Memory.channel<Row>()
          const first = yield* Query.start(EventStream.from(input.source).pipe(EventStream.to(Memory.sink())), {
            name: "q"
          })
          yield* until(
            "it runs",
            Effect.map(first.progress, (p) => p.phase === "running")
          )
          const second = yield* Effect.flip(
            Query.run(EventStream.from(input.source).pipe(EventStream.to(Memory.sink())), { name: "q" })
          )
          expect(second).toMatchObject({ reason: "Owned" })
        })
      )
    ))
})

describe("C2, C4: a sink that is ahead of the checkpoint", () => {
  it("is not written to: its epochs would be taken for repetitions", async () => {
    const seen: Array<number> = []
    const sink = Foreach.batch<Row>((epoch) => Effect.sync(() => seen.push(epoch)))
    const ahead = { ...sink, committed: () => Effect.succeed({ _tag: "Some", value: 9 } as never) }
    const error = await errorOf(
      Query.run(EventStream.from(Memory.source(rows(0, 3))).pipe(EventStream.to(ahead)), { name: "q" })
    )
    expect(error).toBeInstanceOf(QueryError)
    expect(error).toMatchObject({ reason: "Checkpoint" })
    expect(seen).toEqual([])
  })
})

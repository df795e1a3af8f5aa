import { Cause, Context, Effect, Exit, Fiber, Layer, References, Schedule, Stream } from "effect"
import { Checkpoint, EventStream, Memory, Query, SourceError, Streams, Window } from "tidemark"
import { describe, expect, it } from "vitest"
import { Limits } from "../../src/model/Limits.ts"
import { counted, errorOf, operatorOf, run, runQuery, runScoped, startQuery, until } from "./kit.ts"

interface Row {
  readonly t: number
}

const at = (...times: ReadonlyArray<number>): ReadonlyArray<Row> => times.map((t) => ({ t }))
const gone = new SourceError({ connector: "c", retryable: false, message: "gone" })
const quietly = Effect.provideService(References.MinimumLogLevel, "None")

describe("sources", () => {
  it("union: rows of several sources, each partition with a watermark of its own", async () => {
    const out = Memory.sink<{ window_start: number; n: number }>()
    const [a, b] = [at(1, 2, 50), at(3, 4)].map((rows) =>
      EventStream.from(Memory.source(rows)).pipe(EventStream.withEventTime("t", { outOfOrderness: 0 }))
    )
    const c = EventStream.from(Streams.source(Stream.fromIterable(at(5, 51)), { bounded: true })).pipe(
      EventStream.withEventTime("t", { outOfOrderness: 0 })
    )
    const { ledger } = await run(
      runQuery(
        a.pipe(
          EventStream.union(b),
          EventStream.union(c),
          EventStream.keyBy(),
          EventStream.window(Window.tumbling(10), { late: "drop" }),
          counted,
          EventStream.to(out)
        )
      )
    )
    expect((await run(out.rows)).map((r) => [r.window_start, r.n])).toEqual([
      [0, 5],
      [50, 2]
    ])
    expect(ledger.operators.map((o) => o.operator).filter((name) => name.startsWith("source"))).toEqual([
      "source memory",
      "source memory-2",
      "source stream"
    ])
  })

  it("a stream joined with itself counts twice", async () => {
    const out = Memory.sink<{ n: number; first: number }>()
    const s = EventStream.from(Memory.source(at(1, 2, 3))).pipe(EventStream.withEventTime("t", { outOfOrderness: 0 }))
    await run(
      runQuery(
        s.pipe(
          EventStream.union(s),
          EventStream.keyBy(),
          EventStream.window(Window.global(), { late: "drop" }),
          EventStream.aggregate(({ count, first }) => ({ n: count, first: first("t") })),
          EventStream.to(out)
        )
      )
    )
    expect(await run(out.rows)).toMatchObject([{ n: 6, first: 1 }])
  })

  it("without partitions, or without rows, the query ends at once, and balances", async () => {
    for (const partitions of [{}, { p: [] }]) {
      const out = Memory.sink()
      const { ended, ledger } = await run(
        runQuery(
          EventStream.from(Memory.source<Row>({ partitions })).pipe(
            EventStream.withEventTime("t", { outOfOrderness: 0 }),
            EventStream.keyBy(),
            EventStream.window(Window.tumbling(10), { late: "drop" }),
            counted,
            EventStream.to(out)
          ),
          { parallelism: 2 }
        )
      )
      expect(ended).toBe("exhausted")
      expect(await run(out.rows)).toEqual([])
      expect(operatorOf(ledger, "window-1")["in"]).toBe(0)
    }
  })

  it("an empty one holds up none that it is joined with", async () => {
    const out = Memory.sink<{ n: number }>()
    const none = EventStream.from(Memory.source<Row>({ partitions: {} }))
    await run(
      runQuery(
        EventStream.from(Memory.source(at(1, 2))).pipe(
          EventStream.union(none),
          EventStream.withEventTime("t", { outOfOrderness: 0 }),
          EventStream.keyBy(),
          EventStream.window(Window.tumbling(10), { late: "drop" }),
          counted,
          EventStream.to(out)
        )
      )
    )
    expect((await run(out.rows)).map((r) => r.n)).toEqual([2])
  })

  it("partitions and sources whose names run together are apart", async () => {
    const source = (name: string, partition: string) =>
      EventStream.from(Memory.source({ partitions: { [partition]: at(1) } }, { name }))
    const out = Memory.sink()
    const { ledger } = await run(
      runQuery(source("a", "b/c").pipe(EventStream.union(source("a/b", "c")), EventStream.to(out)))
    )
    expect((await run(out.rows)).length).toBe(2)
    expect(ledger.edges.filter((e) => e.received > 0).length).toBe(2)
  })

  it("one that gives more rows than it was asked for, beyond the bound of a chunk, is a fault that is named", async () => {
    const memory = Memory.source(Array.from({ length: Limits.chunkRowsMax + 1 }, (_, t) => ({ t })))
    const greedy: typeof memory = {
      ...memory,
      open: (p, from) =>
        Effect.map(memory.open(p, from), (cursor) => ({ ...cursor, pull: (d) => cursor.pull({ ...d, rows: 1 << 20 }) }))
    }
    const error = await errorOf(runQuery(EventStream.from(greedy).pipe(EventStream.to(Memory.sink()))))
    expect(error).toBeInstanceOf(SourceError)
    expect(error.message).toContain(`a pull returned ${Limits.chunkRowsMax + 1} rows`)
  })
})

describe("backpressure", () => {
  it("a sink that does not take rows stops its source within the bounds of the queues", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Row>({ chunkRows: 10 })
        const open = Memory.sink<Row>()
        const shut: typeof open = {
          ...open,
          writer: (context) => Effect.map(open.writer(context), (w) => ({ ...w, write: () => Effect.never }))
        }
        const query = yield* startQuery(
          EventStream.from(input.source).pipe(
            EventStream.map((r) => r),
            EventStream.to(shut)
          )
        )
        yield* input.push(
          "0",
          Array.from({ length: 5000 }, (_, t) => ({ t }))
        )
        const full = Limits.edgeChunksMax * 10
        for (let i = 0; i < 3_000 && (yield* input.handedOut("0")) < full; i++) yield* Effect.sleep("10 millis")
        yield* Effect.sleep("30 millis")
        const pulled = yield* input.handedOut("0")
        // What is in the edge, in the writer, in the reader's hands, and the few chunks that it pulls ahead.
        expect(pulled).toBeLessThanOrEqual((Limits.edgeChunksMax + 8) * 10)
        expect(pulled).toBeGreaterThanOrEqual(full)
        const { queues } = yield* query.progress
        for (const queue of queues) expect(queue.peak).toBeLessThanOrEqual(Limits.edgeChunksMax)
      })
    ))
})

describe("Query.toStream", () => {
  const stream = EventStream.from(Memory.source(at(1, 2, 11, 25))).pipe(
    EventStream.withEventTime("t", { outOfOrderness: 0 }),
    EventStream.keyBy(),
    EventStream.window(Window.tumbling(10), { late: "drop" }),
    counted
  )

  it("gives results as they come, and ends with the query", async () => {
    const rows = await run(Stream.runCollect(Query.toStream(stream, { name: "q" })))
    expect(Array.from(rows).map((r) => [r.window_start, r.n])).toEqual([
      [0, 2],
      [10, 1],
      [20, 1]
    ])
  })

  it("fails as the query fails", async () => {
    const failing = EventStream.from(Memory.source(at(1))).pipe(
      EventStream.map((): Row => {
        throw new Error("boom")
      })
    )
    const error = await errorOf(Stream.runCollect(Query.toStream(failing, { name: "q" })))
    expect(error).toMatchObject({ reason: "UserCode" })
  })

  it("ends the query when it is left early, and holds it back when it is slow", async () => {
    const input = Memory.channel<Row>({ chunkRows: 100 })
    await Effect.runPromise(
      input.push(
        "0",
        Array.from({ length: 50_000 }, (_, t) => ({ t }))
      )
    )
    const slow = Query.toStream(EventStream.from(input.source), { name: "q" }).pipe(
      Stream.tap(() => Effect.sleep("10 millis")),
      Stream.take(3)
    )
    const rows = await run(Stream.runCollect(slow))
    expect(Array.from(rows).map((r) => r.t)).toEqual([0, 1, 2])
    expect(await Effect.runPromise(input.cursors)).toBe(0)
    expect(await Effect.runPromise(input.handedOut("0"))).toBeLessThan(10_000)
  })
})

describe("Query.job and Query.layer", () => {
  it("runs queries side by side, each with its own ledger; the first that fails ends the others", async () => {
    const [a, b] = [Memory.sink<Row>(), Memory.sink<Row>()]
    const job = Query.job({
      a: EventStream.from(Memory.source(at(1, 2))).pipe(EventStream.to(a)),
      b: EventStream.from(Memory.source(at(3))).pipe(EventStream.to(b))
    })
    const summaries = await run(Query.runJob(job))
    expect([summaries.a.name, summaries.b.name]).toEqual(["a", "b"])
    expect(summaries.a.ledger.operators[0].in).toBe(2)
    expect(summaries.b.ledger.operators[0].in).toBe(1)
    const input = Memory.channel<Row>()
    const failing = Query.job({
      waits: EventStream.from(input.source).pipe(EventStream.to(Memory.sink())),
      fails: EventStream.from(Memory.source(at(1))).pipe(
        EventStream.filter(() => {
          throw new Error("boom")
        }),
        EventStream.to(Memory.sink())
      )
    })
    expect(await errorOf(Query.runJob(failing))).toMatchObject({ reason: "UserCode", query: "fails" })
    expect(await Effect.runPromise(input.cursors)).toBe(0)
  })

  it("a layer starts the queries and ends them with its scope; its service finds them by name", () =>
    run(
      Effect.gen(function* () {
        const input = Memory.channel<Row>()
        const out = Memory.sink<Row>()
        const job = Query.job({ orders: EventStream.from(input.source).pipe(EventStream.to(out)) })
        yield* Effect.gen(function* () {
          const queries = yield* Query.Queries
          const orders = yield* queries.get("orders")
          expect((yield* queries.list).map((q) => q.name)).toEqual(["orders"])
          expect(yield* Effect.flip(queries.get("__proto__"))).toMatchObject({ reason: "InvalidPipeline" })
          yield* input.push("0", at(1))
          yield* until(
            "read",
            Effect.map(orders.progress, (p) => p.rowsIn === 1)
          )
          yield* orders.drain
          expect(yield* out.rows).toEqual(at(1))
        }).pipe(Effect.provide(Query.layer(job)))
        expect(yield* input.cursors).toBe(0)
      })
    ))

  it("a query that dies is not silent: it interrupts Layer.launch", async () => {
    const input = Memory.channel<Row>()
    const job = Query.job({ orders: EventStream.from(input.source).pipe(EventStream.to(Memory.sink())) })
    const launched = Effect.runFork(quietly(Layer.launch(Query.layer(job).pipe(Layer.provide(Checkpoint.layerMemory)))))
    await Effect.runPromise(input.caughtUp("0"))
    await Effect.runPromise(input.fail("0", new SourceError({ connector: "c", retryable: false, message: "gone" })))
    const exit = await Effect.runPromise(Fiber.await(launched))
    expect(Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)).toBe(true)
  })

  it("and its failure is there for the app", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Row>()
        const job = Query.job(
          { orders: EventStream.from(input.source).pipe(EventStream.to(Memory.sink())) },
          { restart: Schedule.recurs(1) }
        )
        // Built by a fiber that has ended, so that there is none to interrupt.
        const building = yield* Effect.forkChild(Layer.build(Query.layer(job)))
        const queries = Context.get(yield* Fiber.join(building), Query.Queries)
        yield* input.fail("0", gone, 2)
        expect(yield* Effect.flip(queries.failure)).toEqual(gone)
      }).pipe(quietly)
    ))

  it("services that a job's queries need are provided once, and are there for as long as they run", async () => {
    class Prices extends Context.Service<Prices, { readonly of: (t: number) => Effect.Effect<number> }>()("Prices") {}
    const log: Array<string> = []
    const prices = Layer.effect(
      Prices,
      Effect.acquireRelease(
        Effect.sync(() => {
          log.push("open")
          return Prices.of({ of: (t) => Effect.sync(() => (log.push("used"), t * 10)) })
        }),
        () => Effect.sync(() => log.push("close"))
      )
    )
    const out = Memory.sink<number>()
    const priced = EventStream.from(Memory.source(at(1, 2))).pipe(
      EventStream.mapEffect((r) => Effect.flatMap(Prices, (p) => p.of(r.t))),
      EventStream.to(out)
    )
    await run(Query.runJob(Query.provide(prices)(Query.job({ priced }))))
    expect(await run(out.rows)).toEqual([10, 20])
    expect(log).toEqual(["open", "used", "used", "close"])
  })
})

import { Effect } from "effect"
import { EventStream, Memory, Window } from "tidemark"
import { describe, expect, it } from "vitest"
import { counted, operatorOf, run, runQuery, runScoped, startQuery, until } from "./kit.ts"
import { at, type Row, windowed } from "./windowed.ts"

describe("T6, A6: a window closes when end <= W_op, once, and only if it has rows", () => {
  it("not before the slowest partition has passed its end", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Row>({ partitions: ["a", "b"] })
        const out = Memory.sink<{ window_end: number; n: number }>()
        const query = yield* startQuery(
          EventStream.from(input.source).pipe(
            EventStream.withEventTime("t", { outOfOrderness: 0 }),
            EventStream.keyBy(),
            EventStream.window(Window.tumbling(10), { late: "drop" }),
            counted,
            EventStream.to(out)
          )
        )
        const watermark = Effect.map(query.progress, (p) => p.operators[0]?.watermark)
        yield* input.push("a", at(1, 2, 25))
        yield* input.push("b", at(3, 9))
        yield* until(
          "W_op is 9",
          Effect.map(watermark, (w) => w === 9)
        )
        expect(yield* out.rows).toEqual([])
        yield* input.push("b", at(10))
        yield* until(
          "the window is out",
          Effect.map(out.rows, (rows) => rows.length > 0)
        )
        expect(yield* out.rows).toEqual([{ window_start: 0, window_end: 10, n: 4 }])
        // [10, 20) has one row, [20, 30) another; nothing between 30 and 100.
        yield* input.push("a", at(100))
        yield* input.push("b", at(100))
        yield* until(
          "three windows",
          Effect.map(out.rows, (rows) => rows.length === 3)
        )
        expect((yield* out.rows).map((r) => [r.window_end, r.n])).toEqual([
          [10, 4],
          [20, 1],
          [30, 1]
        ])
        yield* query.drain
      })
    ))

  it("with an allowed lateness, late rows bring it out again until end + L <= W_op", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Row>()
        const out = Memory.sink<{ window_end: number; n: number }>()
        const query = yield* startQuery(
          EventStream.from(input.source).pipe(
            EventStream.withEventTime("t", { outOfOrderness: 0 }),
            EventStream.keyBy(),
            EventStream.window(Window.tumbling(10), { late: "drop", allowedLateness: 5 }),
            counted,
            EventStream.to(out, { mode: "update" })
          )
        )
        const panes = Effect.map(out.rows, (rows) => rows.map((r) => [r.window_end, r.n]))
        yield* input.push("0", at(1, 12))
        yield* until(
          "the first pane",
          Effect.map(panes, (p) => p.length === 1)
        )
        yield* input.push("0", at(2))
        yield* until(
          "the second pane",
          Effect.map(panes, (p) => p.length === 2)
        )
        yield* input.push("0", at(15, 3))
        yield* until(
          "the late row is counted",
          Effect.map(query.progress, (p) => p.rowsIn === 5)
        )
        const summary = yield* query.drain
        expect(yield* panes).toEqual([
          [10, 1],
          [10, 2]
        ])
        // Rows at 12 and 15 are still in state, the other two settled when the state was dropped.
        expect(operatorOf(summary.ledger, "window-1")).toMatchObject({
          in: 5,
          contributed: 4,
          late: 1,
          held: 2,
          settled: 2
        })
      })
    ))

  it("a window of far more slices than rows closes at once", async () => {
    const started = performance.now()
    // 3 hours every hour and a millisecond: slices of 1 ms, 10,800,000 in a window.
    const every = Window.sliding(10_800_000, { every: 3_600_001 })
    const { windows } = await run(windowed({ p: at(0, 20_000_000, 40_000_000) }, every))
    expect(windows.length).toBe(9)
    expect(performance.now() - started).toBeLessThan(1000)
  })
})

describe("T10: a result has event time end - 1, and windows can be chained", () => {
  it("a window of windows gets each result in the window of its last millisecond, none late", async () => {
    const out = Memory.sink<{ window_start: number; panes: number; rows: number }>()
    await run(
      runQuery(
        EventStream.from(Memory.source({ partitions: { a: at(0, 19, 20, 45), b: at(5, 25, 39) } })).pipe(
          EventStream.withEventTime("t", { outOfOrderness: 0 }),
          EventStream.keyBy(),
          EventStream.window(Window.tumbling(10), { late: "drop" }),
          counted,
          EventStream.keyBy(),
          EventStream.window(Window.tumbling(20), { late: "drop" }),
          EventStream.aggregate(({ count, sum }) => ({ panes: count, rows: sum("n") })),
          EventStream.to(out)
        ),
        { chunkRows: 1, parallelism: 2 }
      )
    )
    // [10, 20) ends at 20, and yet belongs to [0, 20).
    expect((await run(out.rows)).map((r) => [r.window_start, r.panes, r.rows])).toEqual([
      [0, 2, 3],
      [20, 2, 3],
      [40, 1, 1]
    ])
  })
})

describe("T11: only the end of bounded input closes what is open", () => {
  const open = (bounded: boolean) => {
    const input = Memory.channel<Row>({ bounded })
    const out = Memory.sink<{ n: number }>()
    const pipeline = EventStream.from(input.source).pipe(
      EventStream.withEventTime("t", { outOfOrderness: 0 }),
      EventStream.keyBy(),
      EventStream.window(Window.global(), { late: "drop" }),
      counted,
      EventStream.to(out)
    )
    return { input, out, pipeline }
  }

  it("the global window comes out at the end, and the query is exhausted", () =>
    runScoped(
      Effect.gen(function* () {
        const { input, out, pipeline } = open(true)
        const query = yield* startQuery(pipeline)
        yield* input.push("0", at(1, 1_000_000_000))
        yield* input.caughtUp("0")
        yield* until(
          "an epoch",
          Effect.map(query.progress, (p) => p.epoch > 0)
        )
        expect(yield* out.rows).toEqual([])
        yield* input.end("0")
        const summary = yield* query.await
        expect(summary.ended).toBe("exhausted")
        expect(yield* out.rows).toMatchObject([{ n: 2 }])
      })
    ))

  it("a drain is no end: open windows stay open, and their rows held", () =>
    runScoped(
      Effect.gen(function* () {
        const { input, out, pipeline } = open(false)
        const query = yield* startQuery(pipeline)
        yield* input.push("0", at(1, 2, 3))
        yield* input.caughtUp("0")
        const summary = yield* query.drain
        expect(summary.ended).toBe("drained")
        expect(yield* out.rows).toEqual([])
        expect(operatorOf(summary.ledger, "window-1")).toMatchObject({ in: 3, contributed: 3, held: 3, settled: 0 })
      })
    ))

  it("an end is no watermark: a complete table keeps what the input's last row leaves in it, whoever ends first", async () => {
    const tables: Array<unknown> = []
    for (const slow of ["a", "b"]) {
      const memory = Memory.source({ partitions: { a: [{ t: 100, k: "y" }], b: [{ t: 200, k: "w" }] } })
      const source: typeof memory = {
        ...memory,
        open: (p, from) => (p === slow ? Effect.delay(memory.open(p, from), "5 millis") : memory.open(p, from))
      }
      const out = Memory.sink<{ k: string; n: number }>()
      await run(
        runQuery(
          EventStream.from(source).pipe(
            EventStream.withEventTime("t", { outOfOrderness: 0 }),
            EventStream.keyBy("k"),
            EventStream.aggregateRunning(({ count }) => ({ n: count })),
            EventStream.to(out, { mode: "complete", keep: 50 })
          )
        )
      )
      tables.push(await run(out.table))
    }
    expect(tables).toEqual([[{ k: "w", n: 1 }], [{ k: "w", n: 1 }]])
  })
})

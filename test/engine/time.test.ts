import { Effect } from "effect"
import { EventStream, Late, Memory, Window } from "tidemark"
import { describe, expect, it } from "vitest"
import { Limits } from "../../src/model/Limits.ts"
import { futureSkewMs } from "../../src/streams/Watermark.ts"
import { counted, operatorOf, run, runQuery } from "./kit.ts"
import { at, type Row, windowed } from "./windowed.ts"

describe("T1: event time is whole milliseconds of any sign, windows are [start, end)", () => {
  it("a row at a start is in, a row at an end is in the next, before 1970 too", async () => {
    const { windows } = await run(windowed({ p: at(-11, -10, -1, 0, 9, 10) }, Window.tumbling(10)))
    expect(windows).toEqual([
      [-20, -10, 1],
      [-10, 0, 2],
      [0, 10, 2],
      [10, 20, 1]
    ])
  })

  it("windows stand on their offset", async () => {
    const { windows } = await run(windowed({ p: at(2, 3, 12, 13) }, Window.tumbling(10, { offset: 3 })))
    expect(windows).toEqual([
      [-7, 3, 1],
      [3, 13, 2],
      [13, 23, 1]
    ])
  })

  it("a row between two windows, when they are further apart than long, is counted as outside", async () => {
    const { windows, ledger } = await run(windowed({ p: at(0, 3, 4, 9, 10) }, Window.sliding(4, { every: 10 })))
    expect(windows).toEqual([
      [0, 4, 2],
      [10, 14, 1]
    ])
    expect(ledger).toMatchObject({ in: 5, contributed: 3, outside: 2 })
  })
})

describe("T2: a partition's watermark is computed per row, in its order, before any filter", () => {
  it("a row that is filtered has moved it: a later row is late", async () => {
    const late = Memory.sink<Row>()
    const out = Memory.sink()
    await run(
      runQuery(
        EventStream.from(Memory.source(at(1, 100, 2))).pipe(
          EventStream.withEventTime("t", { outOfOrderness: 10 }),
          EventStream.filter((r) => r.t !== 100),
          EventStream.keyBy(),
          EventStream.window(Window.tumbling(10), { late: Late.to(late) }),
          counted,
          EventStream.to(out)
        )
      )
    )
    expect(await run(late.rows)).toEqual([{ t: 2 }])
    expect(await run(out.rows)).toEqual([{ window_start: 0, window_end: 10, n: 1 }])
  })

  it("it is the same for every row, wherever chunks are cut", async () => {
    // W before the rows at 9, 8 and 20 is 5, 5 and 5; before the last 9 it is 10.
    const rows = at(15, 9, 8, 20, 9)
    for (const chunkRows of [1, 2, 3, 5]) {
      const { late } = await run(windowed({ p: rows }, Window.tumbling(10), { bound: 10, chunkRows }))
      expect(late, `chunks of ${chunkRows}`).toEqual([9])
    }
  })

  it("an explicit watermark is the highest that rows have claimed", async () => {
    const late = Memory.sink<{ t: number; w: number }>()
    const rows = [
      { t: 5, w: 10 },
      { t: 6, w: 3 },
      { t: 9, w: 0 },
      { t: 10, w: 0 }
    ]
    await run(
      runQuery(
        EventStream.from(Memory.source(rows)).pipe(
          EventStream.withEventTime("t", { watermark: (r) => r.w }),
          EventStream.keyBy(),
          EventStream.window(Window.tumbling(10), { late: Late.to(late) }),
          counted,
          EventStream.to(Memory.sink())
        )
      )
    )
    expect((await run(late.rows)).map((r) => r.t)).toEqual([6, 9])
  })

  it("what is split and joined again before it has no one order, and is refused", async () => {
    const raw = EventStream.from(Memory.source(at(1, 20), { name: "orders" }))
    const both = raw.pipe(EventStream.union(raw.pipe(EventStream.map((r) => r))))
    const pipeline = both.pipe(EventStream.withEventTime("t", { outOfOrderness: 0 }), EventStream.to(Memory.sink()))
    await expect(run(runQuery(pipeline))).rejects.toThrow(
      "rows of orders, split and joined again by a union: have no one order that a watermark could follow"
    )
    // After it, each row has its watermark, and the two may meet again.
    const timed = raw.pipe(EventStream.withEventTime("t", { outOfOrderness: 0 }))
    await run(runQuery(timed.pipe(EventStream.union(timed), EventStream.to(Memory.sink()))))
  })
})

describe("T3: W_op is the minimum of the inputs' watermarks", () => {
  it("where one stream is timed twice, by different bounds, and the two meet: whichever comes first", async () => {
    // After 20, the row at 6 is late by bound 0, and on time by bound 100: until then the window must be open.
    for (const [one, other] of [
      [0, 100],
      [100, 0]
    ]) {
      const out = Memory.sink<{ window_start: number; window_end: number; n: number }>()
      const late = Memory.sink<Row>()
      const raw = EventStream.from(Memory.source(at(5, 20, 6)))
      await run(
        runQuery(
          raw.pipe(
            EventStream.withEventTime("t", { outOfOrderness: one }),
            EventStream.union(raw.pipe(EventStream.withEventTime("t", { outOfOrderness: other }))),
            EventStream.keyBy(),
            EventStream.window(Window.tumbling(10), { late: Late.to(late) }),
            counted,
            EventStream.to(out)
          ),
          { chunkRows: 1 }
        )
      )
      expect(await run(late.rows)).toEqual([{ t: 6 }])
      expect(await run(out.rows), `bounds ${one} and ${other}`).toEqual([
        { window_start: 0, window_end: 10, n: 3 },
        { window_start: 20, window_end: 30, n: 2 }
      ])
    }
  })
})

describe("T8: a row further ahead of its append time than the guard allows is quarantined", () => {
  const guarded = (
    maxFutureSkew: number | "off" | undefined,
    rows: ReadonlyArray<readonly [number, number]>,
    bound = 0
  ) =>
    Effect.gen(function* () {
      const input = Memory.channel<Row>({ bounded: true, appendTime: true })
      yield* input.push("0", at(...rows.map(([t]) => t)), { appendTimes: rows.map(([, append]) => append) })
      yield* input.end("0")
      const out = Memory.sink<{ window_start: number; n: number }>()
      const summary = yield* runQuery(
        EventStream.from(input.source).pipe(
          EventStream.withEventTime("t", {
            outOfOrderness: bound,
            ...(maxFutureSkew === undefined ? {} : { maxFutureSkew })
          }),
          EventStream.keyBy(),
          EventStream.window(Window.tumbling(1000), { late: "drop" }),
          counted,
          EventStream.to(out)
        )
      )
      return {
        windows: (yield* out.rows).map((r) => [r.window_start, r.n]),
        time: operatorOf(summary.ledger, "withEventTime-1"),
        window: operatorOf(summary.ledger, "window-1")
      }
    })

  it("it moves no watermark: the rows after it are on time", async () => {
    const rows = [
      [100, 100],
      [5101, 100],
      [200, 200]
    ] as const
    const { windows, time, window } = await run(guarded(5000, rows))
    expect(time).toMatchObject({ in: 3, forwarded: 2, quarantined: 1 })
    expect(window.late).toBe(0)
    expect(windows).toEqual([[0, 2]])
    // One millisecond less, and it counts and moves it.
    const other = await run(guarded(5000, [rows[0], [5100, 100], rows[2]]))
    expect(other.time.quarantined).toBe(0)
    expect(other.window.late).toBe(1)
  })

  it("by default it is the out-of-orderness, at least 1 second, at most 5 minutes; off without append times", async () => {
    const spec = (outOfOrdernessMs: number, maxFutureSkewMs?: number | "off") => ({
      time: { label: "t" },
      outOfOrdernessMs,
      ...(maxFutureSkewMs === undefined ? {} : { maxFutureSkewMs })
    })
    expect(futureSkewMs(spec(0), true)).toBe(1000)
    expect(futureSkewMs(spec(30_000), true)).toBe(30_000)
    expect(futureSkewMs(spec(86_400_000), true)).toBe(Limits.maxFutureSkewDefaultMs)
    expect(futureSkewMs(spec(30_000), false)).toBeUndefined()
    expect(futureSkewMs(spec(30_000, 7000), false)).toBe(7000)
    expect(futureSkewMs(spec(30_000, "off"), true)).toBeUndefined()
    const { time } = await run(guarded(undefined, [[1101, 100]]))
    expect(time.quarantined).toBe(1)
    expect((await run(guarded("off", [[1101, 100]]))).time.quarantined).toBe(0)
  })
})

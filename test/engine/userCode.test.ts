import { Effect, Schema } from "effect"
import { EventStream, Late, Memory, type Pipeline, Query, QueryError, Window } from "tidemark"
import { describe, expect, it } from "vitest"
import { errorOf, operatorOf, run, runQuery } from "./kit.ts"

interface Row {
  readonly t: number
  readonly w: string
}

const rows: ReadonlyArray<Row> = [
  { t: 1, w: "good" },
  { t: 2, w: "bad" },
  { t: 3, w: "good" }
]
const two = EventStream.from(Memory.source({ partitions: { p0: rows.slice(0, 1), p1: rows } }, { name: "rows" }))

/** User code that fails on one row, which is row 1 of partition p1. */
const check = <A>(row: Row, value: A): A => {
  if (row.w === "bad") throw new RangeError("boom")
  return value
}

const timed = two.pipe(EventStream.withEventTime("t", { outOfOrderness: 10 }))
const window = EventStream.window(Window.tumbling(10), { late: "drop" })

const pipelines: { readonly [name: string]: { readonly pipeline: Pipeline<unknown>; readonly says: string } } = {
  map: {
    pipeline: two.pipe(
      EventStream.map((r) => check(r, r)),
      EventStream.to(Memory.sink())
    ),
    says: "the function of map-1 threw on row 1 of partition p1: RangeError: boom"
  },
  filter: {
    pipeline: two.pipe(
      EventStream.filter((r) => check(r, true)),
      EventStream.to(Memory.sink())
    ),
    says: "the function of filter-1 threw on row 1 of partition p1"
  },
  flatMap: {
    pipeline: two.pipe(
      EventStream.flatMap((r) => check(r, [r])),
      EventStream.to(Memory.sink())
    ),
    says: "the function of flatMap-1 threw on row 1 of partition p1"
  },
  "an iterable of flatMap": {
    pipeline: two.pipe(
      EventStream.flatMap(function* (r) {
        yield check(r, r)
      }),
      EventStream.to(Memory.sink())
    ),
    says: "the function of flatMap-1 threw on row 1 of partition p1"
  },
  mapEffect: {
    pipeline: two.pipe(
      EventStream.mapEffect((r) => check(r, Effect.succeed(r))),
      EventStream.to(Memory.sink())
    ),
    says: "the function of mapEffect-1 threw on row 1 of partition p1"
  },
  "from(source, f)": {
    pipeline: EventStream.from(Memory.source(rows, { name: "rows" }), (r) => check(r, r)).pipe(
      EventStream.to(Memory.sink())
    ),
    says: "the function of source rows threw on row 1 of partition 0"
  },
  "an event time": {
    pipeline: two.pipe(
      EventStream.withEventTime((r: Row) => check(r, r.t), { outOfOrderness: 0 }),
      EventStream.to(Memory.sink())
    ),
    says: "the function of withEventTime-1 threw on row 1 of partition p1"
  },
  "an explicit watermark": {
    pipeline: two.pipe(
      EventStream.withEventTime("t", { watermark: (r: Row) => check(r, r.t) }),
      EventStream.to(Memory.sink())
    ),
    says: "the function of withEventTime-1 threw on row 1 of partition p1"
  },
  "a key": {
    pipeline: two.pipe(
      EventStream.keyBy({ k: (r: Row) => check(r, r.w) }),
      EventStream.aggregateRunning(({ count }) => ({ n: count })),
      EventStream.to(Memory.sink(), { mode: "update" })
    ),
    says: "the function of running-1.exchange threw on row 1 of partition p1"
  },
  "a dedupe id": {
    pipeline: timed.pipe(
      EventStream.dedupe((r: Row) => check(r, r.w), { late: "drop" }),
      EventStream.to(Memory.sink())
    ),
    says: "the function of dedupe-1.exchange threw on row 1 of partition p1"
  },
  "an aggregate's input": {
    pipeline: two.pipe(
      EventStream.keyBy(),
      EventStream.aggregateRunning(({ sum }) => ({ n: sum((r: Row) => check(r, 1)) })),
      EventStream.to(Memory.sink(), { mode: "update" })
    ),
    says: "the function of running-1.exchange threw on row 1 of partition p1"
  },
  "reduce.add": {
    pipeline: two.pipe(
      EventStream.keyBy(),
      EventStream.aggregateRunning(({ reduce }) => ({
        n: reduce({
          state: Schema.Number,
          zero: () => 0,
          add: (s, r) => check(r as Row, s + 1),
          merge: (x, y) => x + y
        })
      })),
      EventStream.to(Memory.sink(), { mode: "update" })
    ),
    says: 'reduce.add of running-1[0] threw on row {"t":2,"w":"bad"}: RangeError: boom'
  },
  "reduce.add at the close of a window": {
    pipeline: timed.pipe(
      EventStream.keyBy(),
      window,
      EventStream.aggregate(({ reduce }) => ({
        n: reduce({ state: Schema.Number, zero: () => 0, add: (s, r) => check(r as Row, s + 1) })
      })),
      EventStream.to(Memory.sink())
    ),
    says: 'reduce.add of window-1[0] threw on row {"t":2,"w":"bad"}'
  },
  "a map after a window": {
    pipeline: timed.pipe(
      EventStream.keyBy("w"),
      window,
      EventStream.aggregate(({ count }) => ({ n: count })),
      EventStream.map((r): object => check({ t: 0, w: r.w }, r)),
      EventStream.to(Memory.sink())
    ),
    says: "the function of map-1 threw on row"
  }
}

describe("user code that throws ends the query with a typed error that names operator and row", () => {
  it.each(Object.entries(pipelines))("%s", async (_name, { pipeline, says }) => {
    const error = await errorOf(runQuery(pipeline))
    expect(error).toBeInstanceOf(QueryError)
    expect(error).toMatchObject({ reason: "UserCode", query: "q" })
    expect((error as QueryError).message).toContain(says)
    expect((error as QueryError).cause).toBeInstanceOf(RangeError)
  })

  it("a result's row is none of a partition's", async () => {
    const error = await errorOf(runQuery(pipelines["a map after a window"].pipeline))
    expect((error as QueryError).message).not.toContain("partition p0")
  })

  it("what it throws may be anything", async () => {
    for (const thrown of [undefined, null, "text", Object.create(null), { toString: 1 }]) {
      const pipeline = two.pipe(
        EventStream.map((r): Row => {
          throw thrown ?? r
        }),
        EventStream.to(Memory.sink())
      )
      expect(await errorOf(runQuery(pipeline))).toMatchObject({ reason: "UserCode" })
    }
  })
})

describe("mapEffect", () => {
  it("fails the query with the user's own error, typed", async () => {
    class Refused {
      readonly _tag = "Refused"
    }
    const pipeline = two.pipe(
      EventStream.mapEffect((r) => (r.w === "bad" ? Effect.fail(new Refused()) : Effect.succeed(r))),
      EventStream.to(Memory.sink())
    )
    expect(await errorOf(runQuery(pipeline))).toBeInstanceOf(Refused)
  })

  it("or makes the row a dead letter, whether it fails or throws; the others go on, counted", async () => {
    for (const fail of [() => Effect.fail("no"), () => check(rows[1], Effect.succeed(rows[1]))]) {
      await run(
        Effect.gen(function* () {
          const out = Memory.sink<Row>()
          const pipeline = two.pipe(
            EventStream.mapEffect(
              (r: Row): Effect.Effect<Row, string> => (r.w === "bad" ? fail() : Effect.succeed(r)),
              {
                onError: "deadLetter",
                concurrency: 3
              }
            ),
            EventStream.to(out)
          )
          const { ledger } = yield* runQuery(pipeline)
          expect(operatorOf(ledger, "mapEffect-1")).toMatchObject({ in: 4, forwarded: 3, dead: 1 })
          expect((yield* out.rows).length).toBe(3)
          expect(yield* Query.deadLetters("q")).toMatchObject([
            { operator: "mapEffect-1", partition: "p1", place: "row 1", reason: "user-code", text: '{"t":2,"w":"bad"}' }
          ])
        })
      )
    }
  })

  const slowFirst = (ordered: boolean) =>
    Effect.gen(function* () {
      const out = Memory.sink<number>()
      let most = 0
      let running = 0
      const pipeline = EventStream.from(Memory.source([3, 2, 1, 0])).pipe(
        EventStream.mapEffect(
          (n) =>
            Effect.gen(function* () {
              most = Math.max(most, ++running)
              for (let i = 0; i < n * 10; i++) yield* Effect.yieldNow
              running--
              return n
            }),
          { concurrency: 3, ordered }
        ),
        EventStream.withEventTime((n: number) => n, { outOfOrderness: 10 }),
        EventStream.to(out)
      )
      yield* runQuery(pipeline)
      return { rows: yield* out.rows, most }
    })

  it("keeps order when it is ordered, and runs at most so many at a time", async () => {
    expect(await run(slowFirst(true))).toEqual({ rows: [3, 2, 1, 0], most: 3 })
  })

  it("T2: keeps the partition's order before withEventTime even when it is not", async () => {
    expect((await run(slowFirst(false))).rows).toEqual([3, 2, 1, 0])
  })

  it("T13: when it is unordered rows overtake each other, but no watermark: none is late by it", async () => {
    const late = Memory.sink()
    const out = Memory.sink<{ n: number }>()
    const many = Array.from({ length: 50 }, (_, i) => ({ t: i, w: "x" }))
    let overtaken = 0
    let last = -1
    const pipeline = EventStream.from(Memory.source(many)).pipe(
      EventStream.withEventTime("t", { outOfOrderness: 0 }),
      EventStream.mapEffect(
        (r) =>
          Effect.gen(function* () {
            for (let i = (r.t * 7) % 5; i > 0; i--) yield* Effect.yieldNow
            return r
          }),
        { concurrency: 10, ordered: false }
      ),
      EventStream.map((r) => {
        if (r.t < last) overtaken++
        last = r.t
        return r
      }),
      EventStream.keyBy(),
      EventStream.window(Window.tumbling(5), { late: Late.to(late) }),
      EventStream.aggregate(({ count }) => ({ n: count })),
      EventStream.to(out)
    )
    await run(runQuery(pipeline, { chunkRows: 10, parallelism: 2 }))
    expect(overtaken).toBeGreaterThan(0)
    expect(await run(late.rows)).toEqual([])
    expect((await run(out.rows)).map((r) => r.n)).toEqual(new Array(10).fill(5))
  })
})

describe("hostile rows are dead letters, never a crash", () => {
  it("whatever stands where a number or a key should", async () => {
    const deep = JSON.parse(`${"[".repeat(20_000)}${"]".repeat(20_000)}`) as unknown
    const hostile: ReadonlyArray<unknown> = [
      JSON.parse('{"toString":1,"valueOf":1}'),
      Object.create(null),
      deep,
      Symbol("s"),
      Number.NaN,
      "7",
      null,
      undefined,
      [1]
    ]
    const all = [
      ...hostile.map((v) => ({ k: "a", v })),
      ...hostile.slice(0, 5).map((k) => ({ k, v: 1 })),
      { k: "a", v: 1 }
    ]
    const out = Memory.sink<{ k: string; total: number }>()
    await run(
      Effect.gen(function* () {
        const { ledger } = yield* runQuery(
          EventStream.from(Memory.source(all as ReadonlyArray<{ k: string; v: number }>)).pipe(
            EventStream.keyBy("k"),
            EventStream.aggregateRunning(({ sum }) => ({ total: sum("v") })),
            EventStream.to(out, { mode: "update" })
          ),
          { parallelism: 2 }
        )
        expect(operatorOf(ledger, "running-1.exchange")).toMatchObject({ in: 15, forwarded: 1, dead: 14 })
        expect(yield* out.table).toEqual([{ k: "a", total: 1 }])
        const letters = yield* Query.deadLetters("q")
        expect(letters.filter((l) => l.reason === "aggregate-input").length).toBe(9)
        expect(letters.filter((l) => l.reason === "key").length).toBe(5)
      })
    )
  })
})

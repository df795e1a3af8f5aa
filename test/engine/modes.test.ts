import { Effect, Schema } from "effect"
import { EventStream, Memory, Query, Trigger, Window } from "tidemark"
import { describe, expect, it } from "vitest"
import type { CommittedEpoch } from "../../src/connectors/memory/MemorySink.ts"
import { counted, errorOf, operatorOf, run, runQuery, runScoped, startQuery, until } from "./kit.ts"

interface Word {
  readonly w: string
  readonly t?: number
}

const words = (...all: ReadonlyArray<string>): ReadonlyArray<Word> => all.map((w) => ({ w }))
const count = EventStream.aggregateRunning(({ count }) => ({ n: count }))
const perEpoch = (epochs: ReadonlyArray<CommittedEpoch<{ w: string; n: number }>>) =>
  epochs.map((e) => e.rows.map((r) => `${r.w}${r.n}`).toSorted())

describe("A2: a running aggregate is an updating stream", () => {
  it("and enters no other aggregate, whatever the types were told", async () => {
    const running = EventStream.from(Memory.source(words("a"))).pipe(EventStream.keyBy("w"), count)
    // The types refuse it; JavaScript and casts do not.
    const final = running as unknown as EventStream.EventStream<Word>
    const again = final.pipe(EventStream.keyBy("w"), count, EventStream.to(Memory.sink(), { mode: "update" }))
    const error = await errorOf(runQuery(again))
    expect(error).toMatchObject({ reason: "InvalidPipeline" })
    expect(String(error)).toContain("rows that may still change")
  })
})

describe("A4: output modes", () => {
  it("update emits the rows that changed in the epoch, once", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Word>()
        const out = Memory.sink<{ w: string; n: number }>()
        const query = yield* startQuery(
          EventStream.from(input.source).pipe(EventStream.keyBy("w"), count, EventStream.to(out, { mode: "update" })),
          { trigger: Trigger.every("20 millis") }
        )
        const epochs = Effect.map(out.epochs, (all) => all.length)
        yield* input.push("0", words("a", "b", "a"))
        yield* until(
          "an epoch",
          Effect.map(epochs, (n) => n === 1)
        )
        yield* input.push("0", words("b"))
        yield* until(
          "another",
          Effect.map(epochs, (n) => n === 2)
        )
        expect(perEpoch(yield* out.epochs)).toEqual([["a2", "b1"], ["b2"]])
        expect(yield* out.table).toEqual([
          { w: "a", n: 2 },
          { w: "b", n: 2 }
        ])
        yield* query.drain
      })
    ))

  it("a key of no columns is one row", async () => {
    const out = Memory.sink<{ n: number }>()
    const pipeline = EventStream.from(Memory.source(words("a", "b", "c"))).pipe(EventStream.keyBy(), count)
    await run(
      runQuery(pipeline.pipe(EventStream.to(out, { mode: "update" })), {
        chunkRows: 1,
        trigger: Trigger.every("1 millis")
      })
    )
    expect(await run(out.table)).toEqual([{ n: 3 }])
  })

  it("complete emits the whole table, of rows without time too", async () => {
    const out = Memory.sink<{ w: string; n: number }>()
    const many = Array.from({ length: 40 }, (_, i) => `w${i % 20}`)
    await run(
      runQuery(
        EventStream.from(Memory.source(words(...many))).pipe(
          EventStream.keyBy("w"),
          count,
          EventStream.to(out, { mode: "complete", keep: "1 hour" })
        ),
        { parallelism: 3 }
      )
    )
    expect((await run(out.table)).map((r) => r.n)).toEqual(new Array(20).fill(2))
  })

  it("complete leaves out rows whose time is further behind the watermark than keep, of times before 1970 too", async () => {
    const out = Memory.sink<{ w: string; n: number }>()
    const rows = [
      { w: "old", t: -1000 },
      { w: "edge", t: -100 },
      { w: "new", t: 0 }
    ]
    await run(
      runQuery(
        EventStream.from(Memory.source(rows)).pipe(
          EventStream.withEventTime("t", { outOfOrderness: 0 }),
          EventStream.keyBy("w"),
          count,
          EventStream.to(out, { mode: "complete", keep: 100 })
        )
      )
    )
    expect((await run(out.table)).map((r) => r.w)).toEqual(["edge", "new"])
  })

  it("append refuses what may still change, and a mode is refused where the sink does not take it", async () => {
    const running = EventStream.from(Memory.source(words("a"))).pipe(EventStream.keyBy("w"), count)
    const final = running as unknown as EventStream.EventStream<Word>
    const appended = final.pipe(EventStream.to(Memory.sink()))
    expect(String(await errorOf(runQuery(appended)))).toContain("rows that may still change")
    const any = Memory.sink()
    const appendOnly: typeof any = { ...any, features: { ...any.features, modes: ["append"] } }
    const updated = running.pipe(EventStream.to(appendOnly, { mode: "update" }))
    expect(String(await errorOf(runQuery(updated)))).toContain("is none that memory takes (it takes append)")
  })
})

describe("A1: results that are out do not change any more", () => {
  it("though the reducer changes its state in place", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Word>()
        const out = Memory.sink<{ all: ReadonlyArray<string> }>()
        const query = yield* startQuery(
          EventStream.from(input.source).pipe(
            EventStream.keyBy(),
            EventStream.aggregateRunning(({ reduce }) => ({
              all: reduce<Array<string>>({
                state: Schema.mutable(Schema.Array(Schema.String)),
                zero: () => [],
                add: (state, row) => {
                  state.push((row as Word).w)
                  return state
                },
                merge: (x, y) => [...x, ...y]
              })
            })),
            EventStream.to(out, { mode: "update" })
          )
        )
        const epochs = Effect.map(out.epochs, (all) => all.length)
        yield* input.push("0", words("a"))
        yield* until(
          "an epoch",
          Effect.map(epochs, (n) => n === 1)
        )
        yield* input.push("0", words("b"))
        yield* until(
          "another",
          Effect.map(epochs, (n) => n === 2)
        )
        expect((yield* out.rows).map((r) => r.all)).toEqual([["a"], ["a", "b"]])
        yield* query.drain
      })
    ))

  it("outputs keep their order however many flatMaps and unions follow on each other", async () => {
    const out = Memory.sink<{ all: string; newest: string }>()
    const other = EventStream.from(Memory.source(words("z")))
    let s = EventStream.from(Memory.source(words(""))).pipe(EventStream.union(other))
    // 2^5 outputs of each row, five flatMaps and three unions deep.
    for (let depth = 0; depth < 5; depth++) {
      s = s.pipe(EventStream.flatMap((r) => [{ w: `${r.w}0` }, { w: `${r.w}1` }]))
      if (depth % 2 === 0) s = s.pipe(EventStream.union(EventStream.from(Memory.source<Word>([]))))
    }
    const pipeline = s.pipe(
      EventStream.keyBy(),
      EventStream.aggregateRunning(({ reduce, last }) => ({
        all: reduce({ state: Schema.String, zero: () => "", add: (state, row) => `${state} ${(row as Word).w}` }),
        newest: last("w")
      })),
      EventStream.to(out, { mode: "update" })
    )
    await run(runQuery(pipeline))
    const binary = Array.from({ length: 32 }, (_, i) => i.toString(2).padStart(5, "0"))
    const [{ all, newest }] = await run(out.table)
    expect(all.trim().split(" ")).toEqual([...binary, ...binary.map((b) => `z${b}`)])
    expect(newest).toBe("z11111")
  })

  it("a reducer without merge folds rows by slice, then by partition and position", async () => {
    const out = Memory.sink<{ window_end: number; all: string }>()
    const rows = [1, 5, 12, 3].map((t, i) => ({ w: String(i), t }))
    await run(
      runQuery(
        EventStream.from(Memory.source(rows)).pipe(
          EventStream.withEventTime("t", { outOfOrderness: 20 }),
          EventStream.keyBy(),
          EventStream.window(Window.sliding(10, { every: 5 }), { late: "drop" }),
          EventStream.aggregate(({ reduce }) => ({
            all: reduce({ state: Schema.String, zero: () => "", add: (state, row) => state + (row as Word).w })
          })),
          EventStream.to(out)
        )
      )
    )
    // Slices [0, 5) with rows 0 and 3, [5, 10) with 1, [10, 15) with 2.
    expect((await run(out.rows)).map((r) => [r.window_end, r.all])).toEqual([
      [5, "03"],
      [10, "031"],
      [15, "12"],
      [20, "2"]
    ])
  })
})

describe("A5: epochs", () => {
  it("come only when something happened", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Word>()
        const query = yield* startQuery(EventStream.from(input.source).pipe(EventStream.to(Memory.sink())))
        yield* input.push("0", words("a"))
        yield* until(
          "an epoch",
          Effect.map(query.progress, (p) => p.epoch > 0)
        )
        const { epoch } = yield* query.progress
        yield* Effect.sleep("20 millis")
        expect((yield* query.progress).epoch).toBe(epoch)
        yield* query.drain
      })
    ))
})

describe("A7: state ends", () => {
  it("the keys of a window go with it, those of sessions too, and the senders' memory of them is bounded", async () => {
    for (const window of [Window.tumbling(10), Window.session(10)]) {
      await runScoped(
        Effect.gen(function* () {
          const input = Memory.channel<{ t: number; k: number }>()
          const query = yield* startQuery(
            EventStream.from(input.source).pipe(
              EventStream.withEventTime("t", { outOfOrderness: 0 }),
              EventStream.keyBy("k"),
              EventStream.window(window as Window.Window<"time">, { late: "drop" }),
              counted,
              EventStream.to(Memory.sink())
            ),
            { parallelism: 2 }
          )
          for (let i = 0; i < 20; i++) yield* input.push("0", [{ t: i * 100, k: i }])
          yield* until(
            "all rows are in",
            Effect.map(query.progress, (p) => p.rowsIn === 20)
          )
          const summary = yield* query.drain
          expect(operatorOf(summary.ledger, "window-1")).toMatchObject({ contributed: 20, held: 1, settled: 19 })
          // The senders still know all 20 numbers; state alone would be 1.
          const [{ keys }] = (yield* query.progress).operators
          expect(keys).toBe(20)
        })
      )
    }
  })
})

describe("Query.outputs: several outputs of one query", () => {
  it("share their prefix, which is read once; each gets its rows", async () => {
    const [raw, counts] = [Memory.sink<Word>(), Memory.sink<{ w: string; n: number }>()]
    let calls = 0
    const source = EventStream.from(Memory.source(words("a", "b", "a"))).pipe(
      EventStream.map((row) => {
        calls++
        return row
      })
    )
    const summary = await run(
      runQuery(
        Query.outputs({
          raw: source.pipe(EventStream.to(raw)),
          counts: source.pipe(EventStream.keyBy("w"), count, EventStream.to(counts, { mode: "update" }))
        })
      )
    )
    expect(calls).toBe(3)
    expect((await run(raw.rows)).length).toBe(3)
    expect((await run(counts.table)).length).toBe(2)
    expect(summary.ledger.sinks.map((s) => s.sink)).toEqual(["raw", "counts", "dead"])
    expect(operatorOf(summary.ledger, "map-1")).toMatchObject({ in: 3, forwarded: 3 })
  })

  it("an output may be called dead or late: dead letters and late rows still have writers of their own", async () => {
    const [dead, other] = [Memory.sink<Word>(), Memory.sink<Word>()]
    const source = EventStream.from(Memory.source(words("a", "b"))).pipe(
      EventStream.mapEffect((row) => (row.w === "b" ? Effect.fail("no") : Effect.succeed(row)), {
        onError: "deadLetter"
      })
    )
    await run(
      Effect.gen(function* () {
        const pipeline = Query.outputs({
          dead: source.pipe(EventStream.to(dead)),
          other: source.pipe(EventStream.to(other))
        })
        const summary = yield* runQuery(pipeline)
        expect(summary.ledger.sinks.map((s) => [s.sink, s.received])).toEqual([
          ["dead", 1],
          ["other", 1],
          ["dead-2", 1]
        ])
        expect(yield* Query.deadLetters("q")).toMatchObject([{ reason: "user-code", text: '{"w":"b"}' }])
      })
    )
  })
})

/** What each function of the language puts into the plan: kinds, inputs, numbers with units. */
import { Effect, Schema } from "effect"
import { describe, expect, it } from "vitest"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import type { PlanNode, SinkNode } from "../../src/streams/Plan.ts"
import { EventStream, Late, Window } from "tidemark"

const orders = Memory.source([{ id: "a", category: "Books", amount: 20, at: "2026-01-01T12:00:01Z" }])
const untimed = EventStream.from(orders)
const timed = untimed.pipe(EventStream.withEventTime("at", { outOfOrderness: "5 seconds" }))
const keyed = timed.pipe(EventStream.keyBy("category"))
const minute = EventStream.window(Window.tumbling("1 minute"), { late: "drop" })
const perMinute = keyed.pipe(
  minute,
  EventStream.aggregate(({ count, sum }) => ({ orders: count, revenue: sum("amount") }))
)
const running = keyed.pipe(EventStream.aggregateRunning(({ count }) => ({ n: count })))

/** A node of a kind, for its own fields. */
const as = <K extends PlanNode["kind"]>(
  kind: K,
  stream: { readonly plan: PlanNode }
): Extract<PlanNode, { kind: K }> => {
  expect(stream.plan.kind).toBe(kind)
  expect(stream.plan.problems).toEqual([])
  return stream.plan as Extract<PlanNode, { kind: K }>
}
const sinkOf = (pipeline: {
  readonly plan: { readonly outputs: ReadonlyArray<{ readonly sink: SinkNode }> }
}): SinkNode => pipeline.plan.outputs[0].sink

describe("rows", () => {
  it("from holds the source, and select when it is given", () => {
    const node = as("source", untimed)
    expect(node.source).toBe(orders)
    expect("select" in node).toBe(false)
    const selected = as(
      "source",
      EventStream.from(orders, (row, meta) => ({ ...row, meta }))
    )
    expect(selected.select?.({ id: "b" }, 7)).toEqual({ id: "b", meta: 7 })
  })

  it("map, filter and flatMap hold their functions over the stream's own node", () => {
    const map = as("map", untimed.pipe(EventStream.map((row) => row.amount + 1)))
    expect([map.input, map.f({ amount: 1 })]).toEqual([untimed.plan, 2])
    const filter = as("filter", untimed.pipe(EventStream.filter((row) => row.amount > 1)))
    expect([filter.input, filter.f({ amount: 1 })]).toEqual([untimed.plan, false])
    const flatMap = as("flatMap", untimed.pipe(EventStream.flatMap((row) => row.id.split(""))))
    expect([flatMap.input, [...flatMap.f({ id: "ab" })]]).toEqual([untimed.plan, ["a", "b"]])
  })

  it("select takes its columns from the schema, in its order", () => {
    const Row = Schema.Struct({ amount: Schema.Number, id: Schema.String })
    const node = as("select", untimed.pipe(EventStream.select(Row)))
    expect([node.columns, node.schema]).toEqual([["amount", "id"], Row])
  })

  it("mapEffect is one at a time, ordered, and restarts, unless told otherwise", () => {
    const f = (row: unknown) => Effect.succeed(row)
    expect(as("mapEffect", untimed.pipe(EventStream.mapEffect(f)))).toMatchObject({
      f,
      concurrency: 1,
      ordered: true,
      onError: "restart"
    })
    const options = { concurrency: 8, ordered: false, onError: "deadLetter" } as const
    expect(as("mapEffect", untimed.pipe(EventStream.mapEffect(f, options)))).toMatchObject(options)
  })

  it("union holds both inputs, its own first", () => {
    const that = untimed.pipe(EventStream.map((row) => row))
    expect(as("union", untimed.pipe(EventStream.union(that))).inputs).toEqual([untimed.plan, that.plan])
  })

  it("named names the last node and leaves the unnamed stream alone", () => {
    const named = timed.pipe(EventStream.named("clock"))
    expect(as("withEventTime", named)).toEqual({ ...timed.plan, name: "clock" })
    expect(timed.plan.name).toBeUndefined()
  })
})

describe("time", () => {
  it("a bound, and nothing that was not said", () => {
    expect(as("withEventTime", timed).spec).toEqual({ time: { field: "at", label: "at" }, outOfOrdernessMs: 5000 })
  })

  it("every option, in milliseconds", () => {
    const at = (row: { readonly at: string }) => row.at
    const stream = untimed.pipe(
      EventStream.withEventTime(at, {
        outOfOrderness: "10 minutes",
        idleAfter: "45 seconds",
        whenQuiet: "follow the clock",
        maxFutureSkew: "2 minutes",
        alignment: "1 hour",
        zone: "Europe/Berlin"
      })
    )
    expect(as("withEventTime", stream).spec).toEqual({
      time: { get: at, label: "<lambda>" },
      outOfOrdernessMs: 600_000,
      idleAfterMs: 45_000,
      whenQuiet: "followClock",
      maxFutureSkewMs: 120_000,
      alignmentDriftMs: 3_600_000,
      zone: "Europe/Berlin"
    })
    const off = untimed.pipe(
      EventStream.withEventTime("at", { outOfOrderness: 0, maxFutureSkew: "off", whenQuiet: "hold" })
    )
    expect(as("withEventTime", off).spec).toMatchObject({
      maxFutureSkewMs: "off",
      whenQuiet: "hold",
      outOfOrdernessMs: 0
    })
  })

  it("T2: an explicit watermark is a function of the row", () => {
    const stream = untimed.pipe(EventStream.withEventTime("at", { watermark: (row) => row.at }))
    const { spec } = as("withEventTime", stream)
    expect(spec.explicit?.({ at: "2026-01-01" })).toBe("2026-01-01")
  })
})

describe("keys and windows", () => {
  it("keyBy by fields, by named functions, and by nothing", () => {
    const byFields = as("keyBy", timed.pipe(EventStream.keyBy("category", "id")))
    expect(byFields.columns).toEqual([
      { name: "category", value: { field: "category", label: "category" } },
      { name: "id", value: { field: "id", label: "id" } }
    ])
    const region = (row: { readonly category: string }) => row.category.slice(0, 1)
    const byFunction = as("keyBy", timed.pipe(EventStream.keyBy({ region })))
    expect(byFunction.columns).toEqual([{ name: "region", value: { get: region, label: "<lambda>" } }])
    expect(as("keyBy", timed.pipe(EventStream.keyBy())).columns).toEqual([])
  })

  it("a window node has its key, its spec, its late policy and its aggregates by name", () => {
    const node = as("window", perMinute)
    expect(node.input).toBe(keyed.plan)
    expect(node).toMatchObject({
      window: { kind: "time", sizeMs: 60_000, slideMs: 60_000, offsetMs: 0 },
      late: { kind: "drop" },
      allowedLatenessMs: 0,
      early: false
    })
    expect(node.aggregates.map((a) => [a.name, a.spec.label])).toEqual([
      ["orders", "count"],
      ["revenue", "sum(amount)"]
    ])
  })

  it("windowAll is a window over one key without columns", () => {
    const all = timed.pipe(
      EventStream.windowAll(Window.session("20 minutes"), { late: "drop" }),
      EventStream.aggregate(({ count }) => ({ n: count }))
    )
    const node = as("window", all)
    expect(node.window).toEqual({ kind: "session", gapMs: 1_200_000 })
    expect(node.input).toEqual({ kind: "keyBy", input: timed.plan, columns: [], problems: [] })
  })

  it("T1: windows in milliseconds, their edges moved by an offset", () => {
    const tumbling = Window.tumbling("1 day", { offset: "26 hours" })
    expect(tumbling.spec).toEqual({ kind: "time", sizeMs: 86_400_000, slideMs: 86_400_000, offsetMs: 7_200_000 })
    const sliding = Window.sliding("10 minutes", { every: "5 minutes" })
    expect(sliding.spec).toEqual({ kind: "time", sizeMs: 600_000, slideMs: 300_000, offsetMs: 0 })
    expect(Window.session("20 minutes").spec).toEqual({ kind: "session", gapMs: 1_200_000 })
    expect(Window.global().spec).toEqual({ kind: "global" })
    expect([tumbling, sliding].flatMap((window) => window.problems)).toEqual([])
  })

  it("T4: late rows go to a sink, or wait for allowed lateness", () => {
    const sink = Memory.sink()
    const late = keyed.pipe(
      EventStream.window(Window.sliding("10 minutes", { every: "5 minutes" }), {
        late: Late.to(sink),
        allowedLateness: "1 hour"
      }),
      EventStream.aggregate(({ count }) => ({ n: count }))
    )
    expect(as("window", late)).toMatchObject({ late: { kind: "to", sink }, allowedLatenessMs: 3_600_000 })
  })

  it("results of windows can be windowed again", () => {
    const perHour = perMinute.pipe(
      EventStream.keyBy("category"),
      EventStream.window(Window.tumbling("1 hour"), { late: "drop" }),
      EventStream.aggregate(({ max }) => ({ best: max("revenue") }))
    )
    const node = as("window", perHour)
    expect(node.input.input).toBe(perMinute.plan)
  })

  it("aggregateRunning has no window", () => {
    const node = as("running", running)
    expect(node.input).toBe(keyed.plan)
    expect(node.aggregates.map((a) => a.name)).toEqual(["n"])
  })

  it("A3: dedupe by (id, event time), or by the id within a horizon", () => {
    const plain = as("dedupe", timed.pipe(EventStream.dedupe("id", { late: "forward" })))
    expect(plain).toMatchObject({
      input: timed.plan,
      id: { field: "id" },
      late: { kind: "forward" },
      allowedLatenessMs: 0
    })
    expect("horizonMs" in plain).toBe(false)
    const within = timed.pipe(
      EventStream.dedupe((row) => row.id, { late: "drop", allowedLateness: "1 minute", within: "1 hour" })
    )
    expect(as("dedupe", within)).toMatchObject({
      id: { label: "<lambda>" },
      late: { kind: "drop" },
      allowedLatenessMs: 60_000,
      horizonMs: 3_600_000
    })
  })
})

describe("outputs", () => {
  it("to appends unless told otherwise", () => {
    const sink = Memory.sink()
    const node = sinkOf(perMinute.pipe(EventStream.to(sink)))
    expect(node).toEqual({ kind: "sink", input: perMinute.plan, sink, mode: "append", problems: [] })
  })

  it("A4: update and complete, with how long rows stay", () => {
    const sink = Memory.sink()
    expect(sinkOf(running.pipe(EventStream.to(sink, { mode: "update" })))).toMatchObject({
      mode: "update",
      problems: []
    })
    expect(sinkOf(running.pipe(EventStream.to(sink, { mode: "complete", keep: "2 hours" })))).toMatchObject({
      mode: "complete",
      keepMs: 7_200_000,
      problems: []
    })
  })
})

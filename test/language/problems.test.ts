/** Wrong options and wrong stages: collected in the nodes, never thrown. */
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import { renderProblem } from "../../src/model/Errors.ts"
import { outputs } from "../../src/streams/Pipeline.ts"
import { EventStream, Late, Window } from "tidemark"
import { allProblems, type Built, count, JS } from "./untyped.ts"

const sink = Memory.sink()
const appendOnly = { ...sink, name: "log", features: { ...sink.features, modes: ["append"] as const } }
const updateOnly = { ...sink, name: "table", features: { ...sink.features, modes: ["update"] as const } }
const rows = Memory.source([{ id: "a", category: "Books", amount: 1, at: 1 }])
const untimed = EventStream.from(rows)
const timed = untimed.pipe(EventStream.withEventTime("at", { outOfOrderness: 0 }))
const keyed = timed.pipe(EventStream.keyBy("category"))
const windowed = keyed.pipe(EventStream.window(Window.tumbling("1 minute"), { late: "drop" }))
const counted = windowed.pipe(EventStream.aggregate(({ count }) => ({ n: count })))
const updating = keyed.pipe(
  EventStream.window(Window.tumbling("1 minute"), { late: "drop", allowedLateness: "1 minute" }),
  EventStream.aggregate(({ count }) => ({ n: count }))
)

/** What a person would read. */
const said = (built: Pick<Built, "plan">): ReadonlyArray<string> => allProblems(built).map(renderProblem)
const time = (options: unknown, field: unknown = "at"): Built => untimed.pipe(JS.withEventTime(field, options))
const windowOf = (window: unknown, options: unknown): Built => keyed.pipe(JS.window(window, options), count)
const minute = Window.tumbling("1 minute")

describe("options", () => {
  const cases: ReadonlyArray<readonly [string, Pick<Built, "plan">, ReadonlyArray<string>]> = [
    [
      "a duration",
      time({ outOfOrderness: "10 minuts" }),
      ['withEventTime.outOfOrderness: "10 minuts": is not a duration (try "10 minutes")']
    ],
    [
      "a negative duration",
      time({ outOfOrderness: -1 }),
      ["withEventTime.outOfOrderness: -1: must be whole milliseconds, from 0 to 9007199254740991"]
    ],
    [
      "an endless duration",
      time({ outOfOrderness: "Infinity" }),
      ['withEventTime.outOfOrderness: "Infinity": must be whole milliseconds, from 0 to 9007199254740991']
    ],
    ["no options", time(undefined), ['withEventTime.outOfOrderness: undefined: is missing (try "10 minutes")']],
    [
      "two watermarks",
      time({ outOfOrderness: 1, watermark: () => 1 }),
      ["withEventTime.watermark: a function: give either outOfOrderness or watermark"]
    ],
    ["a watermark that is no function", time({ watermark: 7 }), ["withEventTime.watermark: 7: must be a function"]],
    [
      "no field",
      time({ outOfOrderness: 1 }, 7),
      ['withEventTime.time: 7: must be a field name or a function of a row (try "amount")']
    ],
    [
      "whenQuiet",
      time({ outOfOrderness: 1, whenQuiet: "wait" }),
      ['withEventTime.whenQuiet: "wait": must be "hold" or "follow the clock"']
    ],
    [
      "a zone",
      time({ outOfOrderness: 1, zone: "Europe/Atlantis" }),
      ['withEventTime.zone: "Europe/Atlantis": is not a time zone (try "Europe/Berlin")']
    ],
    [
      "T8: a skew below zero",
      time({ outOfOrderness: 1, maxFutureSkew: -1 }),
      ["withEventTime.maxFutureSkew: -1: must be whole milliseconds, from 0 to 9007199254740991"]
    ],
    [
      "several at once",
      time({ outOfOrderness: "x", idleAfter: 0, alignment: "y" }),
      [
        'withEventTime.outOfOrderness: "x": is not a duration (try "10 minutes")',
        "withEventTime.idleAfter: 0: must be whole milliseconds, from 1 to 9007199254740991",
        'withEventTime.alignment: "y": is not a duration (try "10 minutes")'
      ]
    ],
    [
      "the size of a window",
      windowOf(Window.tumbling("1 minit" as "1 minute"), { late: "drop" }),
      ['Window.tumbling.size: "1 minit": is not a duration (try "10 minutes")']
    ],
    [
      "a sliding window without options",
      windowOf((Window.sliding as (size: string) => unknown)("1 hour"), { late: "drop" }),
      ['Window.sliding.every: undefined: is not a duration (try "10 minutes")']
    ],
    [
      "durations that are none",
      windowOf((Window.session as (gap: unknown) => unknown)(null), { late: "drop", allowedLateness: { minuts: 5 } }),
      [
        'Window.session.gap: null: is not a duration (try "10 minutes")',
        'window.allowedLateness: {"minuts":5}: is not a duration (try "10 minutes")',
        'window.allowedLateness: {"minuts":5}: is for Window.tumbling and Window.sliding: leave it out'
      ]
    ],
    [
      "an array of fields as a key",
      timed.pipe(JS.keyBy(["id", "category"])),
      ['keyBy: ["id","category"]: must be a field name, or one record of named functions']
    ],
    [
      "no window",
      windowOf(undefined, { late: "drop" }),
      ['window: undefined: must be a window (try Window.tumbling("1 minute"))']
    ],
    [
      "A3, T4: an undecided late policy",
      windowOf(minute, undefined),
      ['window.late: undefined: must say what becomes of late rows: "drop" or Late.to(sink)']
    ],
    [
      "a late policy of another name",
      windowOf(minute, { late: "forward" }),
      ['window.late: "forward": must say what becomes of late rows: "drop" or Late.to(sink)']
    ],
    [
      "a late output that is no sink",
      windowOf(minute, { late: Late.to({} as typeof sink) }),
      ["window.late: {}: must be a sink (try Terminal.sink())"]
    ],
    [
      "a late output that does not append",
      windowOf(minute, { late: Late.to(updateOnly as unknown as typeof sink) }),
      ["window.late: table: takes no rows in mode append, which is how late rows are written"]
    ],
    [
      "allowed lateness of a session",
      windowOf(Window.session("1 minute"), { late: "drop", allowedLateness: "1 minute" }),
      ['window.allowedLateness: "1 minute": is for Window.tumbling and Window.sliding: leave it out']
    ],
    [
      "A4: early results of a session",
      windowOf(Window.session("1 minute"), { late: "drop", early: true }),
      ["window.early: true: is for Window.tumbling and Window.sliding: leave it out"]
    ],
    [
      "early results that are neither on nor off",
      windowOf(minute, { late: "drop", early: "yes" }),
      ['window.early: "yes": must be true or false']
    ],
    [
      "A3: a dedupe that waits longer than the window after it",
      timed.pipe(
        EventStream.dedupe("id", { late: "drop", allowedLateness: "2 minutes" }),
        EventStream.map((row) => row),
        EventStream.keyBy("id"),
        EventStream.window(minute, { late: "drop", allowedLateness: "1 minute" }),
        EventStream.aggregate(({ count }) => ({ n: count }))
      ),
      [
        "window.allowedLateness: 60000 ms: is less than the 120000 ms of the dedupe before it: make it at least as long, or the dedupe's shorter"
      ]
    ],
    [
      "dedupe without a policy",
      timed.pipe(JS.dedupe("id", {})),
      ['dedupe.late: undefined: must say what becomes of late rows: "drop" or Late.to(sink)']
    ],
    [
      "concurrency",
      untimed.pipe(JS.mapEffect((row: unknown) => row, { concurrency: 0 })),
      ["mapEffect.concurrency: 0: must be a whole number from 1 to 4096"]
    ],
    [
      "ordered and onError",
      untimed.pipe(JS.mapEffect(() => 1, { ordered: "no", onError: "skip" })),
      ['mapEffect.ordered: "no": must be true or false', 'mapEffect.onError: "skip": must be "restart" or "deadLetter"']
    ],
    [
      "lambdas",
      untimed.pipe(JS.map("x"), JS.filter(undefined), JS.flatMap({}), JS.mapEffect(null)),
      [
        'map: "x": must be a function',
        "filter: undefined: must be a function",
        "flatMap: {}: must be a function",
        "mapEffect: null: must be a function"
      ]
    ],
    ["a source", JS.from("./in/*.json"), ['from: "./in/*.json": must be a source (try Memory.source([...]))']],
    [
      "a union with something else",
      untimed.pipe(JS.union([])),
      ["union: []: must be a stream, made by EventStream.from"]
    ],
    [
      "a schema without fields",
      untimed.pipe(JS.select(Schema.String)),
      ["select: a schema without fields: must be a Schema.Struct with at least one field"]
    ],
    ["a sink", timed.pipe(JS.to(undefined)), ["to: undefined: must be a sink (try Terminal.sink())"]],
    [
      "A4: a mode the sink does not take",
      counted.pipe(JS.to(appendOnly, { mode: "update" })),
      ['to.mode: "update": is none that log takes (it takes append)']
    ],
    [
      "a mode there is none of",
      counted.pipe(JS.to(sink, { mode: "upsert" })),
      ['to.mode: "upsert": must be "append", "update" or "complete"']
    ],
    [
      "A4: complete without a bound",
      counted.pipe(JS.to(sink, { mode: "complete" })),
      ['to.keep: undefined: must say how long rows stay in the table (try "2 hours")']
    ],
    [
      "keep in another mode",
      counted.pipe(JS.to(sink, { keep: "1 hour" })),
      ['to.keep: "1 hour": is for mode "complete": leave it out']
    ],
    [
      "update of rows without identity",
      timed.pipe(EventStream.to(sink, { mode: "update" })),
      [
        'to.mode: "update": needs results of an aggregate, whose key says which row to replace; other rows are written in append'
      ]
    ],
    [
      "outputs that are no pipelines",
      outputs({ a: timed as never }),
      [
        'outputs.a: {"plan":' // the start of it: a stream shows its plan
      ]
    ],
    ["no outputs", outputs({}), ["outputs.none: no outputs: must have at least one: outputs({ name: pipeline })"]]
  ]
  it.each(cases)("%s", (_, built, expected) => {
    const texts = said(built)
    expect(texts.length).toBe(expected.length)
    texts.forEach((text, i) => expect(text.startsWith(expected[i]) ? expected[i] : text).toBe(expected[i]))
  })

  it("what cannot be shown is still a problem: circular values, bigints inside, symbols, throwing toJSON", () => {
    const circular: { self?: unknown } = {}
    circular.self = circular
    const hostile = [
      circular,
      { n: 1n },
      Symbol("s"),
      {
        toJSON: () => {
          throw new Error("no")
        }
      },
      Object.create(null)
    ]
    for (const value of hostile) {
      expect(said(time({ outOfOrderness: value })).length).toBe(1)
      expect(said(untimed.pipe(JS.map(value))).length).toBe(1)
    }
  })

  it("the problems of aggregates are the node's", () => {
    const stream = windowed.pipe(EventStream.aggregate(({ percentile }) => ({ p: percentile("amount", 95) })))
    expect(said(stream).length).toBe(1)
    expect(said(stream)[0]).toContain("95")
  })

  it("a build function that throws is a problem", () => {
    const build = (({ median }: { readonly median: (field: string) => unknown }) => ({
      m: median("amount")
    })) as unknown
    expect(said(windowed.pipe(JS.aggregate(build)))).toEqual([
      "aggregate: median is not a function: thrown while the aggregates were built (see Aggregates for what there is)"
    ])
    expect(said(windowed.pipe(JS.aggregate(() => 7)))).toEqual([
      "aggregate: 7: must be a record of aggregates: ({ count }) => ({ orders: count })"
    ])
    expect(said(windowed.pipe(JS.aggregate(() => ({ n: 7 }))))).toEqual([
      'aggregate.n: 7: must be an aggregate: count, sum("amount"), ...'
    ])
  })
})

describe("stages, for callers without types", () => {
  const noTime = "window: rows without event time: call EventStream.withEventTime first"
  const noKey = "window: rows without a key: call EventStream.keyBy first"
  const keyedRows =
    "keyed rows: call EventStream.window, EventStream.aggregateRunning or EventStream.process right after EventStream.keyBy"
  const changing = 'rows that may still change: end with EventStream.to(sink, { mode: "update" }) or mode "complete"'
  const window = JS.window(minute, { late: "drop" })

  it("a window without event time or key", () => {
    expect(said(untimed.pipe(window, count))).toEqual([noKey, noTime])
    expect(said(untimed.pipe(JS.keyBy("id"), window, count))).toEqual([noTime])
    expect(said(timed.pipe(window, count))).toEqual([noKey])
  })

  it("an aggregate without a window, a running one without a key", () => {
    expect(said(keyed.pipe(count))).toEqual([
      "aggregate: rows without windows: call EventStream.window first (or EventStream.aggregateRunning, for a result that keeps changing)"
    ])
    expect(said(timed.pipe(JS.aggregateRunning(({ count }: { readonly count: unknown }) => ({ n: count }))))).toEqual([
      "aggregateRunning: rows without a key: call EventStream.keyBy first"
    ])
  })

  it("a union of timed and untimed rows has no event time", () => {
    const united = timed.pipe(JS.union(untimed), JS.keyBy("id"))
    expect(said(united.pipe(window, count))).toEqual([noTime])
  })

  it("keyed and windowed rows enter nothing else", () => {
    expect(said(keyed.pipe(JS.map((row: unknown) => row)))).toEqual([`map: ${keyedRows}`])
    expect(said(windowed.pipe(JS.to(sink)))).toEqual([`to: ${keyedRows}`])
    expect(said(keyed.pipe(JS.keyBy("id")))).toEqual([`keyBy: ${keyedRows}`])
  })

  it("event time is declared once", () => {
    expect(said(timed.pipe(JS.withEventTime("at", { outOfOrderness: 0 })))).toEqual([
      "withEventTime: rows with event time: call it once; results of windows have event time"
    ])
  })

  it("A2, T10: an updating stream enters no stateful operator, and is not appended", () => {
    expect(said(updating.pipe(JS.keyBy("category")))).toEqual([`keyBy: ${changing}`])
    expect(said(updating.pipe(JS.dedupe("category", { late: "drop" })))).toEqual([`dedupe: ${changing}`])
    expect(said(updating.pipe(JS.filter(() => true)))).toEqual([`filter: ${changing}`])
    expect(said(updating.pipe(JS.to(sink)))).toEqual([`to: ${changing}`])
    expect(said(updating.pipe(EventStream.to(sink, { mode: "update" })))).toEqual([])
  })

  it("A2: updates keep their order and their identity", () => {
    expect(said(updating.pipe(JS.mapEffect(() => 1, { ordered: false })))).toEqual([
      "mapEffect.ordered: false: would let an update overtake a newer one: leave it out"
    ])
    const picked = updating.pipe(EventStream.select(Schema.Struct({ category: Schema.String, n: Schema.Number })))
    expect(said(picked)).toEqual([
      'select: "window_start": is missing, but identifies a row of an updating stream: select it too',
      'select: "window_end": is missing, but identifies a row of an updating stream: select it too'
    ])
  })
})

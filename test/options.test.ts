/**
 * Every option of every connector, format, window, query and operator, given values that nobody expects: making the
 * thing never throws, and what it says names the option, the value and what to write.
 */
import { Schema, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { settingsOf } from "../src/actors/QueryOptions.ts"
import * as Files from "../src/connectors/files/Files.ts"
import * as Foreach from "../src/connectors/foreach/Foreach.ts"
import * as Generate from "../src/connectors/generate/Generate.ts"
import * as Replay from "../src/connectors/generate/Replay.ts"
import * as Memory from "../src/connectors/memory/Memory.ts"
import * as Socket from "../src/connectors/socket/Socket.ts"
import * as Streams from "../src/connectors/stream/Streams.ts"
import * as Terminal from "../src/connectors/terminal/Terminal.ts"
import * as Csv from "../src/formats/Csv.ts"
import * as Json from "../src/formats/Json.ts"
import * as Parquet from "../src/formats/Parquet.ts"
import { type OptionProblem, renderProblem } from "../src/model/Errors.ts"
import { durationMs, show } from "../src/model/Options.ts"
import * as Trigger from "../src/streams/Trigger.ts"
import { EventStream, Window } from "tidemark"
import { allProblems, type Built, count, JS } from "./language/untyped.ts"

const refuses = (): never => {
  throw new Error("not to be asked")
}
const hostile = { toString: refuses, toJSON: refuses, valueOf: refuses }

/** The values, and how a problem shows them. */
const values: ReadonlyArray<readonly [unknown, string]> = [
  [5n, "5n"],
  [{}, "{}"],
  [{ minuts: 5 }, '{"minuts":5}'],
  [hostile, "an object"],
  [Number.NaN, "NaN"],
  [-1, "-1"]
]

type Problems = ReadonlyArray<OptionProblem> | undefined
/** What holds the options, and what is said of one of them. */
type Made = (option: string, value: unknown) => Problems
/** `at.option` is what problems call an option; an empty name: an argument, called `at`. */
type Row = readonly [at: string, options: ReadonlyArray<string>, made: Made]

/** A function of options as JavaScript sees it. */
type Untyped = (...args: ReadonlyArray<unknown>) => { readonly problems?: Problems }
const of = (make: unknown, before: ReadonlyArray<unknown>, others: object = {}): Made => {
  const f = make as Untyped
  return (option, value) => f(...before, { ...others, [option]: value }).problems
}

const rows = Memory.source([{ id: "a", at: 1, amount: 1 }])
const format = Json.lines()
const timed = EventStream.from(rows).pipe(EventStream.withEventTime("at", { outOfOrderness: 0 }))
const keyed = timed.pipe(EventStream.keyBy("id"))
const minute = Window.tumbling("1 minute")
const common = [
  "seed",
  "rate",
  "count",
  "partitions",
  "keys",
  "outOfOrderness",
  "duplicates",
  "late",
  "lateBy",
  "poison"
]
const generator = [...common, "futureDated", "futureBy", "startAt", "paced"]
const badInput = ["onBadInput", "deadLetters"]

const built =
  (make: (options: object) => Built, others: object = {}): Made =>
  (option, value) =>
    allProblems(make({ ...others, [option]: value }))

const aggregated =
  (make: (aggregates: { readonly [name: string]: Untyped }, value: unknown) => unknown): Made =>
  (_, value) =>
    allProblems(
      keyed.pipe(
        JS.window(minute, { late: "drop" }),
        JS.aggregate((aggregates: never) => ({ x: make(aggregates, value) }))
      )
    )

const table: ReadonlyArray<Row> = [
  [
    "Files.source",
    ["path", "format", "lanes", "compression", "watch", "lineBytesMax", "jsonDepthMax", "name", ...badInput],
    of(Files.source, [], { path: "in", format })
  ],
  ["Files.", ["rollBytes", "startOver", "name"], of(Files.jsonLines, ["out"])],
  ["Files.folder", [""], (_, value) => (Files.jsonLines as Untyped)(value).problems],
  ["Files.csv", ["columns", "header", "delimiter"], of(Files.csv, ["out"])],
  ["Csv.rows", ["columns", "header", "delimiter"], of(Csv.rows, [undefined])],
  ["Parquet.rows", ["columns"], of(Parquet.rows, [undefined])],
  ["Foreach.sink", [""], (_, value) => (Foreach.sink as Untyped)(value).problems],
  ["Foreach.batch", [""], (_, value) => (Foreach.batch as Untyped)(value).problems],
  ["Generate.transactions", generator, of(Generate.transactions, [])],
  ["Generate.iot", [...generator, "moreData"], of(Generate.iot, [])],
  ["Generate.lines", [""], (_, value) => (Generate.lines as Untyped)(value).problems],
  [
    "Replay.outOfOrder",
    ["partitions", "within", "seed", "time", "late", "duplicates"],
    of(Replay.outOfOrder, [rows], { partitions: 1, within: "1 minute", time: "at" })
  ],
  [
    "Replay.outOfOrder.late",
    ["fraction", "by"],
    (option, value) =>
      of(Replay.outOfOrder, [rows], { partitions: 1, within: 1, time: "at" })("late", { fraction: 0, [option]: value })
  ],
  ["Memory.", ["chunkRows", "columns", "source.name"], (option, value) => of(Memory.source, [[]])(last(option), value)],
  ["Memory.source.rows", [""], (_, value) => (Memory.source as Untyped)(value).problems],
  [
    "Memory.channel",
    ["name", "partitions", "bounded", "appendTime", "endPosition", "replayable", "dynamicPartitions"],
    (option, value) => Memory.channel({ [option]: value }).source.problems
  ],
  ["Memory.sink", ["name", "table"], of(Memory.sink, [])],
  [
    "Socket.source",
    ["host", "port", "bounded", "lineBytesMax", "decode", ...badInput],
    of(Socket.source, [], { port: 9999 })
  ],
  ["Streams.source", ["name", "bounded"], of(Streams.source, [Stream.empty])],
  ["Streams.source", [""], (_, value) => (Streams.source as Untyped)(value).problems],
  ["Terminal.sink", ["truncate", "numRows", "columns", "title"], of(Terminal.sink, [])],
  ["Window.tumbling.size", [""], (_, value) => (Window.tumbling as Untyped)(value).problems],
  ["Window.tumbling", ["offset"], of(Window.tumbling, ["1 minute"])],
  ["Window.sliding", ["every", "offset"], of(Window.sliding, ["1 minute"], { every: "1 minute" })],
  ["Window.session.gap", [""], (_, value) => (Window.session as Untyped)(value).problems],
  ["Trigger.every", [""], (_, value) => (Trigger.every as Untyped)(value).problems],
  [
    "",
    ["name", "restart", "restartLimit", "trigger", "parallelism", "chunkRows", "drainTimeout"],
    (option, value) => query({ name: "q", [option]: value })
  ],
  [
    "restartLimit",
    ["restarts", "within"],
    (option, value) => query({ name: "q", restartLimit: { restarts: 1, within: 1, [option]: value } })
  ],
  [
    "withEventTime",
    ["outOfOrderness", "idleAfter", "whenQuiet", "maxFutureSkew", "alignment", "zone"],
    built((options) => EventStream.from(rows).pipe(JS.withEventTime("at", options)), { outOfOrderness: 0 })
  ],
  ["withEventTime", ["watermark"], built((options) => EventStream.from(rows).pipe(JS.withEventTime("at", options)))],
  [
    "withEventTime.time",
    [""],
    (_, v) => allProblems(EventStream.from(rows).pipe(JS.withEventTime(v, { outOfOrderness: 0 })))
  ],
  [
    "dedupe",
    ["late", "allowedLateness", "within"],
    built((options) => timed.pipe(JS.dedupe("id", options)), { late: "drop" })
  ],
  ["dedupe.id", [""], (_, value) => allProblems(timed.pipe(JS.dedupe(value, { late: "drop" })))],
  [
    "window",
    ["late", "allowedLateness", "early"],
    built((options) => keyed.pipe(JS.window(minute, options), count), { late: "drop" })
  ],
  ["window", [""], (_, value) => allProblems(keyed.pipe(JS.window(value, { late: "drop" }), count))],
  [
    "mapEffect",
    ["concurrency", "ordered", "onError"],
    built((options) => timed.pipe(JS.mapEffect(() => undefined, options)))
  ],
  ["to", ["mode", "keep"], built((options) => timed.pipe(JS.to(Memory.sink(), options)))],
  ["to", ["keep"], built((options) => keyed.pipe(JS.to(Memory.sink(), options)), { mode: "complete" })],
  ["keyBy", [""], (_, value) => allProblems(timed.pipe(JS.keyBy(value, "id")))],
  ["named", [""], (_, value) => allProblems(timed.pipe(JS.named(value)))],
  ["percentile.quantile", [""], aggregated(({ percentile }, value) => percentile("amount", value))],
  ["percentile.accuracy", [""], aggregated(({ percentile }, accuracy) => percentile("amount", 0.5, { accuracy }))],
  ["percentiles.quantile", [""], aggregated(({ percentiles }, value) => percentiles("amount", value))],
  ["sum", [""], aggregated(({ sum }, value) => sum(value))],
  [
    "reduce.merge",
    [""],
    aggregated(({ reduce }, merge) => reduce({ state: Schema.Number, zero: () => 0, add: (n: number) => n, merge }))
  ]
]

const last = (option: string): string => option.slice(option.lastIndexOf(".") + 1)

const query = (options: object): Problems => {
  const problems: Array<OptionProblem> = []
  settingsOf(options as never, problems)
  return problems
}

/** What of the values above is right, after all. */
const right: { readonly [option: string]: ReadonlyArray<string> } = {
  "Generate.transactions.seed": ["-1"],
  "Generate.iot.seed": ["-1"],
  "Replay.outOfOrder.seed": ["-1"],
  "Generate.transactions.startAt": ["-1", "5n"],
  "Generate.iot.startAt": ["-1", "5n"]
}

describe("every option, given what nobody expects", () => {
  for (const [at, options, made] of table) {
    for (const option of options) {
      const full = at === "" || at.endsWith(".") || option === "" ? `${at}${option}` : `${at}.${option}`
      it(`${full}: is right, or a problem names the option, the value and the fix`, () => {
        for (const [value, text] of values) {
          const problems = made(option, value) ?? []
          const said = problems.filter((p) => p.option.startsWith(full) && p.value === text && p.fix.length > 5)
          const outcome = problems.length === 0 ? "right" : said.length > 0 ? "said" : "unclear"
          const expected = right[full]?.includes(text) === true ? "right" : "said"
          expect(outcome, `${text}: ${problems.map(renderProblem).join("; ")}`).toBe(expected)
        }
      })
    }
  }
})

describe("reading options", () => {
  it("none at all, or no object, is a problem of each that must be there", () => {
    for (const value of [undefined, null, 5, "path"]) {
      const said = (make: unknown): ReadonlyArray<string> =>
        ((make as Untyped)(value).problems ?? []).map((p) => `${p.option}: ${p.value}`)
      expect(said(Files.source)).toEqual(["Files.source.format: undefined", "Files.source.path: undefined"])
      expect(said(Socket.source)).toEqual(["Socket.source.port: undefined"])
    }
  })

  it("NaN and the infinities are no duration, even where 0 is one", () => {
    for (const value of [Number.NaN, -Infinity, Infinity, "-Infinity", { minutes: -Infinity }]) {
      const problems: Array<OptionProblem> = []
      durationMs("o", value as never, problems, { min: 0 })
      expect(problems.length).toBe(1)
    }
  })

  it("an unknown onBadInput drops nothing, and a dead-letter sink is a sink: a problem, and no property", () => {
    for (const make of [of(Files.source, [], { path: "in", format }), of(Socket.source, [], { port: 9999 })]) {
      for (const value of ["drop", {}, { dropAs: undefined }, { dropAs: "" }, { dropAs: 5 }, null, 5]) {
        expect(make("onBadInput", value)?.map((p) => p.value)).toEqual([show(value)])
      }
      expect(make("deadLetters", 5)?.map((p) => p.value)).toEqual(["5"])
    }
    const untyped = Files.source as unknown as (options: object) => object
    expect(untyped({ path: "in", format, onBadInput: "drop" })).not.toHaveProperty("onBadInput")
  })

  it("what effect reads as zero is no duration", () => {
    for (const value of [
      {},
      { minuts: 5 },
      { minutes: Number.NaN },
      { minutes: undefined },
      [Number.NaN, 0],
      Number.NaN
    ]) {
      const problems: Array<OptionProblem> = []
      durationMs("o", value as never, problems, { min: 0 })
      expect(problems.map((p) => p.fix)).toEqual(['is not a duration (try "10 minutes")'])
    }
    expect(durationMs("o", { minutes: 5, seconds: 1 }, [], { min: 0 })).toBe(301_000)
  })

  it("a problem shows any value, and cuts long ones", () => {
    const circular: { self?: unknown } = {}
    circular.self = circular
    expect([circular, [1n], Symbol("s"), undefined, null, hostile].map(show)).toEqual([
      "an object",
      "an object",
      "Symbol(s)",
      "undefined",
      "null",
      "an object"
    ])
    expect(show("x".repeat(1000)).length).toBe(203)
  })
})

/** Names: of result columns, of a sink's columns, of operators and outputs; hostile ones among them. */
import { describe, expect, it } from "vitest"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import { outputs } from "../../src/streams/Pipeline.ts"
import { factsOf } from "../../src/streams/PlanFacts.ts"
import { Schema } from "effect"
import { EventStream, Late, Window } from "tidemark"
import { allProblems, count, JS, ownProblems } from "./untyped.ts"

const sink = Memory.sink()
const timed = EventStream.from(Memory.source([{ id: "a", category: "Books", amount: 1, at: 1 }])).pipe(
  EventStream.withEventTime("at", { outOfOrderness: 0 })
)
const minute = EventStream.window(Window.tumbling("1 minute"), { late: "drop" })
/** The problems of a window over this key with these aggregate names, as `value: fix`. */
const windowProblems = (key: unknown, ...names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const build = ({ count }: { readonly count: unknown }): unknown =>
    Object.fromEntries(names.map((name) => [name, count]))
  const results = timed.pipe(
    JS.keyBy(key),
    JS.window(Window.tumbling("1 minute"), { late: "drop" }),
    JS.aggregate(build)
  )
  return allProblems(results).map((p) => `${p.value}: ${p.fix}`)
}

describe("result columns", () => {
  it("an aggregate may not be named like a column of the key or a bound of the window", () => {
    expect(windowProblems("category", "n", "category", "window_start")).toEqual([
      '"category": is taken: it is a column of the key (give it another name)',
      '"window_start": is taken: it is a bound of the window (give it another name)'
    ])
  })

  it("a key column may not be named like a bound of the window", () => {
    expect(windowProblems({ window_end: () => 1 }, "n")).toEqual([
      '"window_end": is a column of every window\'s result (give the key column another name)'
    ])
  })

  it("empty names and __proto__ are refused, as key columns and as aggregates", () => {
    const bad = [
      '"": is not a column name (give it one character at least)',
      '"__proto__": cannot be a column of a result (give it another name)'
    ]
    expect(windowProblems("id", "", "__proto__")).toEqual(bad)
    expect(
      windowProblems(
        Object.fromEntries([
          ["", () => 1],
          ["__proto__", () => 1]
        ]),
        "n"
      )
    ).toEqual(bad)
    expect(windowProblems("__proto__", "n")).toEqual([bad[1]])
  })

  it("names that only look dangerous are fine", () => {
    expect(windowProblems("constructor", "toString", "hasOwnProperty", "1", "a b", "\u0000", "prototype")).toEqual([])
  })

  it("a literal { __proto__: f } has no columns, and says so", () => {
    expect(windowProblems({ __proto__: { category: () => 1 } }, "n")).toEqual([
      "{}: names no column (call keyBy() for one key over all rows)"
    ])
  })

  it("a field stands once", () => {
    const stream = timed.pipe(EventStream.keyBy("id", "id"))
    expect(stream.plan.problems.map((p) => `${p.value}: ${p.fix}`)).toEqual(['"id": stands twice'])
    const other = timed.pipe(JS.keyBy("id", 7))
    expect(ownProblems(other).map((p) => p.value)).toEqual(["7"])
  })

  it("select refuses __proto__", () => {
    const schema = { fields: Object.fromEntries([["__proto__", Schema.String]]) }
    expect(ownProblems(timed.pipe(JS.select(schema))).map((p) => p.value)).toEqual(['"__proto__"'])
  })

  it("fields of rows may have any name: only results are built by us", () => {
    const stream = timed.pipe(JS.dedupe("__proto__", { late: "drop" }))
    expect(ownProblems(stream)).toEqual([])
    expect(ownProblems(JS.from(Memory.source([1])).pipe(JS.withEventTime("", { outOfOrderness: 0 })))).toEqual([])
  })
})

describe("columns a sink's schema lacks", () => {
  const narrow = { ...sink, name: "table ./orders", columns: ["id", "amount"] }
  const fix =
    "not among the columns of table ./orders: call EventStream.select(schema) first, or give the sink a schema that has them"

  it("are a problem where the plan knows the columns", () => {
    const results = timed.pipe(
      EventStream.keyBy("id"),
      minute,
      EventStream.aggregate(({ sum }) => ({ amount: sum("amount") }))
    )
    const written = results.pipe(JS.to(narrow))
    expect(ownProblems(written)).toEqual([{ option: "to", value: '"window_start", "window_end"', fix }])
  })

  it("are none after select", () => {
    const Row = Schema.Struct({ id: Schema.String, amount: Schema.Number })
    const written = timed.pipe(JS.select(Row), JS.to(narrow))
    expect(ownProblems(written)).toEqual([])
  })

  it("are a problem of late outputs too", () => {
    const Row = Schema.Struct({ id: Schema.String, amount: Schema.Number, at: Schema.Number })
    const late = timed.pipe(JS.select(Row), JS.dedupe("id", { late: Late.to(narrow) }))
    expect(ownProblems(late)).toEqual([{ option: "dedupe.late", value: '"at"', fix }])
  })
})

describe("facts of a plan", () => {
  const results = timed.pipe(
    EventStream.keyBy("category"),
    minute,
    EventStream.aggregate(({ count }) => ({ n: count }))
  )

  it("A4: results are identified by the key's columns and the window's bounds", () => {
    expect(factsOf(results.plan)).toEqual({
      timed: true,
      updating: false,
      columns: ["category", "window_start", "window_end", "n"],
      identity: ["category", "window_start", "window_end"]
    })
    const running = timed.pipe(
      EventStream.keyBy("category"),
      EventStream.aggregateRunning(({ count }) => ({ n: count }))
    )
    expect(factsOf(running.plan)).toEqual({
      timed: true,
      updating: true,
      columns: ["category", "n"],
      identity: ["category"]
    })
  })

  it("a map hides columns, a flatMap and a union identity", () => {
    expect(factsOf(results.pipe(EventStream.map((row) => row)).plan)).toMatchObject({
      columns: undefined,
      identity: ["category", "window_start", "window_end"]
    })
    expect(factsOf(results.pipe(EventStream.flatMap((row) => [row])).plan).identity).toBeUndefined()
    expect(factsOf(results.pipe(EventStream.union(results)).plan)).toMatchObject({
      columns: ["category", "window_start", "window_end", "n"],
      identity: undefined
    })
  })

  it("a union of a union, sixty deep, is looked at node by node, not path by path", () => {
    let stream: EventStream.EventStream<unknown, unknown, unknown, EventStream.Timed> = timed
    for (let i = 0; i < 60; i++) stream = stream.pipe(EventStream.union(stream))
    expect(factsOf(stream.plan).timed).toBe(true)
    const window = JS.window(Window.tumbling("1 minute"), { late: "drop" })
    expect(allProblems(stream.pipe(JS.keyBy("id"), window, count))).toEqual([])
  })

  it("a chain of a hundred thousand maps is no deep recursion", () => {
    let stream: EventStream.EventStream<unknown, unknown, unknown, EventStream.Timed> = timed
    for (let i = 0; i < 100_000; i++) stream = stream.pipe(EventStream.map((row) => row))
    expect(factsOf(stream.plan).timed).toBe(true)
  })
})

describe("names of operators and outputs", () => {
  const problemsOf = (name: unknown): number => ownProblems(timed.pipe(JS.named(name))).length

  it("may stand in files, metrics and manifests", () => {
    expect(["clock", "by-category", "a.b_c=1", "x".repeat(200), "constructor"].map(problemsOf)).toEqual([0, 0, 0, 0, 0])
    const bad = ["", "__proto__", "../up", "a/b", ".hidden", "a b", "\u0000", "x".repeat(201), "ü", 7, undefined, {}]
    expect(bad.filter((name) => problemsOf(name) !== 1)).toEqual([])
  })

  it("outputs checks the record's names", () => {
    const pipeline = timed.pipe(EventStream.to(sink))
    const names = Object.fromEntries(["ok", "__proto__", "", "a/b"].map((name) => [name, pipeline]))
    const { plan } = outputs(names)
    expect(plan.outputs.map((o) => o.sink.problems.map((p) => p.value))).toEqual([
      [],
      ['"__proto__"'],
      ['""'],
      ['"a/b"']
    ])
    expect(pipeline.plan.outputs[0].sink.problems).toEqual([])
  })
})

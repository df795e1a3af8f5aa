/** Edits of plans, as users make them, and what becomes of each operator (rule C8). */
import { Effect, Schema } from "effect"
import * as Late from "../../src/streams/Late.ts"
import * as Window from "../../src/streams/Window.ts"
import { type Built, JS, rows, sink, type Step } from "./plans.ts"

interface Row {
  readonly category: string
  readonly amount: number
  readonly at: string
}
type Build = (of: {
  readonly count: unknown
  readonly sum: (of: unknown) => unknown
  readonly avg: (of: unknown) => unknown
  readonly max: (of: unknown) => unknown
}) => unknown

const { dedupe, filter, keyBy, map, mapEffect, named, to, union, window, withEventTime } = JS
const aggregate = (build: Build): Step => JS.aggregate(build)

const clock = (options: object = {}, field = "at") => withEventTime(field, { outOfOrderness: "5 seconds", ...options })
const onTime = (name = "orders") => rows(name).pipe(clock())
const by = (...fields: ReadonlyArray<unknown>) => keyBy(...fields)
const cut = (of: unknown, options: object = {}) => window(of, { late: "drop", ...options })
const five = cut(Window.tumbling("5 minutes"))
const sums = aggregate(({ count, sum }) => ({ n: count, total: sum("amount") }))
export const books = filter((row: Row) => row.category === "Books")
export const big = filter((row: Row) => row.amount > 100)
const same = map((row: Row) => row)
const out = to(sink("out"))
const category = by("category")

/** What most cases change one thing of. */
export const base = () => onTime().pipe(category, five, sums, out)
export const windowed = (of: unknown, options?: object) => onTime().pipe(category, cut(of, options), sums, out)
const timed = (options: object, field?: string) => rows("orders").pipe(clock(options, field), category, five, sums, out)
const keyed = (...fields: ReadonlyArray<unknown>) => onTime().pipe(by(...fields), five, sums, out)
const aggregated = (build: Build) => onTime().pipe(category, five, aggregate(build), out)
const deduped = (options: object = {}, id = "id") =>
  onTime().pipe(dedupe(id, { late: "forward", ...options }), category, five, sums, out)
export const after = (...steps: ReadonlyArray<Step>) => onTime().pipe(...steps, category, five, sums, out)
const written = (options: object, name = "out") => onTime().pipe(category, five, sums, to(sink(name), options))
export const totals = (version?: string) =>
  rows("orders").pipe(
    by({ region: (row: Row) => row.category }),
    JS.aggregateRunning((({ sum }) => ({ total: sum((row: Row) => row.amount) })) satisfies Build),
    named("totals", version === undefined ? {} : { version }),
    to(sink("out"), { mode: "complete", keep: "2 hours" })
  )
const plain = (...steps: ReadonlyArray<Step>) => rows("orders").pipe(...steps, out)
export const calm = onTime().pipe(category, five, sums, named("calm"))
const hourly = onTime().pipe(category, cut(Window.tumbling("1 hour")), sums, named("hourly"))
export const both = (...order: ReadonlyArray<"calm" | "hourly">) =>
  JS.outputs(Object.fromEntries(order.map((name) => [name, { calm, hourly }[name].pipe(to(sink(name)))])))
const branches = (first: "a" | "b") => {
  const stream = onTime().pipe(named("clock"))
  const a = stream.pipe(books, category, five, sums, named("a"), to(sink("a")))
  const b = stream.pipe(same, by("region"), five, sums, named("b"), to(sink("b")))
  return JS.outputs(first === "a" ? { a, b } : { b, a })
}
const filteredB = () => {
  const stream = onTime().pipe(named("clock"))
  const a = stream.pipe(category, five, sums, named("a"), to(sink("a")))
  return JS.outputs({ a, b: stream.pipe(books, same, by("region"), five, sums, named("b"), to(sink("b"))) })
}
const joinedBy = (...names: ReadonlyArray<string>) =>
  names
    .map((name) => onTime(name).pipe(named(`clock-of-${name}`)))
    .reduce((all, stream) => all.pipe(union(stream)))
    .pipe(category, five, sums, out)
const counted = (size: "1 minute" | "5 minutes"): ReadonlyArray<Step> => [
  category,
  cut(Window.tumbling(size)),
  aggregate(({ count }) => ({ n: count })),
  named(`every-${size.replace(" ", "-")}`)
]
const chained = (first: "1 minute" | "5 minutes", second: "1 minute" | "5 minutes") =>
  onTime().pipe(...counted(first), ...counted(second), out)
const aLateRow = (name: string) => ({ late: Late.to(sink(name)) })

/** `refuse`: unless accepted. `never`: refused whatever is accepted. Operators that are not listed are kept. */
export type Expected = { readonly [operator: string]: "refuse" | "never" | "new" | "gone" }
/** An edit. */
export type Plans = readonly [before: Built, after: Built]

/** What was edited, the plans, and the operators that are not simply kept. */
export const edits: ReadonlyArray<readonly [edit: string, plans: Plans, expected: Expected]> = [
  ["nothing", [base(), base()], {}],
  ["the function of a filter (opaque)", [after(books), after(big)], {}],
  [
    "the order of outputs that read a source each: by their derived names the sources change places",
    [both("calm", "hourly"), both("hourly", "calm")],
    { calm: "never", hourly: "never" }
  ],
  ["the order of branches of one source", [branches("a"), branches("b")], {}],
  ["a step without state gets a name", [after(books), after(books, named("books"))], {}],
  ["idleness and alignment", [base(), timed({ idleAfter: "1 second", alignment: "1 hour", whenQuiet: "hold" })], {}],
  ["zone UTC is said", [base(), timed({ zone: "UTC" })], {}],

  ["window size", [base(), windowed(Window.tumbling("10 minutes"))], { "window-1": "never" }],
  ["window slide", [base(), windowed(Window.sliding("5 minutes", { every: "1 minute" }))], { "window-1": "never" }],
  ["window offset", [base(), windowed(Window.tumbling("5 minutes", { offset: "1 minute" }))], { "window-1": "never" }],
  ["another kind of window", [base(), windowed(Window.session("5 minutes"))], { "window-1": "never" }],
  [
    "session gap",
    [windowed(Window.session("1 minute")), windowed(Window.session("2 minutes"))],
    { "window-1": "never" }
  ],
  ["key column", [base(), keyed("region")], { "window-1": "never" }],
  ["key added", [base(), keyed("category", "region")], { "window-1": "never" }],
  ["key order", [keyed("category", "region"), keyed("region", "category")], { "window-1": "never" }],
  ["key field to function", [base(), keyed({ category: (row: Row) => row.category })], { "window-1": "never" }],
  [
    "aggregate added",
    [base(), aggregated(({ count, sum, max }) => ({ n: count, total: sum("amount"), most: max("amount") }))],
    { "window-1": "never" }
  ],
  ["aggregate removed", [base(), aggregated(({ count }) => ({ n: count }))], { "window-1": "never" }],
  [
    "aggregate over another field",
    [base(), aggregated(({ count, sum }) => ({ n: count, total: sum("price") }))],
    { "window-1": "never" }
  ],
  [
    "another aggregate of the field",
    [base(), aggregated(({ count, avg }) => ({ n: count, total: avg("amount") }))],
    { "window-1": "never" }
  ],
  [
    "aggregates in another order",
    [base(), aggregated(({ count, sum }) => ({ total: sum("amount"), n: count }))],
    { "window-1": "never" }
  ],
  [
    "aggregate renamed",
    [base(), aggregated(({ count, sum }) => ({ n: count, revenue: sum("amount") }))],
    { "window-1": "refuse" }
  ],
  [
    "allowed lateness",
    [
      written({ mode: "update" }),
      onTime().pipe(
        category,
        cut(Window.tumbling("5 minutes"), { allowedLateness: "1 minute" }),
        sums,
        to(sink("out"), { mode: "update" })
      )
    ],
    { "window-1": "never" }
  ],
  [
    "late rows are kept from now on",
    [base(), windowed(Window.tumbling("5 minutes"), aLateRow("late"))],
    { "window-1": "refuse", "late output of window-1": "new" }
  ],
  [
    "late rows go elsewhere",
    [
      windowed(Window.tumbling("5 minutes"), aLateRow("late")),
      windowed(Window.tumbling("5 minutes"), aLateRow("later"))
    ],
    { "late output of window-1": "refuse" }
  ],

  [
    "operator named",
    [base(), onTime().pipe(category, five, sums, named("calm"), out)],
    { "window-1": "refuse", calm: "refuse" }
  ],
  [
    "operator renamed",
    [calm.pipe(out), onTime().pipe(category, five, sums, named("still"), out)],
    { calm: "refuse", still: "refuse" }
  ],
  [
    "another operator of the name",
    [calm.pipe(out), onTime().pipe(dedupe("id", { late: "drop" }), named("calm"), out)],
    { calm: "never" }
  ],
  [
    "windows change places",
    [chained("1 minute", "5 minutes"), chained("5 minutes", "1 minute")],
    { "every-5-minutes": "never", "every-1-minute": "never", "output output": "refuse" }
  ],
  ["operator with state added", [base(), deduped()], { "dedupe-1": "refuse" }],
  ["operator with state removed", [deduped(), base()], { "dedupe-1": "refuse" }],
  ["filter added", [base(), after(books)], { "filter-1": "refuse" }],
  ["filter added before another", [after(books), after(big, books)], { "filter-2": "refuse" }],
  ["filter removed", [after(books), base()], { "filter-1": "refuse" }],
  ["map and filter change places", [after(books, same), after(same, books)], { "map-1": "refuse" }],
  ["filter moved to another branch", [branches("a"), filteredB()], { "filter-1": "refuse" }],
  [
    "columns of a select",
    [
      plain(JS.select(Schema.Struct({ id: Schema.String }))),
      plain(JS.select(Schema.Struct({ region: Schema.String })))
    ],
    { "select-1": "refuse" }
  ],
  [
    "mapEffect gives rows up",
    [
      rows("orders").pipe(
        mapEffect((row: unknown) => Effect.succeed(row)),
        out
      ),
      rows("orders").pipe(
        mapEffect((row: unknown) => Effect.succeed(row), { onError: "deadLetter", concurrency: 4, ordered: false }),
        out
      )
    ],
    { "mapEffect-1": "refuse" }
  ],

  ["event time from another field", [base(), timed({}, "seen")], { "withEventTime-1": "never" }],
  ["event time in another zone", [base(), timed({ zone: "Europe/Berlin" })], { "withEventTime-1": "never" }],
  ["out-of-orderness", [base(), timed({ outOfOrderness: "1 minute" })], { "withEventTime-1": "refuse" }],
  [
    "watermark of one's own",
    [base(), timed({ outOfOrderness: undefined, watermark: (row: Row) => row.at })],
    { "withEventTime-1": "never" }
  ],
  ["future skew", [base(), timed({ maxFutureSkew: "1 minute" })], { "withEventTime-1": "refuse" }],
  [
    "event time renamed",
    [base(), onTime().pipe(named("clock"), category, five, sums, out)],
    { "withEventTime-1": "refuse", clock: "refuse" }
  ],

  ["dedupe id", [deduped(), deduped({}, "region")], { "dedupe-1": "never" }],
  ["dedupe horizon", [deduped({ within: "1 minute" }), deduped({ within: "1 hour" })], { "dedupe-1": "never" }],
  ["dedupe by the id alone", [deduped(), deduped({ within: "1 hour" })], { "dedupe-1": "never" }],
  ["late rows of a dedupe", [deduped(), deduped({ late: "drop" })], { "dedupe-1": "refuse" }],

  ["mode", [written({}), written({ mode: "update" })], { "output output": "never" }],
  [
    "complete mode",
    [written({ mode: "update" }), written({ mode: "complete", keep: "1 hour" })],
    { "output output": "never" }
  ],
  [
    "keep",
    [written({ mode: "complete", keep: "2 hours" }), written({ mode: "complete", keep: "1 hour" })],
    { "output output": "refuse" }
  ],
  ["sink", [base(), written({}, "elsewhere")], { "output output": "refuse" }],
  [
    "output added",
    [both("calm"), both("calm", "hourly")],
    { "output hourly": "refuse", hourly: "new", "source orders-2": "new", "withEventTime-2": "new" }
  ],
  [
    "output removed",
    [both("calm", "hourly"), both("calm")],
    { "output hourly": "refuse", hourly: "refuse", "source orders-2": "gone", "withEventTime-2": "gone" }
  ],
  [
    "output renamed",
    [JS.outputs({ a: base() }), JS.outputs({ b: base() })],
    { "output a": "refuse", "output b": "refuse" }
  ],
  [
    "source",
    [base(), onTime("other").pipe(category, five, sums, out)],
    { "source orders": "refuse", "source other": "refuse" }
  ],
  [
    "source under its name",
    [rows("orders").pipe(named("in"), out), rows("other").pipe(named("in"), out)],
    { in: "refuse" }
  ],
  [
    "source added",
    [joinedBy("a", "b"), joinedBy("a", "b", "c")],
    { "source c": "refuse", "clock-of-c": "new", "union-2": "new" }
  ],
  [
    "a first source added",
    [joinedBy("a"), joinedBy("a", "b")],
    { "source b": "refuse", "clock-of-b": "new", "union-1": "new" }
  ],
  [
    "source removed",
    [joinedBy("a", "b"), joinedBy("a")],
    { "source b": "refuse", "clock-of-b": "gone", "union-1": "gone" }
  ],
  ["sources joined in another order", [joinedBy("a", "b", "c"), joinedBy("c", "a", "b")], {}],
  [
    "another of two sources",
    [joinedBy("a", "b"), joinedBy("a", "c")],
    { "source b": "refuse", "clock-of-b": "refuse", "source c": "refuse", "clock-of-c": "refuse" }
  ],

  ["version of functions", [totals("1"), totals("2")], { totals: "refuse" }],
  ["functions get a version", [totals(), totals("1")], { totals: "refuse" }],
  ["the same version", [totals("1"), totals("1")], {}],
  [
    "version of a map",
    [plain(same, named("same", { version: "1" })), plain(same, named("same", { version: "2" }))],
    { same: "refuse" }
  ]
]

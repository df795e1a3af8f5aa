/** The tables of `tidemark state`: what is open in a checkpoint, with what came out before, is what comes out in the end. */
import { Effect, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { stateViews } from "../../src/cli/stateViews.ts"
import { readChain } from "../../src/checkpoint/ReadChain.ts"
import { aggregatesFor } from "../../src/streams/aggregates/Aggregates.ts"
import { specOfLabel } from "../../src/streams/aggregates/LabelledSpec.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import { add, rowsOf, written } from "../aggregates/feed.ts"
import { Checkpoint, EventStream, Memory, Query, Trigger, Window } from "tidemark"

interface Row {
  readonly id: number
  readonly k: string
  readonly at: number
  readonly v: number
}

const rows: ReadonlyArray<Row> = Array.from({ length: 400 }, (_, id) => ({
  id,
  k: `key-${(id * 7) % 11}`,
  at: id * 100 + ((id * 37) % 900),
  v: (id * 13) % 101
}))
const source = () => Memory.source({ partitions: { a: rows.slice(0, 250), b: rows.slice(150) } })
const timed = () => EventStream.from(source()).pipe(EventStream.withEventTime("at", { outOfOrderness: "1 second" }))
const aggregates = EventStream.aggregate<Row, never>((({
  count,
  sum,
  distinct,
  percentile
}: ReturnType<typeof aggregatesFor<Row>>) => ({
  n: count,
  total: sum("v"),
  ids: distinct("id"),
  p: percentile("v", 0.9)
})) as never)

type Sink = ReturnType<typeof Memory.sink>
const windowed = (window: Window.Window) => (sink: Sink) =>
  timed().pipe(
    EventStream.keyBy("k"),
    EventStream.window(window, { late: "drop" }),
    aggregates as never,
    EventStream.to(sink) as never
  ) as never
const jobs: ReadonlyArray<readonly [string, (sink: Sink) => never]> = [
  ["tumbling", windowed(Window.tumbling("10 seconds"))],
  ["sliding", windowed(Window.sliding("10 seconds", { every: "3 seconds" }))],
  ["sessions", windowed(Window.session("700 millis"))]
]

const run = async (job: (sink: Sink) => never, parallelism: number, objects: ObjectStore, toTheEnd: boolean) => {
  const sink = Memory.sink()
  const options = { name: "q", parallelism, ...(toTheEnd ? {} : { trigger: Trigger.availableNow() }) }
  await Effect.runPromise(Query.run(job(sink), options).pipe(Effect.provide(Checkpoint.layer(objects))) as never)
  return Effect.runPromise(sink.rows)
}

const views = (objects: ObjectStore, operator: string, limit = Infinity) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const found = yield* Effect.fromOption(yield* readChain(objects, "q"))
      return stateViews(found.manifest, yield* found.states, { operator, limit, specsOf: () => undefined })
    })
  )

const texts = (some: ReadonlyArray<unknown>): ReadonlyArray<string> => some.map((row) => JSON.stringify(row)).toSorted()
const withoutCount = (row: unknown): unknown => {
  const { rows: _rows, ...rest } = row as { readonly rows: number }
  return rest
}

describe("state as a table", () => {
  const cases = jobs.flatMap(([kind, job]) => [1, 3].map((parallelism) => [kind, parallelism, job] as const))
  it.each(cases)(
    "%s, parallelism %i: what came out and what is open are all of it",
    async (_kind, parallelism, job) => {
      const objects = Memory.objectStore()
      const before = await run(job, parallelism, objects, false)
      const [view] = await views(objects, "window-1")
      const all = await run(job, parallelism, Memory.objectStore(), true)
      expect(view.rows.length).toBeGreaterThan(5)
      expect(texts([...before, ...view.rows.map(withoutCount)])).toEqual(texts(all))
      for (const row of view.rows as ReadonlyArray<{ readonly rows: number; readonly n: number }>)
        expect(row.rows).toBe(row.n)
      expect(view.summary).toMatch(/^11 keys, [0-9]+ rows held$/)
      const [some] = await views(objects, "window-1", 3)
      expect([some.rows.length, some.hasMore, view.hasMore]).toEqual([3, true, false])
    }
  )

  it("running aggregates, deduplicated ids, and the table of a complete output", async () => {
    const objects = Memory.objectStore()
    const job = (sink: Sink) =>
      timed().pipe(
        EventStream.dedupe("id", { late: "forward" }),
        EventStream.keyBy({ rows: (row) => row.k }),
        EventStream.aggregateRunning(({ max }) => ({ most: max("v") })),
        EventStream.to(sink, { mode: "complete", keep: "10 days" })
      ) as never
    await run(job, 2, objects, false)
    const [running] = await views(objects, "running-1")
    // A column of the user's keeps its name.
    expect(running.columns).toEqual(["rows", "most", "rows_"])
    expect(running.rows).toHaveLength(11)
    const [output] = await views(objects, "output output")
    const known = (row: unknown) => ({ ...(row as object), rows_: undefined })
    expect(texts(running.rows.map(known))).toEqual(texts(output.rows))
    const [dedupe] = await views(objects, "dedupe-1")
    const ids = new Set(dedupe.rows.map((row) => (row as { readonly id: number }).id))
    for (const { id, at } of rows.slice(-5)) expect([at, ids.has(id)]).toEqual([at, true])
  })
})

describe("aggregates by their labels", () => {
  const of = aggregatesFor<{ readonly v: number; readonly "a, b": number }>()
  const every = [
    of.count,
    of.sum("v"),
    of.avg("v"),
    of.min("v"),
    of.max("v"),
    of.first("v"),
    of.last("v"),
    of.distinct("v"),
    of.approxDistinct("v"),
    of.percentile("v", 0.5),
    of.percentile("a, b", 0.25, { accuracy: 0.05 }),
    of.percentiles("v", [0, 0.5, 1]),
    of.percentiles("a, b", [0.1], { accuracy: 0.002 }),
    of.sum((row) => row.v)
  ]

  it.each(every.map((spec) => [spec.label, spec] as const))("%s gives what it gave", (label, spec) => {
    const again = specOfLabel(label)
    expect(again?.label).toBe(label)
    const before = spec.make()
    const after = again?.make()
    before.reserve(4)
    after?.reserve(4)
    const values = Array.from({ length: 500 }, (_, i) => (i * i) % 97)
    add(spec, before, 1, rowsOf(...values))
    after?.restore(written(before.snapshot(4)), Int32Array.of(1), 2)
    expect(after?.result(2)).toEqual(before.result(1))
  })

  it("a user's own has no label that could be read", () => {
    const reduce = of.reduce({ state: Schema.Number, zero: () => 0, add: (n) => n + 1 })
    expect([reduce.label, "median(v)", "sum", "percentile(v, 7)", ""].map(specOfLabel)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined
    ])
  })
})

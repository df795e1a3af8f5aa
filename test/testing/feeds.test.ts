/** Rows that feeds make of a Schema: they are of it, for any Schema, and no two share an id. */
import { Schema } from "effect"
import * as fc from "fast-check"
import { EventStream, Memory } from "tidemark"
import { Law, Simulation } from "tidemark/testing"
import { describe, expect, it } from "vitest"
import { hintsFor } from "../../src/testing/planHints.ts"
import { sourcesOf } from "../../src/testing/planHints.ts"
import { failureOf, run } from "./support.ts"

type Feeds = (source: ReturnType<typeof Memory.source<never>>) => Simulation.Feed

const topologyOf = () => {
  const source = Memory.source<never>([])
  return { source, topology: EventStream.from(source).pipe(EventStream.to(Memory.sink())) }
}

/** What a feed makes for a query that reads it as it is. */
const rowsOf = (feed: Feeds, histories = 20): ReadonlyArray<unknown> => {
  const { source, topology } = topologyOf()
  const problems: Array<never> = []
  const made = feed(source).partitions(hintsFor(topology.plan, sourcesOf(topology.plan)[0]), problems, {
    feed: 0,
    feeds: 1
  })
  expect(problems).toEqual([])
  return fc
    .sample(made, { seed: 1, numRuns: histories })
    .flatMap((partitions) => partitions.flatMap(({ rows }) => rows))
}

const of = (v: Schema.Top) => Schema.Struct({ v })

describe("every row is one of the Schema", () => {
  it.each<[string, Schema.Top]>([
    ["a whole number far below", of(Schema.Int.check(Schema.isLessThan(-5000)))],
    ["a number between two quarters", of(Schema.Number.check(Schema.isBetween({ minimum: 0.05, maximum: 0.2 })))],
    ["a huge number", of(Schema.Number.check(Schema.isGreaterThan(1e300)))],
    ["a pattern with a flag", of(Schema.String.check(Schema.isPattern(/^[a-z]+$/i)))],
    ["a pattern that looks ahead", of(Schema.String.check(Schema.isPattern(/^(?=a)[a-z]+$/)))],
    ["a UUID", of(Schema.String.check(Schema.isUUID()))],
    ["a field named __proto__", Schema.Struct({ ["__proto__"]: Schema.Int, a: Schema.Int })],
    ["optional fields", Schema.Struct({ v: Schema.optional(Schema.Int), w: Schema.optionalKey(Schema.String) })],
    ["a Chunk", of(Schema.Chunk(Schema.Int))],
    [
      "a check of the whole struct",
      Schema.Struct({ a: Schema.Int, b: Schema.Int }).check(Schema.makeFilter(({ a, b }) => a < b))
    ],
    [
      "a check of a struct within",
      of(Schema.Struct({ a: Schema.Int, b: Schema.Int }).check(Schema.makeFilter((r) => r.a < r.b)))
    ]
  ])("%s", async (_, schema) => {
    const feed: Feeds = (source) => Simulation.feed(source, schema as never, { rows: 5 })
    const rows = rowsOf(feed)
    expect(rows.length).toBeGreaterThan(20)
    expect(rows.filter((row) => !Schema.is(schema as Schema.Schema<unknown>)(row))).toEqual([])
    const { source, topology } = topologyOf()
    await run(Simulation.check(topology, { feeds: [feed(source)], faults: [], histories: 2 }))
  })

  it("a check of the struct that looks at the event time leaves rows out", () => {
    const Row = Schema.Struct({ at: Schema.Number, early: Schema.Boolean }).check(
      Schema.makeFilter(({ at, early }) => early === at < Date.UTC(2026, 0, 1) + 120_000)
    )
    const source = Memory.source<never>([])
    const timed = EventStream.from(source).pipe(
      EventStream.withEventTime(((row: { readonly at: number }) => row.at) as never, { outOfOrderness: 0 }),
      EventStream.to(Memory.sink())
    )
    const feed = Simulation.feed(source, Row as never, { eventTime: "at" as never })
    const made = feed.partitions(hintsFor(timed.plan, sourcesOf(timed.plan)[0]), [], { feed: 0, feeds: 1 })
    const rows = fc.sample(made, { seed: 1, numRuns: 20 }).flat()
    const all = rows.flatMap((partition) => partition.rows as ReadonlyArray<typeof Row.Type>)
    expect(new Set(all.map(({ early }) => early)).size).toBe(2)
    expect(all.filter((row) => !Schema.is(Row)(row))).toEqual([])
  })

  it.each<[string, Schema.Top, string]>([
    ["a field that has no values", of(Schema.Never), '"v"'],
    ["a check that nothing passes", of(Schema.Int.check(Schema.makeFilter(() => false))), '"v"'],
    ["a check of the struct that nothing passes", of(Schema.Int).check(Schema.makeFilter(() => false)), "Struct"]
  ])("%s is refused", async (_, schema, what) => {
    const { source, topology } = topologyOf()
    const feeds = [Simulation.feed(source, schema as never)]
    const { reason, message } = await failureOf(Simulation.check(topology, { feeds, faults: [], histories: 3 }))
    expect(reason).toBe("InvalidOptions")
    expect(message).toContain(`feed.schema: ${what.replaceAll('"', "")}`)
    expect(message).toContain("give an Arbitrary of fast-check")
  })

  it("an Arbitrary that throws is refused, too", async () => {
    const { source, topology } = topologyOf()
    const throwing = fc.nat().map((): never => {
      throw new Error("no such row")
    })
    const feeds = [Simulation.feed(source, throwing)]
    const { reason, message } = await failureOf(Simulation.check(topology, { feeds, faults: [], histories: 3 }))
    expect([reason, message]).toEqual(["InvalidOptions", "feeds: rows cannot be made: no such row"])
  })
})

describe("A3: no two rows that are no copies share an id", () => {
  const idsIn = (id: Schema.Top, options: { readonly rows: number; readonly partitions: number }) => {
    const Row = Schema.Struct({ id, at: Schema.DateTimeUtcFromString })
    const source = Memory.source<{ readonly id: string; readonly at: never }>([])
    const deduped = EventStream.from(source).pipe(
      EventStream.withEventTime("at", { outOfOrderness: 0 }),
      EventStream.dedupe("id", { late: "forward" }),
      EventStream.to(Memory.sink())
    )
    const made = Simulation.feed(source, Row as never, options).partitions(
      hintsFor(deduped.plan, sourcesOf(deduped.plan)[0]),
      [],
      { feed: 0, feeds: 1 }
    )
    const [partitions] = fc.sample(made, { seed: 3, numRuns: 1 })
    return partitions.flatMap(({ rows }) => rows.map((row) => (row as { readonly id: unknown }).id))
  }

  it.each<[string, Schema.Top, number]>([
    ["numbers, of many rows", Schema.Int, 3000],
    ["bigints", Schema.BigInt, 300],
    ["texts", Schema.String, 300],
    ["numbers that are checked", Schema.Int.check(Schema.isGreaterThan(100)), 100],
    ["UUIDs", Schema.String.check(Schema.isUUID()), 100]
  ])("%s", (_, id, rows) => {
    const ids = idsIn(id, { rows, partitions: 2 })
    expect(ids.length).toBeGreaterThan(rows / 2)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.filter((one) => !Schema.is(SchemaType(id))(one))).toEqual([])
  })

  it("of two feeds neither", async () => {
    const Row = Schema.Struct({ id: Schema.Int, amount: Schema.Int, at: Schema.DateTimeUtcFromString })
    const [a, b] = [Memory.source<typeof Row.Type>([]), Memory.source<typeof Row.Type>([])]
    const timed = (source: typeof a) =>
      EventStream.from(source).pipe(EventStream.withEventTime("at", { outOfOrderness: 0 }))
    const both = timed(a).pipe(
      EventStream.union(timed(b)),
      EventStream.dedupe("id", { late: "forward" }),
      EventStream.to(Memory.sink())
    )
    const options = { partitions: 2, rows: 6 }
    const feeds = [Simulation.feed(a, Row, options), Simulation.feed(b, Row, options)]
    const ids = Law.make("ids", ({ rows, outputs }) => {
      const all = (rows as ReadonlyArray<typeof Row.Type>).map(({ id }) => id)
      expect(new Set(all).size).toBe(all.length)
      expect(outputs["output"]?.rows.length).toBe(all.length)
    })
    await run(Simulation.check(both, { feeds, faults: [], laws: [ids, Law.batchEqualsStream], histories: 20 }))
  })
})

function SchemaType(schema: Schema.Top): Schema.Schema<unknown> {
  return schema as unknown as Schema.Schema<unknown>
}

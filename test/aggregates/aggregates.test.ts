import * as Schema from "effect/Schema"
import { describe, expect, expectTypeOf, it } from "vitest"
import { type Agg, type Aggregates, aggregatesFor, type AggResults } from "../../src/streams/aggregates/Aggregates.ts"

interface Order {
  readonly id: string
  readonly amount: number
  readonly cents: bigint
  readonly either: number | bigint
  readonly note?: string
  readonly at: Date
}

/** As `EventStream.aggregate` will have it. */
const aggregate =
  <A, const O extends Record<string, Agg<A, unknown>>>(
    build: (of: Aggregates<A>) => O
  ): ((rows: ReadonlyArray<A>) => AggResults<O>) =>
  () =>
    Object.fromEntries(Object.entries(build(aggregatesFor<A>())).map(([name, spec]) => [name, spec.label])) as never

const over = <B>(f: (orders: ReadonlyArray<Order>) => B): B => f([])

describe("the builder", () => {
  it("makes specs from field names, which the fingerprint sees", () => {
    const { approxDistinct, avg, distinct, first, last, max, min, sum } = aggregatesFor<Order>()
    const specs = [
      sum("amount"),
      avg("amount"),
      min("cents"),
      max("either"),
      first("note"),
      last("at"),
      distinct("id"),
      approxDistinct("at")
    ]
    expect(specs.map((s) => s.label)).toEqual([
      "sum(amount)",
      "avg(amount)",
      "min(cents)",
      "max(either)",
      "first(note)",
      "last(at)",
      "distinct(id)",
      "approxDistinct(at)"
    ])
    expect(specs.every((s) => s.fingerprinted)).toBe(true)
    expect(specs.map((s) => s.input?.type)).toEqual([
      "number",
      "number",
      "number",
      "number",
      "value",
      "value",
      "value",
      "value"
    ])
    expect(specs.map((s) => s.needsOrder)).toEqual([false, false, false, false, true, true, false, false])
  })

  it("makes specs from functions, which it cannot see", () => {
    const spec = aggregatesFor<Order>().sum((o) => o.amount * 2)
    expect([spec.label, spec.fingerprinted]).toEqual(["sum(<lambda>)", false])
    expect(spec.input?.value?.get?.({ amount: 4 })).toBe(8)
  })

  it("count needs no input", () => {
    const { count } = aggregatesFor<Order>()
    expect([count.label, count.input, count.fingerprinted]).toEqual(["count", undefined, true])
  })

  it("what is neither field nor function is a problem, not an exception", () => {
    const { avg, percentile, sum } = aggregatesFor<Order>()
    const fix = 'must be a field name or a function of a row (try "amount")'
    expect(sum(5 as never).problems).toEqual([{ option: "sum", value: "5", fix }])
    expect(avg({} as never).problems).toEqual([{ option: "avg", value: "{}", fix }])
    expect(percentile(undefined as never, 2).problems?.map((p) => p.option)).toEqual([
      "percentile",
      "percentile.quantile"
    ])
  })
})

describe("the types", () => {
  it("results have the types of their fields", () => {
    const row = over(
      aggregate(({ approxDistinct, avg, count, distinct, first, last, max, min, percentile, percentiles, sum }) => ({
        n: count,
        amount: sum("amount"),
        cents: sum("cents"),
        either: sum("either"),
        twice: sum((o) => o.amount * 2),
        mean: avg("cents"),
        least: min("cents"),
        greatest: max((o) => o.amount),
        note: first("note"),
        at: last((o) => o.at),
        ids: distinct("id"),
        about: approxDistinct("at"),
        p95: percentile("amount", 0.95),
        both: percentiles("amount", [0.5, 0.95], { accuracy: 0.001 })
      }))
    )
    expectTypeOf(row).toEqualTypeOf<{
      readonly n: number
      readonly amount: number
      readonly cents: bigint
      readonly either: number | bigint
      readonly twice: number
      readonly mean: number
      readonly least: bigint
      readonly greatest: number
      readonly note: string | null
      readonly at: Date
      readonly ids: number
      readonly about: number
      readonly p95: number
      readonly both: ReadonlyArray<number>
    }>()
    expect(row.p95).toBe("percentile(amount, 0.95)")
  })

  it("a reducer's result has the type of its state, or of `result`", () => {
    const row = over(
      aggregate(({ reduce }) => ({
        notes: reduce({
          state: Schema.Array(Schema.String),
          zero: () => [],
          add: (s, o) => [...s, o.id],
          merge: (x, y) => [...x, ...y]
        }),
        text: reduce({
          state: Schema.Struct({ n: Schema.Number }),
          zero: () => ({ n: 0 }),
          add: (s, o) => ({ n: s.n + o.amount }),
          result: (s) => String(s.n)
        })
      }))
    )
    expectTypeOf(row.notes).toEqualTypeOf<ReadonlyArray<string>>()
    expectTypeOf(row.text).toEqualTypeOf<string>()
  })

  it("refuse a misspelt field, a field of another type, and values that cannot be counted", () => {
    const { distinct, percentile, sum } = aggregatesFor<Order>()
    // @ts-expect-error a misspelt field
    sum("amuont")
    // @ts-expect-error not a number
    sum("id")
    // @ts-expect-error may be missing
    distinct((o) => ({ id: o.id }))
    // @ts-expect-error not a number
    percentile((o) => o.note, 0.5)
    // @ts-expect-error no number at all
    expectTypeOf(sum((o) => o.amount)).toEqualTypeOf<Agg<Order, string>>()
  })

  it("work for rows known by a bound only", () => {
    const total = <A extends { readonly amount: number }>(rows: ReadonlyArray<A>) =>
      aggregate<A, { readonly n: Agg<A, number>; readonly total: Agg<A, number> }>(({ count, sum }) => ({
        n: count,
        total: sum((a) => a.amount)
      }))(rows)
    expectTypeOf(total<Order>).returns.toEqualTypeOf<{ readonly n: number; readonly total: number }>()
  })
})

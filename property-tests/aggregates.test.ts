/** A1: results do not depend on the order of rows, on batches, on the merge tree, or on checkpoints on the way. */
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import type { AggregateSpec } from "../src/streams/aggregates/Aggregate.ts"
import { approxDistinct } from "../src/streams/aggregates/ApproxDistinct.ts"
import { count } from "../src/streams/aggregates/Count.ts"
import { distinct } from "../src/streams/aggregates/Distinct.ts"
import { first, last } from "../src/streams/aggregates/FirstLast.ts"
import { max, min } from "../src/streams/aggregates/MinMax.ts"
import { percentiles } from "../src/streams/aggregates/Percentiles.ts"
import { loadSchema, reduce } from "../src/streams/aggregates/Reduce.ts"
import { resultInShape, type Row } from "../test/aggregates/feed.ts"
import { anyBigint, anyNumber, rowsWith, shapesOf } from "./aggregatesShapes.ts"

beforeAll(loadSchema)

const value = { field: "v", label: "v" }

/** Whatever the shape, the result is what the definition says. */
const holds = (
  spec: AggregateSpec,
  values: fc.Arbitrary<unknown>,
  definition: (rows: ReadonlyArray<Row>) => unknown,
  maxLength?: number
): void => {
  fc.assert(
    fc.property(shapesOf(rowsWith(values, maxLength)), ({ rows, shapes }) => {
      const expected = definition(rows)
      for (const shape of shapes) expect(resultInShape(spec, shape)).toEqual(expected)
    }),
    { numRuns: 150 }
  )
}

const numeric = fc.oneof(anyNumber, anyBigint)

/** A number or bigint as an exact fraction of 2^1074, without the code under test. */
const exact = (x: number | bigint): bigint => {
  if (typeof x === "bigint") return x << 1074n
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, x)
  const bits = view.getBigUint64(0)
  const exponent = (bits >> 52n) & 0x7ffn
  const mantissa = (bits & ((1n << 52n) - 1n)) | (exponent === 0n ? 0n : 1n << 52n)
  const size = mantissa << (exponent === 0n ? 0n : exponent - 1n)
  return bits >> 63n === 1n ? -size : size
}

const byPlace = (a: Row, b: Row): number => {
  const lane = (r: Row): readonly [number, number, string] =>
    typeof r.lane === "number" ? [0, r.lane, ""] : [1, 0, r.lane ?? ""]
  const keys = (r: Row): ReadonlyArray<number | string> => [r.time ?? 0, ...lane(r), r.ordinal ?? 0, r.sub ?? 0]
  const [ka, kb] = [keys(a), keys(b)]
  const i = ka.findIndex((k, at) => k !== kb[at])
  return i < 0 ? 0 : ka[i] < kb[i] ? -1 : 1
}

/** Rows at one place are copies of one row (A3). */
const sameValueAtOnePlace = (rows: ReadonlyArray<Row>): ReadonlyArray<Row> =>
  rows.map((r) => ({ ...r, value: rows.find((other) => byPlace(other, r) === 0)?.value }))

describe("A1: whatever the order, batches, merge tree and checkpoints", () => {
  it("count is the number of rows", () => holds(count, fc.constant(1), (rows) => rows.length))

  it.each([
    ["min", min, 1n],
    ["max", max, -1n]
  ] as const)("%s compares numbers and bigints exactly", (_, make, sign) => {
    holds(make(value), numeric, (rows) => {
      const all = rows.map((r) => r.value as number | bigint)
      const best = all.reduce((x, y) => {
        const d = sign * (exact(y) - exact(x))
        return d < 0n || (d === 0n && typeof y === "number") ? y : x
      })
      return typeof best === "number" ? best + 0 : best
    })
  })

  it.each([
    ["first", first, 0],
    ["last", last, -1]
  ] as const)("%s follows (event time, lane, ordinal, sub)", (_, make, at) => {
    const values = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true }),
      fc.string()
    )
    fc.assert(
      fc.property(shapesOf(rowsWith(values, 20).map(sameValueAtOnePlace)), ({ rows, shapes }) => {
        const expected = [...rows].sort(byPlace).at(at)?.value ?? null
        for (const shape of shapes) expect(resultInShape(make(value), shape)).toEqual(expected)
      }),
      { numRuns: 150 }
    )
  })

  const countables = fc.oneof(
    fc.constantFrom<unknown>(
      1,
      1n,
      "1",
      true,
      false,
      "true",
      0,
      -0,
      null,
      undefined,
      "null",
      "@1",
      new Date(1),
      new Date(1),
      new Date(2)
    ),
    fc.string({ maxLength: 2 }),
    anyNumber,
    anyBigint
  )
  const different = (rows: ReadonlyArray<Row>): number => {
    const text = ({ value: v }: Row): string =>
      v === null || v === undefined ? "none" : v instanceof Date ? `date ${v.getTime()}` : `${typeof v} ${String(v)}`
    return new Set(rows.map(text)).size
  }
  it("distinct tells types apart and nothing else", () => holds(distinct(value), countables, different))
  it("approxDistinct counts a few values exactly, by the same rule", () =>
    holds(approxDistinct(value), countables, different))

  it("percentiles of up to 32 rows are exact", () => {
    const quantiles = [0, 0.25, 0.5, 0.95, 1]
    const definition = (rows: ReadonlyArray<Row>): ReadonlyArray<number> => {
      const sorted = rows.map((r) => r.value as number).sort((a, b) => a - b)
      // percentile_disc by exact arithmetic: the least rank k with 100 k >= percent * n.
      return quantiles.map((q) => sorted[Math.max(Math.ceil((Math.round(q * 100) * sorted.length) / 100), 1) - 1] + 0)
    }
    holds(percentiles(value, quantiles), anyNumber, definition, 32)
  })

  it("a reducer with merge is the fold of its rows", () => {
    const spec = reduce({
      state: Schema.Array(Schema.String) as Schema.Codec<unknown, unknown>,
      zero: () => [],
      add: (s, row) => [...(s as ReadonlyArray<string>), String(row)],
      merge: (x, y) =>
        (x as ReadonlyArray<string>).length === 0
          ? y
          : [...(x as ReadonlyArray<string>), ...(y as ReadonlyArray<string>)],
      result: (s) => [...(s as ReadonlyArray<string>)].sort()
    })
    holds(spec, fc.nat(9), (rows) => rows.map((r) => String(r.value)).sort())
  })

  it("a reducer without merge folds by (lane, ordinal, sub), even when it does not commute", () => {
    const spec = reduce({
      state: Schema.Array(Schema.Unknown) as Schema.Codec<unknown, unknown>,
      zero: () => [],
      add: (s, row) => {
        ;(s as Array<unknown>).push(row)
        return s
      }
    })
    const values = fc.oneof(fc.nat(9), fc.record({ n: fc.bigInt(), $x: fc.boolean() }))
    fc.assert(
      fc.property(
        shapesOf(rowsWith(values).map((rows) => sameValueAtOnePlace(rows.map((r) => ({ ...r, time: 0 }))))),
        ({ rows, shapes }) => {
          const expected = [...rows].sort(byPlace).map((r) => r.value)
          for (const shape of shapes) expect(resultInShape(spec, shape)).toEqual(expected)
        }
      ),
      { numRuns: 120 }
    )
  })
})

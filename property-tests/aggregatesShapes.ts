/** Random ways to feed rows to an aggregate, for laws. */
import * as fc from "fast-check"
import type { Row, Shape } from "../test/aggregates/feed.ts"

/** Finite numbers of every kind that sums, extremes and sketches must cope with. */
export const anyNumber: fc.Arbitrary<number> = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -1000, max: 1000 }) },
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -1000, max: 1000 }).map((cents) => cents / 100),
  fc.constantFrom(
    0,
    -0,
    2 ** 53,
    -(2 ** 53),
    2 ** 53 - 1,
    2 ** 53 + 2,
    1e300,
    -1e300,
    Number.MAX_VALUE,
    Number.MIN_VALUE,
    1e16,
    0.1
  )
)

export const anyBigint: fc.Arbitrary<bigint> = fc.oneof(
  fc.bigInt({ min: -1000n, max: 1000n }),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
  fc.constantFrom(0n, 2n ** 53n, -(2n ** 53n), 2n ** 53n + 1n, 2n ** 53n - 1n)
)

/** Rows with places that tie often. */
export const rowsWith = (value: fc.Arbitrary<unknown>, maxLength = 40): fc.Arbitrary<ReadonlyArray<Row>> =>
  fc.array(
    fc.record({
      value,
      time: fc.integer({ min: -3, max: 3 }),
      lane: fc.oneof(
        fc.constantFrom<string | number>(0, 1, 2, 10),
        fc.constantFrom("", "a", "b", "10", "9", "\ud800", "\uffff", "\ud83d\ude00")
      ),
      ordinal: fc.integer({ min: 0, max: 5 }),
      sub: fc.integer({ min: 0, max: 2 })
    }),
    { minLength: 1, maxLength, size: "max" }
  )

/** Two shapes of the same rows, each in an order of its own. */
export const shapesOf = (
  rows: fc.Arbitrary<ReadonlyArray<Row>>
): fc.Arbitrary<{ readonly rows: ReadonlyArray<Row>; readonly shapes: ReadonlyArray<Shape> }> =>
  rows.chain((all) => fc.array(shapeOf(all), { minLength: 2, maxLength: 2 }).map((shapes) => ({ rows: all, shapes })))

const shapeOf = (all: ReadonlyArray<Row>): fc.Arbitrary<Shape> =>
  fc
    .record({
      order: fc.shuffledSubarray([...all], { minLength: all.length, maxLength: all.length }),
      cuts: fc.array(fc.nat(all.length), { maxLength: 6 }),
      merges: fc.array(fc.record({ a: fc.nat(20), b: fc.nat(20) }), { minLength: 1, maxLength: 6 }),
      typed: fc.boolean(),
      stored: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 })
    })
    .map(({ order, cuts, merges, typed, stored }) => {
      const edges = [0, ...cuts.sort((a, b) => a - b), order.length]
      return { pieces: edges.slice(1).map((end, i) => order.slice(edges[i], end)), merges, typed, stored }
    })

/** A1: integer sums exact, others within 1e-12 of the sum of absolute values. The oracle adds in bigints of 2^-1074. */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { avg } from "../src/streams/aggregates/Avg.ts"
import { sum } from "../src/streams/aggregates/Sum.ts"
import { resultInShape } from "../test/aggregates/feed.ts"
import { anyBigint, anyNumber, rowsWith, shapesOf } from "./aggregatesShapes.ts"

const unit = 1074n

/** x * 2^1074, exactly. */
const exact = (x: number | bigint): bigint => {
  if (typeof x === "bigint") return x << unit
  let rest = Math.abs(x)
  let bits = 0n
  let shift = unit
  while (rest >= 2 ** 52) {
    rest /= 2
    shift += 1n
  }
  while (rest !== Math.floor(rest)) {
    rest *= 2
    shift -= 1n
  }
  bits = BigInt(rest) << shift
  return x < 0 ? -bits : bits
}

const abs = (x: bigint): bigint => (x < 0n ? -x : x)
const maxExact = exact(Number.MAX_VALUE)

/** Bigints exactly; |result - total / divisor| <= 1e-12 * size / divisor; infinite only where the sum has no double. */
const isClose = (result: number | bigint, total: bigint, size: bigint, divisor: bigint): boolean =>
  typeof result === "bigint"
    ? exact(result) === total
    : Number.isFinite(result)
      ? abs(exact(result) * divisor - total) * 10n ** 12n <= size
      : abs(total) > maxExact * divisor - size / 10n ** 12n && result > 0 === total > 0n

const numbers = shapesOf(rowsWith(fc.oneof(anyNumber, fc.double({ min: -1e6, max: 1e6, noNaN: true }))))
const integers = shapesOf(rowsWith(anyNumber.map(Math.trunc)))
const mixed = shapesOf(rowsWith(fc.oneof(anyNumber.map(Math.trunc), anyBigint)))
const mixedFractions = shapesOf(rowsWith(fc.oneof(anyNumber, anyBigint)))
const value = { field: "v", label: "v" }
const totalOf = (values: ReadonlyArray<number | bigint>): bigint => values.reduce<bigint>((t, x) => t + exact(x), 0n)
const sizeOf = (values: ReadonlyArray<number | bigint>): bigint =>
  values.reduce<bigint>((t, x) => t + abs(exact(x)), 0n)

describe("A1: sums, whatever the order, batches, merge tree and checkpoints", () => {
  it("of integers are the nearest double to the exact sum", () => {
    fc.assert(
      fc.property(integers, ({ rows, shapes }) => {
        const expected = Number(totalOf(rows.map((r) => r.value as number)) >> unit)
        for (const shape of shapes) expect(resultInShape(sum(value), shape)).toBe(expected)
      }),
      { numRuns: 200 }
    )
  })

  it("of integers among which is a bigint are exact bigints", () => {
    fc.assert(
      fc.property(mixed, ({ rows, shapes }) => {
        const values = rows.map((r) => r.value as number | bigint)
        const total = totalOf(values) >> unit
        const expected = values.some((x) => typeof x === "bigint") ? total : Number(total)
        for (const shape of shapes) expect(resultInShape(sum(value), shape)).toBe(expected)
      }),
      { numRuns: 200 }
    )
  })

  it.each([
    ["of any numbers", numbers],
    ["of numbers and bigints with fractions among them", mixedFractions]
  ])("%s are within 1e-12 of the sum of absolute values", (_, shapes) => {
    fc.assert(
      fc.property(shapes, ({ rows, shapes: both }) => {
        const values = rows.map((r) => r.value as number | bigint)
        for (const shape of both) {
          const result = resultInShape(sum(value), shape)
          expect([result, isClose(result as number | bigint, totalOf(values), sizeOf(values), 1n)]).toEqual([
            result,
            true
          ])
        }
      }),
      { numRuns: 200 }
    )
  })

  it("averages are within 1e-12 of the mean of absolute values, and finite", () => {
    fc.assert(
      fc.property(mixedFractions, ({ rows, shapes }) => {
        const values = rows.map((r) => r.value as number | bigint)
        for (const shape of shapes) {
          const result = resultInShape(avg(value), shape) as number
          expect(result).toSatisfy(Number.isFinite)
          // One unit in the last place more for the division, which smallest doubles cannot be spared.
          expect(
            isClose(result, totalOf(values), sizeOf(values) + BigInt(values.length) * 10n ** 12n, BigInt(values.length))
          ).toBe(true)
        }
      }),
      { numRuns: 200 }
    )
  })

  it("a long sum of cents is right to the last bit, where plain addition is not", () => {
    const n = 200_000
    const cents = Float64Array.from({ length: n }, (_, i) => ((i * 7919) % 100_003) / 100)
    const a = sum(value).make()
    a.reserve(1)
    a.addBatch(new Int32Array(n), cents, 0, n, undefined)
    const total = totalOf(Array.from(cents))
    expect(Number(total >> (unit - 60n)) / 2 ** 60).toBe(a.result(0))
    expect(cents.reduce((x, y) => x + y, 0)).not.toBe(a.result(0))
  })
})

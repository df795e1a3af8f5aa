import { describe, expect, it } from "vitest"
import { percentile, percentiles } from "../../src/streams/aggregates/Percentiles.ts"
import { rankOf } from "../../src/streams/aggregates/QuantileSketch.ts"
import { add, resultOf, rowsOf } from "./feed.ts"

const value = { field: "delay", label: "delay" }
const upTo = (n: number): ReadonlyArray<number> => Array.from({ length: n }, (_, i) => i + 1)

describe("A1: percentiles", () => {
  it("up to 32 rows: one of the values, as percentile_disc has it", () => {
    expect(resultOf(percentile(value, 0.5), rowsOf(40, 10, 30, 20))).toBe(20)
    expect(resultOf(percentile(value, 0.95), rowsOf(...upTo(20)))).toBe(19)
    expect(resultOf(percentile(value, 0.5), rowsOf(-0))).toBe(0)
    expect(resultOf(percentile(value, 0.5), [])).toBe(null)
  })

  it("a rank that is whole but for rounding is whole: 0.07 * 100 is 7.000000000000001", () => {
    expect([rankOf(0.07, 100), rankOf(0.29, 100), rankOf(0.95, 20), rankOf(0.951, 20)]).toEqual([7, 29, 19, 20])
  })

  it("more rows: within 1 %, the ends exact", () => {
    const [p0, p50, p99, p100] = resultOf(
      percentiles(value, [0, 0.5, 0.99, 1]),
      rowsOf(...upTo(10_000))
    ) as ReadonlyArray<number>
    expect([p0, p100]).toEqual([1, 10_000])
    expect(Math.abs(p50 - 5000)).toBeLessThanOrEqual(50)
    expect(Math.abs(p99 - 9900)).toBeLessThanOrEqual(99)
  })

  it("negative values and zeros have their place between", () => {
    const rows = rowsOf(...upTo(40).map((n) => -n), ...upTo(40).map(() => 0), ...upTo(40))
    const [p25, p50, p75] = resultOf(percentiles(value, [0.25, 0.5, 0.75]), rows) as ReadonlyArray<number>
    expect(Math.abs(p25 + 11)).toBeLessThanOrEqual(0.11)
    expect(p50).toBe(0)
    expect(Math.abs(p75 - 10)).toBeLessThanOrEqual(0.1)
  })

  it("bigints count as numbers, however large", () => {
    expect(resultOf(percentiles(value, [0, 0.5, 1]), rowsOf(-(10n ** 400n), 5n, 10n ** 400n))).toEqual([
      -Number.MAX_VALUE,
      5,
      Number.MAX_VALUE
    ])
  })

  it("the greatest double is an answer like any other", () => {
    const rows = rowsOf(...upTo(40).map(() => Number.MAX_VALUE), ...upTo(40).map(() => Number.MIN_VALUE))
    const [low, high] = resultOf(percentiles(value, [0.25, 0.9]), rows) as ReadonlyArray<number>
    expect(low).toBe(Number.MIN_VALUE)
    expect(Math.abs(high / Number.MAX_VALUE - 1)).toBeLessThanOrEqual(0.01)
  })

  it("what is added after a merge does not reach the other slot", () => {
    const spec = percentile(value, 0.5)
    const [a, b] = [spec.make(), spec.make()]
    a.reserve(1)
    b.reserve(1)
    add(spec, b, 0, rowsOf(...upTo(100)))
    const before = b.result(0)
    a.mergeSlot(0, b, 0)
    add(spec, a, 0, rowsOf(...upTo(300).map(() => 7)))
    expect(Math.abs((a.result(0) as number) - 7)).toBeLessThanOrEqual(0.07)
    expect(b.result(0)).toBe(before)
  })

  it("wrong options are problems, not exceptions, and name the value and the fix", () => {
    expect(percentile(value, 95).problems).toEqual([
      { option: "percentile.quantile", value: "95", fix: "is not a quantile from 0 to 1 (try 0.95)" }
    ])
    expect(percentiles(value, [0.5, Number.NaN, -1], { accuracy: 0 }).problems).toEqual([
      { option: "percentiles.accuracy", value: "0", fix: "must be from 0.001 to 0.1" },
      { option: "percentiles.quantile", value: "NaN", fix: "is not a quantile from 0 to 1" },
      { option: "percentiles.quantile", value: "-1", fix: "is not a quantile from 0 to 1" }
    ])
    expect(percentile(value, 0.95).problems).toEqual([])
  })

  it("the label says what the fingerprint must know", () => {
    expect(percentile(value, 0.95).label).toBe("percentile(delay, 0.95)")
    expect(percentiles(value, [0.5, 0.9], { accuracy: 0.001 }).label).toBe(
      "percentiles(delay, 0.5, 0.9, accuracy 0.001)"
    )
  })
})

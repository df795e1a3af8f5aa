import { describe, expect, it } from "vitest"
import type { Accumulators } from "../../src/streams/aggregates/Aggregate.ts"
import { avg } from "../../src/streams/aggregates/Avg.ts"
import { count } from "../../src/streams/aggregates/Count.ts"
import { max, min } from "../../src/streams/aggregates/MinMax.ts"
import { sum } from "../../src/streams/aggregates/Sum.ts"
import { add, resultOf, rowsOf, throughCheckpoint } from "./feed.ts"

const value = { field: "v", label: "v" }

describe("count", () => {
  it("counts rows, per slot", () => {
    const a = count.make()
    a.reserve(3)
    a.addBatch(Int32Array.of(0, 2, 0, 2, 2, 1), undefined, 1, 5, undefined)
    expect([a.result(0), a.result(1), a.result(2)]).toEqual([1, 0, 3])
  })
})

describe("A1: sum", () => {
  it.each([
    ["nothing", [], 0],
    ["whole numbers", [1, 2, 3], 6],
    ["cents", [0.1, 0.2, 0.3], 0.6],
    ["integers beyond 2^53, to the nearest double", [2 ** 53, 1, 1], 2 ** 53 + 2],
    ["numbers that cancel", [1e300, 1, -1e300], 1],
    [
      "numbers whose running sum has no double",
      [Number.MAX_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE],
      Number.MAX_VALUE
    ],
    ["more than the greatest double", [Number.MAX_VALUE, Number.MAX_VALUE], Infinity],
    ["bigints", [2n ** 53n, 1n], 2n ** 53n + 1n],
    ["bigints that cancel to nothing", [1n, -1n], 0n],
    ["bigints and whole numbers", [2n ** 60n, 1], 2n ** 60n + 1n],
    ["bigints and a fraction", [2n ** 60n, 1n - 2n ** 60n, 0.5], 1.5],
    ["fractions that add up to a whole number, and a bigint", [0.5, 0.5, 1n], 2],
    ["negative zero", [-0], 0]
  ])("of %s", (_, values, expected) => {
    expect(resultOf(sum(value), rowsOf(...values))).toBe(expected)
  })

  it("a cleared slot forgets that it saw bigints and fractions", () => {
    const a = sum(value).make()
    a.reserve(1)
    add(sum(value), a, 0, rowsOf(0.5, 7n, 2n ** 80n))
    a.clear(0)
    expect(a.result(0)).toBe(0)
    add(sum(value), a, 0, rowsOf(7n))
    expect(a.result(0)).toBe(7n)
  })
})

describe("A1: avg", () => {
  it.each([
    ["nothing", [], null],
    ["numbers", [1, 2], 1.5],
    ["bigints, as a number", [1n, 2n], 1.5],
    ["numbers whose sum has no double", [Number.MAX_VALUE, Number.MAX_VALUE], Number.MAX_VALUE],
    ["bigints beyond 2^53", [2n ** 60n, 2n ** 60n + 2n], 2 ** 60],
    ["large ones that cancel", [1e300, 1, -1e300, 0.5], 0.375]
  ])("of %s", (_, values, expected) => {
    expect(resultOf(avg(value), rowsOf(...values))).toBe(expected)
  })
})

describe("A1: min and max", () => {
  it.each([
    ["nothing", [], null, null],
    ["numbers", [3, -1, 2.5], -1, 3],
    ["bigints", [3n, -1n], -1n, 3n],
    ["neighbours beyond 2^53, exactly", [2 ** 53, 2n ** 53n + 1n], 2 ** 53, 2n ** 53n + 1n],
    ["a number and an equal bigint: the number", [5n, 5], 5, 5],
    ["zeros: zero", [-0, 0, -0], 0, 0],
    ["a negative zero alone: zero", [-0], 0, 0]
  ])("of %s", (_, values, least, greatest) => {
    expect(resultOf(min(value), rowsOf(...values))).toBe(least)
    expect(resultOf(max(value), rowsOf(...values))).toBe(greatest)
    expect(resultOf(min(value), rowsOf(...[...values].reverse()))).toBe(least)
  })
})

describe("slots", () => {
  it.each([count, sum(value), avg(value), min(value), max(value)])(
    "$label: stay what they are when room is made, and through a checkpoint",
    (spec) => {
      const fill = (a: Accumulators): ReadonlyArray<unknown> => {
        for (let slot = 0; slot < 100; slot++) {
          a.reserve(slot + 1)
          add(spec, a, slot, rowsOf(slot, slot / 4, BigInt(slot) << 60n))
        }
        return Array.from({ length: 100 }, (_, slot) => a.result(slot))
      }
      const a = spec.make()
      const expected = Array.from({ length: 100 }, (_, slot) =>
        resultOf(spec, rowsOf(slot, slot / 4, BigInt(slot) << 60n))
      )
      expect(fill(a)).toEqual(expected)
      const restored = throughCheckpoint(spec, a, 100)
      expect(Array.from({ length: 100 }, (_, slot) => restored.result(slot))).toEqual(expected)
      const some = throughCheckpoint(spec, a, 10)
      some.reserve(11)
      expect(some.result(9)).toEqual(expected[9])
      expect(some.result(10)).toEqual(resultOf(spec, []))
    }
  )
})

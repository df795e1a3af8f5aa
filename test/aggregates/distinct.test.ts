import * as DateTime from "effect/DateTime"
import { describe, expect, it } from "vitest"
import { approxDistinct } from "../../src/streams/aggregates/ApproxDistinct.ts"
import { distinct } from "../../src/streams/aggregates/Distinct.ts"
import { add, resultOf, rowsOf } from "./feed.ts"

const value = { field: "v", label: "v" }

describe.each([
  ["distinct", distinct(value)],
  ["approxDistinct", approxDistinct(value)]
])("%s", (_, spec) => {
  it.each([
    ["nothing", [], 0],
    ["the same value again", ["a", "a", "b"], 2],
    ['1, 1n, "1" and true', [1, 1n, "1", true], 4],
    ["the zeros, and NaN", [0, -0, Number.NaN, Number.NaN], 2],
    ["null and missing: one value", [null, undefined, null], 1],
    ["instants, by Date or DateTime", [new Date(5), new Date(5), DateTime.makeUnsafe(5), new Date(6)], 2],
    ["an instant, its number and its text", [new Date(5), 5, "5", "@5", "1970-01-01T00:00:00.005Z"], 5],
    ["bigints of any size", [2n ** 64n, 2n ** 64n, -(2n ** 64n), 0n], 3],
    ["hostile names", ["__proto__", "constructor", "__proto__"], 2],
    ["objects, which the types refuse, by what they hold", [{ a: 1 }, { a: 1 }, { a: 2 }, [1], () => 1], 4]
  ])("of %s", (_name, values, expected) => {
    expect(resultOf(spec, rowsOf(...values))).toBe(expected)
  })

  it("what is added after a merge does not reach the other slot", () => {
    const [a, b] = [spec.make(), spec.make()]
    a.reserve(1)
    b.reserve(1)
    add(spec, b, 0, rowsOf("x", new Date(1)))
    a.mergeSlot(0, b, 0)
    add(spec, a, 0, rowsOf("y", new Date(2)))
    expect([a.result(0), b.result(0)]).toEqual([4, 2])
  })
})

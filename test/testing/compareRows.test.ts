/** When two rows of a simulation are the same. */
import { BigDecimal, Chunk, DateTime, Duration, HashMap, HashSet, Option, Redacted } from "effect"
import { describe, expect, it } from "vitest"
import { describeDifference, differenceOf } from "../../src/testing/compareRows.ts"
import { textOf } from "../../src/testing/textOf.ts"

const isSame = (a: unknown, b: unknown, inputs: ReadonlyArray<unknown> = []): boolean => {
  const { missing, extra } = differenceOf([a], [b], inputs)
  expect(missing.length).toBe(extra.length)
  return missing.length === 0
}

class Hidden {
  readonly #n: number
  constructor(n: number) {
    this.#n = n
  }
  get n(): number {
    return this.#n
  }
}

class Point {
  readonly x: number
  constructor(x: number) {
    this.x = x
  }
}

const zoned = (timeZone: string) => DateTime.makeZonedUnsafe(0, { timeZone })
const cycle = (name: string): unknown => {
  const made: { readonly name: string; me?: unknown } = { name }
  made.me = made
  return made
}

describe("values that differ are told apart", () => {
  it.each<[string, unknown, unknown]>([
    ["a URL", new URL("http://a/"), new URL("http://b/")],
    ["an Error", new Error("a"), new Error("b")],
    ["an Error by its cause", new Error("a", { cause: 1 }), new Error("a", { cause: 2 })],
    ["a RegExp", /a/, /b/],
    ["Redacted", Redacted.make("a"), Redacted.make("b")],
    ["an ArrayBuffer", new Uint8Array([1]).buffer, new Uint8Array([2]).buffer],
    ["bytes", new Uint8Array([1]), new Uint8Array([2])],
    ["private fields", new Hidden(1), new Hidden(2)],
    ["fields", new Point(1), new Point(2)],
    ["Option.none", Option.none(), {}],
    ["Option.some", Option.some(1), Option.some(2)],
    ["a Chunk", Chunk.make(1, 2), Chunk.make(2, 1)],
    ["a HashMap", HashMap.make(["a", 1]), HashMap.make(["a", 2])],
    ["a Map", new Map([["a", 1]]), new Map([["a", 2]])],
    ["a Set", new Set([1]), new Set([2])],
    ["a Duration", Duration.seconds(1), Duration.seconds(2)],
    ["a time zone", zoned("Europe/Berlin"), zoned("Asia/Tokyo")],
    ["a bigint", 123456789012345678901n, 123456789012345678902n],
    ["a name like a field", { "a: 1, b": 2 }, { a: 1, b: 2 }],
    ["a value within itself", cycle("a"), cycle("b")],
    ["absent and undefined", { a: undefined }, {}]
  ])("%s", (_, a, b) => {
    expect(isSame({ v: a }, { v: b })).toBe(false)
    expect(isSame({ v: a }, { v: a })).toBe(true)
  })
})

describe("values that are the same are", () => {
  it.each<[string, unknown, unknown]>([
    ["fields in another order", { a: 1, b: 2 }, { b: 2, a: 1 }],
    ["a Map in another order", new Map([["a", 1]]).set("b", 2), new Map([["b", 2]]).set("a", 1)],
    ["a Set in another order", new Set([1, 2]), new Set([2, 1])],
    ["a HashSet in another order", HashSet.make("a", "b"), HashSet.make("b", "a")],
    ["a Chunk made otherwise", Chunk.appendAll(Chunk.make(1), Chunk.make(2)), Chunk.make(1, 2)],
    ["a decimal of another scale", BigDecimal.fromStringUnsafe("1.0"), BigDecimal.fromStringUnsafe("1")],
    ["a class and its fields", new Point(1), { x: 1 }]
  ])("%s", (_, a, b) => expect(isSame({ v: a }, { v: b })).toBe(true))
})

describe("A1: numbers are compared as sums of doubles are exact", () => {
  it("those that are no integers by their size, and in numbers alone", () => {
    expect(isSame({ v: 0.1 + 0.2 }, { v: 0.3 })).toBe(true)
    expect(isSame({ v: 1e-10 }, { v: 9e-10 })).toBe(false)
    expect(isSame({ v: 0 }, { v: 5e-10 })).toBe(false)
    expect(isSame({ v: 1 }, { v: 2 })).toBe(false)
    expect(isSame({ v: 1.000_001 }, { v: 1 })).toBe(false)
    expect(isSame({ v: "1.0000000001" }, { v: "1.0000000002" })).toBe(false)
    expect(isSame({ v: 1e16 }, { v: 1e16 + 2 })).toBe(true)
  })

  it("what is left of a sum that comes to nothing is nothing, by what was added up", () => {
    const left = 0.1 + 0.2 - 0.3
    const inputs = [{ v: 0.1 }, { v: 0.2 }, { v: -0.3 }]
    expect(left).not.toBe(0)
    expect(isSame({ v: left }, { v: 0 }, inputs)).toBe(true)
    expect(isSame({ v: left }, { v: 0 })).toBe(false)
    expect(isSame({ v: 1e-9 }, { v: 0 }, [...inputs, { at: Date.UTC(2026, 0, 1) }])).toBe(false)
  })
})

it("multisets: copies count, order does not, and what differs is said", () => {
  const difference = differenceOf([{ a: 1 }, { a: 1 }, { a: 2 }], [{ a: 2 }, { a: 1 }, { a: 3 }])
  expect(describeDifference("output", difference)).toEqual([
    "output: 1 missing: { a: 1 }",
    "output: 1 too many: { a: 3 }"
  ])
})

it("a text shows no secret", () => expect(textOf(Redacted.make("hush"))).not.toContain("hush"))

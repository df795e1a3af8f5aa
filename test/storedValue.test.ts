import * as DateTime from "effect/DateTime"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { decodeStored, encodeStored, tryEncodeStored } from "../src/model/StoredValue.ts"

const through = (value: unknown): unknown => decodeStored(JSON.parse(JSON.stringify(encodeStored(value))))
const nested = (depth: number): unknown => {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = [value]
  return value
}

const bare = (fields: object): unknown => Object.assign(Object.create(null) as object, fields)

describe("values in checkpoints", () => {
  it.each([
    ["null", null],
    ["undefined", undefined],
    ["negative zero", -0],
    ["NaN", Number.NaN],
    ["infinities", [Infinity, -Infinity]],
    ["bigints", 2n ** 80n],
    ["dates", [new Date(-1), new Date(Number.NaN)]],
    ["bytes", Uint8Array.of(0, 255, 7)],
    ["maps and sets", new Map<unknown, unknown>([[{ a: 1n }, new Set([undefined])]])],
    ["objects with undefined", { a: undefined, b: [undefined, null] }],
    ["objects that look like ours", [{ $date: 5 }, { $bigint: "x", other: 1 }, { $entries: [] }, { $: 1 }]],
    ["objects without a prototype", [bare({ a: 1n }), bare({ $x: bare({}) }), bare({})]],
    ["lone surrogates", "\ud800"]
  ])("%s come back as they were", (_, value) => {
    expect(through(value)).toStrictEqual(value)
  })

  it("effect's DateTime comes back with its zone", () => {
    const utc = DateTime.makeUnsafe(1234)
    const zoned = DateTime.makeZonedUnsafe(1234, { timeZone: "Europe/Berlin" })
    const offset = DateTime.makeZonedUnsafe(1234, { timeZone: -7_200_000 })
    expect(DateTime.isUtc(through(utc) as DateTime.DateTime)).toBe(true)
    expect((through(utc) as DateTime.Utc).epochMilliseconds).toBe(1234)
    for (const value of [zoned, offset]) {
      const back = through(value) as DateTime.Zoned
      expect([back.epochMilliseconds, DateTime.zoneToString(back.zone)]).toEqual([
        1234,
        DateTime.zoneToString(value.zone)
      ])
    }
  })

  it("__proto__ is a key like any other", () => {
    const hostile: unknown = JSON.parse('{"__proto__": {"polluted": true}, "a": 1}')
    const back = through(hostile)
    expect(Object.keys(back as object)).toEqual(["__proto__", "a"])
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    expect((back as { readonly polluted?: unknown }).polluted).toBeUndefined()
  })

  it("what has no exact form is refused, and the message says where it is and what to do", () => {
    class Basket {}
    const cycle: { self?: unknown } = {}
    cycle.self = { of: [cycle] }
    expect(() => encodeStored(new Basket())).toThrow(
      "it is an instance of Basket, which cannot be kept in a checkpoint: map rows to plain data first"
    )
    expect(() => encodeStored({ a: { f: [1, () => 1] } })).toThrow("field a.f[1] is a function")
    expect(() => encodeStored([Symbol("s")])).toThrow("field [0] is a symbol")
    expect(() => encodeStored(cycle)).toThrow("field self.of[0] is a cycle")
    expect(() => encodeStored(nested(100_000))).toThrow("nested deeper than 512")
    expect(through(nested(512))).toEqual(nested(512))
    const twice = { a: 1 }
    expect(through([twice, twice])).toEqual([twice, twice])
  })

  it("without a throw: null stands where something was refused, and the first is named", () => {
    const value = { ok: 1n, bad: [new (class Basket {})(), () => 1], more: "x" }
    expect(tryEncodeStored(value)).toEqual({
      stored: { ok: { $bigint: "1" }, bad: [null, null], more: "x" },
      problem: { path: "bad[0]", what: "an instance of Basket" }
    })
    expect(tryEncodeStored({ a: -0 })).toEqual({ stored: { a: { $number: "-0" } }, problem: undefined })
  })

  it("whatever rows are made of comes back as it was", () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withNullPrototype: true,
      withSparseArray: false
    })
    fc.assert(
      fc.property(anything, (value) => {
        expect(through(value)).toStrictEqual(value)
      }),
      { numRuns: 300 }
    )
  })

  it("what it cannot have written is refused", () => {
    expect(() => decodeStored({ $other: 1 })).toThrow('"$other" is not a kind of stored value')
  })
})

import { DateTime } from "effect"
import { describe, expect, it } from "vitest"
import { jsonText, textOf } from "../src/model/Text.ts"

const fails = (): never => {
  throw new Error("no")
}
const circular: { self?: unknown } = {}
circular.self = circular
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable([], {})
  revoke()
  return proxy
}
const deep = (levels: number): unknown => {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = [value]
  return value
}

describe("jsonText", () => {
  it("is JSON where JSON has a word for it", () => {
    const row = { a: [1, "é", null, true], ["__proto__"]: { b: DateTime.makeUnsafe(0) } }
    expect(jsonText(row)).toBe(JSON.stringify(row))
  })

  it("loses no digit of a bigint and no number that JSON lacks", () => {
    const row = { big: 2n ** 64n + 1n, list: [Number.NaN, Infinity, -Infinity] }
    expect(jsonText(row)).toBe('{"big":"18446744073709551617","list":["NaN","Infinity","-Infinity"]}')
    expect(jsonText(9_007_199_254_740_993n)).toBe('"9007199254740993"')
  })

  it("shows functions and symbols instead of leaving them out", () => {
    expect(jsonText({ s: Symbol("s"), f: Math.max })).toBe('{"s":"Symbol(s)","f":"function max() { [native code] }"}')
    expect(jsonText(undefined)).toBe("undefined")
    expect(jsonText({ toJSON: () => undefined })).toBe("[unprintable]")
  })

  it("never throws: cycles, depth, hostile methods, revoked proxies", () => {
    for (const value of [
      circular,
      [circular],
      deep(100_000),
      { toJSON: fails },
      { toJSON: fails, toString: fails },
      Object.defineProperty({}, "a", { enumerable: true, get: fails }),
      Object.defineProperty({ toJSON: fails }, Symbol.toStringTag, { get: fails }),
      Object.assign(Object.create(null), { toJSON: fails }),
      revoked()
    ]) {
      expect(jsonText(value)).toBe("[unprintable]")
    }
    expect(jsonText(Object.assign(() => 0, { toString: fails }))).toBe("[unprintable]")
    expect(jsonText({ a: circular, toString: () => "my own words" })).toBe("my own words")
  })
})

describe("textOf", () => {
  it("is what people read of a value, an error's name and message", () => {
    expect(textOf(new TypeError("no"))).toBe("TypeError: no")
    expect(textOf("a")).toBe("a")
    expect(textOf(12n)).toBe("12")
    expect(textOf(Symbol("s"))).toBe("Symbol(s)")
  })

  it("is JSON where an object has no text of its own", () => {
    expect(textOf({ _tag: "Refused", n: 1n })).toBe('{"_tag":"Refused","n":"1"}')
    expect(textOf([1, [2]])).toBe("[1,[2]]")
    expect(textOf(Object.create(null))).toBe("{}")
  })

  it("never throws", () => {
    for (const value of [circular, { toJSON: fails, toString: fails }, [circular], revoked()]) {
      expect(textOf(value)).toBe("[unprintable]")
    }
  })
})

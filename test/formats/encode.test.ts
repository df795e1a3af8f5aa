import { DateTime, Effect, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { csv, type CsvEncodeOptions, jsonLines } from "../../src/formats/encode.ts"
import type { RowCodec } from "../../src/formats/RowSchema.ts"

const written = async (row: unknown, schema?: RowCodec<unknown>): Promise<unknown> =>
  (await Effect.runPromise(jsonLines(schema).load))()(row)
const cells = async (
  rows: ReadonlyArray<unknown>,
  options?: CsvEncodeOptions,
  schema?: RowCodec<unknown>
): Promise<ReadonlyArray<unknown>> => {
  const encode = (await Effect.runPromise(csv(schema, options).load))()
  return rows.map(encode)
}
const refused = (detail: string): unknown => ({ reason: "sink", detail: expect.stringContaining(detail) as string })

describe("JSON lines", () => {
  it("writes a row as JSON.stringify does, one line", async () => {
    const row = { a: 1, b: 'x\n"\u2028', c: null, d: [1, [], {}], e: true, f: { "": 0 }, g: -1.5e-7 }
    expect(await written(row)).toBe(`${JSON.stringify(row)}\n`)
    expect(await written({})).toBe("{}\n")
  })

  it("bigints are digits; dates ISO; undefined no field, in an array null; lone surrogates escaped", async () => {
    const utc = DateTime.makeUnsafe("2026-01-01T00:00:00Z")
    expect(
      await written({ a: 2n ** 70n, b: new Date(0), c: utc, d: undefined, e: [undefined, 5n], f: "\ud800", g: -0 })
    ).toBe(
      `{"a":1180591620717411303424,"b":"1970-01-01T00:00:00.000Z","c":"2026-01-01T00:00:00.000Z","e":[null,5],"f":"\\ud800","g":0}\n`
    )
  })

  it("refuses what JSON has no form for, and names the field", async () => {
    expect(await written({ a: { b: [0, Number.NaN] } })).toEqual(refused("a.b.1: NaN cannot be written"))
    expect(await written({ a: Number.POSITIVE_INFINITY })).toEqual(refused("a: Infinity"))
    expect(await written({ a: new Date(Number.NaN) })).toEqual(refused("a: an invalid Date"))
    expect(await written({ a: () => 1 })).toEqual(refused("a: a function"))
    expect(await written({ a: Symbol("x") })).toEqual(refused("a: a symbol"))
    expect(await written({ a: new Map([[1, 2]]) })).toEqual(refused("a: a Map"))
    expect(await written({ a: new Set([1]) })).toEqual(refused("a: a Set"))
    expect(await written({ a: new Uint8Array(3) })).toEqual(refused("a: bytes"))
    for (const row of [null, undefined, 1, "x", [1]]) expect(await written(row)).toEqual(refused("must be an object"))
  })

  it("refuses a row that refers to itself, nests too deep, or whose toJSON fails", async () => {
    const loop: { self?: unknown } = {}
    loop.self = loop
    expect(await written(loop)).toEqual(refused("nested deeper"))
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(await written({ deep })).toEqual(refused("nested deeper"))
    expect(await written({ a: { toJSON: () => JSON.parse("{") as unknown } })).toEqual(refused("failed"))
    const selfJson = { toJSON: (): unknown => ({ toJSON: selfJson.toJSON }) }
    expect(await written({ a: selfJson })).toMatchObject({ reason: "sink" })
  })

  it("a __proto__ field is written, and no prototype is", async () => {
    expect(await written(JSON.parse(`{"__proto__":{"a":1},"b":2}`))).toBe(`{"__proto__":{"a":1},"b":2}\n`)
    expect(await written(Object.create({ inherited: 1 }))).toBe("{}\n")
  })

  it("with a schema rows are encoded by it, and refused when they do not fit or have more fields", async () => {
    const Row = Schema.Struct({
      at: Schema.DateTimeUtcFromString,
      id: Schema.BigInt,
      on: Schema.Date,
      n: Schema.Number
    })
    const row = { at: DateTime.makeUnsafe(0), id: 5n, on: new Date(0), n: 1 }
    expect(await written(row, Row)).toBe(
      `{"at":"1970-01-01T00:00:00.000Z","id":"5","on":"1970-01-01T00:00:00.000Z","n":1}\n`
    )
    expect(await written({ ...row, n: "1" }, Row)).toEqual(refused(`Expected number`))
    expect(await written({ ...row, more: 1 }, Row)).toEqual(refused(`["more"]`))
    expect(await written({ ...row, n: Number.NaN }, Row)).toEqual(refused("n: NaN"))
  })
})

describe("CSV", () => {
  it("begins with a header, quotes what needs it, tells null from the empty text", async () => {
    expect(
      await cells([
        { a: 1, b: "x" },
        { b: 'q"u,o\nte', a: null },
        { a: undefined, b: "" },
        { a: true, b: 5n }
      ])
    ).toEqual(["a,b\n1,x\n", ',"q""u,o\nte"\n', ',""\n', "true,5\n"])
    expect(await cells([{ a: null }])).toEqual(['a\n""\n'])
    expect(await cells([{ a: 1 }], { header: false })).toEqual(["1\n"])
    expect(await cells([{ a: 1, b: "x;y" }], { delimiter: ";" })).toEqual(['a;b\n1;"x;y"\n'])
  })

  it("dates are ISO, nested values JSON", async () => {
    expect(await cells([{ a: new Date(0), b: { c: [1, 2n] }, d: DateTime.makeUnsafe(0) }])).toEqual([
      `a,b,d\n1970-01-01T00:00:00.000Z,"{""c"":[1,2]}",1970-01-01T00:00:00.000Z\n`
    ])
  })

  it("refuses fields that are no column, and what has no form; the header comes with the first row that is written", async () => {
    expect(await cells([{ a: Number.NaN }, { a: 1 }, { a: 1, b: 2 }, { a: "\udc00" }, {}])).toEqual([
      refused("a: NaN"),
      "a\n1\n",
      refused("b: a field that is no column"),
      refused("a: a lone surrogate"),
      '""\n'
    ])
    expect(await cells([{}])).toEqual([refused("without fields")])
    expect(await cells([{ b: 1 }], { columns: ["a", "b"] })).toEqual(["a,b\n,1\n"])
  })

  it("a schema gives the columns and their order", async () => {
    const Row = Schema.Struct({ b: Schema.Number, a: Schema.NullOr(Schema.BigInt) })
    expect(await cells([{ a: 5n, b: 1 }, { a: null, b: 2 }, { b: 3 }], {}, Row)).toEqual([
      "b,a\n1,5\n",
      "2,\n",
      refused("Missing key")
    ])
  })

  it("tells wrong options", () => {
    expect(csv(undefined, { delimiter: "" }).problems.length).toBe(1)
    expect(csv(undefined, { columns: ["a", "a"] }).problems.length).toBe(1)
  })
})

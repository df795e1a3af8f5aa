/** Laws of formats: how bytes are cut does not matter, a mark gives the rest, what is written is what is read. */
import { Effect, Schema } from "effect"
import fc from "fast-check"
import { parquetWriteBuffer } from "hyparquet-writer"
import { describe, expect, it } from "vitest"
import { csv, jsonLines } from "../src/formats/encode.ts"
import type { StreamFormat } from "../src/formats/Format.ts"
import * as Csv from "../src/formats/Csv.ts"
import * as Json from "../src/formats/Json.ts"
import * as Parquet from "../src/formats/Parquet.ts"
import * as Text from "../src/formats/Text.ts"
import type { DeadRow } from "../src/model/DeadLetter.ts"
import { bytesOf, decode, type Whole } from "../test/formats/support.ts"

const limits = { lineBytesMax: 40, jsonDepthMax: 4 }

/** Pieces that have a meaning in some format, in any order, and noise. */
const piece = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(`{"a":1}`, `{"a":"x"}`, `{"a":null,"b":[1,{}]}`, "1,2", "x,y", '"q","r"', "a,b")
  },
  { weight: 6, arbitrary: fc.constantFrom("\n", "\r\n", ",", "[", "]", '"', "\\", "{", "}", " ", "\r", '""', "\t") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "\uFEFF",
      "ä",
      "\u2028",
      "😀",
      "9007199254740993",
      `{"__proto__":1}`,
      "[".repeat(9),
      "x".repeat(60)
    )
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 4 }) }
)
const input = fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.concat(pieces.map(bytesOf)))
/** An array of rows, well formed but for what the pieces break. */
const arrayInput = fc
  .array(piece, { maxLength: 30 })
  .map((pieces) =>
    Buffer.concat([bytesOf("["), ...pieces.flatMap((p, i) => [bytesOf(i === 0 ? "" : ","), bytesOf(p)]), bytesOf("]")])
  )
const blocks = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 })

const formats: ReadonlyArray<readonly [StreamFormat<unknown>, fc.Arbitrary<Uint8Array>]> = [
  [Json.lines(), input],
  [Json.lines(Schema.Struct({ a: Schema.NullOr(Schema.Number) })), input],
  [Json.array(), input],
  [Json.array(), arrayInput],
  [Csv.rows(), input],
  [Csv.rows(undefined, { header: false, columns: ["x", "y"] }), input],
  [Text.lines(), input]
]

const deadOf = (d: DeadRow): unknown => ({ ...d, bytes: [...d.bytes] })
const essence = (w: Whole<unknown>): unknown => ({ rows: w.rows, lines: w.lines, dead: w.dead.map(deadOf) })

describe.each(formats.map(([format, bytes], i) => [`${format.name} ${i}`, format, bytes] as const))(
  "%s",
  (_, format, bytes) => {
    it("any cut of the bytes gives the same rows and dead rows, byte for byte", () =>
      fc.assert(
        fc.asyncProperty(
          bytes,
          blocks,
          fc.integer({ min: 1, max: 5 }),
          fc.option(fc.constant("broken off")),
          async (b, cuts, rows, broken) => {
            const options = { limits, ...(broken === null ? {} : { broken }) }
            const whole = await decode(format, b, options)
            expect(essence(await decode(format, b, { ...options, blocks: cuts, rows }))).toEqual(essence(whole))
            // A broken stream is told, if it was not given up before.
            expect(broken === null || whole.dead.length > 0).toBe(true)
          }
        ),
        { numRuns: 150 }
      ))

    it("from the mark after any row on come exactly the rest", () =>
      fc.assert(
        fc.asyncProperty(bytes, blocks, fc.integer({ min: 1, max: 4 }), async (b, cuts, rows) => {
          const whole = await decode(format, b, { limits, rows })
          for (const { mark, rows: before, dead } of whole.marks) {
            const rest = await decode(format, b, { limits, blocks: cuts, from: mark })
            expect(rest.rows).toEqual(whole.rows.slice(before))
            expect(rest.lines).toEqual(whole.lines.slice(before))
            expect(rest.dead.map(deadOf)).toEqual(
              whole.dead.slice(dead).map((d) => deadOf({ ...d, before: d.before - before }))
            )
          }
        }),
        { numRuns: 60 }
      ))

    it("never fails, and never makes U+FFFD of bytes that are not UTF-8", () =>
      fc.assert(
        fc.asyncProperty(bytes, async (b) => {
          const whole = await decode(format, b, { limits })
          expect(JSON.stringify(whole.rows)).not.toContain("\uFFFD")
          for (const d of whole.dead) expect(d.detail).not.toBe("")
        }),
        { numRuns: 60 }
      ))
  }
)

/** Names that hostile input would choose, and others. */
const name = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "toJSON", "", "a", "b,c", '"'),
  fc.string({ unit: "binary", maxLength: 5 })
)
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }).map((n) => (n === 0 ? 0 : n)),
    fc.string({ unit: "binary", maxLength: 8 }),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(
      name.filter((n) => n !== "toJSON"),
      tie("value"),
      { maxKeys: 3, noNullPrototype: true }
    )
  )
})).value
const fieldNames = name.filter((n) => n !== "toJSON")

describe("what is written is what is read", () => {
  it("JSON lines, any row", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.dictionary(fieldNames, json, { noNullPrototype: true }), { maxLength: 5 }),
        async (rows) => {
          const encode = (await Effect.runPromise(jsonLines().load))()
          const texts = rows.map(encode)
          expect(texts.every((t) => typeof t === "string" && t.indexOf("\n") === t.length - 1)).toBe(true)
          const got = await decode(Json.lines(), texts.join(""))
          expect(got.dead).toEqual([])
          expect(got.rows).toEqual(rows)
        }
      ),
      { numRuns: 200 }
    ))

  it("CSV, any text but lone surrogates, refused, and any columns", () =>
    fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(
          fc.string({ unit: "binary", maxLength: 4 }).filter((n) => n.isWellFormed()),
          { minLength: 1, maxLength: 4 }
        ),
        fc.array(
          fc.array(
            fc.oneof(fc.string({ unit: "binary", maxLength: 6 }), fc.constantFrom("", " ", "\r", "\n", "\uFEFF", ",")),
            { minLength: 4, maxLength: 4 }
          ),
          { maxLength: 6 }
        ),
        fc.constantFrom(",", ";", "\t", " ", "a"),
        async (columns, cells, delimiter) => {
          const encode = (await Effect.runPromise(csv(undefined, { columns, delimiter }).load))()
          const rows = cells.map((values) => Object.fromEntries(columns.map((c, i) => [c, values[i]])))
          const texts = rows.map(encode)
          const written = rows.filter((_, i) => typeof texts[i] === "string")
          expect(written).toEqual(rows.filter((r) => Object.values(r).every((v) => v.isWellFormed())))
          const got = await decode(
            Csv.rows(undefined, { delimiter }),
            texts.filter((t) => typeof t === "string").join("")
          )
          expect(got.dead).toEqual([])
          expect(got.rows).toEqual(written)
        }
      ),
      { numRuns: 200 }
    ))

  it("through a schema: bigints, dates, nulls, booleans, absent keys", () => {
    const Row = Schema.Struct({
      big: Schema.BigInt,
      at: Schema.Date,
      n: Schema.Number,
      none: Schema.NullOr(Schema.String),
      yes: Schema.Boolean,
      maybe: Schema.optionalKey(Schema.Number)
    })
    const row = fc.record(
      {
        big: fc.bigInt(),
        at: fc.date({ noInvalidDate: true }),
        n: fc
          .double({ noNaN: true, noDefaultInfinity: true })
          .filter((n) => !Object.is(n, -0) && (Math.abs(n) <= Number.MAX_SAFE_INTEGER || n > 1e21)),
        none: fc.option(fc.string({ maxLength: 5 })),
        yes: fc.boolean(),
        maybe: fc.integer()
      },
      { requiredKeys: ["big", "at", "n", "none", "yes"], noNullPrototype: true }
    )
    return fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 4 }), async (rows) => {
        const lines = (await Effect.runPromise(jsonLines(Row).load))()
        expect((await decode(Json.lines(Row), rows.map(lines).join(""))).rows).toEqual(rows)
        const records = (await Effect.runPromise(csv(Row).load))()
        const got = await decode(Csv.rows(Row), rows.map(records).join(""))
        expect(got.dead).toEqual([])
        expect(got.rows).toEqual(rows)
      }),
      { numRuns: 100 }
    )
  })
})

describe("Parquet", () => {
  const n = 60
  const bytes = new Uint8Array(
    parquetWriteBuffer({
      rowGroupSize: 20,
      columnData: [
        { name: "at", data: Array.from({ length: n }, (_, i) => new Date(i)), type: "TIMESTAMP" },
        {
          name: "n",
          data: Array.from({ length: n }, (_, i) => (i % 7 === 0 ? null : BigInt(i % 20))),
          type: "INT64",
          nullable: true
        },
        { name: "b", data: Array.from({ length: n }, (_, i) => i % 3 === 0), type: "BOOLEAN" },
        { name: "d", data: Array.from({ length: n }, (_, i) => i * 3), type: "INT32", encoding: "DELTA_BINARY_PACKED" },
        { name: "s", data: Array.from({ length: n }, (_, i) => `${i % 5}`), type: "STRING" }
      ]
    } as Parameters<typeof parquetWriteBuffer>[0])
  )

  it("any damage ends in rows and dead rows, never in a failure, an endless loop or more rows than there were", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          const torn = bytes.slice()
          for (const [at, byte] of changes) torn[at] = byte
          const make = await Effect.runPromise(Parquet.rows().load)
          const cursor = make({ size: torn.length, read: (o, l) => Effect.succeed(torn.slice(o, o + l)) }, "in", 0)
          let items = 0
          for (let parts = 0; await Effect.runPromise(cursor.ready); parts++) {
            const part = cursor.take(1000)
            items += part.length + part.dead.length
            expect(parts).toBeLessThan(100)
          }
          expect(items).toBeGreaterThan(0)
        }
      ),
      { numRuns: 300 }
    ))
})

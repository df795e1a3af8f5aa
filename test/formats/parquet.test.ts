import { DateTime, Effect, Schema } from "effect"
import { parquetMetadata } from "hyparquet"
import { parquetWriteBuffer } from "hyparquet-writer"
import { describe, expect, it } from "vitest"
import type { TableFormat, TablePart } from "../../src/formats/Format.ts"
import * as Parquet from "../../src/formats/Parquet.ts"
import type { DeadRow } from "../../src/model/DeadLetter.ts"
import { told } from "./support.ts"

type Columns = Parameters<typeof parquetWriteBuffer>[0]["columnData"]
const file = (columnData: Columns, options: object = {}): Uint8Array =>
  new Uint8Array(parquetWriteBuffer({ columnData, ...options }))

interface Whole<A> {
  readonly rows: ReadonlyArray<A>
  readonly lines: ReadonlyArray<number>
  readonly dead: ReadonlyArray<DeadRow>
  readonly parts: ReadonlyArray<TablePart<A>>
}

const read = async <A>(format: TableFormat<A>, bytes: Uint8Array, rows = 1000, from = 0): Promise<Whole<A>> => {
  const make = await Effect.runPromise(format.load)
  const cursor = make(
    { size: bytes.length, read: (offset, length) => Effect.succeed(bytes.slice(offset, offset + length)) },
    "in",
    from
  )
  const out = {
    rows: [] as Array<A>,
    lines: [] as Array<number>,
    dead: [] as Array<DeadRow>,
    parts: [] as Array<TablePart<A>>
  }
  while (await Effect.runPromise(cursor.ready)) {
    const part = cursor.take(rows)
    expect(part.length + part.dead.length).toBeGreaterThan(0)
    expect(part.length + part.dead.length).toBeLessThanOrEqual(rows)
    for (const d of part.dead) out.dead.push({ ...d, before: out.rows.length + d.before })
    for (let i = 0; i < part.length; i++) {
      out.lines.push(part.lineAt(i))
      out.rows.push(
        part.rows?.[i] ?? (Object.fromEntries(Object.entries(part.columns ?? {}).map(([name, c]) => [name, c[i]])) as A)
      )
    }
    out.parts.push(part)
  }
  return out
}

const flights = (n: number): Columns => [
  { name: "at", data: Array.from({ length: n }, (_, i) => new Date(1_000_000 + i)), type: "TIMESTAMP" },
  { name: "delay", data: Array.from({ length: n }, (_, i) => BigInt(i - 5)), type: "INT64" },
  { name: "km", data: Array.from({ length: n }, (_, i) => i / 2), type: "DOUBLE" },
  { name: "from", data: Array.from({ length: n }, (_, i) => ["ORD", "DTW", "LAS"][i % 3]), type: "STRING" }
]

describe("Parquet", () => {
  it("gives columns, numbers in Float64Arrays, a row group at a time", async () => {
    const got = await read(Parquet.rows(), file(flights(50), { rowGroupSize: 20 }), 8)
    expect(got.parts.map((p) => p.length)).toEqual([8, 8, 4, 8, 8, 4, 8, 2])
    for (const { columns, rows } of got.parts) {
      expect(rows).toBeUndefined()
      for (const name of ["at", "delay", "km"]) expect(columns?.[name]).toBeInstanceOf(Float64Array)
    }
    expect(got.rows[7]).toEqual({ at: 1_000_007, delay: 2, km: 3.5, from: "DTW" })
    expect(got.lines).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
    expect(got.parts.map((p) => p.last)).toEqual([...Array<boolean>(7).fill(false), true])
  })

  it("begins at any row", async () => {
    const bytes = file(flights(50), { rowGroupSize: 20 })
    const all = await read(Parquet.rows(), bytes)
    for (const from of [1, 19, 20, 21, 49, 50]) {
      const rest = await read(Parquet.rows(), bytes, 1000, from)
      expect(rest.rows).toEqual(all.rows.slice(from))
      expect(rest.lines).toEqual(all.lines.slice(from))
    }
  })

  it("reads only the columns asked for", async () => {
    expect((await read(Parquet.rows(undefined, { columns: ["km", "from"] }), file(flights(1)))).rows).toEqual([
      { km: 0, from: "ORD" }
    ])
    const Two = Schema.Struct({ km: Schema.Number, from: Schema.String })
    const two = await read(Parquet.rows(Two), file(flights(2)))
    expect(two.rows).toEqual([
      { km: 0, from: "ORD" },
      { km: 0.5, from: "DTW" }
    ])
    expect(two.parts[0].columns).toBeDefined()
  })

  it("types follow the schema: Date, DateTime, bigint, text", async () => {
    const Row = Schema.Struct({
      at: Schema.Date,
      delay: Schema.BigInt,
      from: Schema.String
    })
    expect((await read(Parquet.rows(Row), file(flights(1)))).rows).toEqual([
      { at: new Date(1_000_000), delay: -5n, from: "ORD" }
    ])
    const Utc = Schema.Struct({ at: Schema.DateTimeUtcFromString, delay: Schema.String })
    const utc = await read(Parquet.rows(Utc), file(flights(1)))
    expect(DateTime.toEpochMillis(utc.rows[0].at)).toBe(1_000_000)
    expect(utc.rows[0].delay).toBe("-5")
  })

  it("integers beyond 2^53: bigint without a schema and for one, dead for a number", async () => {
    const bytes = file([
      { name: "id", data: [1n, 9007199254740993n, -9007199254740993n, 9007199254740991n], type: "INT64" }
    ])
    expect((await read(Parquet.rows(), bytes)).rows).toEqual([
      { id: 1 },
      { id: 9007199254740993n },
      { id: -9007199254740993n },
      { id: 9007199254740991 }
    ])
    const big = await read(Parquet.rows(Schema.Struct({ id: Schema.BigInt })), bytes)
    expect(big.rows.map((r) => r.id)).toEqual([1n, 9007199254740993n, -9007199254740993n, 9007199254740991n])
    const n = await read(Parquet.rows(Schema.Struct({ id: Schema.Number })), bytes)
    expect(n.rows).toEqual([{ id: 1 }, { id: 9007199254740991 }])
    expect(n.lines).toEqual([1, 4])
    expect(told(n.dead)).toEqual([
      expect.stringMatching(/^1 in:2 schema: Expected number, got 9007199254740993n at \["id"\]/),
      expect.stringMatching(/^1 in:3 schema: /)
    ])
    expect(new TextDecoder().decode(n.dead[0].bytes)).toBe('{"id":"9007199254740993"}')
  })

  it("decimals are exact; finer times are cut downwards, before 1970 too", async () => {
    const schema = [
      { name: "root", num_children: 3 },
      { name: "d", type: "INT64", converted_type: "DECIMAL", scale: 2, precision: 18, repetition_type: "REQUIRED" },
      {
        name: "us",
        type: "INT64",
        logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MICROS" },
        repetition_type: "REQUIRED"
      },
      { name: "day", type: "INT32", converted_type: "DATE", repetition_type: "REQUIRED" }
    ]
    const bytes = file(
      [
        { name: "d", data: [1, 19.99, -0.05] },
        { name: "us", data: [new Date(5), new Date(-1), new Date(0)] },
        { name: "day", data: [new Date(0), new Date(86_400_000), new Date(-86_400_000)] }
      ] as Columns,
      { schema }
    )
    expect((await read(Parquet.rows(), bytes)).rows).toEqual([
      { d: 1, us: 5, day: 0 },
      { d: 19.99, us: -1, day: 86_400_000 },
      { d: -0.05, us: 0, day: -86_400_000 }
    ])
    const Text = Schema.Struct({ d: Schema.String, us: Schema.String, day: Schema.String })
    expect((await read(Parquet.rows(Text), bytes)).rows[1]).toEqual({
      d: "19.99",
      us: "1969-12-31T23:59:59.999Z",
      day: "1970-01-02"
    })
  })

  it("nulls are null, and dead for a schema without them", async () => {
    const bytes = file([
      { name: "n", data: [1, null, 3], type: "INT32", nullable: true },
      { name: "s", data: ["a", "b", null], type: "STRING", nullable: true }
    ])
    expect((await read(Parquet.rows(), bytes)).rows).toEqual([
      { n: 1, s: "a" },
      { n: null, s: "b" },
      { n: 3, s: null }
    ])
    const Row = Schema.Struct({ n: Schema.Number, s: Schema.NullOr(Schema.String) })
    const got = await read(Parquet.rows(Row), bytes)
    expect(got.rows).toEqual([
      { n: 1, s: "a" },
      { n: 3, s: null }
    ])
    expect(told(got.dead)).toEqual([expect.stringMatching(/^1 in:2 schema: Expected number, got null/)])
  })

  it("a column the schema needs and the file lacks: one dead row for the file", async () => {
    const Row = Schema.Struct({ km: Schema.Number, more: Schema.String })
    const got = await read(Parquet.rows(Row), file(flights(5)))
    expect(got.rows).toEqual([])
    expect(told(got.dead)).toEqual(['0 in schema: the file has no column "more": the file is not read'])
    const Optional = Schema.Struct({ km: Schema.Number, more: Schema.optionalKey(Schema.String) })
    expect((await read(Parquet.rows(Optional), file(flights(1)))).rows).toEqual([{ km: 0 }])
  })

  it("nested values, invalid UTF-8 and a column called __proto__ do no harm", async () => {
    const nested = await read(
      Parquet.rows(),
      file([{ name: "list", data: [{ a: [1, 2] }, { a: [] }], type: "JSON" }] as Columns)
    )
    expect(nested.rows).toEqual([{ list: '{"a":[1,2]}' }, { list: '{"a":[]}' }])
    const bytes = file([{ name: "__proto__", data: ["x"], type: "STRING" }])
    const odd = await read(Parquet.rows(), bytes)
    expect(Object.getOwnPropertyDescriptor(odd.rows[0], "__proto__")?.value).toBe("x")
    const good = file([{ name: "s", data: ["aaaa", "bbbb"], type: "STRING", encoding: "PLAIN" }] as Columns, {
      codec: "UNCOMPRESSED",
      statistics: false
    })
    const at = Buffer.from(good).indexOf("bbbb")
    good[at + 1] = 0xff
    const bad = await read(Parquet.rows(Schema.Struct({ s: Schema.String })), good)
    expect(bad.rows).toEqual([{ s: "aaaa" }])
    expect(bad.dead.map((d) => [d.place, d.reason])).toEqual([["in:2", "schema"]])
  })

  it("a corrupt footer, or none, is one dead row", async () => {
    const bytes = file(flights(5))
    const bad = [
      new Uint8Array(0),
      Uint8Array.of(1, 2, 3),
      new TextEncoder().encode('{"a":1}\n'),
      bytes.slice(0, -1),
      bytes.slice(4)
    ]
    const torn = bytes.slice()
    torn.fill(0xff, torn.length - 60, torn.length - 20)
    for (const input of [...bad, torn]) {
      const got = await read(Parquet.rows(), input)
      expect(got.rows).toEqual([])
      expect(told(got.dead)).toEqual([expect.stringMatching(/^0 in(:1)? malformed: /)])
    }
  })

  it("a corrupt page costs its row group, and the next one is read", async () => {
    const bytes = file(flights(60), { rowGroupSize: 20 })
    const whole = await read(Parquet.rows(), bytes)
    const torn = bytes.slice()
    const page = Number(parquetMetadata(bytes).row_groups[1].columns[2].meta_data?.data_page_offset)
    torn.fill(0xff, page, page + 8)
    const got = await read(Parquet.rows(), torn)
    expect(got.rows).toEqual([...whole.rows.slice(0, 20), ...whole.rows.slice(40)])
    expect(told(got.dead)).toEqual([
      expect.stringMatching(/^20 in:21 malformed: row group 2, column "km": .*\(rows 21 to 40 are lost\)$/)
    ])
  })

  it("no byte of a file, changed, crashes the reader or hangs it", async () => {
    const bytes = file(flights(12), { rowGroupSize: 6 })
    for (let i = 0; i < bytes.length; i += 3) {
      const torn = bytes.slice()
      torn[i] ^= 1 << (i % 8)
      const got = await read(Parquet.rows(), torn)
      expect(got.rows.length + got.dead.length).toBeGreaterThan(0)
    }
  })
})

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import * as Csv from "../../src/formats/Csv.ts"
import * as Text from "../../src/formats/Text.ts"
import { bytesOf, bytesText, decode, told } from "./support.ts"

const Sale = Schema.Struct({ id: Schema.Number, item: Schema.String })

describe("CSV", () => {
  it("reads records under a header: quotes, doubled quotes, line breaks in cells, CRLF, no line end at the end", async () => {
    const got = await decode(Csv.rows(), `\uFEFFa,b\r\n1,"x, ""y""\r\nz"\r\n\r\n"",\n" 2 ", 3`)
    expect(got.rows).toEqual([
      { a: "1", b: 'x, "y"\r\nz' },
      { a: "", b: "" },
      { a: " 2 ", b: " 3" }
    ])
    expect(got.lines).toEqual([2, 5, 6])
    expect(got.dead).toEqual([])
  })

  it("takes another delimiter, and columns without a header", async () => {
    expect((await decode(Csv.rows(undefined, { delimiter: "\t" }), `a\tb\n1,5\t"x\ty"\n`)).rows).toEqual([
      { a: "1,5", b: "x\ty" }
    ])
    const bare = Csv.rows(undefined, { header: false, columns: ["x", "y"] })
    expect((await decode(bare, "1,2\n")).rows).toEqual([{ x: "1", y: "2" }])
    expect((await decode(Csv.rows(Sale, { header: false }), "1,tea\n")).rows).toEqual([{ id: 1, item: "tea" }])
  })

  it("records with too many or too few fields are dead, those beside them are not", async () => {
    const got = await decode(Csv.rows(), "a,b\n1,2\n1\n1,2,3\n3,4\n")
    expect(got.rows).toEqual([
      { a: "1", b: "2" },
      { a: "3", b: "4" }
    ])
    expect(told(got.dead)).toEqual([
      "1 in:3 malformed: 1 fields where there are 2 columns",
      "1 in:4 malformed: 3 fields where there are 2 columns"
    ])
    expect(bytesText(got.dead[1])).toBe("1,2,3")
  })

  it("a quote that is not closed costs its line; text behind a closing quote its record", async () => {
    const got = await decode(Csv.rows(), `a,b\n1,"open\n2,x\n3,y\n`)
    expect(got.rows).toEqual([
      { a: "2", b: "x" },
      { a: "3", b: "y" }
    ])
    expect(told(got.dead)).toEqual(["0 in:2 malformed: a quote that is not closed"])
    const behind = await decode(Csv.rows(), `a,b\n"1"x,2\n3,4\n5,"6`)
    expect(behind.rows).toEqual([{ a: "3", b: "4" }])
    expect(told(behind.dead)).toEqual([
      "0 in:2 malformed: text behind the closing quote of field 1",
      "1 in:4 malformed: a quote that is not closed, in field 2"
    ])
    // A quote inside a field that does not begin with one is a character.
    expect((await decode(Csv.rows(), `a,b\n5" pipe,x"y"\n`)).rows).toEqual([{ a: '5" pipe', b: 'x"y"' }])
  })

  it("a quote that is not closed within the limit costs its line, a line over the limit itself", async () => {
    const filler = "8,y\n".repeat(40)
    for (const blocks of [[4096], [5]]) {
      const got = await decode(Csv.rows(), `a,b\n1,"open\n${filler}7,${"x".repeat(200)}\n9,z\n`, {
        blocks,
        limits: { lineBytesMax: 100 }
      })
      expect(got.rows.length).toBe(41)
      expect(told(got.dead)).toEqual([
        "0 in:2 malformed: a quote that is not closed",
        "40 in:43 too-large: a line longer than 100 bytes (lineBytesMax)"
      ])
    }
  })

  it("invalid UTF-8 is dead", async () => {
    const got = await decode(Csv.rows(), Buffer.concat([bytesOf("a,b\n1,"), Uint8Array.of(0xff), bytesOf("\n2,x\n")]))
    expect(got.rows).toEqual([{ a: "2", b: "x" }])
    expect(told(got.dead)).toEqual(["0 in:2 malformed: not valid UTF-8"])
  })

  it("a header that cannot be one makes the file one dead row", async () => {
    const bad = [
      `a,a\n1,2\n`,
      `"a\n1,2\n`,
      `id,name\n1,2\n`,
      Buffer.concat([Uint8Array.of(0xff), bytesOf(",b\n1,2\n")])
    ]
    for (const input of bad) {
      const got = await decode(Csv.rows(Sale), input)
      expect(got.rows).toEqual([])
      expect(told(got.dead)).toEqual([expect.stringMatching(/^0 in:1 malformed: .*: the file is not read$/)])
    }
    expect(await decode(Csv.rows(Sale), "")).toMatchObject({ rows: [], dead: [] })
  })

  it("cells become what the schema says, exactly or not at all", async () => {
    const Row = Schema.Struct({
      n: Schema.Number,
      big: Schema.BigInt,
      at: Schema.Date,
      yes: Schema.Boolean,
      none: Schema.NullOr(Schema.Number),
      maybe: Schema.optionalKey(Schema.String)
    })
    const got = await decode(
      Csv.rows(Row),
      `n,big,at,yes,none,maybe,other\n1.5e3,9007199254740993,2026-01-01T00:00:00Z,true,,,x\n-1,-5,2026-01-01,false,7,"",y\n`
    )
    expect(got.dead).toEqual([])
    expect(got.rows).toEqual([
      { n: 1500, big: 9007199254740993n, at: new Date("2026-01-01"), yes: true, none: null },
      { n: -1, big: -5n, at: new Date("2026-01-01"), yes: false, none: 7, maybe: "" }
    ])
    const N = Schema.Struct({ n: Schema.Number })
    const cells = ["", "x", " 1", "1x", "0x10", "9007199254740993", "-9007199254740993", "1e999", "1,0"]
    for (const cell of cells) {
      const bad = await decode(Csv.rows(N), `n\n1\n"${cell}"\n2\n`)
      expect(bad.rows, cell).toEqual([{ n: 1 }, { n: 2 }])
      expect(
        bad.dead.map((d) => d.reason),
        cell
      ).toEqual(["schema"])
    }
  })

  it("a null is an empty cell, never the word; the word is text", async () => {
    const Row = Schema.Struct({ name: Schema.NullOr(Schema.String), x: Schema.String })
    const got = await decode(Csv.rows(Row), `name,x\nnull,1\n,2\n"",3\n`)
    expect(got.rows).toEqual([
      { name: "null", x: "1" },
      { name: null, x: "2" },
      { name: "", x: "3" }
    ])
  })

  it("a column may be called __proto__", async () => {
    const got = await decode(Csv.rows(), `__proto__,constructor\nx,y\n`)
    expect(Object.getOwnPropertyDescriptor(got.rows[0], "__proto__")?.value).toBe("x")
    expect(Object.keys(got.rows[0])).toEqual(["__proto__", "constructor"])
    expect(Object.getPrototypeOf(got.rows[0])).toBe(Object.prototype)
  })

  it("tells wrong options", () => {
    const problems = (options: Csv.CsvOptions): ReadonlyArray<string> =>
      Csv.rows(undefined, options).problems.map((p) => p.option)
    expect(problems({ delimiter: ";;" })).toEqual(["Csv.rows.delimiter"])
    expect(problems({ delimiter: '"' })).toEqual(["Csv.rows.delimiter"])
    expect(problems({ header: false })).toEqual(["Csv.rows.header"])
    expect(problems({ columns: ["a"] })).toEqual(["Csv.rows.columns"])
    expect(problems({ header: false, columns: ["a", "a"] })).toEqual(["Csv.rows.columns"])
    expect(problems({})).toEqual([])
  })
})

describe("text", () => {
  it("every line is a row, empty ones too", async () => {
    const got = await decode(Text.lines(), "\uFEFFa\r\n\nb\rc\n \nlast")
    expect(got.rows).toEqual(["a", "", "b\rc", " ", "last"].map((value) => ({ value })))
    expect(got.lines).toEqual([1, 2, 3, 4, 5])
    const bad = await decode(Text.lines(), Buffer.concat([bytesOf("a\n"), Uint8Array.of(0xc3), bytesOf("\nb\n")]))
    expect(bad.rows).toEqual([{ value: "a" }, { value: "b" }])
    expect(bad.dead.length).toBe(1)
  })
})

describe("a stream that breaks off", () => {
  it("gives the rows before, and one dead row with what is left of a line", async () => {
    for (const format of [Csv.rows(undefined, { header: false, columns: ["a"] }), Text.lines()]) {
      const got = await decode<unknown>(format, "x\ny\nz", { broken: "the gzip data ends too early" })
      expect(got.rows.length).toBe(2)
      expect(told(got.dead)).toEqual(["2 in:3 malformed: the gzip data ends too early"])
      expect(bytesText(got.dead[0])).toBe("z")
    }
  })
})

import { DateTime, Effect, Schema } from "effect"
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import * as Json from "../../src/formats/Json.ts"
import { Limits } from "../../src/model/Limits.ts"
import { bytesOf, bytesText, decode, told } from "./support.ts"

const Order = Schema.Struct({ id: Schema.Number, item: Schema.String })

describe("JSON lines", () => {
  it("reads one object a line: LF, CRLF, a last line without an end, blank lines skipped and counted", async () => {
    const got = await decode(Json.lines(), `{"a":1}\r\n\n  \t\r\n{"a":2}\n{"a":3}`)
    expect(got.rows).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }])
    expect(got.lines).toEqual([1, 4, 5])
    expect(got.dead).toEqual([])
  })

  it("takes a BOM at the start, and only there", async () => {
    const got = await decode(Json.lines(), `\uFEFF{"a":1}\n\uFEFF{"a":2}`)
    expect(got.rows).toEqual([{ a: 1 }])
    expect(told(got.dead)).toEqual([expect.stringMatching(/^1 in:2 malformed: /)])
    for (const empty of ["", "\uFEFF", "\n", " \n\n "]) {
      expect(await decode(Json.lines(), empty), JSON.stringify(empty)).toMatchObject({ rows: [], dead: [] })
    }
  })

  it("makes a malformed line a dead row with its bytes and place; its neighbours are unharmed", async () => {
    const bad = ["not json", `{"id":1,`, "{}}", `{'id':1}`, "NaN", `{"id":NaN,"item":"x"}`, `{"id":01}`, `{"a":"\t"}`]
    for (const line of bad) {
      const got = await decode(Json.lines(), `{"id":1}\n${line}\n{"id":2}\n`)
      expect(got.rows, line).toEqual([{ id: 1 }, { id: 2 }])
      expect(got.dead.length, line).toBe(1)
      expect(got.dead[0]).toMatchObject({ before: 1, reason: "malformed", place: "in:2", truncated: false })
      expect(bytesText(got.dead[0])).toBe(line)
      expect(got.dead[0].detail).not.toBe("")
    }
  })

  it("makes invalid UTF-8 a dead row and never U+FFFD; a U+FFFD that is written is kept", async () => {
    const bad = [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0xc0, 0x80]]
    for (const bytes of bad) {
      const input = Buffer.concat([
        bytesOf(`{"a":"x"}\n{"a":"`),
        Uint8Array.from(bytes),
        bytesOf(`"}\n{"a":"\uFFFD"}\n`)
      ])
      const got = await decode(Json.lines(), input)
      expect(got.rows).toEqual([{ a: "x" }, { a: "\uFFFD" }])
      expect(told(got.dead)).toEqual(["1 in:2 malformed: not valid UTF-8"])
      expect([...got.dead[0].bytes]).toEqual([...bytesOf(`{"a":"`), ...bytes, ...bytesOf(`"}`)])
    }
  })

  it("checks rows by the schema and names the field", async () => {
    const got = await decode(
      Json.lines(Order),
      `{"id":1,"item":"a","more":true}\n{"id":"2","item":"b"}\n{"id":3}\n[]\nnull\n{"id":4,"item":"d"}`
    )
    expect(got.rows).toEqual([
      { id: 1, item: "a" },
      { id: 4, item: "d" }
    ])
    expect(told(got.dead)).toEqual([
      expect.stringMatching(/^1 in:2 schema: Expected number, got "2" at \["id"\]/),
      expect.stringMatching(/^1 in:3 schema: Missing key at \["item"\]/),
      expect.stringMatching(/^1 in:4 schema: Expected object/),
      expect.stringMatching(/^1 in:5 schema: Expected object/)
    ])
  })

  it("without a schema takes objects only", async () => {
    const got = await decode(Json.lines(), `1\n"x"\nnull\n[1]\ntrue\n{}`)
    expect(got.rows).toEqual([{}])
    expect(told(got.dead).map((t) => t.slice(t.indexOf("this")))).toEqual([
      "this is a number",
      "this is a string",
      "this is null",
      "this is an array",
      "this is a boolean"
    ])
  })

  it("reads Dates, DateTimes and optional fields by the schema", async () => {
    const Row = Schema.Struct({
      at: Schema.Date,
      utc: Schema.DateTimeUtcFromString,
      n: Schema.optionalKey(Schema.Number),
      big: Schema.NullOr(Schema.BigInt)
    })
    const got = await decode(
      Json.lines(Row),
      `{"at":"2026-01-01T00:00:00Z","utc":"2026-01-01T00:00:00Z","big":7}\n{"at":"no","utc":"2026-01-01T00:00:00Z","big":null}`
    )
    expect(got.rows.length).toBe(1)
    expect(got.rows[0].at).toEqual(new Date("2026-01-01T00:00:00Z"))
    expect(DateTime.toEpochMillis(got.rows[0].utc)).toBe(1767225600000)
    expect(got.rows[0].big).toBe(7n)
    expect(got.dead.map((d) => d.reason)).toEqual(["schema"])
  })

  it("survives a schema that throws, and one that is asynchronous", async () => {
    const throwing = Schema.Struct({
      a: Schema.Number.pipe(
        Schema.check(
          Schema.makeFilter((n) => {
            if (n === 2) throw new Error("boom")
            return true
          })
        )
      )
    })
    const got = await decode(Json.lines(throwing), `{"a":1}\n{"a":2}\n{"a":3}`)
    expect(got.rows).toEqual([{ a: 1 }, { a: 3 }])
    expect(got.dead.map((d) => d.reason)).toEqual(["schema"])
  })
})

describe("numbers: exact or dead, never rounded", () => {
  const big = "9007199254740993"

  it("an integer beyond 2^53 is exact where the schema takes a bigint", async () => {
    const Row = Schema.Struct({ id: Schema.BigInt, in: Schema.Struct({ list: Schema.Array(Schema.BigInt) }) })
    const got = await decode(
      Json.lines(Row),
      `{"id":${big},"in":{"list":[1,-${big}0000000000000]}}\n{"id":5,"in":{"list":[]}}`
    )
    expect(got.dead).toEqual([])
    expect(got.rows).toEqual([
      { id: 9007199254740993n, in: { list: [1n, -90071992547409930000000000000n] } },
      { id: 5n, in: { list: [] } }
    ])
    const fraction = await decode(Json.lines(Row), `{"id":1.5,"in":{"list":[]}}\n{"id":"x","in":{"list":[]}}`)
    expect(fraction.dead.map((d) => d.reason)).toEqual(["schema", "schema"])
  })

  it("is dead for a number, and without a schema, however deep it stands", async () => {
    for (const text of [`{"id":${big},"item":"a"}`, `{"id":-${big},"item":"a"}`]) {
      const got = await decode(Json.lines(Order), text)
      expect(got.rows).toEqual([])
      expect(told(got.dead)).toEqual([expect.stringMatching(/^0 in:1 schema: .*id.*Schema\.BigInt/)])
    }
    const untyped = await decode(Json.lines(), `{"a":{"b":[1,${big}]}}\n{"a":9007199254740991}`)
    expect(untyped.rows).toEqual([{ a: 9007199254740991 }])
    expect(told(untyped.dead)).toEqual([expect.stringMatching(/a\.b\.1: the integer 9007199254740993 does not fit/)])
  })

  it("does not matter in a field that the schema does not read, or in text", async () => {
    const got = await decode(Json.lines(Order), `{"id":1,"item":"${big}","other":${big}}`)
    expect(got.rows).toEqual([{ id: 1, item: big }])
  })

  it("a fraction with many digits is a double; what is too large for one is dead", async () => {
    const got = await decode(
      Json.lines(),
      `{"a":0.12345678901234567890,"b":1e300,"c":12345678901234567.5}\n{"a":1e400}\n{"a":-1e0999}`
    )
    expect(got.rows).toEqual([{ a: 0.12345678901234568, b: 1e300, c: 12345678901234568 }])
    expect(told(got.dead)).toEqual([
      `1 in:2 schema: "a": 1e400 is too large for a number`,
      `1 in:3 schema: "a": -1e0999 is too large for a number`
    ])
  })
})

describe("hostile keys and depth", () => {
  it("__proto__ is a key like any other: own, and prototypes stay as they are", async () => {
    const got = await decode(Json.lines(), `{"__proto__":{"polluted":1},"constructor":2,"a":{"__proto__":3}}`)
    const row = got.rows[0]
    expect(Object.keys(row)).toEqual(["__proto__", "constructor", "a"])
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype)
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
    expect(Object.getOwnPropertyDescriptor(row, "__proto__")?.value).toEqual({ polluted: 1 })
  })

  it("a schema may have a field of that name, and drops it otherwise", async () => {
    const Odd = Schema.Struct({ ["__proto__"]: Schema.BigInt, a: Schema.String })
    const got = await decode(Json.lines(Odd), `{"__proto__":9007199254740993,"a":"x"}\n{"a":"y"}`)
    expect(Object.getOwnPropertyDescriptor(got.rows[0], "__proto__")?.value).toBe(9007199254740993n)
    expect(got.dead.length).toBe(1)
    const plain = await decode(Json.lines(Order), `{"__proto__":{"id":1,"item":"x"}}`)
    expect(plain.rows).toEqual([])
    expect(plain.dead.length).toBe(1)
  })

  it("of duplicate keys the last one stands, as in JSON.parse", async () => {
    expect((await decode(Json.lines(), `{"a":1,"a":2}`)).rows).toEqual([{ a: 2 }])
  })

  it("keeps lone surrogates that are escaped", async () => {
    expect((await decode(Json.lines(), String.raw`{"a":"\ud800"}`)).rows).toEqual([{ a: "\ud800" }])
  })

  it("nesting 100,000 deep is dead, in arrays and objects, closed or not; the limit itself is fine", async () => {
    const deep = 100_000
    const texts = ["[".repeat(deep), "[".repeat(deep) + "]".repeat(deep), `{"a":`.repeat(deep) + "1" + "}".repeat(deep)]
    const got = await decode(Json.lines(Schema.Unknown), [...texts, `{"ok":1}`].join("\n"))
    expect(got.rows).toEqual([{ ok: 1 }])
    expect(got.dead.map((d) => d.detail)).toEqual(
      texts.map(() => `nested deeper than ${Limits.jsonDepthMax} (jsonDepthMax)`)
    )
    const limit = Limits.jsonDepthMax - 1
    const fits = await decode(
      Json.lines(),
      `{"a":${"[".repeat(limit)}${"]".repeat(limit)}}\n{"a":"${"[{".repeat(2000)}\\"["}`
    )
    expect(fits.dead).toEqual([])
    expect(fits.rows.length).toBe(2)
  })

  it("a recursive schema on deep input does not overflow", async () => {
    interface Tree {
      readonly sub: ReadonlyArray<Tree>
    }
    const Tree: Schema.Codec<Tree> = Schema.Struct({
      sub: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
    })
    const text = (n: number): string => `{"sub":[`.repeat(n) + "]}".repeat(n)
    const got = await decode(Json.lines(Tree), `${text(200)}\n${text(5000)}`)
    expect(got.rows.length).toBe(1)
    expect(got.dead.map((d) => d.reason)).toEqual(["too-large"])
  })
})

describe("the limit of a line", () => {
  it("is a dead row that keeps its beginning, and reading goes on behind it", async () => {
    const input = `{"a":1}\n{"a":"${"x".repeat(100)}"}\n{"a":2}\n{"b":"${"y".repeat(60)}"}`
    for (const blocks of [[1000], [7], [1]]) {
      const got = await decode(Json.lines(), input, { blocks, limits: { lineBytesMax: 50 } })
      expect(got.rows).toEqual([{ a: 1 }, { a: 2 }])
      expect(told(got.dead)).toEqual([
        "1 in:2 too-large: a line longer than 50 bytes (lineBytesMax)",
        "2 in:4 too-large: a line longer than 50 bytes (lineBytesMax)"
      ])
      expect(got.dead[0]).toMatchObject({ truncated: true, bytes: bytesOf(`{"a":"${"x".repeat(44)}`) })
    }
    const exact = `{"a":"${"x".repeat(42)}"}`
    expect((await decode(Json.lines(), exact, { limits: { lineBytesMax: exact.length } })).rows.length).toBe(1)
  })

  it("never holds more than the limit: 256 MiB without a line end cost no memory", async () => {
    const make = await Effect.runPromise(Json.lines().load)
    const decoder = make("in", { lineBytesMax: 4096, jsonDepthMax: 512 })
    const before = process.memoryUsage().arrayBuffers
    for (let i = 0; i < 1024; i++) {
      decoder.feed(new Uint8Array(256 << 10).fill(120))
      decoder.take(1, 1)
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(128 << 20)
    decoder.feed(bytesOf(`\n{"a":1}\n`))
    decoder.finish()
    decoder.take(10, 1 << 30)
    expect(decoder.drain()).toMatchObject({ rows: [{ a: 1 }], dead: [{ reason: "too-large", place: "in:1" }] })
  })
})

describe("a JSON array", () => {
  it("is read element by element, whatever stands between", async () => {
    const got = await decode(Json.array(), ` [ {"a":"],[{\\"\\\\"} ,\n\r{"b":[1,{"c":[]}]}\t] \n`, {
      blocks: [1],
      rows: 1
    })
    expect(got.rows).toEqual([{ a: '],[{"\\' }, { b: [1, { c: [] }] }])
    expect(got.lines).toEqual([1, 2])
    expect(got.dead).toEqual([])
    for (const none of ["[]", " [ \n] ", "", "  \n", "\uFEFF[]"]) {
      expect(await decode(Json.array(), none), JSON.stringify(none)).toMatchObject({ rows: [], dead: [] })
    }
    expect((await decode(Json.array(Schema.Number), "[1, 2 ,3]")).rows).toEqual([1, 2, 3])
  })

  it("goes on after a bad element", async () => {
    const got = await decode(
      Json.array(Order),
      `[{"id":1,"item":"a"}, {"id":2}, oops, {"id":3 "item":"x"}, {"id":4,"item":"d"}]`
    )
    expect(got.rows).toEqual([
      { id: 1, item: "a" },
      { id: 4, item: "d" }
    ])
    expect(told(got.dead)).toEqual([
      expect.stringMatching(/^1 in:2 schema: Missing key/),
      expect.stringMatching(/^1 in:3 malformed: /),
      expect.stringMatching(/^1 in:4 malformed: /)
    ])
    expect(bytesText(got.dead[1])).toBe("oops")
  })

  it("a quote that is not closed costs its line, not the file", async () => {
    const got = await decode(Json.array(), `[{"a":"x},\n{"a":2},\n{"a":3}]`)
    expect(got.rows).toEqual([{ a: 2 }, { a: 3 }])
    expect(got.dead.map(bytesText)).toEqual([`{"a":"x},`])
    const last = await decode(Json.array(), `[{"a":1},{"a":"x}\n]\n`)
    expect(last.rows).toEqual([{ a: 1 }])
    expect(last.dead.length).toBe(1)
  })

  it("tells of commas without rows, of text behind it, of something that is no array", async () => {
    expect(told((await decode(Json.array(), `[{},,{}]`)).dead)).toEqual([
      expect.stringMatching(/^1 in:2 malformed: nothing stands/)
    ])
    expect(told((await decode(Json.array(), `[{},]`)).dead)).toEqual([
      expect.stringMatching(/^1 in:2 malformed: nothing stands/)
    ])
    expect(told((await decode(Json.array(), `[,]`)).dead).length).toBe(2)
    const behind = await decode(Json.array(), `[{"a":1}] {"a":2}\n`)
    expect(behind.rows).toEqual([{ a: 1 }])
    expect(told(behind.dead)).toEqual(["1 in:2 malformed: text behind the end of the array"])
    const none = await decode(Json.array(), `{"a":1}\n{"a":2}\n`)
    expect(none.rows).toEqual([])
    expect(told(none.dead)).toEqual([expect.stringMatching(/^0 in:1 malformed: not a JSON array.*Json\.lines/)])
  })

  it("cut off: the rows before are there, and one dead row says so", async () => {
    const cut = await decode(Json.array(), `[{"a":1},{"a":2},{"a`)
    expect(cut.rows).toEqual([{ a: 1 }, { a: 2 }])
    expect(told(cut.dead)).toEqual(["2 in:3 malformed: the file ends inside the array: is it cut off?"])
    const whole = await decode(Json.array(), `[{"a":1},{"a":2}`)
    expect(whole.rows).toEqual([{ a: 1 }, { a: 2 }])
    expect(told(whole.dead)).toEqual(["2 in:3 malformed: the file ends inside the array: is it cut off?"])
    // 12 may have been 123.
    const scalar = await decode(Json.array(Schema.Number), "[1,12")
    expect(scalar.rows).toEqual([1])
    expect(scalar.dead.length).toBe(1)
  })

  it("skips an element over the limit without holding it, and nesting of any depth without recursion", async () => {
    const input = `[{"a":1},{"a":"${"x".repeat(500)},]}"},{"a":2},${"[".repeat(300_000)}${"]".repeat(300_000)},{"a":3}]`
    for (const blocks of [[1 << 20], [64]]) {
      const got = await decode(Json.array(), input, { blocks, limits: { lineBytesMax: 100 } })
      expect(got.rows).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }])
      expect(got.dead.map((d) => [d.reason, d.place, d.truncated, d.bytes.length])).toEqual([
        ["too-large", "in:2", true, 100],
        ["too-large", "in:4", true, 100]
      ])
    }
  })

  it("reads the 20,000 flights of one line", async () => {
    const path = new URL("../../node_modules/vega-datasets/data/flights-20k.json", import.meta.url)
    const Flight = Schema.Struct({
      date: Schema.String,
      delay: Schema.Number,
      distance: Schema.Number,
      origin: Schema.String,
      destination: Schema.String
    })
    const got = await decode(Json.array(Flight), readFileSync(path), { blocks: [65536] })
    expect(got.dead).toEqual([])
    expect(got.rows).toEqual(JSON.parse(readFileSync(path, "utf8")))
    expect(got.rows.length).toBe(20_000)
  })
})

describe("single messages", () => {
  it("each body is a row or a dead row, in order", async () => {
    const run = await Effect.runPromise(Json.schema(Order).load)
    const bodies = [
      `{"id":1,"item":"a"}`,
      "oops",
      `\uFEFF{"id":2,"item":"b"}`,
      `{"id":3}`,
      `{"id":4,"item":"${"x".repeat(99)}"}`
    ].map(bytesOf)
    const got = run([...bodies, Uint8Array.of(0xff), new Uint8Array(0)], (i) => `offset ${i + 100}`, {
      lineBytesMax: 80,
      jsonDepthMax: 9
    })
    expect(got.rows).toEqual([
      { id: 1, item: "a" },
      { id: 2, item: "b" }
    ])
    expect(got.bodies).toEqual([0, 2])
    expect(got.dead.map((d) => `${d.before} ${d.place} ${d.reason}`)).toEqual([
      "1 offset 101 malformed",
      "2 offset 103 schema",
      "2 offset 104 too-large",
      "2 offset 105 malformed",
      "2 offset 106 malformed"
    ])
  })
})

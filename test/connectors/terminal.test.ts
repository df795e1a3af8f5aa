import { Console, DateTime, Effect } from "effect"
import { describe, expect, it } from "vitest"
import { cellText, displayWidth, escapeControls, truncated } from "../../src/connectors/terminal/cells.ts"
import * as Terminal from "../../src/connectors/terminal/Terminal.ts"
import type { Sink } from "../../src/model/Sink.ts"
import { sinkConformance, type SinkRow } from "../conformance/sink.ts"
import { context } from "../conformance/sinkWorld.ts"

/** A console that keeps what is logged. */
const capturing = (): { readonly lines: Array<string>; readonly console: Console.Console } => {
  const lines: Array<string> = []
  const fake: Console.Console = Object.assign(Object.create(globalThis.console) as Console.Console, {
    log: (...args: ReadonlyArray<unknown>) => void lines.push(args.join(" "))
  })
  return { lines, console: fake }
}

/** The cells of every row of the tables printed, without headers. */
const cells = (tables: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> =>
  tables.flatMap((table) =>
    table
      .split("\n")
      .filter((line) => line.startsWith("|"))
      .slice(1)
      .map((line) =>
        line
          .slice(1, -1)
          .split("|")
          .map((cell) => cell.trim())
      )
  )

const onConsole = <A>(sink: Sink<A>, to: Console.Console): Sink<A> => ({
  ...sink,
  commit: (prepared) => Effect.provideService(sink.commit(prepared), Console.Console, to)
})

sinkConformance(
  "terminal",
  { modes: ["append", "update", "complete"], guarantee: "at-least-once", multiWriter: true, deletes: true },
  Effect.sync(() => {
    const { lines, console } = capturing()
    const make = (): Sink<SinkRow> =>
      onConsole(Terminal.sink({ numRows: 1000, truncate: false, columns: ["k", "n", "text"] }), console)
    return {
      sink: make(),
      again: make,
      visible: Effect.sync(() => cells(lines)),
      rendered: (row) => [row.k, String(row.n), row.text]
    }
  })
)

const print = (
  options: Terminal.TerminalOptions | undefined,
  rows: ReadonlyArray<unknown>,
  more: { readonly deletes?: ReadonlyArray<number>; readonly mode?: "append" | "update" | "complete" } = {}
): Promise<string> => {
  const { lines, console } = capturing()
  const sink = onConsole(Terminal.sink(options), console)
  return Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const writer = yield* sink.writer(context(more.mode ?? "append"))
        yield* writer.write({ rows, ...(more.deletes === undefined ? {} : { deletes: Uint8Array.from(more.deletes) }) })
        yield* sink.commit(yield* writer.prepare(3))
        return lines.join("\n")
      })
    )
  )
}

describe("Terminal.sink", () => {
  it("draws an epoch as a table: numbers right, window bounds as instants", async () => {
    const start = Date.UTC(2026, 0, 1, 12, 0)
    expect(
      await print(undefined, [
        { category: "Books", window_start: start, window_end: start + 60_000, orders: 2, revenue: 35 },
        { category: "Games", window_start: start, window_end: start + 60_500, orders: 11, revenue: 7.25 }
      ])
    ).toBe(
      [
        "epoch 3",
        "+----------+----------------------+--------------------------+--------+---------+",
        "| category | window_start         | window_end               | orders | revenue |",
        "+----------+----------------------+--------------------------+--------+---------+",
        "| Books    | 2026-01-01T12:00:00Z | 2026-01-01T12:01:00Z     |      2 |      35 |",
        "| Games    | 2026-01-01T12:00:00Z | 2026-01-01T12:01:00.500Z |     11 |    7.25 |",
        "+----------+----------------------+--------------------------+--------+---------+"
      ].join("\n")
    )
  })
  it("cuts long cells with dots, at 20 unless told otherwise, and not at all when told so", async () => {
    const rows = [{ text: "abcdefghijklmnopqrstuvwxyz" }]
    expect(cells([await print(undefined, rows)])).toEqual([["abcdefghijklmnopq..."]])
    expect(cells([await print({ truncate: 5 }, rows)])).toEqual([["ab..."]])
    expect(cells([await print({ truncate: 3 }, rows)])).toEqual([["abc"]])
    expect(cells([await print({ truncate: true }, rows)])).toEqual([["abcdefghijklmnopq..."]])
    expect(cells([await print({ truncate: false }, rows)])).toEqual([["abcdefghijklmnopqrstuvwxyz"]])
    expect(cells([await print({ truncate: 0 }, rows)])).toEqual([["abcdefghijklmnopqrstuvwxyz"]])
  })
  it("shows the first rows and says that there are more", async () => {
    const rows = Array.from({ length: 30 }, (_, n) => ({ n }))
    const text = await print({ numRows: 2 }, rows)
    expect(cells([text])).toEqual([["0"], ["1"]])
    expect(text.endsWith("only showing top 2 rows")).toBe(true)
    expect(await print({ numRows: 1 }, rows)).toContain("only showing top 1 row")
    expect(await print({ numRows: 30 }, rows)).not.toContain("only showing")
    expect(cells([await print(undefined, rows)]).length).toBe(20)
  })
  it("prints nothing for an empty epoch", async () => expect(await print(undefined, [])).toBe(""))
  it("takes columns from all rows shown, or as told", async () => {
    expect(await print(undefined, [{ a: 1 }, { b: "x", a: 2 }])).toContain("|   a | b   |")
    expect(await print({ columns: ["b", "none"] }, [{ a: 1, b: 2 }])).toContain("|   b | none |")
    expect(cells([await print(undefined, ["plain", 7])])).toEqual([["plain"], ["7"]])
  })
  it("marks rows that an update takes away", async () => {
    const text = await print(undefined, [{ a: "x" }, { a: "y" }], { mode: "update", deletes: [1, 0] })
    expect(cells([text])).toEqual([
      ["-", "x"],
      ["+", "y"]
    ])
  })
  it("names what is printed by a title", async () =>
    expect(await print({ title: "by-location" }, [1])).toContain("epoch 3 · by-location"))
  it("data cannot act on the terminal, nor forge a row", async () => {
    const evil = "\u001b]0;title\u0007\u001b[2J\r\n| forged |\u009b31m\u202etxt\u2028\ud800"
    const text = await print({ truncate: false }, [{ [evil]: evil, json: { evil } }])
    expect(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202f\ud800-\udfff]/.test(text)).toBe(false)
    expect(text.split("\n").length).toBe(6)
    expect(text).toContain("\\u001b]0;title\\u0007")
  })
  it("prints every kind of value", async () => {
    const circular: { self?: unknown } = {}
    circular.self = circular
    const rows = [
      { v: null },
      { v: undefined },
      { v: Number.NaN },
      { v: 12n },
      { v: true },
      { v: new Date(0) },
      { v: new Date(Number.NaN) },
      { v: [1, 2n] },
      { v: { a: "b" } },
      { v: DateTime.makeUnsafe(0) },
      { v: circular },
      JSON.parse('{"__proto__":"own"}'),
      Object.defineProperty({}, "v", {
        enumerable: true,
        get: () => {
          throw new Error("getter")
        }
      })
    ]
    expect(cells([await print({ columns: ["v"] }, rows)]).flat()).toEqual([
      "null",
      "",
      "NaN",
      "12",
      "true",
      "1970-01-01T00:00:00Z",
      "Invalid Date",
      '[1,"2"]',
      '{"a":"b"}',
      "1970-01-01T00:00:00.000Z".slice(0, 17) + "...",
      "[unprintable]",
      "",
      "[unprintable]"
    ])
    expect(cells([await print({ columns: ["__proto__"] }, [JSON.parse('{"__proto__":"own"}'), {}])])).toEqual([
      ["own"],
      [""]
    ])
  })
  it("names wrong options", () => {
    expect(Terminal.sink({ truncate: -1, numRows: 0 }).problems?.map((p) => p.option)).toEqual([
      "Terminal.sink.truncate",
      "Terminal.sink.numRows"
    ])
  })
})

describe("cells", () => {
  it("measures and cuts wide and combining characters by what they take", () => {
    expect(displayWidth("日本")).toBe(4)
    expect(displayWidth("e\u0301")).toBe(1)
    expect(truncated("日本語テキスト", 7)).toBe("日本...")
    expect(truncated("日本語", 6)).toBe("日本語")
  })
  it("bounds a cell even when it is not truncated", () => {
    expect(cellText("x".repeat(1_000_000), "c", 0).length).toBe(10_003)
  })
  it("escapes controls only", () => expect(escapeControls("plain äöü 日本 🙂\tx")).toBe("plain äöü 日本 🙂\\tx"))
})

/** `tidemark run`, in processes of its own: real files in, real files out, the ledger, dead letters, JSON. */
import { readdirSync, readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { endless, fromSources, makeProject, type Project } from "./program.ts"

const orders = [
  '{"at":"2026-01-01T12:00:01Z","category":"Books","amount":20}',
  '{"at":"2026-01-01T12:00:40Z","category":"Games","amount":60}',
  '{"at":"2026-01-01T12:01:10Z","category":"Books","amount":15}',
  '{"at":"2026-01-01T12:09:00Z","category":"Books","amount":1}',
  '{"at":"2026-01-01T12:00:02Z","category":"Books","amount":99}'
]
const broken = ['{"at":"2026-01-01T12:02:00Z","category":"Books","amount":"free"}', '{"at":"2026-01-01T12:0']

const perMinute = (input: string, out: string): string => `
import { EventStream, Files, Json, Window } from "tidemark"
import * as Schema from "effect/Schema"

const Order = Schema.Struct({ at: Schema.String, category: Schema.String, amount: Schema.Number })

const perMinute = EventStream.from(Files.source({ path: "${input}", format: Json.lines(Order) })).pipe(
  EventStream.withEventTime("at", { outOfOrderness: "5 seconds" }),
  EventStream.keyBy("category"),
  EventStream.window(Window.tumbling("1 minute"), { late: "drop" }),
  EventStream.aggregate(({ count, sum }) => ({ orders: count, revenue: sum("amount") })),
  EventStream.to(Files.jsonLines("${out}"))
)
`

let project: Project
beforeAll(() => {
  project = makeProject()
  project.write("in/good.jsonl", `${orders.join("\n")}\n`)
  project.write(
    "mixed/orders.jsonl",
    `${[orders[0], broken[0], orders[1], broken[1], ...orders.slice(2)].join("\n")}\n`
  )
})
afterAll(() => project.remove())

const rowsIn = (folder: string): ReadonlyArray<unknown> =>
  readdirSync(project.path(folder))
    .filter((name) => name.endsWith(".jsonl"))
    .flatMap((name) =>
      readFileSync(project.path(`${folder}/${name}`), "utf8")
        .trim()
        .split("\n")
    )
    .map((line) => JSON.parse(line) as unknown)

const row = (category: string, minute: string, orders: number, revenue: number) => {
  const start = Date.parse(`2026-01-01T${minute}:00Z`)
  return { category, window_start: start, window_end: start + 60_000, orders, revenue }
}

describe("tidemark run", () => {
  it("runs a pipeline over files to its end: exit 0, the results, a balanced ledger on stderr, nothing on stdout", async () => {
    project.write("per minute.ts", `${perMinute("./in", "./out")}\nexport default perMinute\n`)
    const { code, stdout, stderr } = await project.run("run", "per minute.ts")
    expect(stderr).toContain("per-minute  all input read: 5 rows in ")
    expect(stderr).toMatch(/source files \.\/in +in 5 = forwarded 5\n/)
    expect(stderr).toMatch(/window-1 +in 5 = settled 4 \+ late 1\n/)
    expect(stderr).toMatch(/output +in 4 = written 4\n/)
    expect(stderr).toMatch(/ledger balanced: every row is accounted for/)
    expect(stdout).toBe("")
    expect(code).toBe(0)
    const expected = [
      row("Books", "12:00", 1, 20),
      row("Games", "12:00", 1, 60),
      row("Books", "12:01", 1, 15),
      row("Books", "12:09", 1, 1)
    ]
    expect(rowsIn("out")).toHaveLength(expected.length)
    expect(rowsIn("out")).toEqual(expect.arrayContaining(expected))
  })

  it("keeps poison input as dead letters under --checkpoint, and shows where it stood and why", async () => {
    project.write("mixed.ts", `${perMinute("./mixed/*.jsonl", "./out-mixed")}\nexport default perMinute\n`)
    const { code, stderr } = await project.run("run", "mixed.ts", "--checkpoint", "kept", "--quiet")
    expect(stderr).toMatch(/in 7 = forwarded 5 \+ dead 2\n/)
    expect(stderr).toMatch(/dead letters +in 2 = written 2 {2}\(kept in kept\/dead\/mixed\)\n/)
    expect(stderr).toMatch(/orders\.jsonl:2 {2}schema: .*amount/)
    expect(stderr).toMatch(/orders\.jsonl:4 {2}malformed: /)
    expect(code).toBe(0)
    const letters = rowsIn("kept/dead/mixed") as ReadonlyArray<{ readonly text: string }>
    expect(letters.map(({ text }) => text).toSorted()).toEqual(broken.toSorted())
  })

  it("runs every query of a job, and prints a line of JSON for each instead of the summary", async () => {
    const job = `import { Memory, Query } from "tidemark"
      const rows = EventStream.from(Memory.source([{ a: 1 }, { a: 2 }, { a: 3 }]))
      const odd = rows.pipe(EventStream.filter(({ a }) => a % 2 === 1), EventStream.to(Files.jsonLines("./odd")))
      export default Query.job({ odd, perMinute })`
    project.write("both.ts", `${perMinute("./in", "./out-both")}\n${job}\n`)
    const { code, stdout, stderr } = await project.run("run", "both.ts", "--json", "-q")
    expect(stderr).toBe("")
    expect(code).toBe(0)
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown)
    expect(lines).toMatchObject([
      { query: "odd", ended: "exhausted", rows: 3, balanced: true, restarts: 0 },
      { query: "perMinute", ended: "exhausted", rows: 5, balanced: true, restarts: 0 }
    ])
    expect(lines[0]).toHaveProperty("ledger.operators")
  })

  it("prints terminal sinks to stdout and all else to stderr; --verbose shows operators that pass everything on", async () => {
    project.write(
      "table.mjs",
      `import { EventStream, Memory, Terminal } from "tidemark"
      export default EventStream.from(Memory.source([{ a: 41 }])).pipe(
        EventStream.map(({ a }) => ({ answer: a + 1 })), EventStream.to(Terminal.sink()))`
    )
    const short = project.run("run", "table.mjs")
    const long = await project.run("run", "table.mjs", "--verbose", "--checkpoint", "./verbose")
    const { code, stdout, stderr } = await short
    expect(stdout).toMatch(/^epoch \d+\n[^]*answer[^]*42/)
    expect(stdout).not.toContain("ledger")
    expect(stderr).not.toContain("answer")
    expect(stderr).not.toContain("map-1")
    expect(long.stderr).toMatch(/map-1 +in 1 = forwarded 1\n/)
    expect([code, long.code]).toEqual([0, 0])
  })

  it("says that it restarts and why, and counts it", async () => {
    project.write(
      "flaky.ts",
      `import { EventStream, Memory, Query, Terminal } from "tidemark"
      import * as Schedule from "effect/Schedule"
      let calls = 0
      const once = (row: { a: number }) => { if (calls++ === 0) throw new Error("not yet"); return row }
      const flaky = EventStream.from(Memory.source([{ a: 1 }])).pipe(EventStream.map(once), EventStream.to(Terminal.sink()))
      export default Query.job({ flaky }, { restart: Schedule.recurs(3) })`
    )
    const { code, stderr } = await project.run("run", "flaky.ts")
    expect(stderr).toMatch(/tidemark: warning: query flaky failed and restarts [^\n]*map-1 threw on row 0[^\n]*not yet/)
    expect(stderr).toContain("1 restart\n")
    expect(code).toBe(0)
  })

  it("runs a job whose services its file provides", async () => {
    project.write(
      "provided.ts",
      `import { EventStream, Memory, Query, Terminal } from "tidemark"
      import * as Context from "effect/Context"
      import * as Effect from "effect/Effect"
      import * as Layer from "effect/Layer"
      class Rates extends Context.Service<Rates, { readonly euro: number }>()("app/Rates") {}
      const rated = EventStream.from(Memory.source([{ a: 2 }])).pipe(
        EventStream.mapEffect(({ a }) => Effect.map(Rates, ({ euro }) => ({ euro: a * euro })), { concurrency: 1 }),
        EventStream.to(Terminal.sink()))
      export default Query.provide(Layer.succeed(Rates, { euro: 21 }))(Query.job({ rated }))`
    )
    const { code, stdout } = await project.run("run", "provided.ts")
    expect(stdout).toMatch(/euro[^]*42/)
    expect(code).toBe(0)
  })
})

describe("progress", () => {
  it("is a line every few seconds in a log", async () => {
    project.write("endless.ts", endless)
    const { code, stdout, stderr } = await project.run("run", "endless.ts", "--for", "5500ms")
    expect(stderr.match(/^endless {2}[\d,]+ rows {2}[\d,]+ rows\/s {2}epoch \d+$/gm)).toHaveLength(1)
    expect(stdout).not.toContain("rows/s")
    expect(code).toBe(0)
  })

  it("is a line that is rewritten on a terminal, apart from results, and gone at the end", async () => {
    const asTerminal =
      "for (const s of [process.stdout, process.stderr]) Object.assign(s, { isTTY: true, columns: 60, rows: 20 })"
    const there = makeProject([`--import=data:text/javascript,${encodeURIComponent(asTerminal)}`, ...fromSources])
    try {
      there.write("endless.ts", endless.replace("rate: 2000", "rate: 20"))
      const { code, stdout, stderr } = await there.run("run", "endless.ts", "--for", "2200ms")
      const erased = "\r\u001b[J"
      const head = /tidemark: endless: at least once: [^\n]*\n/
      expect(stderr).toMatch(head)
      const shown = stderr.slice(0, stderr.indexOf("tidemark: --for")).replace(head, "").split(erased)
      expect(shown.length).toBeGreaterThan(20)
      expect(shown.at(-1)).toBe("")
      for (const line of shown) expect(line).toMatch(/^(endless {2}\d+ rows? {2}\d+ rows\/s {2}epoch \d+)?$/)
      expect(stderr.slice(stderr.lastIndexOf(erased))).toMatch(/\r\u001b\[J\nendless {2}stopped: /)
      expect(stdout).toMatch(/^(T\d{6}\n)+$/)
      expect(code).toBe(0)
    } finally {
      there.remove()
    }
  })
})

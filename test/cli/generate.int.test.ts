/** `tidemark generate`, in processes of its own: same seed, same bytes; files that sources read; errors. */
import { readdirSync, readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeProject, type Project } from "./program.ts"

let project: Project
beforeAll(() => {
  project = makeProject()
})
afterAll(() => project.remove())

const contents = (folder: string): ReadonlyArray<readonly [string, string]> =>
  readdirSync(project.path(folder))
    .toSorted()
    .map((name) => [name, readFileSync(project.path(`${folder}/${name}`), "latin1")])

const options = [
  "--count",
  "2000",
  "--duplicates",
  "1%",
  "--late",
  "2%",
  "--poison",
  "0.01",
  "--future",
  "1%",
  "--partitions",
  "3"
]

describe("tidemark generate", () => {
  it.each(["transactions", "iot"])("%s: the same seed gives the same bytes, another one others", async (what) => {
    const runs = await Promise.all([
      project.run("generate", what, ...options, "--seed", "7", "--out", `${what}-a`),
      project.run("generate", what, ...options, "--seed", "7", "--out", `${what}-b`),
      project.run("generate", what, ...options, "--seed", "8", "--out", `${what}-c`)
    ])
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0])
    expect(runs[0].stderr).toMatch(
      new RegExp(`^tidemark: 2,000 events \\([\\d.]+ kB|MB\\) in 3 files in ${what}-a\\n$`)
    )
    const [a, b, c] = ["a", "b", "c"].map((name) => contents(`${what}-${name}`))
    expect(a.map(([name]) => name)).toEqual([0, 1, 2].map((p) => `${what}-${p}.jsonl`))
    expect(a.map(([, text]) => text.split("\n").length - 1).reduce((x, y) => x + y)).toBe(2000)
    expect(a).toEqual(b)
    expect(a).not.toEqual(c)
  })

  it("writes what Files.source reads: every event forwarded or dead, and the shares are as asked for", async () => {
    // Without events from the future: a file knows no time of arrival, so that one of them would make the rest late.
    await project.run("generate", "transactions", ...options.slice(0, 8), "--out", "in")
    project.write(
      "count.ts",
      `import { EventStream, Files, Foreach, Json } from "tidemark"
      import * as Effect from "effect/Effect"
      import * as Schema from "effect/Schema"
      const Transaction = Schema.Struct({
        transaction_id: Schema.String, customer_id: Schema.String, amount: Schema.Number, category: Schema.String,
        timestamp: Schema.String, location: Schema.String, payment_method: Schema.String })
      export default EventStream.from(Files.source({ path: "./in/*.jsonl", format: Json.lines(Transaction), lanes: 3 })).pipe(
        EventStream.withEventTime("timestamp", { outOfOrderness: "1 second" }),
        EventStream.dedupe("transaction_id", { late: "forward" }),
        EventStream.to(Foreach.sink(() => Effect.void)))`
    )
    const { code, stdout } = await project.run("run", "count.ts", "--json", "-q")
    expect(code).toBe(0)
    const { rows, balanced, ledger } = JSON.parse(stdout) as {
      readonly rows: number
      readonly balanced: boolean
      readonly ledger: { readonly operators: ReadonlyArray<{ readonly dead: number; readonly duplicate: number }> }
    }
    const sum = (field: "dead" | "duplicate") => ledger.operators.reduce((total, o) => total + o[field], 0)
    expect([rows, balanced]).toEqual([2000, true])
    expect(sum("dead")).toBeGreaterThan(5)
    expect(sum("dead")).toBeLessThan(50)
    expect(sum("duplicate")).toBeGreaterThan(5)
    expect(sum("duplicate")).toBeLessThan(50)
  })

  it("does not write over files unless told to; then none of the old ones is left", async () => {
    await project.run("generate", "iot", "--count", "40", "--out", "again")
    const refused = await project.run("generate", "iot", "--count", "10", "--partitions", "1", "--out", "again")
    expect(refused.stderr).toBe(
      "tidemark: again/iot-0.jsonl is there already: choose another --out, or replace 4 files with --overwrite\n"
    )
    expect(refused.code).toBe(1)
    expect(readdirSync(project.path("again"))).toHaveLength(4)
    const { code } = await project.run(
      "generate",
      "iot",
      "--count",
      "10",
      "--partitions",
      "1",
      "--out",
      "again",
      "--overwrite"
    )
    expect(code).toBe(0)
    expect(readdirSync(project.path("again"))).toEqual(["iot-0.jsonl"])
  })

  it("without a count goes on until Ctrl-C, and leaves only complete files of complete lines", async () => {
    const run = project.start("generate", "transactions", "--rate", "500", "--partitions", "2", "--out", "live")
    await run.said(/until Ctrl-C/)
    await new Promise((done) => setTimeout(done, 700))
    run.kill("SIGINT")
    const { code, stderr } = await run.ended
    const total = Number(/tidemark: (\d+) events \(/.exec(stderr)?.[1])
    const files = contents("live")
    expect(files.map(([name]) => name)).toEqual(["transactions-0-000000.jsonl", "transactions-1-000000.jsonl"])
    const lines = files.flatMap(([, text]) => text.split("\n").slice(0, -1))
    expect(lines.every((line) => typeof JSON.parse(line) === "object")).toBe(true)
    expect(total).toBeGreaterThan(50)
    expect(lines).toHaveLength(total)
    expect(code).toBe(0)
  })

  it.each([
    [["--late", "200%"], '--late: "200%": must be a number from 0 to 1, or a percentage (try 0.001 or "0.1%")', 2],
    [["--future", "some"], '--future: "some": must be a number from 0 to 1, or a percentage (try 0.001 or "0.1%")', 2],
    [["--start", "noon"], '--start: "noon": is not an instant (try "2026-01-01T00:00:00Z")', 2],
    [["--out", "package.json"], "package.json is a file, not a folder: choose another --out", 1]
  ])("%j is refused", async (args, says, exit) => {
    const out = args[0] === "--out" ? [] : ["--out", "refused"]
    const { code, stderr } = await project.run("generate", "transactions", "--count", "1", ...out, ...args)
    expect(stderr).toMatch(/^tidemark: [^\n]*\n$/)
    expect(stderr).toContain(says)
    expect(code).toBe(exit)
  })
})

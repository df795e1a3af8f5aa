/** The main job, as `npm start` runs it: the embedded service and its sender in one process, the job in another. */
import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"

const folder = mkdtempSync(join(tmpdir(), "tidemark-start-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const program = fileURLToPath(new URL("../../examples/transactions/start.ts", import.meta.url))

const start = (...args: ReadonlyArray<string>): Promise<{ readonly code: number | null; readonly said: string }> =>
  new Promise((done) => {
    const { EVENTHUB_CONNECTION_STRING: _, ...env } = process.env
    const child = spawn(process.execPath, ["--conditions=tidemark-source", program, ...args], { cwd: folder, env })
    let said = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text: Buffer) => (said += text.toString()))
    child.on("close", (code) => done({ code, said }))
  })

const rowsOf = (output: string): ReadonlyArray<{ readonly [field: string]: unknown }> =>
  readdirSync(join(folder, "out/transactions", output))
    .filter((name) => name.endsWith(".jsonl"))
    .flatMap((name) =>
      readFileSync(join(folder, "out/transactions", output, name), "utf8")
        .trim()
        .split("\n")
    )
    .map((line) => JSON.parse(line) as { readonly [field: string]: unknown })

describe("npm start", () => {
  it("keeps transactions, sums up windows that close within seconds, and goes on where it stopped", async () => {
    const first = await start("--for", "20s")
    expect(first.code, first.said).toBe(0)
    expect(first.said).toContain("ledger balanced: every row is accounted for")
    const windows = rowsOf("by-category")
    expect(new Set(windows.map(({ category }) => category)).size).toBe(5)
    const before = rowsOf("raw").length
    expect(before).toBeGreaterThan(1_000)

    const second = await start("--for", "4s")
    expect(second.code, second.said).toBe(0)
    expect(second.said).toMatch(/transactions-stream goes on from epoch \d+/)
    expect(second.said).toContain("ledger balanced: every row is accounted for")
    const places = rowsOf("raw").map(({ partition, sequence }) => `${String(partition)}:${String(sequence)}`)
    expect(places.length).toBeGreaterThan(before)
    expect(new Set(places).size).toBe(places.length)
  })

  it("says what a wrong rate should be", async () => {
    expect(await start("--rate", "fast")).toMatchObject({ code: 2, said: expect.stringContaining("--rate: fast") })
  })
})

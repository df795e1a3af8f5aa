import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { root } from "../house.ts"

// Inside the repository, so that "tidemark" and "effect" resolve.
const folder = mkdtempSync(join(root, "examples/.readme-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (file: string): Promise<{ readonly code: unknown; readonly out: string; readonly err: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, ["--conditions=tidemark-source", file], (error, out, err) =>
      resolve({ code: error === null ? 0 : error.code, out, err })
    )
  })

describe("README.md", () => {
  it("its first program runs as it stands there, and prints revenue per category and minute", async () => {
    const program = /^```ts\n([\s\S]*?)^```$/m.exec(readFileSync(join(root, "README.md"), "utf8"))?.[1] as string
    const file = join(folder, "program.ts")
    writeFileSync(file, program)
    const { code, out, err } = await run(file)
    expect(code, err).toBe(0)
    const [head, ...rows] = out
      .split("\n")
      .filter((line) => line.startsWith("|"))
      .map((line) => line.replaceAll(/[\s|]+/g, " ").trim())
    expect(head).toBe("category window_start window_end orders revenue")
    expect(rows.toSorted()).toEqual([
      "Books 2026-01-01T12:00:00Z 2026-01-01T12:01:00Z 1 20",
      "Books 2026-01-01T12:01:00Z 2026-01-01T12:02:00Z 1 15",
      "Games 2026-01-01T12:00:00Z 2026-01-01T12:01:00Z 1 60"
    ])
  })
})

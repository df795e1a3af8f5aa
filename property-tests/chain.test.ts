/**
 * The checkpoint protocol (C3, C5, C6, C9), explored on the real code: attempts that crash, freeze and wake at any call,
 * rotten copies, lost replies, calls that take effect late; and the weaker wordings of the rules, each of which is found.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { type Edit, faults } from "../test/checkpoint/faults.ts"
import { type Found, preemptions, usual, walks } from "../test/checkpoint/walk.ts"
import { type Modules, modulesOf } from "../test/checkpoint/world.ts"
import { runs } from "./engineJobs.ts"

const root = resolve(import.meta.dirname, "..")
const folder = mkdtempSync(join(tmpdir(), "tidemark-chain-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const shown = (found: Found | undefined): string =>
  found === undefined ? "nothing" : `seed ${found.seed}: ${found.fault}\n${found.trace.slice(-120).join("\n")}`

describe("C3, C5, C6, C9: the chain of manifests", () => {
  it("loses nothing and doubles nothing in random interleavings of three attempts with misfortunes", async () => {
    expect(shown(walks(await modulesOf(join(root, "src")), runs(80)))).toBe("nothing")
  })

  it("nor with four attempts, more timeouts and more lost replies", async () => {
    const m = { ...usual, attempts: 4, rows: 2, timeouts: 4, lostReplies: 6 }
    expect(shown(walks(await modulesOf(join(root, "src")), Math.ceil(runs(80) / 5), m, 1_000_000))).toBe("nothing")
  })

  it.each([false, true])("nor wherever two attempts cut each other short; rotten: %s", async (rotten) => {
    const found = preemptions(await modulesOf(join(root, "src")), rotten)
    expect(typeof found === "number" ? "nothing" : shown(found)).toBe("nothing")
    expect(found).toBeGreaterThan(400)
  })
})

/** The modules of a copy of the sources with a fault planted. */
const planted = (edits: ReadonlyArray<Edit>): Promise<Modules> => {
  const src = join(mkdtempSync(join(folder, "copy-")), "src")
  for (const part of ["model", "checkpoint"]) cpSync(join(root, "src", part), join(src, part), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(src, "node_modules"))
  for (const [file, from, to] of edits) {
    const path = join(src, "checkpoint", file)
    const text = readFileSync(path, "utf8")
    const there = new RegExp(from.replace(/[^\s\w]/g, "\\$&").replace(/\s+/g, "\\s*"))
    expect(text, `the text to change in ${file}`).toMatch(there)
    writeFileSync(
      path,
      text.replace(there, () => to)
    )
  }
  return modulesOf(src)
}

describe("a weaker wording is found", () => {
  it.each(faults)("%s", async (_name, edits) => {
    const modules = await planted(edits)
    const cut = (): Found | undefined => {
      const found = preemptions(modules, true)
      return typeof found === "number" ? undefined : found
    }
    expect(walks(modules, 50) ?? cut() ?? walks(modules, 2_000, usual, 51)).toBeDefined()
  })
})

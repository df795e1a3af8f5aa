import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { edited, root } from "../bench/mutants/edit.ts"
import { hunt } from "../bench/mutants/hunt.ts"
import { planted } from "../bench/mutants/planted.ts"

describe("bugs planted for the simulated histories", () => {
  it("have names of their own, and each says what it breaks", () => {
    const names = planted.map(({ name }) => name)
    expect(names).toEqual([...new Set(names)])
    expect(planted.filter(({ breaks }) => !/^[A-Z]\d/.test(breaks))).toEqual([])
    expect(planted.length).toBeGreaterThanOrEqual(40)
  })

  it.each(planted.map((bug) => [bug.name, bug] as const))(
    "%s: its text stands where it is to be changed, once",
    (_, bug) => {
      const texts = new Map<string, string>()
      for (const edit of bug.edits) {
        const [file] = edit
        const before = texts.get(file) ?? readFileSync(join(root, "src", file), "utf8")
        const after = edited(before, edit)
        expect(after).not.toBe(before)
        texts.set(file, after)
      }
    }
  )

  it("an edit that has nothing to change, or too much, is an error", () => {
    expect(() => edited("a b a", ["x.ts", "c", "d"])).toThrow("stands 0 times in src/x.ts")
    expect(() => edited("a b a", ["x.ts", "a", "d"])).toThrow("stands 2 times in src/x.ts")
    expect(edited("a (b)\n  c", ["x.ts", "(b) c", "$&"])).toBe("a $&")
  })

  it("one that is easy is found in a copy, and made small", async () => {
    const bug = planted.find(({ name }) => name === "slices-towards-zero")
    if (bug === undefined) throw new Error("there is no such bug")
    const found = await hunt(bug, { seed: 1, histories: 50, seconds: 30, shrinks: 600, suite: "job" })
    expect(found.token).toMatch(/^job\.\d+\.\d+(:\d+)*$/)
    expect(found.events).toBeLessThanOrEqual(10)
    expect(found.faults).toBeLessThanOrEqual(2)
  })
})

/**
 * Programs that must compile, and programs that must not, with what the compiler says.
 *
 * A bad program states, in `// expect:` comments at its top, sentences of the one error it must give, and marks the
 * line with `// <- refused`. The compiler runs once, over everything.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { beforeAll, describe, expect, it } from "vitest"
import { type Compiled, compileFixtures, type Diagnostic, parseOutput } from "./compile.ts"

const fixtures = path.join(import.meta.dirname, "fixtures")
const filesIn = (folder: string): ReadonlyArray<string> =>
  fs
    .readdirSync(path.join(fixtures, folder))
    .filter((name) => name.endsWith(".ts"))
    .sort()
const read = (folder: string, name: string): string => fs.readFileSync(path.join(fixtures, folder, name), "utf8")

let compiled: Compiled
/** What the compiler said of a fixture, which it must have read. */
const of = (fixture: string): ReadonlyArray<Diagnostic> => {
  const file = `test/types/fixtures/${fixture}`
  expect(compiled.files).toContain(file)
  return compiled.diagnostics.filter((d) => d.file === file)
}

beforeAll(async () => {
  compiled = await compileFixtures()
}, 20_000)

describe("programs that must compile", () => {
  it.each(filesIn("good"))("%s", (name) => {
    expect(of(`good/${name}`)).toEqual([])
  })

  it("types that a library would publish are all reachable from the package's own names", () => {
    expect(compiled.declarations.size).toBe(filesIn("good").length)
    for (const [name, text] of compiled.declarations) {
      const internals = text.match(/import\("[^"]*\/src\/[^"]*"\)\.\w+/g) ?? []
      expect([name, ...internals]).toEqual([name])
    }
  })

  it("given.ts, which they share", () => {
    expect(of("given.ts")).toEqual([])
  })
})

describe("programs that must not compile", () => {
  it.each(filesIn("bad"))("%s", (name) => {
    const lines = read("bad", name).split("\n")
    const expected = lines.filter((line) => line.startsWith("// expect: ")).map((line) => line.slice(11))
    const refused = lines.findIndex((line) => line.endsWith("// <- refused")) + 1
    expect(expected.length).toBeGreaterThan(0)
    expect(refused).toBeGreaterThan(0)

    const found = of(`bad/${name}`)
    expect(found.map((d) => d.line)).toEqual([refused])
    for (const sentence of expected) expect(found[0].text).toContain(sentence)
  })
})

describe("reading the compiler's output", () => {
  it("a header line each, explanations with it, then files, and nothing skipped", () => {
    const root = path.resolve(import.meta.dirname, "../..")
    const output = `a/b.ts(3,7): error TS2345: One.\n  Because.\n    Of this.\nc.ts(1,1): error TS1: Two.\n${root}/a/b.ts\n`
    expect(parseOutput(output)).toEqual({
      files: ["a/b.ts"],
      diagnostics: [
        { file: "a/b.ts", line: 3, text: "One.\n  Because.\n    Of this." },
        { file: "c.ts", line: 1, text: "Two." }
      ]
    })
    expect(() => parseOutput("error TS5083: Cannot read file 'tsconfig.json'.")).toThrow("something else")
  })
})

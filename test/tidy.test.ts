/**
 * The house rules, as a test over the files that git tracks: sizes, edges, docs, types, leftovers, addresses, and
 * that every rule of the semantics built so far is named by a test. Import directions are the linter's part.
 */
import { describe, expect, it } from "vitest"
import { edges } from "./edges.ts"
import { hasHeader, parse, stranded, textOf, tracked, undocumented, untyped, usesOf } from "./house.ts"

const linesMax = 400

/** The numbered rules of the semantics that are built; each is named by at least one test file. */
const rules: ReadonlyArray<string> = [
  ...["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10", "T11", "T12", "T13", "T14"],
  ...["A1", "A2", "A3", "A4", "A6", "A7", "L1", "L2", "L3", "L4", "C1", "C2"]
]

const code = tracked.filter((file) => /^(src|test|property-tests|bench|examples|scripts)\/.*\.(ts|mjs)$/.test(file))
const modules = code.filter((file) => file.startsWith("src/")).map((file) => parse(file, textOf(file) as string))
const planted = (text: string) => parse("src/planted.ts", text)

/** Every line of the given files that matches, as `file:line: text`. */
const lines = (files: ReadonlyArray<string>, pattern: RegExp): ReadonlyArray<string> =>
  files.flatMap((file) =>
    (textOf(file) ?? "")
      .split("\n")
      .flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}: ${line.trim().slice(0, 100)}`] : []))
  )

describe("sizes", () => {
  it(`no code file is longer than ${linesMax} lines`, () => {
    const long = code.map((file) => [file, (textOf(file) as string).split("\n").length - 1] as const)
    expect(long.filter(([, length]) => length > linesMax)).toEqual([])
  })
})

describe("edges: clocks, randomness, timers, processes and Node's modules stay in the files listed", () => {
  it.each(modules.map((module) => [module.file, module] as const))("%s", (file, module) => {
    const listed = edges.find((edge) => edge.file === file)?.uses ?? []
    expect([...usesOf(module)].toSorted()).toEqual([...listed].toSorted())
  })

  it("every file listed is there, once, with a reason", () => {
    const files = edges.map((edge) => edge.file)
    expect(files.filter((file) => !tracked.includes(file))).toEqual([])
    expect(files).toEqual([...new Set(files)].toSorted())
    expect(edges.filter((edge) => edge.because.length < 20)).toEqual([])
  })

  it.each([
    ["Date.now()", "Date.now"],
    ["new Date()", "Date.now"],
    ["const d = Date()", "Date.now"],
    ["Math.random()", "Math.random"],
    ["crypto.randomUUID()", "Math.random"],
    ["setTimeout(() => 1, 2)", "timers"],
    ["const later = setImmediate", "timers"],
    ["globalThis.setInterval(() => 1, 2)", "timers"],
    ["performance.now()", "performance"],
    ["const { env } = process", "process"],
    ["class A { b = process.env }", "process"],
    ["console.log(1)", "console"],
    ['import * as Fs from "node:fs"', "node:fs"],
    ['export { connect } from "node:net"', "node:net"],
    ['const cp = await import("node:child_process")', "node:child_process"],
    ['const sdk = await import("@azure/storage-blob")', "@azure/storage-blob"]
  ])("finds %s", (text, use) => {
    expect([...usesOf(planted(text))]).toEqual([use])
  })

  it.each([
    "// Date.now() and process.env",
    'const text = "setTimeout(1)"',
    "new Date(0)",
    "const at: Date = new Date(row.at)",
    "row.process.env",
    "const x = { process: 1, performance: 2 }",
    "interface A { readonly process: string }",
    "export const process = (f: () => void) => f()\nprocess(() => undefined)",
    'import type { Readable } from "node:stream"',
    'import type { ContainerClient } from "@azure/storage-blob"'
  ])("lets %s be", (text) => {
    expect([...usesOf(planted(text))]).toEqual([])
  })
})

describe("docs", () => {
  it("every module of src starts by saying what it is", () => {
    expect(modules.filter((module) => !hasHeader(module)).map((module) => module.file)).toEqual([])
  })

  it("every export of src has a docstring", () => {
    expect(modules.flatMap((module) => undocumented(module).map((name) => `${module.file}: ${name}`))).toEqual([])
  })

  it("no docstring of src stands above another, as one whose declaration has moved does", () => {
    expect(modules.flatMap((module) => stranded(module).map((line) => `${module.file}:${line}`))).toEqual([])
    expect(stranded(planted("/** A. */\n\n/** B. */\n/** C. */\nexport const c = 1\n/** D. *//** E. */"))).toEqual([
      3, 6
    ])
  })

  it("src refers to no section and no text that is not in the repository", () => {
    const sources = modules.map((module) => module.file)
    expect(lines(sources, /ARCHITECTURE \d|STYLE,|EXPERIENCE/)).toEqual([])
  })

  it("finds a missing header and a missing docstring", () => {
    const bare = planted(
      'import "./a.ts"\nexport const a = 1\nconst b = 1\n/** b */\nexport { b, c }\nexport * from "./d.ts"'
    )
    expect(hasHeader(bare)).toBe(false)
    expect(undocumented(bare)).toEqual(["a", "b", "c"])
    const good = planted(
      '/** What it is. */\nimport { d } from "./a.ts"\n/** a */\n// why\nexport const a = 1\nexport { d }\n/** f */\nexport default () => a'
    )
    expect(hasHeader(good)).toBe(true)
    expect(undocumented(good)).toEqual([])
  })
})

describe("types", () => {
  it("src has no any, and no comment that switches the type checker off", () => {
    expect(modules.flatMap((module) => untyped(module).map((line) => `${module.file}:${line}`))).toEqual([])
    expect(untyped(planted("const a = (b: any) => b\n// @ts-ignore\na(1)"))).toEqual([1, 2])
  })
})

describe("leftovers", () => {
  it("nothing is marked as unfinished", () => {
    expect(
      lines(code, new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "X" + "XX"].join("|")})\\b|not ${"implemented"}`))
    ).toEqual([])
  })

  it("no file names a path of a machine", () => {
    const paths = ["tmp/[a-z0-9]", "work/", "root/", "home/[a-z]", "Users/[a-z]"].map((path) => `/${path}`)
    expect(lines(tracked, new RegExp(`(^|[^\\w.])(${paths.join("|")})`))).toEqual([])
  })

  it("no file names a host that packages were fetched from", () => {
    const host = /https?:\/\/[^/\s"']*(registry|artifactory|nexus|verdaccio)/
    expect(lines(tracked, host)).toEqual([])
    expect(lines(["package-lock.json"], /"resolved"/)).toEqual([])
  })
})

describe("rules", () => {
  const tests = tracked.filter((file) => /^(test|property-tests)\/.*\.ts$/.test(file) && file !== "test/tidy.test.ts")
  // a title: a string of some length, so that a key "A1" in data is none
  const titles = tests.flatMap((file) => (textOf(file) as string).match(/(["'`])(?:(?!\1)[^\\\n]|\\.){12,}\1/g) ?? [])
  const named = new Set(titles.flatMap((title) => title.match(/\b[TALC][0-9]+\b/g) ?? []))

  it.each(rules)("%s is named by a test", (rule) => {
    expect([...named]).toContain(rule)
  })
})

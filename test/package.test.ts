/**
 * The package and its scripts: what users may import, what a lock must hold to install elsewhere, and what happens
 * under a Node that is too old or with a test that did not run.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { root } from "./house.ts"

interface Locked {
  readonly optionalDependencies?: { readonly [name: string]: string }
}

const json = (file: string): unknown => JSON.parse(readFileSync(join(root, file), "utf8"))
const manifest = json("package.json") as { readonly scripts: { readonly [name: string]: string } }
const lock = json("package-lock.json") as { readonly packages: { readonly [path: string]: Locked } }

describe("package", () => {
  it("what exports does not name cannot be imported", () => {
    const { resolve } = createRequire(import.meta.url)
    for (const internal of ["src/model/Limits.ts", "dist/model/Limits.js", "model/Limits"]) {
      expect(() => resolve(`tidemark/${internal}`)).toThrow(/not defined by "exports"/)
    }
  })

  it("the lock holds the binaries of every platform: npm leaves out what it cannot find, and npm ci fails elsewhere", () => {
    const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter((name) => ![`node_modules/${name}`, `${path}/node_modules/${name}`].some((at) => at in lock.packages))
        .map((name) => `${path} wants ${name}`)
    )
    expect(missing).toEqual([])
  })

  it("every script first checks which Node it runs on", () => {
    const unchecked = Object.entries(manifest.scripts).filter(
      ([, line]) => !/^node scripts\/node-version\.mjs( &&|$)/.test(line)
    )
    expect(unchecked).toEqual([])
  })
})

describe("scripts", () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "tidemark-package-"))
    cpSync(join(root, "scripts"), join(folder, "scripts"), { recursive: true })
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const node = (args: ReadonlyArray<string>, env: { readonly [name: string]: string } = {}) =>
    spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", env: { PATH: process.env["PATH"], ...env } })

  it.each([
    [">=24", 0, /^$/],
    [">=999", 1, /needs Node 999 or newer; this is Node [\d.]+[^]*missing or did not finish[^]*npm ci/]
  ])("node-version under engines %s ends with %i", (engines, status, says) => {
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", engines: { node: engines } }))
    const run = node(["scripts/node-version.mjs"])
    expect(run.status).toBe(status)
    expect(run.stdout + run.stderr).toMatch(says)
  })

  it.each([
    ["", "it('a', () => {})\nit.skip('b', () => {})", 0, /\n1 passed, 0 failed\n$/],
    ["1", "it('a', () => {})\nit.skip('b', () => {})", 1, /1 not run, of 2\n {2}b\n\n1 passed, 1 failed\n$/],
    ["1", "it('a', () => {})\nit.todo('b')", 1, /\n1 passed, 1 failed\n$/],
    ["1", "it('a', () => {})", 0, /\n1 passed, 0 failed\n$/],
    ["", "it('a', () => { throw new Error() })", 1, /\n0 passed, 1 failed\n$/],
    ["", "throw new Error()", 1, /\n0 passed, 1 failed\n$/]
  ])("with TIDEMARK_REQUIRE_ALL=%j, %s ends with %i", (required, text, status, says) => {
    rmSync(join(folder, "test"), { recursive: true, force: true })
    mkdirSync(join(folder, "test"))
    writeFileSync(join(folder, "test/one.test.ts"), `import { it } from "vitest"\n${text}\n`)
    cpSync(join(root, "vitest.config.ts"), join(folder, "vitest.config.ts"))
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
    const vitest = join(root, "node_modules/vitest/vitest.mjs")
    const run = node([vitest, "run"], { TIDEMARK_REQUIRE_ALL: required })
    rmSync(join(folder, "node_modules"))
    expect(run.stdout).toMatch(says)
    expect(run.status).toBe(status)
  })
})

/** The program as it is published: compiled, run without the source condition, from a package in node_modules. */
import { execFileSync } from "node:child_process"
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { makeProject, type Project } from "./program.ts"

const root = resolve(import.meta.dirname, "../..")
let installed: string
let project: Project
beforeAll(() => {
  installed = mkdtempSync(join(tmpdir(), "tidemark-built-"))
  const compiler = join(root, "node_modules/typescript/bin/tsc")
  const args = [
    "-p",
    "tsconfig.build.json",
    "--outDir",
    join(installed, "dist"),
    "--declaration",
    "false",
    "--declarationMap",
    "false"
  ]
  execFileSync(process.execPath, [compiler, ...args], { cwd: root, stdio: "pipe" })
  cpSync(join(root, "package.json"), join(installed, "package.json"))
  symlinkSync(join(root, "node_modules"), join(installed, "node_modules"))
  project = makeProject([join(installed, "dist/cli/main.js")], installed)
})
afterAll(() => {
  project.remove()
  rmSync(installed, { recursive: true, force: true })
})

it("runs a .ts job that imports the same copy of tidemark, and generates", async () => {
  project.write(
    "job.ts",
    `import { EventStream, Memory, Terminal } from "tidemark"
    const url: string = import.meta.resolve("tidemark")
    console.log(url)
    export default EventStream.from(Memory.source([{ a: 42 }])).pipe(EventStream.to(Terminal.sink()))`
  )
  const [run, generated] = await Promise.all([
    project.run("run", "job.ts"),
    project.run("generate", "iot", "--count", "10", "--out", "in")
  ])
  expect(run.stdout).toMatch(/\/dist\/index\.js\n[^]*42/)
  expect(run.stderr).toMatch(/job {2}all input read: 1 row in [^]*ledger balanced/)
  expect(generated.stderr).toMatch(/10 events \(/)
  expect([run.code, generated.code]).toEqual([0, 0])
})

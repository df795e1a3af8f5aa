/**
 * The linter's config refuses what it is there to refuse: wrong imports are planted in a copy of the tree's skeleton,
 * one a file, and each must be found for its own reason; the imports that are right must not be.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

interface Finding {
  readonly filename: string
  readonly code: string
  readonly help: string
}

/** A file, the line planted in it, and the message that must come of it (empty: none). */
type Plant = readonly [file: string, line: string, refused: RegExp | undefined]

const directions: ReadonlyArray<Plant> = [
  ["src/model/Wrong.ts", 'import "../streams/Right.ts"', /model may import nothing of ours/],
  ["src/formats/Wrong.ts", 'import "../streams/Right.ts"', /formats may import model/],
  ["src/formats/WrongDeep.ts", 'import type { x } from "../../src/actors/Right.ts"', /formats may import model/],
  ["src/streams/Wrong.ts", 'import "../actors/Right.ts"', /streams may import model/],
  ["src/streams/aggregates/Wrong.ts", 'export * from "../../checkpoint/Right.ts"', /streams may import model/],
  ["src/streams/WrongCli.ts", 'import "../cli/Right.ts"', /streams may import model/],
  ["src/checkpoint/Wrong.ts", 'import "../streams/Right.ts"', /checkpoint may import model/],
  ["src/actors/Wrong.ts", 'import "../connectors/files/Right.ts"', /actors may import model, streams, checkpoint/],
  ["src/connectors/files/Wrong.ts", 'import "../../streams/Right.ts"', /connectors may import model, formats/],
  ["src/connectors/files/WrongOther.ts", 'import "../memory/Right.ts"', /never imports another/],
  ["src/connectors/Wrong.ts", 'import "./memory/Right.ts"', /never imports another/],
  ["src/connectors/hub/embedded/Wrong.ts", 'import "../../memory/Right.ts"', /never imports another/],
  ["src/connectors/hub/WrongFar.ts", 'import "../../connectors/memory/Right.ts"', /never imports another/],
  ["src/sql/Wrong.ts", 'import "../actors/Right.ts"', /sql may import model, streams/],
  ["src/monitor/Wrong.ts", 'import "../connectors/memory/Right.ts"', /monitor may import model, streams, checkpoint/],
  ["src/testing/Wrong.ts", 'import "../cli/Right.ts"', /testing may import/],
  ["src/index.ts", 'export * from "./cli/Right.ts"', /never imports the program/],
  ["src/actors/WrongIndex.ts", 'import "../index.ts"', /index.ts is for users/],
  ["src/actors/WrongSelf.ts", 'import "tidemark"', /import the module itself/],
  ["src/actors/WrongTest.ts", 'import "../../test/Right.ts"', /stands on its own/],
  ["src/model/WrongBarrel.ts", 'import "effect"', /barrel/],
  ["src/cli/WrongBarrel.ts", 'import "effect/cli"', /barrel/],
  ["src/connectors/memory/WrongBarrel.ts", 'import "@effect/platform-node"', /barrel/],
  ["src/streams/WrongNode.ts", 'import "node:fs"', /as an edge in test/],
  ["src/checkpoint/WrongNode.ts", 'import "fs/promises"', /as an edge in test/],
  ["src/actors/WrongNode.ts", 'import "node:child_process"', /as an edge in test/],
  ["src/actors/Right.ts", 'import "../model/Right.ts"\nimport "../streams/Right.ts"\nimport "./Other.ts"', undefined],
  ["src/streams/aggregates/Right.ts", 'import "../../model/Right.ts"\nimport "../Right.ts"', undefined],
  [
    "src/connectors/files/Right.ts",
    'import "../../formats/Right.ts"\nimport "node:fs"\nimport "./Other.ts"',
    undefined
  ],
  ["src/connectors/Right.ts", 'import "../model/Right.ts"\nimport "effect/Effect"', undefined],
  ["src/connectors/hub/embedded/Right.ts", 'import "../../../model/Right.ts"\nimport "../Right.ts"', undefined],
  ["src/testing/Right.ts", 'import "../connectors/files/Right.ts"\nimport "../actors/Right.ts"', undefined],
  ["src/cli/Right.ts", 'import "../testing/Right.ts"\nimport "effect/cli/Command"', undefined],
  ["src/streams/RightType.ts", 'import type { Readable } from "node:stream"\nexport type R = Readable', undefined],
  ["src/model/RightEffect.ts", 'import "effect/Effect"', undefined],
  ["test/RightBarrel.ts", 'import "effect"\nimport "tidemark"\nimport "node:fs"', undefined]
]

const others: ReadonlyArray<readonly [file: string, text: string, code: RegExp]> = [
  ["src/cli/Floating.ts", "const later = async () => 1\nlater()\n", /no-floating-promises/],
  ["src/cli/CycleA.ts", 'import { b } from "./CycleB.ts"\nexport const a = () => b\n', /no-cycle/],
  ["src/cli/CycleB.ts", 'import { a } from "./CycleA.ts"\nexport const b = () => a\n', /no-cycle/],
  ["src/cli/Any.ts", "export const x = (y: any) => y\n", /no-explicit-any/]
]

const root = resolve(import.meta.dirname, "..")
const oxlint = join(root, "node_modules/oxlint/bin/oxlint")
let skeleton: string
let findings: ReadonlyArray<Finding>

const found = (file: string): ReadonlyArray<Finding> => findings.filter((f) => f.filename === file)

beforeAll(() => {
  skeleton = mkdtempSync(join(tmpdir(), "tidemark-lint-"))
  for (const file of ["oxlint.config.ts", "tsconfig.json", "package.json", "test/edges.ts"]) {
    cpSync(join(root, file), join(skeleton, file))
  }
  symlinkSync(join(root, "node_modules"), join(skeleton, "node_modules"))
  for (const [file, text] of [...directions, ...others]) {
    mkdirSync(join(skeleton, dirname(file)), { recursive: true })
    writeFileSync(join(skeleton, file), `${text}\n`)
  }
  const run = spawnSync(process.execPath, [oxlint, "-f", "json"], { cwd: skeleton, encoding: "utf8" })
  findings = (JSON.parse(run.stdout) as { readonly diagnostics: ReadonlyArray<Finding> }).diagnostics
}, 60_000)

afterAll(() => rmSync(skeleton, { recursive: true, force: true }))

describe("lint", () => {
  it.each(directions.filter(([, , refused]) => refused !== undefined))("%s: %s is refused", (file, _, refused) => {
    const imports = found(file).filter((f) => f.code.includes("no-restricted-imports"))
    expect(imports.map((f) => f.help)).toEqual([expect.stringMatching(refused as RegExp)])
  })

  it.each(directions.filter(([, , refused]) => refused === undefined))("%s: %s is allowed", (file) => {
    expect(found(file).filter((f) => f.code.includes("no-restricted-imports"))).toEqual([])
  })

  it.each(others)("%s: %s is refused", (file, _, code) => {
    expect(found(file).map((f) => f.code)).toContainEqual(expect.stringMatching(code))
  })

  it("a planted wrong import fails the command that .ci/run calls", () => {
    expect(() => execFileSync(process.execPath, [oxlint, "src/model"], { cwd: skeleton, stdio: "pipe" })).toThrow()
  })
})

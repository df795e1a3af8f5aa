/** Runs the compiler once over all fixtures, and reads what it says. */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import * as os from "node:os"
import * as path from "node:path"

/** One error of the compiler. `text` is all of it, explanations included. */
export interface Diagnostic {
  readonly file: string
  readonly line: number
  readonly text: string
}

const root = path.resolve(import.meta.dirname, "../..")
const header = /^(.+?)\((\d+),\d+\): error TS\d+: (.*)$/

/** What the compiler read and said; files are named from the root of the repository. */
export interface Output {
  readonly files: ReadonlyArray<string>
  readonly diagnostics: ReadonlyArray<Diagnostic>
}

/** The same, with the declarations (`.d.ts`) it wrote of the good fixtures, by fixture. */
export interface Compiled extends Output {
  readonly declarations: ReadonlyMap<string, string>
}

/** Reads the compiler's plain output: a header line for each error, then indented explanations; then the files. */
export const parseOutput = (output: string): Output => {
  const diagnostics: Array<{ file: string; line: number; text: string }> = []
  const files: Array<string> = []
  for (const line of output.split("\n")) {
    const match = header.exec(line)
    if (match !== null) diagnostics.push({ file: match[1], line: Number(match[2]), text: match[3] })
    else if (line.startsWith(" ") && diagnostics.length > 0) diagnostics[diagnostics.length - 1].text += `\n${line}`
    else if (path.isAbsolute(line)) files.push(path.relative(root, line))
    else if (line.trim() !== "") throw new Error(`the compiler said something else: ${line}`)
  }
  return { files, diagnostics }
}

const run = (args: ReadonlyArray<string>): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: root, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (stderr !== "") reject(new Error(stderr))
      else if (error !== null && stdout === "") reject(error)
      else resolve(stdout)
    })
  })

/** Compiles the fixtures. */
export const compileFixtures = async (): Promise<Compiled> => {
  const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc")
  const out = fs.mkdtempSync(path.join(os.tmpdir(), "tidemark-types-"))
  try {
    const emit = ["--noEmit", "false", "--emitDeclarationOnly", "--rootDir", root, "--outDir", out]
    const output = parseOutput(
      await run([tsc, "-p", "test/types/tsconfig.json", "--pretty", "false", "--listFiles", ...emit])
    )
    const good = path.join(out, "test/types/fixtures/good")
    const declarations = fs
      .readdirSync(good)
      .map((name) => [name, fs.readFileSync(path.join(good, name), "utf8")] as const)
    return { ...output, declarations: new Map(declarations) }
  } finally {
    fs.rmSync(out, { recursive: true })
  }
}

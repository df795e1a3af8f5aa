/** Runs the compiler once over all fixtures, and reads what it says. */
import { execFile } from "node:child_process"
import { createRequire } from "node:module"
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
export interface Compiled {
  readonly files: ReadonlyArray<string>
  readonly diagnostics: ReadonlyArray<Diagnostic>
}

/** Reads the compiler's plain output: a header line for each error, then indented explanations; then the files. */
export const parseOutput = (output: string): Compiled => {
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

/** Compiles the fixtures. */
export const compileFixtures = async (): Promise<Compiled> => {
  const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc")
  const args = [tsc, "-p", "test/types/tsconfig.json", "--noEmit", "--pretty", "false", "--listFiles"]
  const output = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, args, { cwd: root, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (stderr !== "") reject(new Error(stderr))
      else if (error !== null && stdout === "") reject(error)
      else resolve(stdout)
    })
  })
  return parseOutput(output)
}

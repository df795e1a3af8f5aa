/** Running child processes of a check, and the arithmetic of their figures. */
import { spawn } from "node:child_process"

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  /** Milliseconds from the start to the first byte on stdout. */
  readonly firstOutputMs: number
}

/** Runs a command to its end; its stderr goes to ours. */
export const run = (
  command: string,
  args: ReadonlyArray<string>,
  env: { readonly [name: string]: string } = {}
): Promise<Finished> =>
  new Promise((resolve, reject) => {
    const began = performance.now()
    let firstOutputMs = Number.NaN
    let stdout = ""
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...env } })
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (stdout === "") firstOutputMs = performance.now() - began
      stdout += text
    })
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, stdout, firstOutputMs }))
  })

/** The flags under which the sources run without a build. */
export const fromSource = ["--conditions=tidemark-source"]

/** The last line of an output, as JSON. */
export const lastJson = (stdout: string): { readonly [field: string]: number | string } => {
  const line = stdout.trim().split("\n").at(-1) ?? ""
  return JSON.parse(line) as { readonly [field: string]: number | string }
}

export const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

/** Prints one line per condition and one of JSON; ends the process with 1 if any does not hold. */
export const verdict = (
  figures: { readonly [name: string]: unknown },
  conditions: ReadonlyArray<readonly [what: string, holds: boolean]>
): never => {
  for (const [what, holds] of conditions) console.log(`${holds ? "holds" : "FAILS"}  ${what}`)
  const ok = conditions.every(([, holds]) => holds)
  console.log(JSON.stringify({ ...figures, ok }))
  process.exit(ok ? 0 : 1)
}

/**
 * Runs the real program in a process of its own, in a folder that looks like a user's project: `tidemark` and `effect`
 * in node_modules, job files beside it.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "../..")

/** How a process ended, and what it said. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A process of the program. */
export interface Running {
  /** Waits until stdout and stderr together match, or fails after a while. */
  readonly said: (pattern: RegExp) => Promise<void>
  readonly kill: (signal: NodeJS.Signals) => void
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

/** A user's project. */
export interface Project {
  readonly folder: string
  readonly path: (name: string) => string
  /** Writes a file of it. */
  readonly write: (name: string, text: string) => void
  /** Starts `tidemark ...args` in it. */
  readonly start: (...args: ReadonlyArray<string>) => Running
  /** The same with a standard input that is open, and with variables beside those of this process. */
  readonly startWith: (env: { readonly [name: string]: string }, ...args: ReadonlyArray<string>) => Running
  /** Runs `tidemark ...args` in it to its end. */
  readonly run: (...args: ReadonlyArray<string>) => Promise<Ended>
  readonly remove: () => void
}

const waitMs = 20_000

const watch = (child: ChildProcess): Running => {
  let stdout = ""
  let stderr = ""
  const heard = new Set<() => void>()
  child.stdout?.on("data", (bytes: Buffer) => {
    stdout += bytes.toString()
    for (const look of heard) look()
  })
  child.stderr?.on("data", (bytes: Buffer) => {
    stderr += bytes.toString()
    for (const look of heard) look()
  })
  const ended = new Promise<Ended>((done, fail) => {
    child.on("error", fail)
    child.on("close", (code, signal) => done({ code, signal, stdout, stderr }))
  })
  const said = (pattern: RegExp): Promise<void> =>
    new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error(`${pattern} was not said, but:\n${stdout}\n${stderr}`)), waitMs)
      const look = (): void => {
        if (!pattern.test(`${stdout}\n${stderr}`)) return
        clearTimeout(timer)
        heard.delete(look)
        done()
      }
      heard.add(look)
      look()
    })
  return { said, kill: (signal) => child.kill(signal), child, ended }
}

/** The program on the sources, as the repository's own scripts run it. */
export const fromSources = ["--conditions=tidemark-source", join(root, "src/cli/main.ts")]

/** A new project under the temporary folder. `installed`: where `tidemark` is, by default the repository itself. */
export const makeProject = (program: ReadonlyArray<string> = fromSources, installed: string = root): Project => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-cli-"))
  const path = (name: string): string => join(folder, name)
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(path(name)), { recursive: true })
    writeFileSync(path(name), text)
  }
  mkdirSync(path("node_modules"))
  symlinkSync(installed, path("node_modules/tidemark"))
  symlinkSync(join(root, "node_modules/effect"), path("node_modules/effect"))
  write("package.json", '{ "type": "module" }')
  const running = new Set<ChildProcess>()
  const watched = (child: ChildProcess): Running => {
    running.add(child)
    child.on("close", () => running.delete(child))
    return watch(child)
  }
  const start = (...args: ReadonlyArray<string>): Running =>
    watched(spawn(process.execPath, [...program, ...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] }))
  const startWith: Project["startWith"] = (env, ...args) =>
    watched(
      spawn(process.execPath, [...program, ...args], { cwd: folder, stdio: "pipe", env: { ...process.env, ...env } })
    )
  const remove = (): void => {
    for (const child of running) child.kill("SIGKILL")
    rmSync(folder, { recursive: true, force: true })
  }
  return { folder, path, write, start, startWith, run: (...args) => start(...args).ended, remove }
}

/** A job that never ends: some 2,000 transactions a second, each written to stdout as its id. */
export const endless = `
import { EventStream, Foreach, Generate } from "tidemark"
import * as Effect from "effect/Effect"

export default EventStream.from(Generate.transactions({ rate: 2000 })).pipe(
  EventStream.map((t) => t.transaction_id),
  EventStream.to(Foreach.sink((id) => Effect.sync(() => console.log(id))))
)
`

/** A job that takes a row and never lets go of it. */
export const stuck = `
import { EventStream, Memory, Query, Terminal } from "tidemark"
import * as Effect from "effect/Effect"

const hold = () => Effect.andThen(Effect.sync(() => console.log("holding")), Effect.never)
export default Query.job({
  holder: EventStream.from(Memory.source([{ a: 1 }])).pipe(
    EventStream.mapEffect(hold, { concurrency: 1 }),
    EventStream.to(Terminal.sink())
  )
})
`

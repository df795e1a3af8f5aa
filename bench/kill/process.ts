/** Processes of the job: started in a folder of their own, watched, signalled, and gone when the check is. */
import { type ChildProcess, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { environmentOf, type JobSettings } from "./settings.ts"

/** How a process ended, and what it said. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** From its start, ms. */
  readonly tookMs: number
}

/** A process of the job. */
export interface Running {
  readonly pid: number
  readonly ended: Promise<Ended>
  readonly hasEnded: () => boolean
  readonly kill: (signal: NodeJS.Signals) => void
  /** What it has said on stderr until now. */
  readonly said: () => string
  /** Waits until stderr matches, or the process ends; whether it matches. */
  readonly says: (pattern: RegExp) => Promise<boolean>
}

/** How a process is started. */
export interface StartOptions extends JobSettings {
  /** Where it runs and writes. */
  readonly folder: string
  /** `TIDEMARK_FAILPOINT`. */
  readonly failpoint?: string
  /** File that gets a line for each failpoint it passes. */
  readonly log?: string
  /** The program; default `tidemark run` of the job. */
  readonly program?: ReadonlyArray<string>
  /** More arguments for it. */
  readonly more?: ReadonlyArray<string>
  readonly env?: { readonly [name: string]: string }
}

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** How Node runs the sources. */
export const flags = ["--conditions=tidemark-source", "--min-semi-space-size=16"]

/** The job's file. */
export const jobFile = pathOf("job.ts")
/** The program `tidemark`. */
export const mainFile = pathOf("../../src/cli/main.ts")
/** `tidemark run` on the job. */
export const commandLine = [mainFile, "run", jobFile, "--json"]
/** The job inside an application. */
export const embedded = [pathOf("embedded.ts")]

const running = new Set<ChildProcess>()
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

/** A process that is gone when the check is. */
export const ours = <P extends ChildProcess>(child: P): P => {
  running.add(child)
  child.on("close", () => running.delete(child))
  return child
}

/** Starts a process of the job. */
export const start = (options: StartOptions): Running => {
  const began = performance.now()
  const program = options.program ?? commandLine
  const child = ours(
    spawn(process.execPath, [...flags, ...program, ...(options.more ?? [])], {
      cwd: options.folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env["PATH"],
        ...environmentOf(options),
        ...(options.failpoint === undefined ? {} : { TIDEMARK_FAILPOINT: options.failpoint }),
        ...(options.log === undefined ? {} : { TIDEMARK_FAILPOINT_LOG: options.log }),
        ...options.env
      }
    })
  )
  let stdout = ""
  let stderr = ""
  let over = false
  const listeners = new Set<() => void>()
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text
    for (const listener of listeners) listener()
  })
  const ended = new Promise<Ended>((done, fail) => {
    child.on("error", fail)
    child.on("close", (code, signal) => {
      over = true
      for (const listener of listeners) listener()
      done({ code, signal, stdout, stderr, tookMs: performance.now() - began })
    })
  })
  const says = (pattern: RegExp): Promise<boolean> =>
    new Promise((done) => {
      const listen = (): void => {
        const matches = pattern.test(stderr)
        if (!matches && !over) return
        listeners.delete(listen)
        done(matches)
      }
      listeners.add(listen)
      listen()
    })
  return {
    pid: child.pid ?? 0,
    ended,
    hasEnded: () => over,
    kill: (signal) => void child.kill(signal),
    said: () => stderr,
    says
  }
}

/** Whether a process stands still by SIGSTOP. */
export const isFrozen = (pid: number): boolean => {
  try {
    return /^\d+ \(.*\) T /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return false
  }
}

/** Waits. */
export const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** Waits until something holds; false when it does not within `ms`. */
export const until = async (holds: () => boolean, ms: number, everyMs = 5): Promise<boolean> => {
  const end = performance.now() + ms
  for (;;) {
    if (holds()) return true
    if (performance.now() > end) return false
    await pause(everyMs)
  }
}

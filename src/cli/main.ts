#!/usr/bin/env node
/**
 * The program `tidemark`: the edge between the process and everything else of it.
 *
 * A first SIGINT or SIGTERM asks what runs to stop, or, while nothing does, ends the process; a second one ends it at
 * once. Signals within a moment of the first count as one: npm passes Ctrl-C on to a process that got it already.
 */
import { readFileSync } from "node:fs"
import module from "node:module"
import type { HostShape, StopSignal } from "./Host.ts"

/** Signals closer together than this are one. */
const sameKeyMs = 300

const exit = (code: number): void => {
  // What is still on its way to a pipe gets there first.
  process.stdout.write("", () => process.exit(code))
}

let listener: ((signal: StopSignal) => void) | undefined
let firstAt: number | undefined

const stop = (signal: StopSignal): void => {
  const now = performance.now()
  if (firstAt !== undefined && now - firstAt < sameKeyMs) return
  if (firstAt !== undefined || listener === undefined) process.exit(130)
  firstAt = now
  listener(signal)
}

const screenIsTerminal = process.stderr.isTTY === true
const screenWrite = process.stderr.write.bind(process.stderr)

const host: Omit<HostShape, "failpoints"> = {
  screen: {
    isTerminal: screenIsTerminal,
    columns: () => process.stderr.columns ?? 80,
    rows: () => process.stderr.rows ?? 24,
    write: (text) => {
      screenWrite(text)
    }
  },
  result: (line) => {
    process.stdout.write(`${line}\n`)
  },
  drained: () =>
    process.stdout.writableNeedDrain
      ? new Promise((done) => process.stdout.once("drain", () => done()))
      : Promise.resolve(),
  takeTurns: (before, after) => {
    if (!screenIsTerminal) return
    const outputs = process.stdout.isTTY === true ? [process.stdout, process.stderr] : [process.stderr]
    for (const output of outputs) {
      const write = output.write.bind(output)
      output.write = ((...args: ReadonlyArray<unknown>) => {
        before()
        const more: unknown = Reflect.apply(write, undefined, args)
        after(typeof args[0] === "string" && args[0].endsWith("\n"))
        return more
      }) as typeof output.write
    }
  },
  onStop: (heard) => {
    listener = heard
    return () => {
      if (listener === heard) listener = undefined
    }
  }
}

process.on("SIGINT", () => stop("SIGINT"))
process.on("SIGTERM", () => stop("SIGTERM"))
process.stdout.on("error", () => {
  if (firstAt === undefined) stop("output closed")
})
process.stderr.on("error", () => undefined)
process.on("uncaughtException", (error) => {
  const verbose = process.argv.includes("--verbose")
  const why = error instanceof Error ? (verbose ? error.stack : `${error.name}: ${error.message}`) : String(error)
  process.stderr.write(`tidemark: something outside of the queries failed: ${why}\n`)
  process.exit(1)
})

// The advice to write "type": "module" is for the speed of loading, and would stand above everyone's first results.
const emitWarning = process.emitWarning.bind(process)
process.emitWarning = ((warning: string | Error, ...rest: ReadonlyArray<unknown>) => {
  const [first, second] = rest
  const code = typeof first === "object" && first !== null ? (first as { readonly code?: unknown }).code : second
  if (code !== "MODULE_TYPELESS_PACKAGE_JSON") Reflect.apply(emitWarning, undefined, [warning, ...rest])
}) as typeof process.emitWarning

const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8")
const { version, engines } = JSON.parse(text) as {
  readonly version: string
  readonly engines: { readonly node: string }
}
const needed = Number(/[0-9]+/.exec(engines.node)?.[0])
if (Number(process.versions.node.split(".")[0]) < needed) {
  process.stderr.write(
    `tidemark: needs Node ${needed} or newer; this is Node ${process.versions.node} (${process.execPath})\n`
  )
  process.exit(1)
}

// Compiled code is kept in the temporary folder of the system, which halves the time of the next start.
module.enableCompileCache()

// For tests: see the module that is loaded.
const { TIDEMARK_FAILPOINT: points, TIDEMARK_FAILPOINT_LOG: log } = process.env
const failpoints =
  points === undefined && log === undefined
    ? undefined
    : (await import("./failpointHandler.ts")).failpointHandler(points, log)

// Keeps the process while a job waits for something that does not.
const keepAlive = setInterval(() => undefined, 2_147_483_647)
const { program } = await import("./program.ts")
const code = await program(process.argv.slice(2), version, { ...host, failpoints })
clearInterval(keepAlive)
exit(code)

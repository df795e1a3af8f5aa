/**
 * Failpoints of a real process, for tests that kill it at a chosen step. An edge: it ends or freezes the process.
 *
 * `TIDEMARK_FAILPOINT=manifest.copy:before:3:kill` does it the third time that step is about to be taken. Side and name
 * may be `*`, for any: `*:*:40:stop` freezes the process at the fortieth failpoint it comes to. Actions: `kill` (SIGKILL),
 * `stop` (SIGSTOP; SIGCONT lets it go on), `term` (SIGTERM). Several are separated by commas.
 * `TIDEMARK_FAILPOINT_LOG=FILE` appends a line `NAME:SIDE` for each failpoint that is come to.
 *
 * Loaded when one of the two is set, by `main.ts`; else the engine's failpoints are one look at a reference each.
 */
import * as Effect from "effect/Effect"
import { openSync, writeSync } from "node:fs"
import type { FailpointHandler } from "../model/Failpoint.ts"

const signals = { kill: "SIGKILL", stop: "SIGSTOP", term: "SIGTERM" } as const

interface Rule {
  readonly name: string
  readonly side: string
  readonly signal: NodeJS.Signals
  /** Times until it fires. */
  left: number
}

const form = /^([^:,\s]+):(before|after|\*):([1-9][0-9]{0,8}):(kill|stop|term)$/

const ruleOf = (text: string): Rule => {
  const parts = form.exec(text)
  if (parts === null) {
    throw new Error(
      `TIDEMARK_FAILPOINT: ${JSON.stringify(text)} is not NAME:before|after|*:N:kill|stop|term (try manifest.copy:before:3:kill)`
    )
  }
  return { name: parts[1], side: parts[2], left: Number(parts[3]), signal: signals[parts[4] as keyof typeof signals] }
}

/** The handler that the two variables ask for, where at least one is set. Throws when they are wrong. */
export const failpointHandler = (points: string | undefined, log: string | undefined): FailpointHandler => {
  const rules = (points ?? "").split(",").filter(Boolean).map(ruleOf)
  const file = log === undefined || log === "" ? undefined : openSync(log, "a")
  return (name, when) =>
    Effect.sync(() => {
      if (file !== undefined) writeSync(file, `${name}:${when}\n`)
      for (const rule of rules) {
        if ((rule.name !== "*" && rule.name !== name) || (rule.side !== "*" && rule.side !== when)) continue
        if (--rule.left === 0) process.kill(process.pid, rule.signal)
      }
    })
}

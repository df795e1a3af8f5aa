/**
 * How a run speaks to people or to machines: sentences above the progress lines on stderr, or, with `--log json`, lines
 * of JSON there and nothing else.
 */
import type * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import { LogNames } from "../actors/LogNames.ts"
import { jsonLogger, logLine } from "../monitor/JsonLog.ts"
import type { Display } from "./Display.ts"
import { describeCause, describeError } from "./failure.ts"
import type { Screen } from "./Host.ts"

/** What is known of what is said. */
export interface About {
  readonly level?: LogLevel.LogLevel
  readonly query?: string
  readonly run?: string
  readonly epoch?: number
  /** Stacks: shown to people only when asked for. */
  readonly cause?: string | undefined
  /** For machines: values beside the sentence. */
  readonly more?: { readonly [name: string]: unknown }
}

/** Says things. */
export interface Voice {
  readonly isJson: boolean
  /** One sentence, at once. */
  readonly say: (sentence: string, about?: About) => void
  /** Takes what Effect logs. */
  readonly logger: Logger.Logger<unknown, void>
}

/** For people; `file` names the job in fixes. */
const human = (display: Display, file: string): Voice => {
  const say = (sentence: string, { cause }: About = {}): void => {
    display.print(`tidemark: ${sentence}`)
    if (cause !== undefined) display.print(cause)
  }
  const whyOf = (cause: Cause.Cause<unknown>): string =>
    cause.reasons.length === 0 ? "" : `: ${describeCause(cause, file)}`
  return {
    isJson: false,
    say,
    logger: Logger.make(({ logLevel, message, cause }) => {
      const parts = (Array.isArray(message) ? message : [message]).map(describeError)
      say(`${logLevel === "Warn" ? "warning" : logLevel.toLowerCase()}: ${parts.join(" ")}${whyOf(cause)}`)
    })
  }
}

/** For machines. */
const machine = (screen: Screen, clock: Clock.Clock): Voice => {
  const write = (line: string): void => screen.write(`${line}\n`)
  return {
    isJson: true,
    say: (message, { level = "Info", query, run, epoch, cause, more = {} } = {}) => {
      const known = [
        [LogNames.query, query],
        [LogNames.run, run],
        [LogNames.epoch, epoch]
      ].filter(([, value]) => value !== undefined)
      const date = new Date(clock.currentTimeMillisUnsafe())
      write(logLine({ date, level, message, annotations: Object.fromEntries(known), cause, more }))
    },
    logger: jsonLogger(write)
  }
}

/** The voice of a run. */
export const makeVoice = (
  log: "text" | "json",
  screen: Screen,
  display: Display,
  clock: Clock.Clock,
  file: string
): Voice => (log === "json" ? machine(screen, clock) : human(display, file))

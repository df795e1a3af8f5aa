/**
 * Logs as JSON, one object a line, for machines to read: `time`, `level`, `message`, then the names of
 * `actors/LogNames.ts` that are known, other annotations under `annotations`, and `cause` with the stacks of a failure.
 *
 * Values of `Redacted` show as `<redacted>`, and text that looks like a secret is taken out. A record that cannot be
 * written as JSON is written as far as it can: logging never fails what it reports on.
 */
import * as Cause from "effect/Cause"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import { LogNames } from "../actors/LogNames.ts"
import { jsonText, textOf } from "../model/Text.ts"
import { withoutSecrets } from "./secrets.ts"

/** One line of the log before it is text. */
export interface LogRecord {
  readonly date: Date
  readonly level: LogLevel.LogLevel
  readonly message: string
  /** By name; `LogNames` come to the top level. */
  readonly annotations?: { readonly [name: string]: unknown }
  readonly cause?: string | undefined
  /** More fields at the top level: values, not text, which is written as it stands. */
  readonly more?: { readonly [name: string]: unknown }
}

const isOurs: ReadonlySet<string> = new Set(Object.values(LogNames))

/** What stands in the record for a value: numbers and booleans as such, everything else as text. */
const plain = (value: unknown): unknown => {
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value)
  if (typeof value === "boolean" || value === null) return value
  return withoutSecrets(textOf(value))
}

/** A record as a line, without its end. */
export const logLine = ({ date, level, message, annotations = {}, cause, more = {} }: LogRecord): string => {
  const ours: Array<readonly [string, unknown]> = []
  const others: Array<readonly [string, unknown]> = []
  for (const [name, value] of Object.entries(annotations)) (isOurs.has(name) ? ours : others).push([name, plain(value)])
  const fields: ReadonlyArray<readonly [string, unknown]> = [
    ["time", date.toISOString()],
    ["level", level.toLowerCase()],
    ["message", withoutSecrets(message)],
    ...ours,
    ...Object.entries(more),
    ...(others.length === 0 ? [] : [["annotations", Object.fromEntries(others)] as const]),
    ...(cause === undefined ? [] : [["cause", withoutSecrets(cause)] as const])
  ]
  return jsonText(Object.fromEntries(fields))
}

/** A logger of Effect that hands each record to `write` as a line of JSON. */
export const jsonLogger = (write: (line: string) => void): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, date, fiber, logLevel, message }) => {
    const parts = Array.isArray(message) ? (message as ReadonlyArray<unknown>) : [message]
    write(
      logLine({
        date,
        level: logLevel,
        message: parts.map(textOf).join(" "),
        annotations: fiber.getRef(References.CurrentLogAnnotations),
        cause: cause.reasons.length === 0 ? undefined : Cause.pretty(cause)
      })
    )
  })

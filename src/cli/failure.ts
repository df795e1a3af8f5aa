/**
 * Faults in plain words: one line that says what was wrong, where, and what to do. Stacks are for `--verbose`.
 *
 * Values of `Redacted` show as such, whatever they stand in.
 */
import { missingService } from "../model/MissingService.ts"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import { inWordsOf } from "./advice.ts"
import { type OptionProblem, QueryError, type QueryErrorReason } from "../model/Errors.ts"
import { jsonText } from "../model/Text.ts"
import { oneLine } from "./words.ts"

/** What the program exits with; `--help` says the same. */
export const ExitCode = { ok: 0, failed: 1, usage: 2, owned: 3, interrupted: 130 } as const

/** The end of a command that did not go well. Without a message everything has been said. */
export class CliFailure extends Data.TaggedError("CliFailure")<{
  readonly code: number
  readonly message: string
}> {}

/** A failure with something to say. */
export const failed = (message: string, code: number = ExitCode.failed): CliFailure => new CliFailure({ code, message })

const nestingMax = 3

const stringAt = (value: object, field: string): string => {
  const found: unknown = Reflect.get(value, field)
  return typeof found === "string" ? found : ""
}

/** An error as a sentence: its message, and those of its causes where they add something. */
export const describeError = (error: unknown): string => {
  if (typeof error === "string") return oneLine(error)
  if (typeof error !== "object" || error === null) return oneLine(String(error))
  const tag = stringAt(error, "_tag")
  let said = stringAt(error, "message")
  // JSON asks `Redacted` for its `<redacted>`.
  if (said === "") said = tag !== "" ? tag : error instanceof Error ? error.name : jsonText(error)
  let below: unknown = Reflect.get(error, "cause")
  for (let depth = 0; depth < nestingMax && below instanceof Error; depth++) {
    // Errors of the system are said by their code.
    const code = stringAt(below, "code")
    const isSaid = said.includes(below.message.replace(/[.:]$/, "")) || (code !== "" && said.includes(code))
    if (!isSaid) said = `${said.replace(/[.:]$/, "")}: ${below.message}`
    below = below.cause
  }
  return oneLine(said)
}

/** Whether a query ended because of this: `Fenced`, another process has taken it over (C5); `Owned`, one runs it (C5a). */
export const endedFor = (cause: Cause.Cause<unknown>, reason: QueryErrorReason): boolean => {
  const error = cause.reasons.find(Cause.isFailReason)?.error
  return error instanceof QueryError && error.reason === reason
}

/** The problems that an error collected, when it is one that does. */
export const problemsOf = (error: unknown): ReadonlyArray<OptionProblem> => {
  const problems: unknown = typeof error === "object" && error !== null ? Reflect.get(error, "problems") : undefined
  return Array.isArray(problems) ? (problems as ReadonlyArray<OptionProblem>) : []
}

/** The first thing of a cause that is not an interruption. */
const firstOf = (cause: Cause.Cause<unknown>): { readonly error: unknown; readonly isDefect: boolean } | undefined => {
  const fail = cause.reasons.find(Cause.isFailReason)
  if (fail !== undefined) return { error: fail.error, isDefect: false }
  const die = cause.reasons.find(Cause.isDieReason)
  return die === undefined ? undefined : { error: die.defect, isDefect: true }
}

/** Why something ended, as a sentence; `where` names the file of the job, for the fix of a missing service. */
export const describeCause = (cause: Cause.Cause<unknown>, where: string): string => {
  const first = firstOf(cause)
  if (first === undefined) return "it was interrupted"
  if (!first.isDefect) return describeError(inWordsOf("run", first.error))
  const service = missingService(first.error)
  if (service !== undefined) {
    return `it needs the service "${oneLine(service)}", which nothing provides: in ${where}, write export default Query.provide(layer)(job) with a layer that makes it`
  }
  const name = first.error instanceof Error ? `${first.error.name}: ` : ""
  return `unexpectedly, by a defect: ${name}${describeError(first.error)} (--verbose shows where)`
}

/** The same with stacks. */
export const describeFully = (cause: Cause.Cause<unknown>): string => Cause.pretty(cause)

/** Any failure as one that the program ends with. */
export const asCliFailure = (error: unknown): CliFailure =>
  error instanceof CliFailure ? error : failed(describeError(error))

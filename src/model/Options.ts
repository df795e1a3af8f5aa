/**
 * Reads what users hand over as options, collecting what is wrong as problems. For the language, connectors, formats.
 *
 * Nothing here throws or coerces, whatever the value: a bigint, an object whose `toString` or `toJSON` throws, a
 * misspelt unit. A wrong value gives a problem and a stand-in of the right shape, which never runs. Absent options are
 * the caller's: these functions are asked about values that were given, or defaults.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { OptionProblem } from "./Errors.ts"
import type { AnySink } from "./Sink.ts"
import type { BadInputOptions } from "./Source.ts"

/** Longer values are cut in a problem, in characters. */
const shownMax = 200

const shownObject = (value: object): string => {
  try {
    return Duration.isDuration(value) ? Duration.format(value) : (JSON.stringify(value) ?? "an object")
  } catch {
    // Circular, a bigint inside, or a toJSON that throws.
    return "an object"
  }
}

/** A value of an option as text, for a problem; long ones are cut. Never throws, whatever the value. */
export const show = (value: unknown): string => {
  if (typeof value === "bigint") return `${value}n`
  if (typeof value === "function") return "a function"
  const text =
    typeof value === "string"
      ? JSON.stringify(value)
      : typeof value === "object" && value !== null
        ? shownObject(value)
        : String(value)
  return text.length > shownMax ? `${text.slice(0, shownMax).toWellFormed()}...` : text
}

const units: ReadonlyArray<string> = [
  "weeks",
  "days",
  "hours",
  "minutes",
  "seconds",
  "milliseconds",
  "microseconds",
  "nanoseconds"
]

/** What effect reads as zero: NaN, and an object without a unit, with a wrong one (`{ minuts: 5 }`) or with no number. */
const isMisread = (value: unknown): boolean => {
  if (typeof value === "number") return Number.isNaN(value)
  if (typeof value !== "object" || value === null || Duration.isDuration(value)) return false
  if (Array.isArray(value)) return value.some((n) => typeof n !== "number" || Number.isNaN(n))
  const entries = Object.entries(value).filter(([, n]) => n !== undefined)
  return (
    entries.length === 0 ||
    entries.some(([name, n]) => !units.includes(name) || typeof n !== "number" || Number.isNaN(n))
  )
}

/** Milliseconds of a duration, any fraction of them; NaN when it is none. */
const millisOf = (value: unknown): number => {
  try {
    const decoded = isMisread(value) ? Option.none() : Duration.fromInput(value as Duration.Input)
    return Option.isSome(decoded) ? Duration.toMillis(decoded.value) : Number.NaN
  } catch {
    // A getter of it throws.
    return Number.NaN
  }
}

/** Milliseconds of a duration option; adds a problem and returns `min` when it is not one or lies outside the bounds. */
export const durationMs = (
  option: string,
  value: Duration.Input,
  problems: Array<OptionProblem>,
  bounds: { readonly min: number; readonly max?: number }
): number => {
  const ms = millisOf(value)
  const max = bounds.max ?? Number.MAX_SAFE_INTEGER
  if (Number.isNaN(ms)) {
    problems.push({ option, value: show(value), fix: 'is not a duration (try "10 minutes")' })
    return bounds.min
  }
  if (!Number.isSafeInteger(ms) || ms < bounds.min || ms > max) {
    problems.push({ option, value: show(value), fix: `must be whole milliseconds, from ${bounds.min} to ${max}` })
    return bounds.min
  }
  return ms
}

/** An integer option within bounds; `max` is the greatest safe integer when it is absent. */
export const integer = (
  option: string,
  value: number,
  problems: Array<OptionProblem>,
  bounds: { readonly min: number; readonly max?: number }
): number => {
  const { min, max } = bounds
  if (Number.isSafeInteger(value) && value >= min && (max === undefined || value <= max)) return value
  const upTo = max === undefined ? "" : ` to ${max}`
  problems.push({ option, value: show(value), fix: `must be a whole number from ${min}${upTo}` })
  return min
}

/** An option that is true or false; anything else is a problem and false. */
export const flag = (option: string, value: unknown, problems: Array<OptionProblem>): boolean => {
  if (typeof value === "boolean") return value
  problems.push({ option, value: show(value), fix: "must be true or false" })
  return false
}

/** Text of at least one character, such as a name; anything else is a problem and the name `invalid`. */
export const text = (option: string, value: unknown, problems: Array<OptionProblem>): string => {
  if (typeof value === "string" && value !== "") return value
  problems.push({ option, value: show(value), fix: "must be text, of at least one character" })
  return "invalid"
}

/** The path of a file or folder, or what `fix` says; anything else is a problem and `invalid`. */
export const path = (option: string, value: unknown, problems: Array<OptionProblem>, fix: string): string => {
  if (typeof value === "string" && value !== "" && !value.includes("\0")) return value
  problems.push({ option, value: show(value), fix })
  return "invalid"
}

/** Names of columns, each once and at least one; anything else is a problem and no names. */
export const names = (
  option: string,
  value: ReadonlyArray<string>,
  problems: Array<OptionProblem>
): ReadonlyArray<string> => {
  const given: unknown = value
  if (
    Array.isArray(given) &&
    given.length > 0 &&
    given.every((name) => typeof name === "string") &&
    new Set(given).size === given.length
  )
    return value
  problems.push({ option, value: show(value), fix: "must name each column once" })
  return []
}

/** A function, or a problem and one that gives `undefined`. */
export const functionOf = <F extends (...args: never) => unknown>(
  option: string,
  f: F,
  problems: Array<OptionProblem>
): F => {
  if (typeof f === "function") return f
  problems.push({ option, value: show(f), fix: "must be a function" })
  return (() => undefined) as unknown as F
}

/** Whether a value is an object that has all of these properties, its own or inherited. */
export const has = (value: unknown, ...properties: ReadonlyArray<string>): value is object =>
  typeof value === "object" && value !== null && properties.every((name) => name in value)

/** The options themselves; where none were given, or no object, all are absent, which the caller says of each. */
export const optionsOf = <O extends object>(options: O): O =>
  typeof options === "object" && options !== null ? options : ({} as O)

/** A sink, or a problem and a stand-in. */
export const sinkOf = (option: string, sink: unknown, problems: Array<OptionProblem>): AnySink => {
  if (has(sink, "features", "writer", "commit")) return sink as AnySink
  problems.push({ option, value: show(sink), fix: "must be a sink (try Terminal.sink())" })
  return {
    name: "invalid",
    features: { modes: [], guarantee: "at-least-once", multiWriter: true, deletes: false }
  } as unknown as AnySink
}

/** What a source's options say of bad input, as the properties of a source; wrong ones are left out. */
export const badInput = (at: string, options: BadInputOptions, problems: Array<OptionProblem>): BadInputOptions => {
  const { deadLetters, onBadInput } = options
  const policy: unknown = onBadInput
  const known =
    policy === undefined ||
    policy === "deadLetter" ||
    policy === "fail" ||
    (has(policy, "dropAs") &&
      typeof (policy as { readonly dropAs: unknown }).dropAs === "string" &&
      (policy as { readonly dropAs: unknown }).dropAs !== "")
  if (!known) {
    problems.push({
      option: `${at}.onBadInput`,
      value: show(policy),
      fix: 'must be "deadLetter", "fail" or { dropAs: "the name that dropped rows are counted by" }'
    })
  }
  return {
    ...(deadLetters === undefined ? {} : { deadLetters: sinkOf(`${at}.deadLetters`, deadLetters, problems) }),
    ...(onBadInput === undefined || !known ? {} : { onBadInput })
  }
}

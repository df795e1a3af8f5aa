/** Reads options of the language into numbers with units, collecting what is wrong instead of throwing. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { OptionProblem } from "./Errors.ts"

/** A value of an option as text, for a problem. Never throws, whatever the value. */
export const show = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value === "bigint") return `${value}n`
  if (typeof value === "function") return "a function"
  if (typeof value !== "object" || value === null) return String(value)
  if (Duration.isDuration(value)) return Duration.format(value)
  try {
    return JSON.stringify(value) ?? "an object"
  } catch {
    // Circular, a bigint inside, or a toJSON that throws.
    return "an object"
  }
}

/** Milliseconds of a duration option; adds a problem and returns `min` when it is not one or lies outside the bounds. */
export const durationMs = (
  option: string,
  value: Duration.Input,
  problems: Array<OptionProblem>,
  bounds: { readonly min: number; readonly max?: number }
): number => {
  const decoded = isMisspelt(value) ? Option.none() : Duration.fromInput(value)
  const ms = Option.isSome(decoded) ? Duration.toMillis(decoded.value) : Number.NaN
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

const units = ["weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"]

/** An object without a unit, or with a wrong one: effect reads `{ minuts: 5 }` as zero. */
const isMisspelt = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null || Array.isArray(value) || Duration.isDuration(value)) return false
  const names = Object.keys(value)
  return names.length === 0 || names.some((name) => !units.includes(name))
}

/** An integer option within bounds. */
export const integer = (
  option: string,
  value: number,
  problems: Array<OptionProblem>,
  bounds: { readonly min: number; readonly max: number }
): number => {
  if (Number.isSafeInteger(value) && value >= bounds.min && value <= bounds.max) return value
  problems.push({ option, value: show(value), fix: `must be a whole number from ${bounds.min} to ${bounds.max}` })
  return bounds.min
}

/** How parameters of plans are said to people, in the words of the language. Takes fingerprints of any origin. */
import type { OperatorFingerprint, PlanValue } from "../model/PlanFingerprint.ts"

const units: ReadonlyArray<readonly [number, string]> = [
  [86_400_000, "day"],
  [3_600_000, "hour"],
  [60_000, "minute"],
  [1000, "second"],
  [1, "millisecond"]
]

/** A time span in the largest unit that divides it: `5 minutes`, `90 seconds`. */
export const spanWords = (ms: PlanValue | undefined): string => {
  if (typeof ms !== "number") return plainWords(ms)
  if (ms === 0) return "0 seconds"
  const [size, unit] = units.find(([unitMs]) => ms % unitMs === 0) ?? [1, "millisecond"]
  const n = ms / size
  return `${n} ${unit}${n === 1 ? "" : "s"}`
}

/** A parameter that has no words of its own. */
export const plainWords = (value: PlanValue | undefined): string => {
  if (value === undefined) return "none"
  if (value === "<lambda>") return "a function"
  return typeof value === "string" ? value : JSON.stringify(value)
}

type Fields = { readonly [name: string]: PlanValue | undefined }

const fieldsOf = (value: PlanValue | undefined): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {}

const listOf = (value: PlanValue | undefined): ReadonlyArray<Fields> =>
  Array.isArray(value) ? value.map(fieldsOf) : []

/** `tumbling 5 minutes`, `sliding 10 minutes every 5 minutes`, `sessions with a gap of 30 seconds`. */
export const windowWords = (value: PlanValue | undefined): string => {
  const { kind, sizeMs, slideMs, offsetMs, gapMs } = fieldsOf(value)
  if (kind === "global") return "one window for all time"
  if (kind === "session") return `sessions with a gap of ${spanWords(gapMs)}`
  if (kind !== "time") return plainWords(value)
  const offset = offsetMs === 0 || offsetMs === undefined ? "" : `, offset ${spanWords(offsetMs)}`
  if (sizeMs === slideMs) return `tumbling ${spanWords(sizeMs)}${offset}`
  return `sliding ${spanWords(sizeMs)} every ${spanWords(slideMs)}${offset}`
}

/** `key category, region (a function)`. */
export const keyWords = (value: PlanValue | undefined): string => {
  const columns = listOf(value).map(({ name, of }) =>
    of === name ? plainWords(name) : `${plainWords(name)} (${plainWords(of)})`
  )
  return columns.length === 0 ? "one key for all rows" : `key ${columns.join(", ")}`
}

/** Aggregates of a fingerprint, as text: the column, and what it holds. */
export const aggregatesIn = (
  value: PlanValue | undefined
): ReadonlyArray<{ readonly name: string; readonly of: string }> =>
  listOf(value).map(({ name, label, ordered }) => ({
    name: plainWords(name),
    of: `${plainWords(label)}${ordered === true && label === "reduce(<lambda>)" ? " without merge" : ""}`
  }))

const kinds: { readonly [kind: string]: string } = {
  running: "running aggregate",
  withEventTime: "event time"
}

/** What an operator is called: `a window`, `an event time`. */
export const kindWords = ({ kind }: OperatorFingerprint): string => {
  const word = Object.hasOwn(kinds, kind) ? kinds[kind] : kind
  return `${/^[aeiou]/.test(word) ? "an" : "a"} ${word}`
}

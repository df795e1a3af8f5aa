/** Rows compared as multisets: by their text, and numbers that are no integers as far as sums of them are exact (A1). */
import * as DateTime from "effect/DateTime"

/** How far apart two sums of doubles may be, as a share of the larger. */
const tolerance = 1e-9

/** A value as text that tells different values apart, whatever the order of their fields. */
export const textOf = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value)
    case "number":
      return Object.is(value, -0) ? "-0" : String(value)
    case "bigint":
      return `${value}n`
    case "object": {
      if (value === null) return "null"
      if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Date(NaN)" : value.toISOString()
      if (DateTime.isDateTime(value)) return DateTime.formatIso(value)
      if (Array.isArray(value)) return `[${value.map(textOf).join(", ")}]`
      if (value instanceof Map) return `Map${textOf([...value])}`
      if (value instanceof Set) return `Set${textOf([...value])}`
      const fields = Object.keys(value).toSorted()
      return `{ ${fields.map((field) => `${field}: ${textOf(Reflect.get(value, field))}`).join(", ")} }`
    }
    default:
      return String(value)
  }
}

/** Numbers apart from all else: two texts with the same words may differ by what is lost in sums. */
const number = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/g

const nearly = (a: string, b: string): boolean => {
  if (a.replace(number, "#") !== b.replace(number, "#")) return false
  const [left, right] = [a.match(number) ?? [], b.match(number) ?? []]
  return left.every((text, i) => {
    if (text === right[i]) return true
    const [x, y] = [Number(text), Number(right[i])]
    const isWhole = Number.isInteger(x) && Number.isInteger(y)
    return !isWhole && Math.abs(x - y) <= tolerance * Math.max(1, Math.abs(x), Math.abs(y))
  })
}

/** What is in one multiset and not in the other. */
export interface Difference {
  readonly missing: ReadonlyArray<string>
  readonly extra: ReadonlyArray<string>
}

/** Compares two lists of rows, whatever their order. */
export const differenceOf = (wanted: ReadonlyArray<unknown>, got: ReadonlyArray<unknown>): Difference => {
  const left = new Map<string, number>()
  for (const row of wanted) {
    const text = textOf(row)
    left.set(text, (left.get(text) ?? 0) + 1)
  }
  const more: Array<string> = []
  for (const row of got) {
    const text = textOf(row)
    const n = left.get(text) ?? 0
    if (n > 0) left.set(text, n - 1)
    else more.push(text)
  }
  const missing = [...left].flatMap(([text, n]) => Array.from({ length: n }, () => text))
  const extra = more.filter((text) => {
    const at = missing.findIndex((other) => nearly(other, text))
    if (at >= 0) missing.splice(at, 1)
    return at < 0
  })
  return { missing, extra }
}

const shownMax = 3

const some = (rows: ReadonlyArray<string>): string =>
  rows.slice(0, shownMax).join(", ") + (rows.length > shownMax ? `, and ${rows.length - shownMax} more` : "")

/** A difference in words; empty when there is none. */
export const describeDifference = (output: string, { missing, extra }: Difference): ReadonlyArray<string> => [
  ...(missing.length > 0 ? [`${output}: ${missing.length} missing: ${some(missing)}`] : []),
  ...(extra.length > 0 ? [`${output}: ${extra.length} too many: ${some(extra)}`] : [])
]

/** Rows compared as multisets: by their text, and numbers that are no integers as far as sums of them are exact (A1). */
import { textOf, textWith } from "./textOf.ts"

/** How far apart two sums of doubles may be, as a share of the larger. */
const tolerance = 1e-9
/** Whole numbers from here on are times or ids, which nobody adds up. */
const summedMax = 2 ** 32

/** A row taken apart: what is no number, and the numbers in it. */
interface Parts {
  readonly text: string
  readonly frame: string
  readonly numbers: ReadonlyArray<number>
}

const partsOf = (row: unknown): Omit<Parts, "text"> => {
  const numbers: Array<number> = []
  const frame = textWith(row, (n) => {
    numbers.push(n)
    return "#"
  })
  return { frame, numbers }
}

/** What is left where rows of these cancel each other out: each is exact as far as a double is. */
const crumbOf = (inputs: ReadonlyArray<unknown>): number => {
  let sum = 0
  for (const row of inputs)
    for (const n of partsOf(row).numbers)
      if (Number.isFinite(n) && !(Number.isInteger(n) && Math.abs(n) > summedMax)) sum += Math.abs(n)
  return sum * Number.EPSILON
}

const nearly = (a: Parts, b: Parts, crumb: number): boolean =>
  a.frame === b.frame &&
  a.numbers.every((x, i) => {
    const y = b.numbers[i]
    if (Object.is(x, y)) return true
    if (Number.isSafeInteger(x) && Number.isSafeInteger(y)) return false
    return Math.abs(x - y) <= Math.max(crumb, tolerance * Math.max(Math.abs(x), Math.abs(y)))
  })

/** What is in one multiset and not in the other. */
export interface Difference {
  readonly missing: ReadonlyArray<string>
  readonly extra: ReadonlyArray<string>
}

/** Compares two lists of rows, whatever their order; `inputs`: what they were made of, which says how exact sums are. */
export const differenceOf = (
  wanted: ReadonlyArray<unknown>,
  got: ReadonlyArray<unknown>,
  inputs: ReadonlyArray<unknown> = []
): Difference => {
  const left = new Map<string, { readonly row: unknown; times: number }>()
  for (const row of wanted) {
    const text = textOf(row)
    const known = left.get(text)
    if (known === undefined) left.set(text, { row, times: 1 })
    else known.times++
  }
  const more: Array<Parts> = []
  for (const row of got) {
    const text = textOf(row)
    const known = left.get(text)
    if (known !== undefined && known.times > 0) known.times--
    else more.push({ text, ...partsOf(row) })
  }
  const missing = [...left].flatMap(([text, { row, times }]) =>
    Array.from({ length: times }, (): Parts => ({ text, ...partsOf(row) }))
  )
  if (missing.length === 0 || more.length === 0) return { missing: textsOf(missing), extra: textsOf(more) }
  const crumb = crumbOf(inputs)
  const extra = more.filter((row) => {
    const at = missing.findIndex((other) => nearly(other, row, crumb))
    if (at >= 0) missing.splice(at, 1)
    return at < 0
  })
  return { missing: textsOf(missing), extra: textsOf(extra) }
}

const textsOf = (rows: ReadonlyArray<Parts>): ReadonlyArray<string> => rows.map(({ text }) => text)

const shownMax = 3

const some = (rows: ReadonlyArray<string>): string =>
  rows.slice(0, shownMax).join(", ") + (rows.length > shownMax ? `, and ${rows.length - shownMax} more` : "")

/** A difference in words; empty when there is none. */
export const describeDifference = (output: string, { missing, extra }: Difference): ReadonlyArray<string> => [
  ...(missing.length > 0 ? [`${output}: ${missing.length} missing: ${some(missing)}`] : []),
  ...(extra.length > 0 ? [`${output}: ${extra.length} too many: ${some(extra)}`] : [])
]

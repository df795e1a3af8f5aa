/**
 * Values of rows as text that is safe to print: one line, no control characters, a known width.
 *
 * Data comes from outside: an escape sequence in it must not move the cursor, change colours or forge a row, and a
 * direction override must not make text read as something else. Such characters are shown as `\u001b`.
 */
import { jsonText } from "../../model/Text.ts"
import { windowColumns } from "../../model/WindowColumns.ts"

/** Characters of a cell that is not truncated; the rest is cut, so that one row cannot fill a manifest or a screen. */
export const cellCharsMax = 10_000

/** Control, format, line and paragraph separators, lone surrogates. */
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

const short: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"]
])

const escaped = (c: string): string => {
  const code = c.codePointAt(0) ?? 0
  return short.get(c) ?? (code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`)
}

/** Text with every character escaped that a terminal would act on. */
export const escapeControls = (text: string): string => text.replace(unsafe, escaped)

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u
const zeroWidth = /\p{M}/u

/** Columns of a terminal that escaped text takes: 2 for CJK and emoji, 0 for combining marks. */
export const displayWidth = (text: string): number => {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let width = 0
  for (const c of text) width += zeroWidth.test(c) ? 0 : wide.test(c) ? 2 : 1
  return width
}

/** Cuts text to a width, ending in `...` where that leaves room (Spark: from 4). 0 leaves it whole. */
export const truncated = (text: string, most: number): string => {
  if (most === 0 || displayWidth(text) <= most) return text
  const dots = most < 4 ? "" : "..."
  let width = 0
  let out = ""
  for (const c of text) {
    width += displayWidth(c)
    if (width > most - dots.length) break
    out += c
  }
  return out + dots
}

const instant = (ms: number): string => {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? "Invalid Date" : date.toISOString().replace(".000Z", "Z")
}

/** JSON of an object. One that becomes a text, such as a DateTime.Utc, is shown without quotes. */
const textOfObject = (value: object): string => {
  const text = jsonText(value)
  try {
    return text.startsWith('"') ? (JSON.parse(text) as string) : text
  } catch {
    // The words of an object that has no JSON.
    return text
  }
}

/** Columns whose numbers are instants in milliseconds. */
export const isInstantColumn = (column: string): boolean => column === windowColumns[0] || column === windowColumns[1]

/** The text of a value, not yet truncated. Numbers in `window_start` and `window_end` are instants. */
const plainText = (value: unknown, column: string): { readonly text: string; readonly whole: boolean } => {
  if (typeof value === "string") return { text: value, whole: false }
  if (value === undefined) return { text: "", whole: true }
  if (typeof value === "number" && isInstantColumn(column)) return { text: instant(value), whole: true }
  if (value instanceof Date) return { text: instant(value.getTime()), whole: true }
  if (typeof value !== "object" || value === null) return { text: String(value), whole: typeof value === "number" }
  return { text: textOfObject(value), whole: false }
}

/** One cell: safe text of at most `most` columns (0: whole). Numbers and instants are never cut. */
export const cellText = (value: unknown, column: string, most: number): string => {
  const { text, whole } = plainText(value, column)
  const bounded = text.length > cellCharsMax ? `${text.slice(0, cellCharsMax)}...` : text
  const safe = escapeControls(bounded)
  return whole ? safe : truncated(safe, most)
}

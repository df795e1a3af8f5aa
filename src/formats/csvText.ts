/**
 * The grammar of CSV (RFC 4180) on one record: where it ends, its cells, and cells back to text.
 *
 * Strict where it matters: text behind a closing quote is a fault. Lenient where every reader is: a quote inside a field
 * that did not begin with one is just a character. Blanks are kept.
 *
 * Own code rather than `effect/encoding` Csv, the one library whose source was read for this: it does not give bytes
 * and place of a bad record, go on after it, and refuse invalid UTF-8 all at once.
 */
import type { RecordScanner } from "./lines.ts"
import type { Fault } from "./Format.ts"

const QUOTE = 34
const LF = 10

const fieldStart = 0
const unquoted = 1
const quoted = 2
const quoteSeen = 3

/** Finds where records end; `delimiter` is one ASCII character. */
export const csvScanner = (delimiter: string): RecordScanner => {
  const separator = delimiter.charCodeAt(0)
  let state = fieldStart
  return {
    reset: () => {
      state = fieldStart
    },
    find: (bytes, from, to) => {
      let s = state
      for (let i = from; i < to; i++) {
        const b = bytes[i]
        if (s === quoted) {
          if (b === QUOTE) s = quoteSeen
        } else if (b === LF) {
          state = fieldStart
          return i
        } else if (b === separator) s = fieldStart
        else if (b === QUOTE && (s === fieldStart || s === quoteSeen)) s = quoted
        else s = unquoted
      }
      state = s
      return -1
    }
  }
}

/** Cells of one record. `wasQuoted` is absent when none was. */
export interface Cells {
  readonly cells: ReadonlyArray<string>
  readonly wasQuoted?: ReadonlyArray<boolean>
}

/** Splits a record, without its line end, into cells. */
export const splitRecord = (text: string, delimiter: string): Cells | Fault => {
  if (!text.includes('"')) return { cells: text.split(delimiter) }
  const cells: Array<string> = []
  const wasQuoted: Array<boolean> = []
  let i = 0
  for (;;) {
    if (text.charCodeAt(i) !== QUOTE) {
      const end = text.indexOf(delimiter, i)
      cells.push(end < 0 ? text.slice(i) : text.slice(i, end))
      wasQuoted.push(false)
      if (end < 0) return { cells, wasQuoted }
      i = end + 1
      continue
    }
    let cell = ""
    let close = text.indexOf('"', i + 1)
    for (i++; close >= 0 && text.charCodeAt(close + 1) === QUOTE; close = text.indexOf('"', i)) {
      cell += text.slice(i, close + 1)
      i = close + 2
    }
    if (close < 0) return { reason: "malformed", detail: `a quote that is not closed, in field ${cells.length + 1}` }
    cells.push(cell + text.slice(i, close))
    wasQuoted.push(true)
    if (close + 1 === text.length) return { cells, wasQuoted }
    if (text[close + 1] !== delimiter)
      return { reason: "malformed", detail: `text behind the closing quote of field ${cells.length}` }
    i = close + 2
  }
}

const needsQuotes = (text: string, delimiter: string): boolean =>
  text === "" ||
  text.includes('"') ||
  text.includes(delimiter) ||
  text.includes("\n") ||
  text.includes("\r") ||
  text.startsWith("\uFEFF")

/**
 * One cell as text. Quoted where it must be (a BOM at its start too, lest the file begin with it), and where it is empty:
 * nothing at all between delimiters means null.
 */
export const quoteCell = (text: string, delimiter: string): string =>
  needsQuotes(text, delimiter) ? `"${text.replaceAll('"', '""')}"` : text

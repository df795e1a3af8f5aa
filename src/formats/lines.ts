/**
 * Text in lines: what JSON lines, CSV and plain text have in common.
 *
 * A line ends with LF, CRLF or the end of the stream; a record of CSV may span lines. A BOM at the start of the stream is
 * skipped. What is longer than the limit becomes one dead row and is never held whole; reading goes on after it. Invalid
 * UTF-8 makes its line dead.
 */
import type { DeadRow } from "../model/DeadLetter.ts"
import { Limits } from "../model/Limits.ts"
import { bomLength, drop, feed, textOf, windowAt } from "./bytes.ts"
import { deadRow, type Decoded, type Fault, type RowLimits, type StreamDecoder } from "./Format.ts"

/** Finds the end of a record that may hold line breaks. Keeps its state between calls for one record. */
export interface RecordScanner {
  /** The index of the LF that ends the record, looking at `bytes[from..to)`; -1 when it is not there. */
  readonly find: (bytes: Uint8Array, from: number, to: number) => number
  /** Begins a new record. */
  readonly reset: () => void
}

/** What a format does with lines. */
export interface LineRules<A> {
  /** Decodes one line or record and pushes its row, or nothing when it is the head. */
  readonly decode: (text: string, rows: Array<A>) => Fault | undefined
  /** Lines that are no rows at all: skipped, not counted. `length` without CR. */
  readonly skips: (bytes: Uint8Array, start: number, length: number) => boolean
  /** Absent: a line is a record. */
  readonly scanner?: RecordScanner
  /** Whether the head of the stream, if the format has one, was read. Without it nothing else can be. */
  readonly headRead?: () => boolean
}

const LF = 10
const CR = 13

/** A line that holds nothing but blanks. */
export const isBlank = (bytes: Uint8Array, start: number, length: number): boolean => {
  for (let i = start; i < start + length; i++) {
    const b = bytes[i]
    if (b !== 32 && b !== 9 && b !== CR) return false
  }
  return true
}

/** The fault of bytes that are no text. */
export const badUtf8: Fault = { reason: "malformed", detail: "not valid UTF-8" }

/** The fault of a line, record or element over the limit. */
export const tooLong = (limits: RowLimits, what: string): Fault => ({
  reason: "too-large",
  detail: `a ${what} longer than ${limits.lineBytesMax} bytes (lineBytesMax)`
})

const openQuote: Fault = { reason: "malformed", detail: "a quote that is not closed" }

/** A decoder of lines; `source` names the stream in dead rows. */
export const lineDecoder = <A>(source: string, limits: RowLimits, rules: LineRules<A>): StreamDecoder<A> => {
  const { scanner } = rules
  const keep = Math.min(limits.lineBytesMax, Limits.deadLetterBytesMax)
  let w = windowAt(0)
  let line = 1
  let begun = false
  let finished = false
  let broken: string | undefined
  let lost = false
  let starved = true
  /** Where to look for the end of the record: it is not before. */
  let scanned = 0
  /** The first bytes of a line that is too long, while its rest is skipped. */
  let skipping: Uint8Array | undefined
  let rows: Array<A> = []
  let lines: Array<number> = []
  let dead: Array<DeadRow> = []
  let taken = 0

  const bury = (fault: Fault, bytes: Uint8Array, more = false): void => {
    lost = rules.headRead?.() === false
    const told = lost ? { reason: fault.reason, detail: `${fault.detail}: the file is not read` } : fault
    dead.push(deadRow(rows.length, told, `${source}:${line}`, bytes, more))
  }
  const consume = (n: number): void => {
    drop(w, n)
    taken += n
    scanned = w.start
    scanner?.reset()
  }
  const firstLf = (): number => {
    const lf = w.bytes.indexOf(LF, w.start)
    return lf < w.end ? lf : -1
  }
  const withoutCr = (length: number): number =>
    length > 0 && w.bytes[w.start + length - 1] === CR ? length - 1 : length
  const linesIn = (length: number): number => {
    let n = 0
    if (scanner !== undefined) for (let i = w.start; i < w.start + length; i++) if (w.bytes[i] === LF) n++
    return n
  }

  /** A record of `length` bytes within the limit, `whole` with its end. */
  const record = (length: number, whole: number): void => {
    const inner = withoutCr(length)
    if (!rules.skips(w.bytes, w.start, inner)) {
      const bytes = w.bytes.subarray(w.start, w.start + inner)
      const text = textOf(bytes)
      const count = rows.length
      const fault = text === undefined ? badUtf8 : rules.decode(text, rows)
      if (fault !== undefined) bury(fault, bytes)
      else if (rows.length > count) lines.push(line)
    }
    const inside = linesIn(length)
    consume(whole)
    line += 1 + inside
  }

  /** More bytes than the limit without an end. A quote left open costs its own line only; a long line is skipped. */
  const overlong = (): void => {
    const lf = scanner === undefined ? -1 : firstLf()
    if (lf >= 0 && lf - w.start <= limits.lineBytesMax) return unclosed(lf)
    skipping = w.bytes.slice(w.start, w.start + keep)
  }
  const unclosed = (lf: number): void => {
    const end = lf < 0 ? w.end : lf
    bury(openQuote, w.bytes.subarray(w.start, w.start + withoutCr(end - w.start)))
    consume((lf < 0 ? end : lf + 1) - w.start)
    line++
  }

  /** Skips the rest of a line that is too long; false when it goes on beyond what was fed. */
  const skip = (head: Uint8Array): boolean => {
    const lf = firstLf()
    consume(lf >= 0 ? lf + 1 - w.start : w.end - w.start)
    if (lf < 0 && !finished) return false
    bury(tooLong(limits, "line"), head, true)
    skipping = undefined
    line++
    return true
  }

  /** The stream has ended, and the record with it. */
  const last = (): boolean => {
    if (broken !== undefined) {
      bury({ reason: "malformed", detail: broken }, w.bytes.subarray(w.start, w.end))
      consume(w.end - w.start)
      broken = undefined
    } else if (w.start === w.end) return false
    else if (scanner !== undefined && firstLf() >= 0) unclosed(firstLf())
    else record(w.end - w.start, w.end - w.start)
    return true
  }

  const begin = (): boolean => {
    const bom = bomLength(w, finished)
    if (bom === undefined) return false
    begun = true
    if (bom > 0) consume(bom)
    return true
  }

  /** Decodes or skips one record; false when the next one is not there yet. */
  const step = (): boolean => {
    if (!begun && !begin()) return false
    if (lost) {
      consume(w.end - w.start)
      broken = undefined
      return false
    }
    if (skipping !== undefined) return skip(skipping)
    const found = scanner === undefined ? w.bytes.indexOf(LF, scanned) : scanner.find(w.bytes, scanned, w.end)
    const lf = found < w.end ? found : -1
    if ((lf < 0 ? w.end : lf) - w.start > limits.lineBytesMax) {
      overlong()
      return true
    }
    if (lf >= 0) {
      record(lf - w.start, lf + 1 - w.start)
      return true
    }
    scanned = w.end
    return finished && last()
  }

  /** After the last row that was asked for: skips lines that are no rows, so that the end is seen when it is there. */
  const skipBlanks = (): void => {
    while (skipping === undefined && begun && !lost && w.start < w.end) {
      const lf = firstLf()
      if (lf < 0 && (!finished || broken !== undefined)) return
      const length = (lf < 0 ? w.end : lf) - w.start
      if (length > limits.lineBytesMax || !rules.skips(w.bytes, w.start, withoutCr(length))) return
      consume(lf < 0 ? length : length + 1)
      line++
    }
    if (lost) consume(w.end - w.start)
  }

  return {
    feed: (block) => {
      const ahead = scanned - w.start
      feed(w, block)
      scanned = w.start + ahead
      starved = false
    },
    finish: (why) => {
      finished = true
      broken = why
      starved = false
    },
    take: (wanted, bytes) => {
      while (rows.length + dead.length < wanted && (taken < bytes || rows.length + dead.length === 0)) {
        if (!step()) {
          starved = true
          return false
        }
      }
      skipBlanks()
      starved = w.start === w.end
      return true
    },
    pending: () => rows.length + dead.length,
    drain: (): Decoded<A> => {
      const out: Decoded<A> = { rows, lines, dead, bytes: taken }
      rows = []
      lines = []
      dead = []
      taken = 0
      return out
    },
    hungry: () => starved && !finished,
    ended: () => finished && (broken === undefined || lost) && skipping === undefined && w.start === w.end,
    mark: () => ({ offset: w.offset, line, state: lost ? 1 : 0 }),
    seek: (mark) => {
      w = windowAt(mark.offset)
      line = mark.line
      lost = mark.state === 1
      scanned = 0
      scanner?.reset()
      begun = mark.offset > 0
      skipping = undefined
      finished = false
      broken = undefined
      starved = true
      rows = []
      lines = []
      dead = []
      taken = 0
    },
    headRead: () => lost || (rules.headRead?.() ?? true)
  }
}

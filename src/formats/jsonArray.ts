/**
 * One JSON array of rows, `[{...}, {...}]`, element by element: the file is never held whole.
 *
 * Elements are found by their commas outside strings and brackets, so that a bad one is a dead row and the next one is
 * read. An element over the limit is skipped without being held. A line break inside a string, which JSON forbids, ends
 * the element, so that one missing quote does not swallow the rest. Rows are numbered from 1.
 */
import type { DeadRow } from "../model/DeadLetter.ts"
import { Limits } from "../model/Limits.ts"
import { bomLength, drop, feed, textOf, windowAt } from "./bytes.ts"
import { deadRow, type Decoded, type Fault, type RowLimits, type StreamDecoder } from "./Format.ts"
import { badUtf8, tooLong } from "./lines.ts"

/** `state` of a mark: what comes next. `lost`: behind something that was no array, where nothing is read any more. */
const expects = { opening: 0, firstElement: 1, element: 2, nothing: 3, lost: 4 } as const
type Expects = (typeof expects)[keyof typeof expects]

const isSpace = (b: number): boolean => b === 32 || b === 10 || b === 13 || b === 9

/** A decoder of one array; `decode` reads the text of one element. */
export const arrayDecoder = <A>(
  source: string,
  limits: RowLimits,
  decode: (text: string, rows: Array<A>) => Fault | undefined
): StreamDecoder<A> => {
  let w = windowAt(0)
  let row = 1
  let state: Expects = expects.opening
  let begun = false
  let finished = false
  let broken: string | undefined
  let starved = true
  // Within one element: how far it was looked at, and what was seen.
  let at = 0
  let depth = 0
  let inString = false
  let escaped = false
  /** The first bytes of an element that is too long, while its rest is skipped. */
  let head: Uint8Array | undefined
  const keep = Math.min(limits.lineBytesMax, Limits.deadLetterBytesMax)
  let rows: Array<A> = []
  let lines: Array<number> = []
  let dead: Array<DeadRow> = []
  let taken = 0

  const bury = (fault: Fault, bytes: Uint8Array, more = false): void => {
    dead.push(deadRow(rows.length, fault, `${source}:${row}`, bytes, more))
  }
  const consume = (n: number): void => {
    drop(w, n)
    taken += n
    at = w.start
  }
  const skipSpace = (): void => {
    let n = w.start
    while (n < w.end && isSpace(w.bytes[n])) n++
    if (n > w.start) consume(n - w.start)
  }

  /**
   * Looks for the comma or bracket that ends the element at the start of the window, or the line break in a string that
   * breaks it off; -1 when it is not there yet.
   */
  const findEnd = (): number => {
    const { bytes, end } = w
    let i = at
    let nested = depth
    let quoted = inString
    let skipNext = escaped
    for (; i < end; i++) {
      const b = bytes[i]
      if (quoted) {
        if (skipNext) skipNext = false
        else if (b === 92) skipNext = true
        else if (b === 34) quoted = false
        else if (b === 10) break
      } else if (b === 34) quoted = true
      else if (b === 123 || b === 91) nested++
      else if (b === 125 || b === 93) {
        if (nested === 0 && b === 93) break
        if (nested > 0) nested--
      } else if (b === 44 && nested === 0) break
    }
    at = i
    depth = nested
    inString = quoted
    escaped = skipNext
    return i < end ? i : -1
  }

  const trimmed = (end: number): Uint8Array => {
    let last = end
    while (last > w.start && isSpace(w.bytes[last - 1])) last--
    return w.bytes.subarray(w.start, last)
  }

  const oneRow = (bytes: Uint8Array): void => {
    const text = textOf(bytes)
    const fault = text === undefined ? badUtf8 : decode(text, rows)
    if (fault === undefined) lines.push(row)
    else bury(fault, bytes)
    row++
  }

  const buryLong = (): void => {
    bury(tooLong(limits, "row"), head ?? w.bytes.subarray(w.start, w.start + keep), true)
    row++
  }

  const reset = (): void => {
    depth = 0
    inString = false
    escaped = false
    head = undefined
  }

  /** The element that ends before `end`, where a comma or the closing bracket is. */
  const element = (end: number): void => {
    const closing = w.bytes[end] === 93
    const brokenOff = w.bytes[end] === 10
    const bytes = trimmed(end)
    if (head !== undefined || end - w.start > limits.lineBytesMax) buryLong()
    else if (bytes.length > 0) oneRow(bytes)
    else if (!closing || state === expects.element) {
      bury(
        { reason: "malformed", detail: "nothing stands between two commas, or a comma and the end of the array" },
        bytes
      )
      row++
    }
    consume(end + 1 - w.start)
    // After a line break no comma has been seen: the array may end here.
    state = closing ? expects.nothing : brokenOff ? expects.firstElement : expects.element
    reset()
  }

  /** The stream ended inside the array. A row that is whole is kept, and then it is said what happened. */
  const cutOff = (): void => {
    let rest = trimmed(w.end)
    if (head !== undefined || w.end - w.start > limits.lineBytesMax) {
      buryLong()
      rest = rest.subarray(rest.length)
    } else if (depth === 0 && !inString && rest.length > 0 && (rest[0] === 123 || rest[0] === 91 || rest[0] === 34)) {
      oneRow(rest)
      rest = rest.subarray(rest.length)
    }
    bury({ reason: "malformed", detail: broken ?? "the file ends inside the array: is it cut off?" }, rest)
    consume(w.end - w.start)
    broken = undefined
    state = expects.nothing
    reset()
  }

  /** What is neither before nor in nor behind an array: one dead row, and the rest of the stream is not read. */
  const giveUp = (detail: string): void => {
    bury({ reason: "malformed", detail }, w.bytes.subarray(w.start, w.end))
    state = expects.lost
    consume(w.end - w.start)
  }
  /** Whether enough was fed to give up, with as many bytes as a dead row keeps. */
  const enough = (): boolean => finished || w.end - w.start > Limits.deadLetterBytesMax

  const opening = (): boolean => {
    if (!begun) {
      const bom = bomLength(w, finished)
      if (bom === undefined) return false
      begun = true
      if (bom > 0) consume(bom)
    }
    skipSpace()
    if (w.start === w.end) {
      // A file of nothing but blanks holds no rows.
      if (broken === undefined) return false
      cutOff()
      return true
    }
    if (w.bytes[w.start] === 91) {
      consume(1)
      state = expects.firstElement
      return true
    }
    if (!enough()) return false
    giveUp('not a JSON array: it does not begin with "[" (for one object a line use Json.lines)')
    return true
  }

  const afterwards = (): boolean => {
    if (state === expects.lost) consume(w.end - w.start)
    else skipSpace()
    if (w.start < w.end) {
      if (!enough()) return false
      giveUp("text behind the end of the array")
      return true
    }
    if (broken === undefined) return false
    cutOff()
    return true
  }

  /** One row, dead row or bracket; false when more bytes are needed, or none will come. */
  const step = (): boolean => {
    if (state === expects.opening) return opening()
    if (state === expects.nothing || state === expects.lost) return afterwards()
    if (atStart()) skipSpace()
    const end = findEnd()
    if (end >= 0) {
      element(end)
      return true
    }
    if (finished) {
      cutOff()
      return true
    }
    if (head === undefined && w.end - w.start > limits.lineBytesMax) {
      head = w.bytes.slice(w.start, w.start + keep)
    }
    if (head !== undefined) consume(w.end - w.start)
    return false
  }
  /** Nothing of the next element was looked at yet. */
  const atStart = (): boolean => head === undefined && depth === 0 && !inString && at === w.start

  return {
    feed: (block) => {
      const ahead = at - w.start
      feed(w, block)
      at = w.start + ahead
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
      // The end of the array and what is behind it, so that the end is seen when it is there.
      if (state === expects.lost) consume(w.end - w.start)
      else if (state !== expects.opening && atStart()) skipSpace()
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
    ended: () =>
      finished &&
      broken === undefined &&
      w.start === w.end &&
      state !== expects.firstElement &&
      state !== expects.element,
    mark: () => ({ offset: w.offset, line: row, state }),
    seek: (mark) => {
      w = windowAt(mark.offset)
      row = mark.line
      state = mark.state as Expects
      begun = mark.offset > 0
      at = 0
      reset()
      rows = []
      lines = []
      dead = []
      taken = 0
      finished = false
      broken = undefined
      starved = true
    },
    headRead: () => true
  }
}

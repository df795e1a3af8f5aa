/**
 * Makes dead letters, of rows and of bytes: the one place where their text is cut, at `Limits.deadLetterBytesMax` bytes
 * of the input and never within a character.
 */
import type { DeadLetter } from "../model/DeadLetter.ts"
import { Limits } from "../model/Limits.ts"
import { jsonText } from "../model/Text.ts"

/** What a dead letter says beside the row itself: where it stood, and why it is dead. */
export type LetterHead = Omit<DeadLetter, "text" | "base64" | "truncated">

/** A BOM is bytes of the input too. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** A dead letter of a row that has no bytes of its own, or no longer: they are the row as JSON. */
export const letterOfRow = (head: LetterHead, row: unknown): DeadLetter => {
  const text = jsonText(row)
  // No UTF-16 code unit takes more than three bytes of UTF-8.
  if (text.length * 3 <= Limits.deadLetterBytesMax) return { ...head, text, truncated: false }
  const bytes = new Uint8Array(Limits.deadLetterBytesMax)
  const { read, written } = encoder.encodeInto(text, bytes)
  if (read === text.length) return { ...head, text, truncated: false }
  // Not a slice of the text, which would keep all of it in memory.
  return { ...head, text: decoder.decode(bytes.subarray(0, written)), truncated: true }
}

/**
 * A dead letter of bytes: as text where they are UTF-8, else as base64, so that none are lost. `truncated`: they are the
 * first of more; a character that was cut in two is then left out of the text.
 */
export const letterOfBytes = (head: LetterHead, bytes: Uint8Array, truncated: boolean): DeadLetter => {
  const isCut = truncated || bytes.length > Limits.deadLetterBytesMax
  const kept = bytes.subarray(0, Limits.deadLetterBytesMax)
  try {
    return { ...head, text: decoder.decode(isCut ? withoutPart(kept) : kept), truncated: isCut }
  } catch {
    return { ...head, base64: Buffer.from(kept).toString("base64"), truncated: isCut }
  }
}

/** UTF-8 without the beginning of a character that its end cuts off. */
const withoutPart = (bytes: Uint8Array): Uint8Array => {
  const n = bytes.length
  for (let back = 1; back <= 3 && back <= n; back++) {
    const byte = bytes[n - back]
    if (byte >> 6 === 0b10) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return length > back ? bytes.subarray(0, n - back) : bytes
  }
  return bytes
}

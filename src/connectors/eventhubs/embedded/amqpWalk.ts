/**
 * Walks over encoded AMQP 1.0 values without decoding them.
 *
 * What an event holds goes from sender to reader byte for byte, so the service looks at lengths and at a few names
 * only. Everything here is bounded by the bytes it is given: values that reach beyond them, nest too deeply or claim
 * absurd counts throw {@link Malformed}, never anything else.
 */

/** These bytes are not AMQP, or more than a peer has a reason to send. */
export class Malformed extends Error {
  override readonly name = "Malformed"
}

const malformed = (what: string): never => {
  throw new Malformed(what)
}

/** Values inside of values deeper than this are refused. */
const depthMax = 64

/** Elements of no width, of which any number fits into an array of five bytes. */
const widthlessMax = 256

/** Codes of the sections of a message, in their order. */
export const Section = {
  header: 0x70,
  deliveryAnnotations: 0x71,
  messageAnnotations: 0x72,
  properties: 0x73,
  data: 0x75,
  value: 0x77
} as const

const uint32At = (b: Uint8Array, at: number): number =>
  ((b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]) >>> 0

/** Bytes after the type code that say how long a value of the code is: its width, or those of its size field. */
const widthOf = (code: number): number => {
  switch (code >> 4) {
    case 0x4:
      return 0
    case 0x5:
    case 0xa:
    case 0xc:
    case 0xe:
      return 1
    case 0x6:
      return 2
    case 0x7:
    case 0xb:
    case 0xd:
    case 0xf:
      return 4
    case 0x8:
      return 8
    case 0x9:
      return 16
  }
  return malformed(`there is no AMQP type 0x${code.toString(16)}`)
}

const isSized = (code: number): boolean => code >> 4 >= 0xa

/** Where a value without its type code ends. */
const endOfBody = (b: Uint8Array, at: number, code: number, end: number): number => {
  const width = widthOf(code)
  if (at + width > end) return malformed("a value is cut off")
  const next = at + width + (isSized(code) ? (width === 1 ? b[at] : uint32At(b, at)) : 0)
  return next > end ? malformed("a value is longer than what holds it") : next
}

/** Where the value at `at` ends, descriptor included; it must end by `end`. */
export const skip = (b: Uint8Array, at: number, end: number, depth = 0): number => {
  if (at >= end) return malformed("a value is missing")
  if (b[at] !== 0) return endOfBody(b, at + 1, b[at], end)
  if (depth >= depthMax) return malformed("values nest too deeply")
  return skip(b, skip(b, at + 1, end, depth + 1), end, depth + 1)
}

const checkItems = (b: Uint8Array, from: number, end: number, count: number, depth: number): void => {
  let at = from
  for (let i = 0; i < count; i++) at = check(b, at, end, depth + 1)
  if (at !== end) malformed("a list or map does not end with its last item")
}

const checkArray = (b: Uint8Array, from: number, end: number, count: number, depth: number): void => {
  let at = from
  if (at < end && b[at] === 0) at = check(b, at + 1, end, depth + 1)
  if (at >= end) malformed("an array has no type")
  const code = b[at++]
  if (code === 0) malformed("an array has two descriptors")
  if (widthOf(code) === 0 && count > widthlessMax) malformed("an array claims too many elements")
  for (let i = 0; i < count; i++) at = checkBody(b, at, code, end, depth + 1)
}

const checkBody = (b: Uint8Array, at: number, code: number, end: number, depth: number): number => {
  const next = endOfBody(b, at, code, end)
  const kind = code >> 4
  if (kind < 0xc) return next
  if (depth >= depthMax) return malformed("values nest too deeply")
  const width = widthOf(code)
  const from = at + 2 * width
  if (from > next) return malformed("a list, map or array has no count")
  const count = width === 1 ? b[at + width] : uint32At(b, at + width)
  if (kind >= 0xe) checkArray(b, from, next, count, depth)
  else checkItems(b, from, next, count, depth)
  return next
}

/** As {@link skip}, but all that is inside is looked at too: a decoder may be let loose on what passes. */
export const check = (b: Uint8Array, at: number, end: number, depth = 0): number => {
  if (at >= end) return malformed("a value is missing")
  if (b[at] !== 0) return checkBody(b, at + 1, b[at], end, depth)
  if (depth >= depthMax) return malformed("values nest too deeply")
  return check(b, check(b, at + 1, end, depth + 1), end, depth + 1)
}

/** The code of the section that begins at `at`, such as {@link Section.data}. Its value begins at {@link sectionValue}. */
export const sectionCode = (b: Uint8Array, at: number, end: number): number => {
  if (at + 3 > end || b[at] !== 0) return malformed("a section has no descriptor")
  if (b[at + 1] === 0x53) return b[at + 2]
  if (b[at + 1] !== 0x80 || at + 10 > end || uint32At(b, at + 2) !== 0) return malformed("a section is unknown")
  return uint32At(b, at + 6)
}

/** Where the value of the section that begins at `at` begins. */
export const sectionValue = (b: Uint8Array, at: number): number => at + (b[at + 1] === 0x53 ? 3 : 10)

/** Where the bytes of the binary at `at` begin; they end with the value. */
export const binaryStart = (b: Uint8Array, at: number): number =>
  b[at] === 0xa0 ? at + 2 : b[at] === 0xb0 ? at + 5 : malformed("a data section holds no binary")

/** Where the characters of the symbol or string at `at` begin; they end with the value. */
export const textStart = (b: Uint8Array, at: number): number => {
  const code = b[at]
  if (code === 0xa3 || code === 0xa1) return at + 2
  return code === 0xb3 || code === 0xb1 ? at + 5 : malformed("a name is neither a symbol nor a string")
}

/** Where the items of the map at `at` begin; they end with the value. A null is an empty map. */
export const mapStart = (b: Uint8Array, at: number): number => {
  const code = b[at]
  if (code === 0xc1) return at + 3
  if (code === 0xd1) return at + 9
  return code === 0x40 ? at + 1 : malformed("annotations are not a map")
}

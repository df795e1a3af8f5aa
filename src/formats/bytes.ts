/**
 * The bytes that a decoder was fed and has not used: one window that grows as needed, and strict UTF-8.
 */

/** A window on a stream of bytes. `bytes[start..end)` are those that were fed and not dropped. */
export interface Window {
  bytes: Uint8Array
  start: number
  end: number
  /** Whether `bytes` is the window's own array, and what lies behind `end` may be written. */
  own: boolean
  /** Bytes of the stream before `start`. */
  offset: number
}

/** A window at an offset of the stream, empty. */
export const windowAt = (offset: number): Window => ({ bytes: new Uint8Array(0), start: 0, end: 0, own: false, offset })

/** Adds a block. An empty window takes it as it is, without a copy. */
export const feed = (w: Window, block: Uint8Array): void => {
  const kept = w.end - w.start
  if (kept === 0) {
    w.bytes = block
    w.own = false
    w.start = 0
    w.end = block.length
    return
  }
  if (w.bytes.length - w.end >= block.length && w.own) {
    w.bytes.set(block, w.end)
    w.end += block.length
    return
  }
  const needed = kept + block.length
  // Room for as much again when a long line comes in many blocks, so that it is copied few times.
  const room = new Uint8Array(kept > block.length ? needed * 2 : needed)
  room.set(w.bytes.subarray(w.start, w.end))
  room.set(block, kept)
  w.bytes = room
  w.own = true
  w.start = 0
  w.end = needed
}

/** Forgets the first `n` bytes of the window. */
export const drop = (w: Window, n: number): void => {
  w.start += n
  w.offset += n
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The text of valid UTF-8; `undefined` where it is not: nothing ever becomes U+FFFD. A BOM stays. */
export const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

const encoder = new TextEncoder()

/** The UTF-8 of a text without lone surrogates. */
export const utf8 = (text: string): Uint8Array => encoder.encode(text)

/** Length of a UTF-8 BOM at the start of the window, else 0. `undefined`: too few bytes to tell. */
export const bomLength = (w: Window, finished: boolean): number | undefined => {
  const bom = [0xef, 0xbb, 0xbf]
  for (let i = 0; i < 3; i++) {
    if (w.start + i >= w.end) return finished ? 0 : undefined
    if (w.bytes[w.start + i] !== bom[i]) return 0
  }
  return 3
}

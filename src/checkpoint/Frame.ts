/**
 * The frame round everything a checkpoint keeps: what it is, in which format, how long, and a checksum.
 *
 * Twenty bytes, little endian: `TDMK`, kind, a zero, format (2 bytes), length of the payload (8 bytes), CRC-32 (4 bytes)
 * of the payload followed by the sixteen bytes before it. Every truncation and every single flipped bit shows. The frame
 * itself never changes; `format` is that of the payload, and one that is newer than this release is refused by name.
 */
import { manifestFormat } from "./Manifest.ts"
import { crc32 } from "../model/crc32.ts"

/** What a frame holds. `tombstone`: a manifest was here and is collected. `void`: this number never happened (C6). */
export type FrameKind = "manifest" | "tombstone" | "void" | "snapshot" | "heartbeat"

const codes: { readonly [K in FrameKind]: number } = { manifest: 1, tombstone: 2, void: 3, snapshot: 4, heartbeat: 5 }
const formats: { readonly [K in FrameKind]: number } = {
  manifest: manifestFormat,
  tombstone: 1,
  void: 1,
  snapshot: 1,
  heartbeat: 1
}
const kinds = new Map(Object.entries(codes).map(([kind, code]) => [code, kind as FrameKind]))

/** Bytes before the payload. */
export const frameHeadBytes = 20

const magic = 0x4b4d4454
const lowWord = 0x1_0000_0000

/** The head of a frame, for a payload of this length and CRC. */
export const frameHead = (kind: FrameKind, length: number, crcOfPayload: number): Uint8Array => {
  const head = new Uint8Array(frameHeadBytes)
  const view = new DataView(head.buffer)
  view.setUint32(0, magic, true)
  view.setUint8(4, codes[kind])
  view.setUint16(6, formats[kind], true)
  view.setUint32(8, length % lowWord, true)
  view.setUint32(12, Math.floor(length / lowWord), true)
  view.setUint32(16, crc32(head.subarray(0, 16), crcOfPayload), true)
  return head
}

/** A payload in its frame. */
export const frame = (kind: FrameKind, payload: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(frameHeadBytes + payload.length)
  bytes.set(frameHead(kind, payload.length, crc32(payload)))
  bytes.set(payload, frameHeadBytes)
  return bytes
}

/** What stands in an object: a sound frame, one of a newer release, or nothing that can be trusted. */
export type Unframed =
  | { readonly tag: "sound"; readonly kind: FrameKind; readonly payload: Uint8Array; readonly crc: number }
  | { readonly tag: "newer"; readonly why: string }
  | { readonly tag: "damaged"; readonly why: string }

const damaged = (why: string): Unframed => ({ tag: "damaged", why })

/** Takes a frame apart; `payload` is a view of the bytes. */
export const unframe = (bytes: Uint8Array): Unframed => {
  if (bytes.length < frameHeadBytes) return damaged(`has ${bytes.length} bytes, too few for its head`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0, true) !== magic) return damaged("does not begin as a file of a checkpoint does")
  const length = view.getUint32(8, true) + view.getUint32(12, true) * lowWord
  const payload = bytes.subarray(frameHeadBytes)
  if (payload.length !== length) return damaged(`has ${payload.length} bytes where ${length} were written`)
  const crc = view.getUint32(16, true)
  if (crc32(bytes.subarray(0, 16), crc32(payload)) !== crc)
    return damaged("does not have the checksum it was written with")
  const kind = kinds.get(view.getUint8(4))
  const format = view.getUint16(6, true)
  if (kind === undefined)
    return { tag: "newer", why: `is of a kind that this release does not know (${view.getUint8(4)})` }
  if (format > formats[kind]) {
    return {
      tag: "newer",
      why: `is in format ${format} of a ${kind}, and this release reads up to format ${formats[kind]}: run the release that wrote it, or a newer one`
    }
  }
  if (format === 0) return damaged("has a format that was never written")
  return { tag: "sound", kind, payload, crc }
}

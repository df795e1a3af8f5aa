/**
 * The snapshots of an epoch's tasks as the bytes of one object, and back, exactly.
 *
 * In its frame the object is a row of blocks of at most a mebibyte, each compressed on its own: one flag (1: zstd), raw
 * length and stored length (4 bytes each), bytes. The raw bytes are sections: a task's name, pieces of its JSON
 * (`exactJson.ts`), columns as little-endian bytes, the end of the task, and in the end how many tasks there were.
 *
 * Encoding goes piece by piece, each well below a millisecond, and lets other fibers run between them. Decoding believes
 * nothing: every length is checked before anything is allocated for it, and only plain values and columns come back.
 */
import * as Effect from "effect/Effect"
import type { SnapshotColumn, SnapshotValue } from "../model/Snapshot.ts"
import type { TaskStates } from "./Chain.ts"
import { exactPieces, NotExact, parseExact } from "./exactJson.ts"
import { frameHead, frameHeadBytes, unframe } from "./Frame.ts"
import { crc32 } from "../model/crc32.ts"
import { compress, decompress } from "./zlib.ts"

/** Raw bytes of a block. */
const blockBytesMax = 1 << 20
/** Raw bytes of a column that one piece holds. */
const columnPieceBytes = 256 << 10
/** Blocks smaller than this are not worth compressing. */
const compressedFromBytes = 4 << 10
/** Raw bytes of all tasks together: what a reader is ready to hold. */
const rawBytesMax = 2 ** 33
const blockHeadBytes = 9

const sections = { task: 1, json: 2, column: 3, end: 4, all: 5 } as const

/** A snapshot that cannot be read: damaged, or not what was asked for. */
export interface Unreadable {
  readonly tag: "newer" | "damaged"
  readonly why: string
}

const columnKinds = [Float64Array, Int32Array, Uint8Array] as const
const kindOf = (column: SnapshotColumn): number => columnKinds.findIndex((kind) => column instanceof kind)

/** False on the few machines that keep the high byte first: there the bytes of columns are turned round. */
const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** A copy of the bytes in which those of every element stand the other way round. */
export const turned = (bytes: Uint8Array, width: number): Uint8Array => {
  const out = new Uint8Array(bytes.length)
  for (let at = 0; at < bytes.length; at += width) {
    for (let i = 0; i < width; i++) out[at + i] = bytes[at + width - 1 - i]
  }
  return out
}

const littleEndian = (bytes: Uint8Array, width: number): Uint8Array =>
  isLittleEndian || width === 1 ? bytes : turned(bytes, width)

const utf8 = new TextEncoder()

const section = (kind: number, length: number, columnKind = 0): Uint8Array => {
  const head = new Uint8Array(10)
  const view = new DataView(head.buffer)
  view.setUint8(0, kind)
  view.setUint8(1, columnKind)
  view.setUint32(2, length % 2 ** 32, true)
  view.setUint32(6, Math.floor(length / 2 ** 32), true)
  return head
}

/** The raw bytes, piece by piece. Throws `NotExact`, with the task's name, at a value that cannot be kept. */
export function* snapshotPieces(states: TaskStates): Generator<Uint8Array> {
  for (const [task, value] of states) {
    const name = utf8.encode(JSON.stringify(task))
    yield section(sections.task, name.length)
    yield name
    const columns: Array<SnapshotColumn> = []
    const next = exactPieces(value, (column) => columns.push(column) - 1)
    try {
      for (let text = next(); text !== undefined; text = next()) {
        const bytes = utf8.encode(text)
        yield section(sections.json, bytes.length)
        yield bytes
      }
    } catch (cause) {
      // A `Later` says itself which value of which aggregate cannot be kept.
      throw new NotExact(`the state of ${task}: ${cause instanceof Error ? cause.message : String(cause)}`)
    }
    for (const column of columns) {
      yield section(sections.column, column.byteLength, kindOf(column))
      for (let at = 0; at < column.byteLength; at += columnPieceBytes) {
        const length = Math.min(columnPieceBytes, column.byteLength - at)
        yield littleEndian(new Uint8Array(column.buffer, column.byteOffset + at, length), column.BYTES_PER_ELEMENT)
      }
    }
    yield section(sections.end, columns.length)
  }
  yield section(sections.all, states.size)
}

const concat = (pieces: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const out = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    out.set(piece, at)
    at += piece.length
  }
  return out
}

const blockOf = (raw: Uint8Array): Effect.Effect<Uint8Array, Error> =>
  Effect.map(raw.length < compressedFromBytes ? Effect.succeed(raw) : compress(raw), (packed) => {
    const stored = packed.length < raw.length ? packed : raw
    const block = new Uint8Array(blockHeadBytes + stored.length)
    const view = new DataView(block.buffer)
    view.setUint8(0, stored === raw ? 0 : 1)
    view.setUint32(1, raw.length, true)
    view.setUint32(5, stored.length, true)
    block.set(stored, blockHeadBytes)
    return block
  })

/** The object that holds these snapshots, and its checksum. Fails when a task's state holds what cannot be kept. */
export const encodeSnapshot = (
  states: TaskStates
): Effect.Effect<{ readonly bytes: Uint8Array; readonly crc: number }, NotExact> =>
  Effect.gen(function* () {
    const pieces = snapshotPieces(states)
    const next = Effect.try({
      try: () => pieces.next(),
      catch: (cause) => (cause instanceof NotExact ? cause : new NotExact(String(cause)))
    })
    const blocks: Array<Uint8Array> = []
    let crc = 0
    let total = 0
    let raw: Array<Uint8Array> = []
    let rawBytes = 0
    const flush = Effect.gen(function* () {
      const block = yield* Effect.mapError(blockOf(concat(raw, rawBytes)), (e) => new NotExact(e.message))
      blocks.push(block)
      crc = crc32(block, crc)
      total += block.length
      raw = []
      rawBytes = 0
    })
    let sinceYield = 0
    for (let piece = yield* next; piece.done !== true; piece = yield* next) {
      // A single long text is one piece, and may be longer than a block.
      for (let at = 0; at < piece.value.length; at += columnPieceBytes) {
        const part = piece.value.subarray(at, at + columnPieceBytes)
        if (rawBytes + part.length > blockBytesMax) yield* flush
        raw.push(part)
        rawBytes += part.length
        sinceYield += part.length
        if (sinceYield <= columnPieceBytes) continue
        sinceYield = 0
        yield* Effect.yieldNow
      }
    }
    yield* flush
    const head = frameHead("snapshot", total, crc)
    const bytes = new Uint8Array(frameHeadBytes + total)
    bytes.set(head)
    let at = frameHeadBytes
    for (const block of blocks) {
      bytes.set(block, at)
      at += block.length
      if (blocks.length > 1) yield* Effect.yieldNow
    }
    return { bytes, crc: new DataView(head.buffer).getUint32(16, true) }
  })

const damaged = (why: string): Unreadable => ({ tag: "damaged", why })

/** The raw bytes of all blocks; nothing is allocated before its length was checked. */
const unpack = (payload: Uint8Array): Effect.Effect<Uint8Array, Unreadable> =>
  Effect.gen(function* () {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
    const chunks: Array<Uint8Array> = []
    let total = 0
    let at = 0
    while (at < payload.length) {
      if (payload.length - at < blockHeadBytes) return yield* Effect.fail(damaged("ends within the head of a block"))
      const flag = view.getUint8(at)
      const rawLength = view.getUint32(at + 1, true)
      const stored = view.getUint32(at + 5, true)
      at += blockHeadBytes
      if (
        flag > 1 ||
        rawLength > blockBytesMax ||
        stored > payload.length - at ||
        (flag === 0 && stored !== rawLength)
      ) {
        return yield* Effect.fail(damaged("has a block that was never written"))
      }
      total += rawLength
      if (total > rawBytesMax) return yield* Effect.fail(damaged(`unpacks to more than ${rawBytesMax} bytes`))
      const bytes = payload.subarray(at, at + stored)
      const unpacked =
        flag === 0
          ? bytes
          : yield* Effect.mapError(decompress(bytes, Math.max(1, rawLength)), (e) =>
              damaged(`has a block that does not unpack: ${e.message.slice(0, 80)}`)
            )
      if (unpacked.length !== rawLength) return yield* Effect.fail(damaged("has a block of another length"))
      chunks.push(unpacked)
      at += stored
    }
    return concat(chunks, total)
  })

const columnOf = (kind: number, bytes: Uint8Array): SnapshotColumn => {
  const type = columnKinds[kind]
  if (type === undefined || bytes.length % type.BYTES_PER_ELEMENT !== 0) throw new NotExact("has a column of no kind")
  const own = littleEndian(bytes, type.BYTES_PER_ELEMENT).slice()
  return new type(own.buffer, 0, own.byteLength / type.BYTES_PER_ELEMENT)
}

interface Task {
  readonly name: string
  readonly json: Array<string>
  readonly decoder: InstanceType<typeof TextDecoder>
  readonly columns: Array<SnapshotColumn>
}

const taskOf = (name: Uint8Array): Task => {
  const text: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(name))
  if (typeof text !== "string") throw new NotExact("has a task without a name")
  return { name: text, json: [], decoder: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }), columns: [] }
}

const valueOf = (task: Task, columns: number): SnapshotValue => {
  task.json.push(task.decoder.decode())
  if (columns !== task.columns.length) throw new NotExact("lacks columns")
  const seen = new Set<number>()
  const value = parseExact(task.json.join(""), (index) => {
    const column = task.columns[index]
    if (!Number.isInteger(index) || column === undefined || seen.has(index)) throw new NotExact("names no column")
    seen.add(index)
    return column
  })
  if (seen.size !== columns) throw new NotExact("has columns that nothing names")
  return value as SnapshotValue
}

const parseSections = (raw: Uint8Array): TaskStates => {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  const states = new Map<string, SnapshotValue>()
  let task: Task | undefined
  let at = 0
  for (;;) {
    if (raw.length - at < 10) throw new NotExact("ends too early")
    const kind = view.getUint8(at)
    const columnKind = view.getUint8(at + 1)
    const length = view.getUint32(at + 2, true) + view.getUint32(at + 6, true) * 2 ** 32
    at += 10
    if (kind === sections.all) {
      if (task !== undefined || at !== raw.length || length !== states.size)
        throw new NotExact("does not end as it should")
      return states
    }
    if (kind === sections.end && task !== undefined) {
      if (states.has(task.name)) throw new NotExact("names a task twice")
      states.set(task.name, valueOf(task, length))
      task = undefined
      continue
    }
    if (length > raw.length - at) throw new NotExact("ends within a section")
    const bytes = raw.subarray(at, at + length)
    at += length
    if (kind === sections.task && task === undefined) task = taskOf(bytes)
    else if (kind === sections.json && task !== undefined) task.json.push(task.decoder.decode(bytes, { stream: true }))
    else if (kind === sections.column && task !== undefined) task.columns.push(columnOf(columnKind, bytes))
    else throw new NotExact("has sections in an order that was never written")
  }
}

/** Reads an object that {@link encodeSnapshot} made; `crc` is the checksum that the manifest expects of it. */
export const decodeSnapshot = (bytes: Uint8Array, crc?: number): Effect.Effect<TaskStates, Unreadable> =>
  Effect.gen(function* () {
    const framed = unframe(bytes)
    if (framed.tag !== "sound") return yield* Effect.fail(framed)
    if (framed.kind !== "snapshot") return yield* Effect.fail(damaged(`is a ${framed.kind}, not a snapshot`))
    if (crc !== undefined && crc !== framed.crc) {
      return yield* Effect.fail(damaged("is not the snapshot that the manifest names: its checksum is another"))
    }
    const raw = yield* unpack(framed.payload)
    return yield* Effect.try({
      try: () => parseSections(raw),
      catch: (cause) => damaged(cause instanceof Error ? cause.message.slice(0, 200) : "cannot be read")
    })
  })

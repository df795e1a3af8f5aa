/**
 * What a publisher has sent, taken apart by positions: one event, or a batch of them, each a whole AMQP message.
 *
 * The positions are kept in one array that is used again for every transfer; nothing is made per event.
 */
import { binaryStart, mapStart, Malformed, Section, sectionCode, sectionValue, skip, textStart } from "./amqpWalk.ts"

/** The format of a transfer whose data sections are messages. */
export const batchFormat = 0x80013700

/** Numbers kept of each event; positions are from and to, both 0 where there is nothing. */
const fields = 9
const headerAt = 0
const annotationsAt = 2
const restAt = 4
/** Bytes of the annotations that are kept; the service's own, and a key that is null, are not. */
const keptBytesAt = 6
/** How many they are: names and values both count. */
const keptAt = 7
/** 1: the event has a partition key of its own. */
const hasKeyAt = 8

/** One transfer, taken apart. Valid until the next one is scanned. */
export interface Scan {
  /** What was sent. */
  bytes: Buffer
  /** Events in it. */
  count: number
  /** Positions, event by event. */
  at: Int32Array
  /** The value of the partition key, an encoded string; empty when there is none. */
  keyFrom: number
  keyTo: number
  /** The sequence number that an idempotent producer gave the first event; NaN when it gave none. */
  producerSequence: number
}

/** An empty scan. */
export const makeScan = (): Scan => ({
  bytes: Buffer.alloc(0),
  count: 0,
  at: new Int32Array(fields * 64),
  keyFrom: 0,
  keyTo: 0,
  producerSequence: Number.NaN
})

const keyName = "x-opt-partition-key"
const producerName = "com.microsoft:producer-sequence-number"
const reserved = new Set(["x-opt-sequence-number", "x-opt-offset", "x-opt-enqueued-time", "x-opt-partition-id"])
const lengths = new Set([...reserved, keyName].map((name) => name.length))

/** Whether the name of an annotation, at `from` to `to`, is one that the service gives itself. */
const isReserved = (b: Buffer, from: number, to: number): boolean =>
  lengths.has(to - from) && reserved.has(b.toString("latin1", from, to))

/** Whether it is that of the partition key. */
const isKey = (b: Buffer, from: number, to: number): boolean =>
  to - from === keyName.length && b.toString("latin1", from, to) === keyName

const intAt = (b: Buffer, at: number): number => {
  switch (b[at]) {
    case 0x43:
    case 0x44:
      return 0
    case 0x52:
    case 0x53:
      return b[at + 1]
    case 0x54:
    case 0x55:
      return b.readInt8(at + 1)
    case 0x70:
      return b.readUInt32BE(at + 1)
    case 0x71:
      return b.readInt32BE(at + 1)
    case 0x81:
      return Number(b.readBigInt64BE(at + 1))
  }
  return Number.NaN
}

const isKept = (b: Buffer, from: number, to: number): boolean =>
  !(isReserved(b, from, to) || (isKey(b, from, to) && b[to] === 0x40))

/** Notes what the service acts on in an annotation of an envelope or a first event. */
const note = (scan: Scan, from: number, value: number, next: number): void => {
  const b = scan.bytes
  if (isKey(b, from, value) && (b[value] === 0xa1 || b[value] === 0xb1)) {
    scan.keyFrom = value
    scan.keyTo = next
  } else if (value - from === producerName.length && b.toString("latin1", from, value) === producerName) {
    scan.producerSequence = intAt(b, value)
  }
}

/** Looks at the annotations of an envelope: `base` is -1; or of an event. */
const scanAnnotations = (scan: Scan, base: number, from: number, to: number): void => {
  const b = scan.bytes
  for (let at = from; at < to;) {
    const value = skip(b, at, to)
    const start = textStart(b, at)
    const next = skip(b, value, to)
    if (base <= 0) note(scan, start, value, next)
    if (base >= 0 && isKept(b, start, value)) {
      if (isKey(b, start, value)) scan.at[base + hasKeyAt] = 1
      scan.at[base + keptBytesAt] += next - at
      scan.at[base + keptAt] += 2
    }
    at = next
  }
}

const grow = (at: Int32Array): Int32Array<ArrayBuffer> => {
  const more = new Int32Array(at.length * 2)
  more.set(at)
  return more
}

/** Takes the message between `from` and `to` apart, as event number `scan.count`. */
const scanMessage = (scan: Scan, from: number, to: number): void => {
  const b = scan.bytes
  const base = scan.count * fields
  if (base + fields > scan.at.length) scan.at = grow(scan.at)
  const { at } = scan
  at.fill(0, base, base + fields)
  let last = 0
  for (let here = from; here < to;) {
    const code = sectionCode(b, here, to)
    const value = sectionValue(b, here)
    const next = skip(b, value, to)
    if (code < last || code < Section.header) throw new Malformed("the sections of a message are out of order")
    last = code
    if (code === Section.header) {
      at[base + headerAt] = here
      at[base + headerAt + 1] = next
    } else if (code === Section.messageAnnotations) {
      at[base + annotationsAt] = mapStart(b, value)
      at[base + annotationsAt + 1] = next
      scanAnnotations(scan, base, at[base + annotationsAt], next)
    } else if (code >= Section.properties && at[base + restAt + 1] === 0) {
      at[base + restAt] = here
      at[base + restAt + 1] = to
    }
    here = next
  }
  scan.count++
}

/** Takes a transfer apart; throws `Malformed`, and then nothing of it counts. */
export const scanTransfer = (scan: Scan, bytes: Buffer, isBatch: boolean): void => {
  scan.bytes = bytes
  scan.count = 0
  scan.keyFrom = 0
  scan.keyTo = 0
  scan.producerSequence = Number.NaN
  const end = bytes.length
  if (!isBatch) return scanMessage(scan, 0, end)
  for (let at = 0; at < end;) {
    const code = sectionCode(bytes, at, end)
    const value = sectionValue(bytes, at)
    const next = skip(bytes, value, end)
    if (code === Section.data) scanMessage(scan, binaryStart(bytes, value), next)
    else if (code === Section.messageAnnotations) scanAnnotations(scan, -1, mapStart(bytes, value), next)
    at = next
  }
}

/** Bytes of the annotations of event `i` that are kept. */
export const keptBytes = (scan: Scan, i: number): number => scan.at[i * fields + keptBytesAt]

/** How many they are: names and values both count. */
export const keptCount = (scan: Scan, i: number): number => scan.at[i * fields + keptAt]

/** Whether event `i` has a partition key of its own. */
export const hasKey = (scan: Scan, i: number): boolean => scan.at[i * fields + hasKeyAt] === 1

/** Copies the annotations of event `i` that are kept to `to` at `toAt`; returns where they end. */
export const copyKept = (scan: Scan, i: number, to: Buffer, toAt: number): number => {
  const { bytes: b, at: places } = scan
  const from = places[i * fields + annotationsAt]
  const end = places[i * fields + annotationsAt + 1]
  if (end - from === keptBytes(scan, i)) return toAt + b.copy(to, toAt, from, end)
  let written = toAt
  for (let at = from; at < end;) {
    const value = skip(b, at, end)
    const next = skip(b, value, end)
    if (isKept(b, textStart(b, at), value)) written += b.copy(to, written, at, next)
    at = next
  }
  return written
}

/** Bytes of the header of event `i`. */
export const headerBytes = (scan: Scan, i: number): number =>
  scan.at[i * fields + headerAt + 1] - scan.at[i * fields + headerAt]

/** Copies the header of event `i`; returns where it ends. */
export const copyHeader = (scan: Scan, i: number, to: Buffer, toAt: number): number => {
  const at = i * fields + headerAt
  return toAt + scan.bytes.copy(to, toAt, scan.at[at], scan.at[at + 1])
}

/** Bytes of the rest of event `i`: all from its properties on. */
export const restBytes = (scan: Scan, i: number): number =>
  scan.at[i * fields + restAt + 1] - scan.at[i * fields + restAt]

/** Copies the rest of event `i`; returns where it ends. */
export const copyRest = (scan: Scan, i: number, to: Buffer, toAt: number): number => {
  const at = i * fields + restAt
  return toAt + scan.bytes.copy(to, toAt, scan.at[at], scan.at[at + 1])
}

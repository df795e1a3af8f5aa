/**
 * Writes what goes with every event: the head of its transfer frame and the annotations of the service.
 *
 * Both are templates that are copied and have a few numbers put in, so that an event costs no object.
 */

const uint32Range = 0x1_0000_0000

/** Writes a number up to 2^53 as the eight bytes of an AMQP long, timestamp or ulong. */
export const writeInt64 = (b: Buffer, n: number, at: number): void => {
  const high = Math.floor(n / uint32Range)
  b.writeInt32BE(high, at)
  b.writeUInt32BE(n - high * uint32Range, at + 4)
}

/** A symbol of fewer than 256 characters. */
const symbol = (name: string): Buffer => Buffer.from(`\xa3${String.fromCharCode(name.length)}${name}`, "latin1")

const long = (n: number, code = 0x81): Buffer => {
  const b = Buffer.alloc(9)
  b[0] = code
  writeInt64(b, n, 1)
  return b
}

const timestamp = (ms: number): Buffer => long(ms, 0x83)

/** A string of fewer than 256 ASCII characters. */
const string = (text: string): Buffer => Buffer.from(`\xa1${String.fromCharCode(text.length)}${text}`, "latin1")

/** The head of a map section; `bytes` of items follow, `count` names and values. */
const mapHead = (section: number, bytes: number, count: number): Buffer => {
  const b = Buffer.from([0, 0x53, section, 0xd1, 0, 0, 0, 0, 0, 0, 0, 0])
  b.writeUInt32BE(bytes + 4, 4)
  b.writeUInt32BE(count, 8)
  return b
}

/** Bytes of the head of a transfer. */
export const transferHeadBytes = 38

const deliveryIdAt = 20
const tagAt = 26
const moreAt = 32

/**
 * The head of a transfer on this channel and handle. All eleven fields are there: pyamqp takes them by position, and
 * stumbles when the trailing ones are left out.
 */
export const transferHead = (channel: number, handle: number, isSettled: boolean): Buffer => {
  const b = Buffer.alloc(transferHeadBytes)
  b.set([2, 0, channel >> 8, channel & 0xff], 4)
  b.set([0, 0x53, 0x14, 0xc0, 27, 11], 8)
  b[14] = 0x70
  b.writeUInt32BE(handle, 15)
  b[19] = 0x70
  b.set([0xa0, 4], deliveryIdAt + 4)
  const [yes, no, none, zero] = [0x41, 0x42, 0x40, 0x43]
  b.set([zero, isSettled ? yes : no, no, none, none, no, no, no], tagAt + 4)
  return b
}

/** Completes a head that was copied to `at`: the frame has `size` bytes, `more` frames of the delivery follow. */
export const completeTransfer = (b: Buffer, at: number, size: number, deliveryId: number, more: boolean): void => {
  b.writeUInt32BE(size, at)
  b.writeUInt32BE(deliveryId, at + deliveryIdAt)
  b.writeUInt32BE(deliveryId, at + tagAt)
  if (more) b[at + moreAt] = 0x41
}

/** Says that the deliveries `first` to `last` are settled: a whole frame. */
export const settledDisposition = (channel: number, first: number, last: number): Buffer => {
  const b = Buffer.alloc(28)
  b.set([0, 0, 0, 28, 2, 0, channel >> 8, channel & 0xff, 0, 0x53, 0x15, 0xc0, 15, 6, 0x42, 0x70])
  b.writeUInt32BE(first >>> 0, 16)
  b[20] = 0x70
  b.writeUInt32BE(last >>> 0, 21)
  b.set([0x41, 0x40, 0x40], 25)
  return b
}

const mapHeadBytes = 12
const annotations = Buffer.concat([
  mapHead(0x72, 0, 0),
  symbol("x-opt-sequence-number"),
  long(0),
  symbol("x-opt-enqueued-time"),
  timestamp(0),
  symbol("x-opt-offset"),
  string("")
])
const sequenceAt = mapHeadBytes + 2 + "x-opt-sequence-number".length + 1
const enqueuedAt = sequenceAt + 8 + 2 + "x-opt-enqueued-time".length + 1
const offsetLengthAt = annotations.length - 1

/** Bytes of the annotations section of an event, without those of the offset and of what its sender annotated. */
export const annotationsBytes = annotations.length

/**
 * Writes the annotations section: what the service adds, then room for `moreBytes` of the sender's own, `more` names and
 * values. Returns where that room begins.
 */
export const writeAnnotations = (
  b: Buffer,
  at: number,
  sequence: number,
  enqueuedMs: number,
  offset: string,
  moreBytes: number,
  more: number
): number => {
  b.set(annotations, at)
  b.writeUInt32BE(annotations.length - 8 + offset.length + moreBytes, at + 4)
  b.writeUInt32BE(6 + more, at + 8)
  writeInt64(b, sequence, at + sequenceAt)
  writeInt64(b, enqueuedMs, at + enqueuedAt)
  b[at + offsetLengthAt] = offset.length
  const end = at + annotations.length
  for (let i = 0; i < offset.length; i++) b[end + i] = offset.charCodeAt(i)
  return end + offset.length
}

/** What a reader is told of the end of its partition with each event, when it asked for that. */
export interface LastEnqueued {
  readonly sequence: number
  readonly offset: string
  readonly enqueuedMs: number
  /** When this was looked up. */
  readonly atMs: number
}

/** It as a section of delivery annotations. */
export const deliveryAnnotations = ({ sequence, offset, enqueuedMs, atMs }: LastEnqueued): Buffer => {
  const items = Buffer.concat([
    symbol("last_enqueued_sequence_number"),
    long(sequence),
    symbol("last_enqueued_offset"),
    string(offset),
    symbol("last_enqueued_time_utc"),
    timestamp(enqueuedMs),
    symbol("runtime_info_retrieval_time_utc"),
    timestamp(atMs)
  ])
  return Buffer.concat([mapHead(0x71, items.length, 8), items])
}

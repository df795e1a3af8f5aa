/**
 * The events of one partition, in order, as records in large buffers.
 *
 * A record is the event's own bytes behind a head of 24: its length, a checksum (0 unless it is kept on disk), when it
 * was enqueued, and how long its parts are. Beside its bytes an event costs that head and 4 bytes of index. The place
 * of a record in the log is its offset. Sequence numbers count from 0 without gaps; enqueued times never go back.
 *
 * Readers see what is durable; where nothing is kept on disk, that is everything.
 */
import {
  copyHeader,
  copyKept,
  copyRest,
  hasKey,
  headerBytes,
  keptBytes,
  keptCount,
  restBytes,
  type Scan
} from "./scanTransfer.ts"

/** Bytes before the event's own. */
export const recordHeadBytes = 24

/** Buffers begin small, for hubs with many quiet partitions, and double up to the larger size. */
const segmentBytesMin = 32 << 10
const segmentBytesMax = 1 << 20

/** Records that lie side by side in one buffer. */
export interface Segment {
  readonly firstSequence: number
  readonly firstOffset: number
  readonly bytes: Buffer
  used: number
  count: number
  /** Where each record begins. */
  at: Uint32Array
}

/** A stretch of a segment that has been appended. */
export interface Stretch {
  readonly segment: Segment
  readonly from: number
  readonly to: number
}

/** Lengths of the parts of a record, which follow its head in this order. */
export const annotationBytesOf = (segment: Segment, at: number): number => segment.bytes.readUInt32BE(at + 16)
/** How many annotations: names and values both count. */
export const annotationCountOf = (segment: Segment, at: number): number => segment.bytes.readUInt16BE(at + 20)
/** Bytes of the header section. */
export const headerBytesOf = (segment: Segment, at: number): number => segment.bytes.readUInt16BE(at + 22)
/** Bytes of the record, head included. */
export const lengthOf = ({ bytes }: Pick<Segment, "bytes">, at: number): number => bytes.readUInt32BE(at)
/** When it was enqueued, ms since the epoch. */
export const enqueuedMsOf = (segment: Segment, at: number): number => segment.bytes.readDoubleBE(at + 8)

const keySymbol = Buffer.from("\xa3\x13x-opt-partition-key", "latin1")
/** A body of no value, for a message that has none. */
const noBody = Buffer.from([0, 0x53, 0x77, 0x40])

/** Headers longer than this are no headers of AMQP, and are left out. */
const headerBytesMax = 255
const countMax = 0xffff - 2

const makeSegment = (firstSequence: number, firstOffset: number, size: number): Segment => ({
  firstSequence,
  firstOffset,
  bytes: Buffer.allocUnsafeSlow(size),
  used: 0,
  count: 0,
  at: new Uint32Array(Math.max(16, size >> 9))
})

const index = (segment: Segment, at: number): void => {
  if (segment.count === segment.at.length) {
    const more = new Uint32Array(segment.count * 2)
    more.set(segment.at)
    segment.at = more
  }
  segment.at[segment.count++] = at
}

/** Writes event `i` as a record; returns where it ends. */
const write = (segment: Segment, at: number, scan: Scan, i: number, key: Buffer | undefined, nowMs: number): number => {
  const b = segment.bytes
  const header = headerBytes(scan, i)
  const withKey = key !== undefined && !hasKey(scan, i)
  b.writeUInt32BE(0, at + 4)
  b.writeDoubleBE(nowMs, at + 8)
  b.writeUInt32BE(keptBytes(scan, i) + (withKey ? keySymbol.length + key.length : 0), at + 16)
  b.writeUInt16BE(keptCount(scan, i) + (withKey ? 2 : 0), at + 20)
  b.writeUInt16BE(header > headerBytesMax ? 0 : header, at + 22)
  let end = at + recordHeadBytes
  if (header <= headerBytesMax) end = copyHeader(scan, i, b, end)
  end = copyKept(scan, i, b, end)
  if (withKey) {
    end += keySymbol.copy(b, end)
    end += key.copy(b, end)
  }
  end = restBytes(scan, i) === 0 ? end + noBody.copy(b, end) : copyRest(scan, i, b, end)
  b.writeUInt32BE(end - at, at)
  return end
}

/** The first of `count` for which `is` holds; `count` when it does for none. It must hold for all behind the first. */
const lowest = (count: number, is: (i: number) => boolean): number => {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (is(middle)) high = middle
    else low = middle + 1
  }
  return low
}

/** The log. */
export class PartitionLog {
  readonly id: string
  #segments: Array<Segment> = []
  #first = 0
  #next = 0
  #nextOffset = 0
  #durable = 0
  #lastEnqueuedMs = 0
  #lastOffset = -1

  constructor(id: string) {
    this.id = id
  }

  /** The sequence number of the first event that is retained. */
  get firstSequence(): number {
    return this.#first
  }

  /** The sequence number that the next event gets. */
  get nextSequence(): number {
    return this.#next
  }

  /** Events before this sequence number can be read. */
  get endSequence(): number {
    return this.#durable
  }

  /** Bytes of the events that are retained, heads included. */
  get bytes(): number {
    return this.#nextOffset - (this.#first === this.#next ? this.#nextOffset : this.offsetOf(this.#first))
  }

  /** Bytes of memory that hold them. */
  get memoryBytes(): number {
    return this.#segments.reduce((sum, { bytes, at }) => sum + bytes.length + at.byteLength, 0)
  }

  /** When the last event came; 0 before the first. */
  get lastEnqueuedMs(): number {
    return this.#lastEnqueuedMs
  }

  /** The offset of the last event, also when that has expired; -1 before the first. */
  get lastOffset(): number {
    return this.#lastOffset
  }

  /** The segment of a sequence number that is retained. */
  segmentOf(sequence: number): Segment {
    const behind = lowest(this.#segments.length, (i) => this.#segments[i].firstSequence > sequence)
    return this.#segments[behind - 1]
  }

  /** The offset of an event that is retained. */
  offsetOf(sequence: number): number {
    const segment = this.segmentOf(sequence)
    return segment.firstOffset + segment.at[sequence - segment.firstSequence]
  }

  /** When it was enqueued. */
  enqueuedMsOf(sequence: number): number {
    const segment = this.segmentOf(sequence)
    return enqueuedMsOf(segment, segment.at[sequence - segment.firstSequence])
  }

  /** The first event retained for which `is` holds, of events in order; the end when there is none. */
  find(is: (sequence: number) => boolean): number {
    return this.#first + lowest(this.#durable - this.#first, (i) => is(this.#first + i))
  }

  /**
   * Appends all events of a scan; `key` is the encoded partition key for those without. Says where they lie. They can
   * be read after {@link confirm}.
   */
  append(scan: Scan, key: Buffer | undefined, nowMs: number): ReadonlyArray<Stretch> {
    const enqueuedMs = Math.max(nowMs, this.#lastEnqueuedMs)
    const stretches: Array<Stretch> = []
    let segment = this.#segments.at(-1)
    let from = segment?.used ?? 0
    const extra = recordHeadBytes + noBody.length + (key === undefined ? 0 : keySymbol.length + key.length)
    for (let i = 0; i < scan.count; i++) {
      const size = Math.min(headerBytes(scan, i), headerBytesMax) + keptBytes(scan, i) + restBytes(scan, i) + extra
      if (segment === undefined || segment.used + size > segment.bytes.length) {
        if (segment !== undefined && segment.used > from) stretches.push({ segment, from, to: segment.used })
        segment = this.#roll(size)
        from = 0
      }
      const at = segment.used
      segment.used = write(segment, at, scan, i, key, enqueuedMs)
      index(segment, at)
      this.#next++
      this.#lastOffset = this.#nextOffset
      this.#nextOffset += segment.used - at
    }
    if (segment !== undefined && segment.used > from) stretches.push({ segment, from, to: segment.used })
    if (scan.count > 0) this.#lastEnqueuedMs = enqueuedMs
    return stretches
  }

  /** Lets readers see the events before this sequence number. */
  confirm(before: number): void {
    this.#durable = Math.max(this.#durable, before)
  }

  /** Takes over records that were read from a file. Only before anything is appended. */
  restore(bytes: Buffer, starts: ReadonlyArray<number>, firstSequence: number, firstOffset: number): void {
    const segment: Segment = {
      firstSequence,
      firstOffset,
      bytes,
      used: bytes.length,
      count: starts.length,
      at: Uint32Array.from(starts)
    }
    if (this.#segments.length === 0) this.#first = firstSequence
    this.#segments.push(segment)
    this.#next = firstSequence + starts.length
    this.#durable = this.#next
    this.#nextOffset = firstOffset + bytes.length
    const last = starts.at(-1)
    if (last === undefined) return
    this.#lastEnqueuedMs = enqueuedMsOf(segment, last)
    this.#lastOffset = firstOffset + last
  }

  /** Lets go of the events before this sequence number, as far as they can be read. */
  trim(sequence: number): void {
    this.#first = Math.max(this.#first, Math.min(sequence, this.#durable))
    const gone = this.#segments.findIndex(({ firstSequence, count }) => firstSequence + count > this.#first)
    // The last one stays: it says where the log goes on.
    this.#segments.splice(0, gone < 0 ? Math.max(0, this.#segments.length - 1) : gone)
  }

  /** Lets go of what is too old or too much: what was enqueued before `beforeMs`, and all but the last `bytesMax` bytes. */
  retain(beforeMs: number, bytesMax: number): void {
    const spare = this.#nextOffset - bytesMax
    const isKept = (sequence: number): boolean =>
      this.enqueuedMsOf(sequence) >= beforeMs && this.offsetOf(sequence) >= spare
    if (this.#first < this.#durable && !isKept(this.#first)) this.trim(this.find(isKept))
  }

  #roll(size: number): Segment {
    const last = this.#segments.at(-1)
    const usual = last === undefined ? segmentBytesMin : Math.min(segmentBytesMax, last.bytes.length * 2)
    const segment = makeSegment(this.#next, this.#nextOffset, Math.max(usual, size))
    this.#segments.push(segment)
    return segment
  }
}

/** Whether an event has more annotations than a record can count. */
export const hasTooManyAnnotations = (scan: Scan): boolean => {
  for (let i = 0; i < scan.count; i++) if (keptCount(scan, i) > countMax) return true
  return false
}

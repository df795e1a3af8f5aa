/**
 * One receiver link of a client, at its place in a partition.
 *
 * Sends what there is, in order, as far as the link has credit, the session a window and the socket room: never more.
 * Many events go out as one buffer; the bytes of an event are copied once, from the log into that buffer.
 */
import {
  annotationsBytes,
  completeTransfer,
  deliveryAnnotations,
  transferHead,
  transferHeadBytes,
  writeAnnotations
} from "./amqpWrite.ts"
import {
  annotationBytesOf,
  annotationCountOf,
  enqueuedMsOf,
  headerBytesOf,
  lengthOf,
  type PartitionLog,
  recordHeadBytes,
  type Segment
} from "./PartitionLog.ts"
import type { SenderLink } from "./rhea.ts"
import type { SessionOut } from "./SessionOut.ts"

/** Events and bytes that a reader sends before others get their turn. */
const turnEventsMax = 1_000
const turnBytesMax = 512 << 10

/** What a reader needs of its surroundings. */
export interface ReaderOptions {
  readonly link: SenderLink
  readonly log: PartitionLog
  readonly group: string
  /** Owner level; undefined: it does not exclude others. */
  readonly ownerLevel: number | undefined
  /** What its client calls it. */
  readonly name: string
  /** The client asked to be told of the end of the partition with each event. */
  readonly withLastEnqueued: boolean
  /** The sequence number to begin with. */
  readonly from: number
  readonly offsetText: (sequence: number, offset: number) => string
  readonly now: () => number
  /** The socket takes no more for now. */
  readonly isFull: () => boolean
  readonly write: (bytes: Buffer) => void
  /** Calls `run` in a later turn of the event loop. */
  readonly soon: (run: () => void) => void
  /** Counts what has been sent. */
  readonly count: (events: number, bytes: number) => void
}

/** See above. */
export class Reader {
  readonly options: ReaderOptions
  readonly #head: Buffer
  #cursor: number
  #isScheduled = false
  #isStopped = false

  constructor(options: ReaderOptions) {
    this.options = options
    this.#cursor = options.from
    const { session, local } = options.link
    this.#head = transferHead(session.local.channel, local.handle, local.attach.snd_settle_mode === 1)
  }

  /** The sequence number that is sent next. */
  get cursor(): number {
    return this.#cursor
  }

  /** Sends what can be sent, soon. Called when events, credit, window or room in the socket came. */
  pump(): void {
    if (this.#isScheduled || this.#isStopped) return
    this.#isScheduled = true
    this.options.soon(() => {
      this.#isScheduled = false
      this.#run()
    })
  }

  /** Sends nothing more. */
  stop(): void {
    this.#isStopped = true
  }

  #run(): void {
    const { link, log, isFull } = this.options
    if (this.#isStopped || !link.is_open()) return
    this.#cursor = Math.max(this.#cursor, log.firstSequence)
    const out = link.session.outgoing as SessionOut
    while (this.#cursor < log.endSequence) {
      if (link.credit <= 0 || out.room <= 0 || isFull()) return
      const count = Math.min(link.credit, out.room, turnEventsMax, log.endSequence - this.#cursor)
      if (!this.#send(out, count)) return
      if (this.#cursor < log.endSequence) return this.pump()
    }
    if (link._draining) link.set_drained(true)
  }

  /** Sends up to `count` events; false when the next is too long for the window. */
  #send(out: SessionOut, count: number): boolean {
    const { link, log, write, withLastEnqueued } = this.options
    const extra = withLastEnqueued ? this.#lastEnqueued() : undefined
    const segment = log.segmentOf(this.#cursor)
    const from = this.#cursor - segment.firstSequence
    const to = Math.min(segment.count, from + count)
    const frameBytes = out.frameBytes
    let end = from
    let size = 0
    for (; end < to && size < turnBytesMax; end++) {
      const bytes = this.#sizeOf(segment, end, extra)
      if (bytes > frameBytes) break
      size += bytes
    }
    if (end === from) return this.#sendLong(out, segment, from, extra)
    const buffer = Buffer.allocUnsafe(size)
    const id = out.take(link, end - from)
    let at = 0
    for (let i = from; i < end; i++) {
      const next = this.#lay(buffer, at + transferHeadBytes, segment, i, extra)
      buffer.set(this.#head, at)
      completeTransfer(buffer, at, next - at, (id + i - from) >>> 0, false)
      at = next
    }
    this.#cursor += end - from
    write(at === size ? buffer : buffer.subarray(0, at))
    this.options.count(end - from, at)
    return true
  }

  /** An event that needs several frames. */
  #sendLong(out: SessionOut, segment: Segment, i: number, extra: Buffer | undefined): boolean {
    const payload = Buffer.allocUnsafe(this.#sizeOf(segment, i, extra) - transferHeadBytes)
    const bytes = this.#lay(payload, 0, segment, i, extra)
    if (out.framesOf(bytes) > out.room) return false
    const frames = out.frames(this.options.link, this.#head, payload.subarray(0, bytes))
    this.#cursor++
    this.options.write(frames)
    this.options.count(1, frames.length)
    return true
  }

  #offsetText(segment: Segment, i: number): string {
    return this.options.offsetText(segment.firstSequence + i, segment.firstOffset + segment.at[i])
  }

  /** Bytes of the frame of an event; exact but for the length of its offset, which is at most so. */
  #sizeOf(segment: Segment, i: number, extra: Buffer | undefined): number {
    const own = lengthOf(segment, segment.at[i]) - recordHeadBytes
    return transferHeadBytes + own + annotationsBytes + offsetTextMax + (extra === undefined ? 0 : extra.length)
  }

  /** Writes an event to `b` at `start`; returns where it ends. */
  #lay(b: Buffer, start: number, segment: Segment, i: number, extra: Buffer | undefined): number {
    const record = segment.at[i]
    const source = segment.bytes
    const header = headerBytesOf(segment, record)
    const kept = annotationBytesOf(segment, record)
    let from = record + recordHeadBytes
    let at = start
    if (header > 0) {
      at += source.copy(b, at, from, from + header)
      from += header
    }
    if (extra !== undefined) {
      b.set(extra, at)
      at += extra.length
    }
    const offset = this.#offsetText(segment, i)
    const sequence = segment.firstSequence + i
    const enqueuedMs = enqueuedMsOf(segment, record)
    at = writeAnnotations(b, at, sequence, enqueuedMs, offset, kept, annotationCountOf(segment, record))
    return at + source.copy(b, at, from, record + lengthOf(segment, record))
  }

  #lastEnqueued(): Buffer {
    const { log, now } = this.options
    const sequence = log.endSequence - 1
    const segment = log.segmentOf(sequence)
    const offset = this.#offsetText(segment, sequence - segment.firstSequence)
    return deliveryAnnotations({ sequence, offset, enqueuedMs: log.enqueuedMsOf(sequence), atMs: now() })
  }
}

/** Characters of the longest text of an offset. */
const offsetTextMax = 40

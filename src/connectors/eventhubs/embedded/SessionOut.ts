/**
 * The outgoing half of a session, in place of rhea's own: deliveries go out as bytes, and are forgotten.
 *
 * rhea keeps an object with six closures for each delivery until it is settled, holds up a whole session when one of
 * its links has no credit, and writes each transfer by a general encoder. A service that gives an event out again to
 * whoever asks needs none of it: transfers are laid down by the writer of a link, and what the peer says of them is of
 * no consequence. The window of the session and the credit of the links are kept here.
 */
import { completeTransfer, settledDisposition, transferHead, transferHeadBytes } from "./amqpWrite.ts"
import type { DispositionFields, Outgoing, SenderLink, Session, WindowFields } from "./rhea.ts"

/** Replies that wait for credit; a peer that asks for more and takes none is cut off. */
const waitingMax = 1_000

/** Frames of ours are at most this long, though the peer may take longer ones. */
export const frameBytesMax = 64 << 10

interface Waiting {
  readonly link: SenderLink
  readonly payload: Buffer
}

/** The window of a peer that has not said one. */
const windowOf = ({ incoming_window: window }: WindowFields): number => (Number.isFinite(window) ? window : 0)

/** See above. */
export class SessionOut implements Outgoing {
  next_transfer_id = 0
  window = 0x7fff_ffff
  readonly deliveries = { available: () => 1 }
  readonly #session: Session
  readonly #write: (bytes: Buffer) => void
  readonly #onWindow: () => void
  readonly #waiting: Array<Waiting> = []
  #nextDeliveryId = 0
  /** The transfer id that the peer takes no more from. */
  #end: number

  constructor(session: Session, write: (bytes: Buffer) => void, onWindow: () => void) {
    this.#session = session
    this.#write = write
    this.#onWindow = onWindow
    this.#end = windowOf(session.remote.begin)
  }

  available(): number {
    return 1
  }

  /** Transfers that the peer takes now. */
  get room(): number {
    return Math.max(0, (this.#end - this.next_transfer_id) | 0)
  }

  /** Bytes that a frame to the peer may have. */
  get frameBytes(): number {
    const said = this.#session.connection.remote.open?.max_frame_size ?? frameBytesMax
    return Math.max(512, Math.min(said, frameBytesMax))
  }

  /** Notes that `count` transfers of one delivery each go out on a link; returns the id of the first. */
  take(link: SenderLink, count: number): number {
    const first = this.#nextDeliveryId
    this.#nextDeliveryId = (first + count) >>> 0
    this.next_transfer_id = (this.next_transfer_id + count) >>> 0
    link.credit -= count
    link.delivery_count = (link.delivery_count + count) >>> 0
    return first
  }

  /** Transfers that a payload of so many bytes needs. */
  framesOf(bytes: number): number {
    return Math.max(1, Math.ceil(bytes / (this.frameBytes - transferHeadBytes)))
  }

  /** A payload as frames of one delivery; `head` is that of the link. Room and credit were looked at before. */
  frames(link: SenderLink, head: Buffer, payload: Buffer): Buffer {
    const count = this.framesOf(payload.length)
    const id = this.take(link, 1)
    this.next_transfer_id = (this.next_transfer_id + count - 1) >>> 0
    const room = this.frameBytes - transferHeadBytes
    const out = Buffer.allocUnsafe(payload.length + count * transferHeadBytes)
    let at = 0
    for (let i = 0; i < count; i++) {
      const from = i * room
      const to = Math.min(payload.length, from + room)
      out.set(head, at)
      completeTransfer(out, at, transferHeadBytes + to - from, id, i + 1 < count)
      payload.copy(out, at + transferHeadBytes, from, to)
      at += transferHeadBytes + to - from
    }
    return out
  }

  /** For replies: called by rhea's `link.send`. */
  send(link: SenderLink, _tag: Buffer, payload: Buffer): { settled: boolean } {
    if (this.#waiting.length >= waitingMax)
      this.#session.connection.close({
        condition: "amqp:resource-limit-exceeded",
        description: "replies are not taken"
      })
    else this.#waiting.push({ link, payload })
    return { settled: true }
  }

  /** Called by rhea in every tick in which something happened. */
  process(): void {
    for (let i = 0; i < this.#waiting.length;) {
      const { link, payload } = this.#waiting[i]
      if (link.is_open() && (link.credit <= 0 || this.framesOf(payload.length) > this.room)) {
        i++
        continue
      }
      this.#waiting.splice(i, 1)
      if (!link.is_open()) continue
      const head = transferHead(this.#session.local.channel, link.local.handle, false)
      this.#write(this.frames(link, head, payload))
    }
  }

  on_begin(fields: WindowFields): void {
    this.#end = windowOf(fields)
  }

  on_flow(fields: WindowFields): void {
    this.#end = ((fields.next_incoming_id ?? 0) + windowOf(fields)) >>> 0
    this.#onWindow()
  }

  /** A peer that settles second waits for us to settle first. */
  on_disposition({ first, last, settled }: DispositionFields): void {
    if (settled || typeof first !== "number") return
    this.#write(settledDisposition(this.#session.local.channel, first, last ?? first))
  }
}

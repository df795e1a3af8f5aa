/**
 * What comes from a socket, cut into whole frames and looked at before rhea decodes them.
 *
 * rhea waits for as many bytes as a frame claims to have, and makes as many values as an array claims to hold; here,
 * whoever sends what is no frame, or too large a one, is cut off with `Malformed`.
 */
import { check, Malformed } from "./amqpWalk.ts"
import { frameBytesMax } from "./SessionOut.ts"

/** `AMQP`, with which the headers of both layers begin. */
const magic = 0x414d5150
const headerBytes = 8
const frameHeadBytes = 8

/** See above. */
export class FrameGate {
  readonly #pass: (bytes: Buffer) => void
  readonly #isReady: () => boolean
  readonly #soon: (run: () => void) => void
  readonly #fail: (error: unknown) => void
  #held: Array<Buffer> = []
  #heldBytes = 0
  /** Bytes that must be there before there is anything to pass. */
  #needed = headerBytes
  #headers = 0
  #isWaiting = false

  /**
   * `pass` takes whole frames. `isReady` says whether the layer behind the second header is there: SASL is settled
   * asynchronously, and a peer may not have waited for it.
   */
  constructor(
    pass: (bytes: Buffer) => void,
    isReady: () => boolean,
    soon: (run: () => void) => void,
    fail: (error: unknown) => void
  ) {
    this.#pass = pass
    this.#isReady = isReady
    this.#soon = soon
    this.#fail = fail
  }

  /** Takes what the socket gave. */
  feed(bytes: Buffer): void {
    this.#held.push(bytes)
    this.#heldBytes += bytes.length
    if (this.#heldBytes < this.#needed || this.#isWaiting) return
    const all = this.#held.length === 1 ? bytes : Buffer.concat(this.#held)
    this.#held = []
    this.#heldBytes = 0
    this.#needed = headerBytes
    try {
      this.#cut(all)
    } catch (error) {
      this.#fail(error)
    }
  }

  #cut(all: Buffer): void {
    let at = 0
    while (all.length - at >= frameHeadBytes) {
      if (all.readUInt32BE(at) === magic) {
        if (this.#headers === 1 && !this.#isReady()) return this.#wait(all, at)
        this.#headers++
        at += headerBytes
        continue
      }
      const size = all.readUInt32BE(at)
      if (size < frameHeadBytes || size > frameBytesMax) throw new Malformed(`a frame claims ${size} bytes`)
      if (at + size > all.length) {
        this.#needed = size
        break
      }
      const body = at + all[at + 4] * 4
      if (all[at + 4] < 2 || body > at + size) throw new Malformed("a frame has no body where it says")
      if (body < at + size) check(all, body, at + size)
      at += size
    }
    if (at > 0) this.#pass(all.subarray(0, at))
    if (at < all.length) this.#hold(all.subarray(at))
  }

  #hold(rest: Buffer): void {
    this.#held.unshift(rest)
    this.#heldBytes += rest.length
  }

  #wait(all: Buffer, at: number): void {
    if (at > 0) this.#pass(all.subarray(0, at))
    this.#hold(all.subarray(at))
    this.#isWaiting = true
    this.#soon(() => {
      this.#isWaiting = false
      if (!this.#isReady()) return this.#fail(new Malformed("SASL was not completed"))
      this.feed(Buffer.alloc(0))
    })
  }
}

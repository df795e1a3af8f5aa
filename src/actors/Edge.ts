/**
 * A bounded queue from one sender to one receiver, and the inbox in which a receiver holds its edges.
 *
 * Bounds: `Limits.edgeChunksMax` messages and `Limits.edgeBytesMax` bytes; an empty edge takes one message of any size.
 * A full edge makes its sender wait: this is the only backpressure there is. An edge that has brought its barrier is
 * *held*: it is not read until the others have brought theirs, so nothing is stashed.
 */
import * as Effect from "effect/Effect"
import type { EdgeBalance } from "../model/Ledger.ts"
import { Limits } from "../model/Limits.ts"
import type { Message, Sized } from "./Message.ts"

const sizeOf = (m: Message<Sized>): number => (m.tag === "data" ? m.payload.bytes : 0)

/** One bounded queue: `sent` and `received` are its side of the ledger. */
export class Edge {
  /** For the ledger and for people: `by-category[0] -> terminal`. */
  readonly name: string
  /** The receiver's number of this edge. */
  readonly index: number
  /** Rows put in and taken out, counted apart (rule L3). */
  sent = 0
  received = 0
  /** `sent` when the last barrier was put in: what the receiver compares with. */
  sentBeforeBarrier = 0
  /** Most messages it ever held, to prove the bound. */
  peak = 0
  held = false
  readonly #chunksMax: number
  readonly #inbox: Inbox
  /** A ring: taken messages leave it at once. */
  readonly #ring: Array<Message<Sized> | undefined>
  #head = 0
  #size = 0
  #bytes = 0
  #sender: (() => void) | undefined

  constructor(name: string, index: number, inbox: Inbox, chunksMax: number) {
    this.name = name
    this.index = index
    this.#inbox = inbox
    this.#chunksMax = chunksMax
    this.#ring = new Array<Message<Sized> | undefined>(chunksMax).fill(undefined)
  }

  get length(): number {
    return this.#size
  }

  #hasRoom(bytes: number): boolean {
    const n = this.#size
    return n === 0 || (n < this.#chunksMax && this.#bytes + bytes <= Limits.edgeBytesMax)
  }

  /** Puts a message if there is room; says whether it did. */
  tryOffer(m: Message<Sized>): boolean {
    const bytes = sizeOf(m)
    if (!this.#hasRoom(bytes)) return false
    if (m.tag === "data") this.sent += m.payload.length
    else if (m.tag === "barrier") this.sentBeforeBarrier = this.sent
    this.#ring[(this.#head + this.#size++) % this.#chunksMax] = m
    this.#bytes += bytes
    if (this.length > this.peak) this.peak = this.length
    if (!this.held) this.#inbox.wake()
    return true
  }

  /** Puts a message, waiting for room. One sender at a time. */
  offer(m: Message<Sized>): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.tryOffer(m) ? Effect.void : Effect.flatMap(this.#room(sizeOf(m)), () => this.offer(m))
    )
  }

  #room(bytes: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      // The fiber may have yielded since it found the edge full, and room may have come meanwhile.
      if (this.#hasRoom(bytes)) return resume(Effect.void)
      this.#sender = () => resume(Effect.void)
      return Effect.sync(() => {
        this.#sender = undefined
      })
    })
  }

  /** Takes the next message; undefined when there is none. */
  poll(): Message<Sized> | undefined {
    if (this.#size === 0) return undefined
    const m = this.#ring[this.#head] as Message<Sized>
    this.#ring[this.#head] = undefined
    this.#head = this.#head + 1 === this.#chunksMax ? 0 : this.#head + 1
    this.#size--
    this.#bytes -= sizeOf(m)
    if (m.tag === "data") this.received += m.payload.length
    const sender = this.#sender
    if (sender !== undefined) {
      this.#sender = undefined
      sender()
    }
    return m
  }
}

/** The edges of one receiver. Reads them in turn, one message each, skipping those that are held. */
export class Inbox {
  readonly edges: Array<Edge> = []
  #next = 0
  #woken = false
  #receiver: (() => void) | undefined

  /** Adds an edge; its sender is whoever holds it. */
  add(name: string, chunksMax: number = Limits.edgeChunksMax): Edge {
    const edge = new Edge(name, this.edges.length, this, chunksMax)
    this.edges.push(edge)
    return edge
  }

  /** The next edge that has something to read, or undefined. */
  ready(): Edge | undefined {
    const n = this.edges.length
    for (let k = 0; k < n; k++) {
      const at = this.#next + k
      const edge = this.edges[at < n ? at : at - n]
      if (edge.held || edge.length === 0) continue
      this.#next = edge.index + 1 === n ? 0 : edge.index + 1
      return edge
    }
    return undefined
  }

  /** Waits until some edge is ready, or until woken otherwise. */
  readonly wait: Effect.Effect<void> = Effect.callback<void>((resume) => {
    // Woken since it last looked: look again.
    if (this.#woken) {
      this.#woken = false
      return resume(Effect.void)
    }
    this.#receiver = () => resume(Effect.void)
    return Effect.sync(() => {
      this.#receiver = undefined
    })
  })

  wake(): void {
    const receiver = this.#receiver
    if (receiver === undefined) {
      this.#woken = true
      return
    }
    this.#receiver = undefined
    receiver()
  }

  /** Reads a held edge again. */
  release(edge: Edge): void {
    edge.held = false
    if (edge.length > 0) this.wake()
  }
}

/** What the edges of a receiver carried up to the barrier that it has just aligned (rule L3). */
export const edgeBalances = (inbox: Inbox): ReadonlyArray<EdgeBalance> =>
  inbox.edges.map((e) => ({ edge: e.name, sent: e.sentBeforeBarrier, received: e.received }))

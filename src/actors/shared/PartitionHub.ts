/**
 * One reading of a partition that several queries follow (rule M1): a cursor, and the chunks it gave last.
 *
 * Invariants: the chunks stand in the partition's order without a gap, so that each place between two of them, and the
 * one before the first, is known by its position; at most `bounds` of them are held, and at least the newest. A
 * subscriber stands at one of these places. Whoever has not taken a chunk when it must go is let go: it keeps its
 * position and no longer belongs here. A hub that *holds* forgets nothing that somebody still needs: it is full, and
 * who wants more waits. Positions are compared for equality and nothing else.
 *
 * Only state and its transitions: nothing here waits or runs. See SharedPartition.ts for who reads when.
 */
import type * as Cause from "effect/Cause"
import type * as Scope from "effect/Scope"
import type { Position } from "../../model/Position.ts"
import type { Demand, PartitionCursor, SourceChunk } from "../../model/Source.ts"

/** A chunk, and the demand it was read with. */
export interface Entry {
  readonly chunk: SourceChunk<unknown>
  /** Rows that were asked for: whoever asks for fewer cannot take it. */
  readonly asked: number
  readonly bytes: number
}

/** What a hub may keep, and for whom. */
export interface HubBounds {
  /** Chunks. */
  readonly chunks: number
  /** Chunks of them that all subscribers have taken, while some reader is not here, and when all are. */
  readonly history: number
  readonly recent: number
  /** Bytes; depends on how many hubs there are. */
  readonly bytes: () => number
  /** How many may come. */
  readonly readers: number
  /** Keeps what somebody needs, beyond the bytes if the last chunk goes beyond them. */
  readonly holds: boolean
  /** Somebody who has not come yet needs all there is. */
  readonly isAwaited: () => boolean
}

/** One open cursor of one query. */
export interface Subscriber {
  /** Which of the readers it is. */
  readonly reader: number
  /** Where it reads on; undefined: where the source's options say, as long as the source does not know where that is. */
  position: Position | undefined
  /** Number of the chunk that it takes next, in its hub. */
  next: number
  /** Rows of that chunk that it has taken already. */
  taken: number
  hub: PartitionHub | undefined
  /** What it asked for last. */
  rows: number
  bytes: number
  /** The end of the partition as it knew it last, for when it has no hub. */
  end: Position | undefined
  closed: boolean
}

/** A reader that stands at a position, and in no hub yet. */
export const subscriberAt = (reader: number, position: Position | undefined): Subscriber => ({
  reader,
  position,
  next: 0,
  taken: 0,
  hub: undefined,
  rows: Infinity,
  bytes: Infinity,
  end: undefined,
  closed: false
})

const sound = (bytes: number): number => (bytes > 0 && bytes < Infinity ? bytes : 0)

/** See the head of this file. */
export class PartitionHub {
  /** Hubs of a partition in the order they were made. */
  readonly id: number
  readonly subscribers = new Set<Subscriber>()
  /** Open while some subscriber opens or pulls the cursor: one at a time. */
  leader: Subscriber | undefined
  cursor: PartitionCursor<unknown, unknown, unknown> | undefined
  /** The cursor's. */
  scope: Scope.Closeable | undefined
  /** How the cursor ended or failed; a hub that failed is left by all. */
  over: { readonly cause: Cause.Cause<unknown>; readonly isEnd: boolean } | undefined
  /** Grows with each change that somebody may wait for. */
  version = 0
  readonly #bounds: HubBounds
  readonly #waiting = new Set<() => void>()
  readonly #entries: Array<Entry> = []
  /** The position before the first entry, and the number of that entry. */
  #start: Position | undefined
  #first = 0
  #bytes = 0
  /** The first entry is the first that the source's options say. */
  #isFromOptions: boolean

  constructor(id: number, start: Position | undefined, bounds: HubBounds) {
    this.id = id
    this.#start = start
    this.#isFromOptions = start === undefined
    this.#bounds = bounds
  }

  /** Takes a cursor, opened at the tip. It may know where that is when nobody else does: then all stand there. */
  opened(cursor: PartitionCursor<unknown, unknown, unknown>, scope: Scope.Closeable): void {
    this.cursor = cursor
    this.scope = scope
    if (this.tip !== undefined) return
    this.#start = cursor.start
    for (const s of this.subscribers) s.position = cursor.start
  }

  /** Chunks and bytes held now. */
  get held(): { readonly chunks: number; readonly bytes: number } {
    return { chunks: this.#entries.length, bytes: this.#bytes }
  }

  /** Where the cursor reads on. */
  get tip(): Position | undefined {
    const last = this.#entries.at(-1)
    return last === undefined ? this.#start : last.chunk.next
  }

  /** The chunk that a subscriber takes next; undefined at the tip. */
  entryFor(subscriber: Subscriber): Entry | undefined {
    return this.#entries[subscriber.next - this.#first]
  }

  /** The number of the chunk after a position; undefined when the position is none that is kept. The newest counts. */
  numberOf(position: Position | undefined): number | undefined {
    const n = this.#entries.length
    for (let i = n; i > 0; i--) if (this.#entries[i - 1].chunk.next === position) return this.#first + i
    const isStart = position === undefined ? this.#isFromOptions : position === this.#start
    return isStart ? this.#first : undefined
  }

  /** The number nearest to this one of a chunk that is kept, or of the next one. */
  nearest(number: number): number {
    return Math.min(Math.max(number, this.#first), this.#first + this.#entries.length)
  }

  /** Where a chunk that is kept begins. */
  startOf(number: number): Position | undefined {
    return number === this.#first ? this.#start : this.#entries[number - this.#first - 1]?.chunk.next
  }

  /** Whether a subscriber may take every chunk from this one on. */
  fits(subscriber: Subscriber, from: number): boolean {
    for (let i = from - this.#first; i < this.#entries.length; i++)
      if (!entryFits(this.#entries[i], subscriber)) return false
    return true
  }

  join(subscriber: Subscriber, next: number): void {
    subscriber.hub = this
    subscriber.next = next
    subscriber.position ??= this.startOf(next)
    this.subscribers.add(subscriber)
  }

  leave(subscriber: Subscriber): void {
    subscriber.hub = undefined
    this.subscribers.delete(subscriber)
  }

  /** What all subscribers take: the least that one of them asked for. */
  demand(): Demand {
    let rows = Infinity
    let bytes = Infinity
    for (const s of this.subscribers) {
      if (s.rows < rows) rows = s.rows
      if (s.bytes < bytes) bytes = s.bytes
    }
    return { rows, bytes }
  }

  /** Whether the next chunk would cost a subscriber its place. */
  get isFull(): boolean {
    // The next one is taken to be as large as the last.
    const last = this.#entries.at(-1)
    return last !== undefined && this.#exceeds(this.#entries.length + 1, this.#bytes + last.bytes) && this.#isNeeded()
  }

  /** Puts a chunk at the tip, forgets old ones, and lets those go whose next one had to be forgotten. */
  push(chunk: SourceChunk<unknown>, asked: number): void {
    const entry = { chunk, asked, bytes: sound(chunk.bytes) }
    this.#entries.push(entry)
    this.#bytes += entry.bytes
    while (this.#entries.length > 1 && this.#exceeds(this.#entries.length, this.#bytes)) {
      if (this.#bounds.holds && this.#isNeeded()) return
      this.#forget()
    }
    this.#trim()
  }

  #exceeds(chunks: number, bytes: number): boolean {
    return chunks > this.#bounds.chunks || bytes > this.#bounds.bytes()
  }

  /** Whether somebody has not taken the oldest. */
  #isNeeded(): boolean {
    if (this.#bounds.isAwaited()) return true
    for (const s of this.subscribers) if (s.next === this.#first) return true
    return false
  }

  /** Forgets what all have taken, beyond what is kept for those who come. */
  #trim(): void {
    const { readers, history, recent, isAwaited } = this.#bounds
    const kept = this.subscribers.size < readers ? history : recent
    if (this.#entries.length <= kept || isAwaited()) return
    let slowest = this.#first + this.#entries.length - kept
    for (const s of this.subscribers) if (s.next < slowest) slowest = s.next
    while (this.#first < slowest) this.#forget()
  }

  #forget(): void {
    const oldest = this.#entries.shift()
    if (oldest === undefined) return
    this.#bytes -= oldest.bytes
    for (const s of this.subscribers) {
      if (s.next !== this.#first) continue
      // The partition goes on beyond where it stands: enough to know that it is not at the end.
      s.end = this.tip
      this.leave(s)
    }
    this.#first++
    this.#isFromOptions = false
    this.#start = oldest.chunk.next
  }

  /** Something changed: whoever waits looks again. */
  wake(): void {
    this.version++
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resume of waiting) resume()
  }

  /** Calls back at the next change; the returned function takes it back. */
  onChange(resume: () => void): () => void {
    this.#waiting.add(resume)
    return () => void this.#waiting.delete(resume)
  }
}

/** Whether a chunk holds no more rows than a subscriber asked for. */
export const entryFits = (entry: Entry, subscriber: Subscriber): boolean =>
  entry.asked <= subscriber.rows || entry.chunk.length <= subscriber.rows

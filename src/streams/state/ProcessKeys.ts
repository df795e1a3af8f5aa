/**
 * The keys of one instance of `process`, by their ids in a key table: their states, when these end (rule A7), and their
 * timers. No user code runs here.
 *
 * Expiry is judged by whoever looks: a state set at t0 is absent for what is later than t0 + ttl. `free` only drops what
 * nobody can see any more. A key is forgotten with its last state and timer. All is kept in columns whose entries never
 * change in themselves, so that a copy of the columns is a copy of everything.
 */
import type { Sealed } from "../StateCodec.ts"
import { KeyTable, type KeyTuple } from "../KeyDictionary.ts"
import { MinHeap } from "./MinHeap.ts"
import { isBefore, KeyTimer, TimeQueue } from "./Timers.ts"

/** The timers of a key in the order they were set; one alone stands for itself. */
export type KeyTimers = KeyTimer | ReadonlyArray<KeyTimer> | undefined

const noTimers: ReadonlyArray<KeyTimer> = Object.freeze([])

/** The timers of a key as a list. */
export const timersIn = (timers: KeyTimers): ReadonlyArray<KeyTimer> =>
  timers === undefined ? noTimers : timers instanceof KeyTimer ? [timers] : timers

/** The columns of a moment, by id. */
export interface KeyColumns {
  readonly tuples: ReadonlyArray<KeyTuple | undefined>
  /** Frozen JSON; undefined: none. */
  readonly states: ReadonlyArray<unknown>
  readonly since: Float64Array
  readonly timers: ReadonlyArray<KeyTimers>
}

/** What a key, and a timer, take in memory beside what they hold; measured, roughly. */
const keyBytes = 150
const timerBytes = 120

/** The keys of one instance: see the head of this file. */
export class ProcessKeys {
  readonly table: KeyTable
  readonly #ttlMs: number
  readonly #states: Array<unknown> = []
  readonly #timers: Array<KeyTimers> = []
  /** When each state was set: the highest time of its settings; and its bytes. */
  #since = new Float64Array(64)
  #bytes = new Float64Array(64)
  /** Ids that the table keeps for us, and ids that wait in `#expiries`. */
  #isHeld = new Uint8Array(64)
  #isExpected = new Uint8Array(64)
  /** Ids by a time at which their states may have ended: each at most once. */
  readonly #expiries = new MinHeap<number>()
  /** Timers that wait for the watermark, and for the clock. */
  readonly event = new TimeQueue()
  readonly processing = new TimeQueue()
  #stateBytes = 0
  size = 0

  constructor(columns: number, ttlMs: number) {
    this.table = new KeyTable(columns)
    this.#ttlMs = ttlMs
  }

  /** Makes room for a key, which may hold something from now on; `settle` says that it does or not. */
  open(id: number): void {
    if (id < this.#since.length) return
    const n = Math.max(id + 1, this.#since.length * 2)
    this.#since = grown(this.#since, new Float64Array(n))
    this.#bytes = grown(this.#bytes, new Float64Array(n))
    this.#isHeld = grown(this.#isHeld, new Uint8Array(n))
    this.#isExpected = grown(this.#isExpected, new Uint8Array(n))
  }

  /** Keeps a key that holds something, forgets one that does not; after each use. */
  settle(id: number): void {
    const holds = this.#states[id] !== undefined || this.#timers[id] !== undefined
    if (holds === (this.#isHeld[id] === 1)) return
    if (holds) {
      this.#isHeld[id] = 1
      this.size++
      this.table.retain(id)
    } else {
      this.#isHeld[id] = 0
      this.size--
      this.table.release(id)
    }
  }

  /** The state that something of time `at` sees; undefined: none. */
  stateAt(id: number, at: number): unknown {
    return at > this.#since[id] + this.#ttlMs ? undefined : this.#states[id]
  }

  set(id: number, { json, bytes }: Sealed, at: number): void {
    this.#since[id] = this.#states[id] === undefined ? at : Math.max(this.#since[id], at)
    this.#stateBytes += bytes - this.#bytes[id]
    this.#bytes[id] = bytes
    this.#states[id] = json
    // Who waits already is looked at no later than it ends, but for an older key of the id, or a row out of order.
    if (this.#isExpected[id] === 0 && this.#ttlMs !== Infinity) this.#expect(id)
  }

  #expect(id: number): void {
    this.#isExpected[id] = 1
    this.#expiries.push(this.#since[id] + this.#ttlMs, id)
  }

  clear(id: number): void {
    this.#stateBytes -= this.#bytes[id]
    this.#bytes[id] = 0
    this.#states[id] = undefined
  }

  /** Drops states that nothing of time `now` or later sees. */
  free(now: number): void {
    while (this.#expiries.size > 0 && this.#expiries.minKey() < now) {
      const id = this.#expiries.pop()
      this.#isExpected[id] = 0
      if (this.#states[id] === undefined) continue
      if (this.#since[id] + this.#ttlMs < now) {
        this.clear(id)
        this.settle(id)
      } else this.#expect(id)
    }
  }

  /** Sets a timer in the place of the one of its name. */
  setTimer(timer: KeyTimer): void {
    const { id } = timer
    this.cancel(id, timer.name)
    const others = this.#timers[id]
    this.#timers[id] = others === undefined ? timer : [...timersIn(others), timer]
    this.#queueOf(timer).add(timer)
  }

  cancel(id: number, name: string): void {
    const timer = timersIn(this.#timers[id]).find((other) => other.name === name)
    if (timer !== undefined) this.take(timer)
  }

  /** Takes out a timer that is set. */
  take(timer: KeyTimer): void {
    this.#queueOf(timer).remove(timer)
    const others = timersIn(this.#timers[timer.id]).filter((other) => other !== timer)
    this.#timers[timer.id] = others.length > 1 ? others : others[0]
  }

  #queueOf(timer: KeyTimer): TimeQueue {
    return timer.isEvent ? this.event : this.processing
  }

  /** The first event timer of a key that is due at `watermark`. */
  dueOf(id: number, watermark: number): KeyTimer | undefined {
    const timers = this.#timers[id]
    if (timers === undefined) return undefined
    let first: KeyTimer | undefined
    for (const timer of timersIn(timers)) {
      if (timer.isEvent && timer.at <= watermark && (first === undefined || isBefore(timer, first))) first = timer
    }
    return first
  }

  /** The columns as they are now: only references are copied. */
  copy(): KeyColumns {
    return {
      tuples: this.table.copy(),
      states: this.#states.slice(),
      since: this.#since.slice(),
      timers: this.#timers.slice()
    }
  }

  bytes(): number {
    return this.#stateBytes + this.size * keyBytes + (this.event.size + this.processing.size) * timerBytes
  }
}

const grown = <C extends Float64Array | Uint8Array>(column: C, larger: C): C => {
  larger.set(column)
  return larger
}

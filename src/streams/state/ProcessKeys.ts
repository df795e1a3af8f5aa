/**
 * The keys of one instance of `process`: their states, when these end (rule A7), their timers. No user code runs here.
 *
 * Expiry is judged by whoever looks: a state set at t0 is absent for what is later than t0 + ttl. `free` only drops what
 * nobody can see any more. A key is forgotten with its last state and timer.
 */
import type { Sealed } from "../StateCodec.ts"
import { KeyTable, type KeyTuple } from "../KeyDictionary.ts"
import { type Due, isBefore, type KeyTimer, TimeQueue } from "./Timers.ts"

/** One key. As an item of a queue it is due when its state may end. */
export class ProcessKey implements Due {
  readonly id: number
  readonly tuple: KeyTuple
  /** The state as frozen JSON; undefined: none. */
  state: unknown = undefined
  bytes = 0
  /** When the state was set: the highest time of its settings. */
  since = 0
  /** By name, in the order they were set. */
  timers: Map<string, KeyTimer<ProcessKey>> | undefined
  at = 0
  seq = 0
  place = -1

  constructor(id: number, tuple: KeyTuple) {
    this.id = id
    this.tuple = tuple
  }
}

/** What a key, and a timer, take in memory beside what they hold; measured roughly. */
const keyBytes = 300
const timerBytes = 200

/** The keys of one instance: see the head of this file. */
export class ProcessKeys {
  readonly table: KeyTable
  readonly #ttlMs: number
  readonly #keys: Array<ProcessKey | undefined> = []
  readonly #expiries = new TimeQueue<ProcessKey>()
  /** Timers that wait for the watermark, and for the clock. */
  readonly event = new TimeQueue<KeyTimer<ProcessKey>>()
  readonly processing = new TimeQueue<KeyTimer<ProcessKey>>()
  #stateBytes = 0
  size = 0

  constructor(columns: number, ttlMs: number) {
    this.table = new KeyTable(columns)
    this.#ttlMs = ttlMs
  }

  /** A key by its number in the table, if it has a state or timers. */
  find(id: number): ProcessKey | undefined {
    return this.#keys[id]
  }

  /** The same, made when it is not there; to be closed after use. */
  open(id: number): ProcessKey {
    const known = this.#keys[id]
    if (known !== undefined) return known
    const key = new ProcessKey(id, this.table.keyOf(id))
    this.table.retain(id)
    this.#keys[id] = key
    this.size++
    return key
  }

  /** Forgets a key that holds nothing. */
  close(key: ProcessKey): void {
    if (key.state !== undefined || key.timers !== undefined || this.#keys[key.id] !== key) return
    this.#keys[key.id] = undefined
    this.size--
    this.table.release(key.id)
  }

  /** The state that something of time `at` sees. */
  stateAt(key: ProcessKey, at: number): unknown {
    return at > key.since + this.#ttlMs ? undefined : key.state
  }

  set(key: ProcessKey, { json, bytes }: Sealed, at: number): void {
    key.since = key.state === undefined ? at : Math.max(key.since, at)
    this.#stateBytes += bytes - key.bytes
    key.state = json
    key.bytes = bytes
    // An entry that is due too early is looked at again then: `since` only grows.
    if (key.place < 0 && this.#ttlMs !== Infinity) this.#expect(key)
  }

  #expect(key: ProcessKey): void {
    key.at = key.since + this.#ttlMs
    this.#expiries.add(key)
  }

  clear(key: ProcessKey): void {
    this.#stateBytes -= key.bytes
    key.state = undefined
    key.bytes = 0
    if (key.place >= 0) this.#expiries.remove(key)
  }

  /** Drops states that nothing of time `now` or later sees. */
  free(now: number): void {
    for (let key = this.#expiries.first(); key !== undefined && key.at < now; key = this.#expiries.first()) {
      if (key.since + this.#ttlMs < now) {
        this.clear(key)
        this.close(key)
      } else {
        this.#expiries.remove(key)
        this.#expect(key)
      }
    }
  }

  /** Sets a timer in the place of the one of its name. */
  setTimer(timer: KeyTimer<ProcessKey>): void {
    const key = timer.owner
    this.cancel(key, timer.name)
    key.timers ??= new Map()
    key.timers.set(timer.name, timer)
    this.#queueOf(timer).add(timer)
  }

  cancel(key: ProcessKey, name: string): void {
    const timer = key.timers?.get(name)
    if (timer !== undefined) this.take(timer)
  }

  /** Takes out a timer that is set. */
  take(timer: KeyTimer<ProcessKey>): void {
    const key = timer.owner
    this.#queueOf(timer).remove(timer)
    key.timers?.delete(timer.name)
    if (key.timers?.size === 0) key.timers = undefined
  }

  #queueOf(timer: KeyTimer<ProcessKey>): TimeQueue<KeyTimer<ProcessKey>> {
    return timer.isEvent ? this.event : this.processing
  }

  /** The first event timer of a key that is due at `watermark`. */
  dueOf(key: ProcessKey, watermark: number): KeyTimer<ProcessKey> | undefined {
    if (key.timers === undefined) return undefined
    let first: KeyTimer<ProcessKey> | undefined
    for (const timer of key.timers.values()) {
      if (timer.isEvent && timer.at <= watermark && (first === undefined || isBefore(timer, first))) first = timer
    }
    return first
  }

  /** Calls `visit` with each key. */
  forEach(visit: (key: ProcessKey) => void): void {
    for (const key of this.#keys) if (key !== undefined) visit(key)
  }

  bytes(): number {
    return this.#stateBytes + this.size * keyBytes + (this.event.size + this.processing.size) * timerBytes
  }
}

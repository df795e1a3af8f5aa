/**
 * States that change in place (sketches, a reducer's), as they were at a barrier, without copying them at it.
 *
 * A snapshot notes references only. Each state is encoded when its turn comes, or just before it changes, whichever is
 * first: so each is encoded once, and the state goes on being changed in place. It costs a state that is about to
 * change one look at a flag, and nothing when no snapshot waits.
 */
import type { Later, SnapshotValue } from "../../model/Snapshot.ts"
import { grownBytes } from "./Columns.ts"
import { inParts } from "./StoredColumn.ts"

/** What encoding a state threw: told when its turn comes, not to whom the next row belongs. */
class Failed {
  readonly cause: unknown
  constructor(cause: unknown) {
    this.cause = cause
  }
}

/** One snapshot that is not encoded yet. */
class Waiting<S, E> {
  readonly states: ReadonlyArray<S>
  /** What was encoded early, by slot. */
  readonly early = new Map<number, E | Failed>()
  readonly done: Uint8Array
  readonly per: number
  left: number

  constructor(states: ReadonlyArray<S>, per: number) {
    this.states = states
    this.per = per
    this.left = Math.ceil(states.length / per)
    this.done = new Uint8Array(this.left)
  }

  /** Whether the state of a slot still has to be encoded. */
  needs(slot: number): boolean {
    return slot < this.states.length && this.done[Math.floor(slot / this.per)] === 0 && !this.early.has(slot)
  }
}

/** Keeps the states of one column for its snapshots. `encode` must give a value that shares nothing with the state. */
export class StatesAtBarrier<S, E> {
  readonly #encode: (state: S) => E
  /** Snapshots in the making. Those that were given up are dropped with their `Later`s, nobody else holding them. */
  #waiting: Array<WeakRef<Waiting<S, E>>> = []
  /** Slots that have not changed since the last snapshot. */
  #same: Uint8Array = new Uint8Array(0)

  constructor(encode: (state: S) => E) {
    this.#encode = encode
  }

  /** To be called before the state of a slot is changed in place. */
  changing(slot: number): void {
    if (this.#waiting.length > 0 && this.#same[slot] === 1) this.#keep(slot)
  }

  #keep(slot: number): void {
    this.#same[slot] = 0
    for (const reference of this.#waiting) {
      const waiting = reference.deref()
      if (waiting?.needs(slot) === true) waiting.early.set(slot, this.#encoded(waiting.states[slot]))
    }
  }

  #encoded(state: S): E | Failed {
    try {
      return this.#encode(state)
    } catch (cause) {
      return new Failed(cause)
    }
  }

  /** Slots `0..count)` as they are now, in parts of `per` slots, each made of its encoded states by `pack`. */
  snapshot(
    states: ReadonlyArray<S>,
    count: number,
    per: number,
    pack: (encoded: ReadonlyArray<E>) => SnapshotValue
  ): ReadonlyArray<Later> {
    const waiting = new Waiting<S, E>(states.slice(0, count), per)
    if (waiting.left === 0) return []
    if (this.#same.length < count) this.#same = grownBytes(this.#same, count)
    this.#same.fill(1, 0, count)
    this.#waiting = this.#waiting.filter((reference) => reference.deref() !== undefined)
    const reference = new WeakRef(waiting)
    this.#waiting.push(reference)
    return inParts(count, per, (from, to) => {
      if (waiting.done[from / per] === 1) throw new Error("a part of a snapshot is encoded only once")
      const encoded = new Array<E>(to - from)
      for (let slot = from; slot < to; slot++) {
        const kept = waiting.early.has(slot)
          ? (waiting.early.get(slot) as E | Failed)
          : this.#encode(waiting.states[slot])
        if (kept instanceof Failed) throw kept.cause
        encoded[slot - from] = kept
      }
      this.#finish(waiting, reference, from, to)
      return pack(encoded)
    })
  }

  #finish(waiting: Waiting<S, E>, reference: WeakRef<Waiting<S, E>>, from: number, to: number): void {
    waiting.done[from / waiting.per] = 1
    for (let slot = from; slot < to; slot++) waiting.early.delete(slot)
    if (--waiting.left === 0) this.#waiting = this.#waiting.filter((other) => other !== reference)
  }
}

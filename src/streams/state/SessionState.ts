/**
 * Session windows (rule T9): rows of a key less than the gap apart belong together, exactly the gap apart stay
 * separate; a session closes when last + gap <= W_op. A row is late iff t < W_p (T4). Pure and synchronous.
 *
 * Since W_op <= W_p, a session that an on-time row may join is still here.
 */
import { Limits } from "../../model/Limits.ts"
import type { SnapshotValue } from "../../model/Snapshot.ts"
import { decodeStored, encodeStored } from "../../model/StoredValue.ts"
import type { AggregateSpec } from "../aggregates/Aggregate.ts"
import { grownCapacity, grownFloats, grownInts } from "../aggregates/Columns.ts"
import type { Counters } from "../Counters.ts"
import { KeyTable, type KeyTuple } from "../KeyDictionary.ts"
import type { KeyedBatch, KeyedOperator, OperatorOutput } from "../KeyedBatch.ts"
import { MinHeap } from "./MinHeap.ts"
import { SlotStore } from "./SlotStore.ts"
import { KeysAtBarrier, noKey, restoreKeys, slotsOfKeys } from "./StoredKeys.ts"
import { WindowResults, type ResultColumns } from "./WindowResults.ts"

/** Its start and last row are in the columns of its slot: a barrier copies those. */
interface Session {
  readonly id: number
  readonly slot: number
  /** False once merged into another or closed: its place in the heap is stale. */
  open: boolean
}

/** What a snapshot has, once it is encoded. */
interface Stored {
  /** W_op, by `model/StoredValue.ts`. */
  readonly watermark: SnapshotValue
  readonly keys: SnapshotValue
  /** Of each slot: the number of its key, -1 where none is in use; its first and last event time. */
  readonly slots: Int32Array
  readonly starts: Float64Array
  readonly lasts: Float64Array
  readonly columns: SnapshotValue
}

/** The open sessions of one instance of a session window. */
export class SessionState implements KeyedOperator<KeyedBatch> {
  readonly #gap: number
  readonly #counters: Counters
  readonly #keepsLateRows: boolean
  readonly #keys: KeyTable
  readonly #results: WindowResults
  readonly #store: SlotStore
  /** Open sessions of each key id, by start. */
  readonly #sessions: Array<Array<Session> | undefined> = []
  /** Open sessions by an end that may have moved on since. */
  readonly #ends = new MinHeap<Session>()
  /** Key id of each slot, -1 where it is free, and the event times of the first and last row of its session. */
  #ids: Int32Array = new Int32Array(0)
  #starts: Float64Array = new Float64Array(0)
  #lasts: Float64Array = new Float64Array(0)
  #watermark = -Infinity
  #slots = new Int32Array(1024)

  constructor(
    keyColumns: number,
    gapMs: number,
    options: {
      readonly aggregates: ReadonlyArray<AggregateSpec>
      readonly columns: ResultColumns
      readonly keepsLateRows: boolean
      readonly ordered: boolean
    },
    counters: Counters
  ) {
    this.#gap = gapMs
    this.#counters = counters
    this.#keepsLateRows = options.keepsLateRows
    this.#keys = new KeyTable(keyColumns)
    this.#results = new WindowResults(options.columns, this.#keys, options.ordered)
    this.#store = new SlotStore(options.aggregates)
  }

  process(edge: number, batch: KeyedBatch, out: OperatorOutput): void {
    const ids = this.#keys.learn(edge, batch.delta)
    const { length: n, numbers, times, watermarks } = batch
    if (this.#slots.length < n) this.#slots = new Int32Array(n)
    const slots = this.#slots
    let from = 0
    let lateRows: Array<unknown> | undefined
    for (let i = 0; i < n; i++) {
      const t = times[i]
      if (t < watermarks[i]) {
        this.#add(batch, from, i)
        from = i + 1
        this.#counters.late++
        if (this.#keepsLateRows) (lateRows ??= []).push(batch.rows?.[i])
        continue
      }
      const id = ids[numbers[i]]
      const open = this.#sessions[id]
      const at = open === undefined ? 0 : this.#find(open, t)
      const found = open?.[at]
      if (open === undefined || found === undefined || t <= this.#starts[found.slot] - this.#gap) {
        const session = this.#open(id, t)
        if (open === undefined) this.#sessions[id] = [session]
        else open.splice(at, 0, session)
        slots[i] = session.slot
        continue
      }
      if (t < this.#starts[found.slot]) this.#starts[found.slot] = t
      if (t > this.#lasts[found.slot]) this.#lasts[found.slot] = t
      const next = open[at + 1]
      if (next !== undefined && this.#starts[next.slot] - this.#gap < this.#lasts[found.slot]) {
        // The merge moves accumulators, so the rows before this one must be in theirs.
        this.#add(batch, from, i)
        from = i
        this.#merge(found, next)
        open.splice(at + 1, 1)
      }
      slots[i] = found.slot
    }
    this.#add(batch, from, n)
    this.#counters.in += n
    if (lateRows !== undefined) out.late(lateRows)
  }

  #add(batch: KeyedBatch, from: number, to: number): void {
    if (to <= from) return
    this.#store.add(this.#slots, batch.inputs, from, to, batch.order)
    this.#counters.contributed += to - from
  }

  /** Index of the first session whose end is above `t`. */
  #find(open: ReadonlyArray<Session>, t: number): number {
    let low = 0
    let high = open.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (t >= this.#lasts[open[middle].slot] + this.#gap) low = middle + 1
      else high = middle
    }
    return low
  }

  #merge(into: Session, from: Session): void {
    this.#store.merge(into.slot, from.slot)
    this.#lasts[into.slot] = Math.max(this.#lasts[into.slot], this.#lasts[from.slot])
    this.#end(from)
  }

  /** Frees what a session that is merged or closed has held. */
  #end(session: Session): void {
    this.#store.free(session.slot)
    this.#ids[session.slot] = noKey
    session.open = false
    this.#keys.release(session.id)
  }

  #open(id: number, t: number): Session {
    return this.#begin(id, this.#store.take(), t, t)
  }

  #begin(id: number, slot: number, start: number, last: number): Session {
    if (slot >= this.#ids.length) this.#grow(slot + 1)
    this.#ids[slot] = id
    this.#starts[slot] = start
    this.#lasts[slot] = last
    const session: Session = { id, slot, open: true }
    this.#keys.retain(id)
    this.#ends.push(last + this.#gap, session)
    return session
  }

  #grow(capacity: number): void {
    const grown = grownCapacity(this.#ids.length, capacity)
    const before = this.#ids.length
    this.#ids = grownInts(this.#ids, grown).fill(noKey, before)
    this.#starts = grownFloats(this.#starts, grown)
    this.#lasts = grownFloats(this.#lasts, grown)
  }

  advance(watermark: number, out: OperatorOutput): boolean {
    if (watermark <= this.#watermark) return true
    const sent = this.#watermark
    while (this.#ends.size > 0 && this.#ends.minKey() <= watermark) {
      if (this.#results.size >= Limits.resultsPerStepMax) {
        this.#results.emit(sent, out)
        return false
      }
      const session = this.#ends.pop()
      if (!session.open) continue
      const end = this.#lasts[session.slot] + this.#gap
      if (end > watermark) this.#ends.push(end, session)
      else this.#close(session, end)
    }
    this.#watermark = watermark
    this.#results.emit(sent, out)
    return true
  }

  #close(session: Session, end: number): void {
    this.#results.add(session.id, this.#starts[session.slot], end, this.#store.state, session.slot)
    this.#counters.settled += this.#store.state.counts[session.slot]
    const open = this.#sessions[session.id] as Array<Session>
    if (open.length === 1) this.#sessions[session.id] = undefined
    else open.splice(open.indexOf(session), 1)
    this.#end(session)
  }

  barrier(): void {
    // Sessions come out when they close, and only then.
  }

  held(): number {
    return this.#store.state.rows()
  }

  keys(): number {
    return this.#keys.size
  }

  bytes(): number {
    const { size } = this.#store
    return this.#keys.bytes() + this.#store.state.bytes() + size * (20 + sessionBytes)
  }

  snapshot(): SnapshotValue {
    const keys = new KeysAtBarrier(this.#keys)
    let n = this.#store.size
    while (n > 0 && this.#ids[n - 1] === noKey) n--
    const slots = keys.numbersOf(this.#ids.slice(0, n))
    return {
      watermark: encodeStored(this.#watermark),
      keys: keys.stored(),
      slots,
      starts: this.#starts.slice(0, n),
      lasts: this.#lasts.slice(0, n),
      columns: this.#store.snapshot(n)
    }
  }

  restore(snapshots: ReadonlyArray<SnapshotValue>, isMine: (key: KeyTuple) => boolean): void {
    for (const snapshot of snapshots) {
      const { watermark, keys, slots, starts, lasts, columns } = snapshot as unknown as Stored
      // The same in all snapshots (C1).
      this.#watermark = decodeStored(watermark) as number
      const ids = restoreKeys(keys, this.#keys, isMine)
      const from = slotsOfKeys(slots, ids)
      const at = this.#store.restore(columns, from)
      for (let i = 0; i < from.length; i++) {
        const id = ids[slots[from[i]]]
        const session = this.#begin(id, at + i, starts[from[i]], lasts[from[i]])
        const open = this.#sessions[id]
        if (open === undefined) this.#sessions[id] = [session]
        else open.splice(this.#find(open, starts[from[i]]), 0, session)
      }
    }
  }
}

/** About what a session takes beside its columns: itself, its place in its key's list and in the heap. */
const sessionBytes = 120

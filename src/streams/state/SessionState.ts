/**
 * Session windows (rule T9): rows of a key less than the gap apart belong together, exactly the gap apart stay
 * separate; a session closes when last + gap <= W_op. A row is late iff t < W_p (T4). Pure and synchronous.
 *
 * Since W_op <= W_p, a session that an on-time row may join is still here.
 */
import { Limits } from "../../model/Limits.ts"
import type { AggregateSpec } from "../aggregates/Aggregate.ts"
import type { Counters } from "../Counters.ts"
import { KeyTable } from "../KeyDictionary.ts"
import type { KeyedBatch, KeyedOperator, OperatorOutput } from "../KeyedBatch.ts"
import { MinHeap } from "./MinHeap.ts"
import { SlotStore } from "./SlotStore.ts"
import { WindowResults, type ResultColumns } from "./WindowResults.ts"

interface Session {
  readonly id: number
  start: number
  last: number
  readonly slot: number
  /** False once merged into another or closed: its place in the heap is stale. */
  open: boolean
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
  readonly #sessions = new Map<number, Array<Session>>()
  /** Open sessions by an end that may have moved on since. */
  readonly #ends = new MinHeap<Session>()
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
      const open = this.#sessions.get(id)
      const at = open === undefined ? 0 : this.#find(open, t)
      const found = open?.[at]
      if (open === undefined || found === undefined || t <= found.start - this.#gap) {
        const session = this.#open(id, t)
        if (open === undefined) this.#sessions.set(id, [session])
        else open.splice(at, 0, session)
        slots[i] = session.slot
        continue
      }
      if (t < found.start) found.start = t
      if (t > found.last) found.last = t
      const next = open[at + 1]
      if (next !== undefined && next.start - this.#gap < found.last) {
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
      if (t >= open[middle].last + this.#gap) low = middle + 1
      else high = middle
    }
    return low
  }

  #merge(into: Session, from: Session): void {
    this.#store.merge(into.slot, from.slot)
    this.#store.free(from.slot)
    into.last = Math.max(into.last, from.last)
    from.open = false
    this.#keys.release(from.id)
  }

  #open(id: number, t: number): Session {
    const session: Session = { id, start: t, last: t, slot: this.#store.take(), open: true }
    this.#keys.retain(id)
    this.#ends.push(t + this.#gap, session)
    return session
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
      const end = session.last + this.#gap
      if (end > watermark) this.#ends.push(end, session)
      else this.#close(session, end)
    }
    this.#watermark = watermark
    this.#results.emit(sent, out)
    return true
  }

  #close(session: Session, end: number): void {
    this.#results.add(session.id, session.start, end, this.#store.state, session.slot)
    this.#counters.settled += this.#store.state.counts[session.slot]
    this.#store.free(session.slot)
    session.open = false
    const open = this.#sessions.get(session.id) as Array<Session>
    if (open.length === 1) this.#sessions.delete(session.id)
    else open.splice(open.indexOf(session), 1)
    this.#keys.release(session.id)
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
}

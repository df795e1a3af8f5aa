/**
 * One accumulator per key, without slices: the global window, and running aggregates (rule A2).
 *
 * The global window comes out when its input ends (T11). A running aggregate comes out at each barrier, the rows whose
 * key changed in the epoch; it settles there (L2).
 */
import { instantMax } from "../../model/EventTime.ts"
import type { SnapshotValue } from "../../model/Snapshot.ts"
import { decodeStored, encodeStored } from "../../model/StoredValue.ts"
import type { AggregateSpec } from "../aggregates/Aggregate.ts"
import { grownFloats, takeNumbers } from "../aggregates/Columns.ts"
import type { Counters } from "../Counters.ts"
import { KeyTable, type KeyTuple } from "../KeyDictionary.ts"
import type { KeyedBatch, KeyedOperator, OperatorOutput } from "../KeyedBatch.ts"
import { SliceState, type StoredSlice } from "./SliceState.ts"
import { KeysAtBarrier, restoreKeys, slotsOfKeys } from "./StoredKeys.ts"
import { WindowResults, type ResultColumns } from "./WindowResults.ts"

/** Bounds of the global window in results: the first and the last instant of a JavaScript `Date`. */
export const globalWindow = { start: -instantMax, end: instantMax } as const

/** What a snapshot has, once it is encoded. */
interface Stored {
  /** W_op, by `model/StoredValue.ts`. */
  readonly watermark: SnapshotValue
  /** The input has ended; a global window has then come out, and holds nothing. */
  readonly ended: boolean
  readonly keys: SnapshotValue
  readonly slices: ReadonlyArray<StoredSlice>
  /** Running: of each slot the highest event time, and the rows that have settled. */
  readonly times: Float64Array
  readonly settled: Float64Array
}

/** The keys of one instance of a global window or running aggregate. */
export class GlobalState implements KeyedOperator<KeyedBatch> {
  readonly #counters: Counters
  readonly #running: boolean
  readonly #keys: KeyTable
  readonly #results: WindowResults
  readonly #state: SliceState
  /** Highest event time of each slot: the event time of a running result. */
  #times: Float64Array = new Float64Array(0)
  /** Running: rows of each slot that have settled, which is at the barrier after they came (L2). */
  #settled: Float64Array = new Float64Array(0)
  #watermark = -Infinity
  #ended = false
  #slots = new Int32Array(1024)

  constructor(
    keyColumns: number,
    options: {
      readonly aggregates: ReadonlyArray<AggregateSpec>
      readonly columns: ResultColumns
      readonly running: boolean
      readonly ordered: boolean
    },
    counters: Counters
  ) {
    this.#counters = counters
    this.#running = options.running
    this.#keys = new KeyTable(keyColumns)
    this.#results = new WindowResults(options.columns, this.#keys, options.ordered)
    this.#state = new SliceState(options.aggregates, globalWindow.start, globalWindow.start, 16)
  }

  process(edge: number, batch: KeyedBatch): void {
    const ids = this.#keys.learn(edge, batch.delta)
    const { length: n, numbers, times } = batch
    const state = this.#state
    if (this.#slots.length < n) this.#slots = new Int32Array(n)
    const slots = this.#slots
    for (let i = 0; i < n; i++) slots[i] = state.slotOf(ids[numbers[i]])
    state.add(slots, batch.inputs, 0, n, batch.order)
    this.#retain()
    if (this.#running) this.#mark(slots, times, n)
    this.#counters.in += n
    this.#counters.contributed += n
  }

  /** Counts the keys of slots that are new as in use. */
  #retain(): void {
    const state = this.#state
    for (let slot = state.retained; slot < state.slots.size; slot++) this.#keys.retain(state.slots.ids[slot])
    state.retained = state.slots.size
  }

  #reserve(): void {
    const { length } = this.#state.counts
    if (this.#times.length >= length) return
    this.#times = grownFloats(this.#times, length, -Infinity)
    this.#settled = grownFloats(this.#settled, length)
  }

  #mark(slots: Int32Array, times: Float64Array, n: number): void {
    const changed = this.#state.changed
    this.#reserve()
    for (let i = 0; i < n; i++) {
      changed.add(slots[i])
      if (times.length > 0 && !(this.#times[slots[i]] >= times[i])) this.#times[slots[i]] = times[i]
    }
  }

  advance(watermark: number, out: OperatorOutput): boolean {
    const sent = this.#watermark
    if (watermark !== Infinity) {
      this.#watermark = watermark
      return true
    }
    if (this.#ended) return true
    this.#ended = true
    if (this.#running) {
      // What has changed comes out before the end is passed on (T11).
      this.barrier(out)
      return true
    }
    this.#watermark = watermark
    const state = this.#state
    for (let slot = 0; slot < state.slots.size; slot++) {
      this.#results.add(state.slots.ids[slot], globalWindow.start, globalWindow.end, state, slot)
    }
    this.#counters.settled += state.rows()
    this.#results.emit(sent, out)
    return true
  }

  barrier(out: OperatorOutput): void {
    if (!this.#running) return
    const state = this.#state
    for (const slot of state.changed) {
      const t = this.#times[slot]
      this.#results.add(state.slots.ids[slot], t + 1, t + 1, state, slot)
    }
    this.#counters.settled += this.#unsettled()
    for (const slot of state.changed) this.#settled[slot] = state.counts[slot]
    state.changed.clear()
    this.#results.emit(this.#watermark, out)
  }

  /** Running: rows that came since the last barrier; only changed slots have any. */
  #unsettled(): number {
    let rows = 0
    for (const slot of this.#state.changed) rows += this.#state.counts[slot] - this.#settled[slot]
    return rows
  }

  held(): number {
    if (this.#running) return this.#unsettled()
    return this.#ended ? 0 : this.#state.rows()
  }

  keys(): number {
    return this.#keys.size
  }

  bytes(): number {
    return this.#keys.bytes() + this.#state.bytes() + this.#times.byteLength + this.#settled.byteLength
  }

  snapshot(): SnapshotValue {
    const keys = new KeysAtBarrier(this.#keys)
    const n = this.#running ? this.#state.slots.size : 0
    const slices = this.#ended && !this.#running ? [] : [this.#state.snapshot(keys)]
    return {
      watermark: encodeStored(this.#watermark),
      ended: this.#ended,
      keys: keys.stored(),
      slices,
      times: this.#times.slice(0, n),
      settled: this.#settled.slice(0, n)
    }
  }

  restore(snapshots: ReadonlyArray<SnapshotValue>, isMine: (key: KeyTuple) => boolean): void {
    for (const snapshot of snapshots) {
      const { watermark, ended, keys, slices, times, settled } = snapshot as unknown as Stored
      // The same in all snapshots (C1).
      this.#watermark = decodeStored(watermark) as number
      this.#ended = ended
      const ids = restoreKeys(keys, this.#keys, isMine)
      for (const slice of slices) {
        const from = slotsOfKeys(slice.keys, ids)
        const at = this.#state.slots.size
        this.#state.restore(slice, from, ids)
        this.#retain()
        if (!this.#running) continue
        this.#reserve()
        takeNumbers(this.#times, times, from, at)
        takeNumbers(this.#settled, settled, from, at)
      }
    }
  }
}

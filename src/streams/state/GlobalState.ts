/**
 * One accumulator per key, without slices: the global window, and running aggregates (rule A2).
 *
 * The global window comes out when its input ends (T11). A running aggregate comes out at each barrier, the rows whose
 * key changed in the epoch; it settles there (L2).
 */
import { instantMax } from "../../model/EventTime.ts"
import type { AggregateSpec } from "../aggregates/Aggregate.ts"
import type { Counters } from "../Counters.ts"
import { KeyTable } from "../KeyDictionary.ts"
import type { KeyedBatch, KeyedOperator, OperatorOutput } from "../KeyedBatch.ts"
import { SliceState } from "./SliceState.ts"
import { WindowResults, type ResultColumns } from "./WindowResults.ts"

/** Bounds of the global window in results: the first and the last instant of a JavaScript `Date`. */
export const globalWindow = { start: -instantMax, end: instantMax } as const

/** The keys of one instance of a global window or running aggregate. */
export class GlobalState implements KeyedOperator<KeyedBatch> {
  readonly #counters: Counters
  readonly #running: boolean
  readonly #keys: KeyTable
  readonly #results: WindowResults
  readonly #state: SliceState
  /** Highest event time of each slot: the event time of a running result. */
  #times = new Float64Array(0)
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
    for (let slot = state.retained; slot < state.slots.size; slot++) this.#keys.retain(state.slots.ids[slot])
    state.retained = state.slots.size
    if (this.#running) this.#mark(slots, times, n)
    this.#counters.in += n
    this.#counters.contributed += n
  }

  #mark(slots: Int32Array, times: Float64Array, n: number): void {
    const changed = this.#state.changed
    if (this.#times.length < this.#state.counts.length) {
      const grown = new Float64Array(this.#state.counts.length).fill(-Infinity)
      grown.set(this.#times)
      this.#times = grown
    }
    for (let i = 0; i < n; i++) {
      changed.add(slots[i])
      if (times.length > 0 && !(this.#times[slots[i]] >= times[i])) this.#times[slots[i]] = times[i]
    }
  }

  advance(watermark: number, out: OperatorOutput): boolean {
    const sent = this.#watermark
    this.#watermark = watermark
    if (watermark !== Infinity || this.#ended) return true
    if (this.#running) {
      // What has changed comes out before the end is passed on (T11).
      this.#watermark = sent
      this.barrier(out)
      return true
    }
    this.#ended = true
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
    state.changed.clear()
    this.#counters.settled = state.rows()
    this.#results.emit(this.#watermark, out)
  }

  held(): number {
    return this.#ended ? 0 : this.#running ? this.#state.rows() - this.#counters.settled : this.#state.rows()
  }

  keys(): number {
    return this.#keys.size
  }
}

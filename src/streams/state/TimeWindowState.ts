/**
 * Tumbling and sliding windows over slices. Pure and synchronous.
 *
 * A row is judged by its own partition's watermark (T4), window by window: late for all of them it is a late row; late
 * for some it goes to a side accumulator of its slice that only the other windows read (T5). A window fires when
 * end <= W_op, and its state is dropped when end + L <= W_op (T6). Result rows have no empty panes (A6).
 *
 * Early, a barrier also emits the keys of windows still open that have changed since the barrier before, and a window
 * that fires emits those of its keys that have changed since then: the last pane of a key is what append would emit.
 */
import { Limits } from "../../model/Limits.ts"
import type { SnapshotValue } from "../../model/Snapshot.ts"
import { decodeStored, encodeStored } from "../../model/StoredValue.ts"
import type { AggregateSpec } from "../aggregates/Aggregate.ts"
import type { Counters } from "../Counters.ts"
import { KeyTable, type KeyTuple } from "../KeyDictionary.ts"
import type { KeyedBatch, KeyedOperator, OperatorOutput } from "../KeyedBatch.ts"
import { firstWindow, firstWindowEndingAfter, lastWindow, sliceStart, type TimeWindows } from "./SliceArithmetic.ts"
import type { SliceState, StoredSlice } from "./SliceState.ts"
import { KeysAtBarrier, restoreKeys, slotsOfKeys } from "./StoredKeys.ts"
import { WindowPanes } from "./WindowPanes.ts"
import { WindowResults, type ResultColumns } from "./WindowResults.ts"
import { WindowSlices } from "./WindowSlices.ts"

/** What a window operator is told beside the windows themselves. */
export interface WindowOptions {
  readonly aggregates: ReadonlyArray<AggregateSpec>
  readonly columns: ResultColumns
  /** L, ms. Above 0, fired windows come out again when late rows change them (update mode). */
  readonly allowedLatenessMs: number
  /** Late rows go to the late output (counted `late`) or are dropped (counted `late` too). */
  readonly keepsLateRows: boolean
  readonly ordered: boolean
  /** Windows that are still open come out at each barrier as far as they changed (update mode); default not. */
  readonly early?: boolean
}

/** What a snapshot has, once it is encoded. */
interface Stored {
  /** W_op, by `model/StoredValue.ts`. */
  readonly watermark: SnapshotValue
  /** Whether slots are marked for early emission. */
  readonly early: boolean
  readonly keys: SnapshotValue
  readonly slices: ReadonlyArray<StoredSlice>
}

/** The slices of one instance of a tumbling or sliding window. */
export class TimeWindowState implements KeyedOperator<KeyedBatch> {
  readonly #w: TimeWindows
  readonly #o: WindowOptions
  readonly #early: boolean
  readonly #counters: Counters
  readonly #keys: KeyTable
  readonly #results: WindowResults
  readonly #slices: WindowSlices
  readonly #panes: WindowPanes
  /** W_op as downstream knows it, while an advance is under way. */
  #sent: number | undefined
  #slots = new Int32Array(1024)
  // The slice of the row before, which is nearly always the slice of the next one.
  #current: SliceState | undefined
  #currentFrom = Infinity
  #currentTo = -Infinity
  #currentLimit = -Infinity

  constructor(keyColumns: number, windows: TimeWindows, options: WindowOptions, counters: Counters) {
    this.#w = windows
    this.#o = options
    this.#early = options.early === true
    this.#counters = counters
    this.#keys = new KeyTable(keyColumns)
    this.#results = new WindowResults(options.columns, this.#keys, options.ordered)
    this.#slices = new WindowSlices(windows, options.aggregates, options.allowedLatenessMs)
    this.#panes = new WindowPanes(windows, options.aggregates, this.#slices, this.#results)
  }

  process(edge: number, batch: KeyedBatch, out: OperatorOutput): void {
    const ids = this.#keys.learn(edge, batch.delta)
    const { length: n, numbers, times, watermarks, inputs, order } = batch
    if (this.#slots.length < n) this.#slots = new Int32Array(n)
    const slots = this.#slots
    this.#counters.in += n
    let from = 0
    let state = this.#current
    let contributed = 0
    let lateRows: Array<unknown> | undefined
    for (let i = 0; i < n; i++) {
      const t = times[i]
      if (t >= this.#currentTo || t < this.#currentFrom || watermarks[i] >= this.#currentLimit) {
        if (state !== undefined && i > from) this.#add(state, batch, slots, from, i)
        from = i
        const found = this.#resolve(t, watermarks[i])
        if (typeof found === "string") {
          if (found === "late") {
            this.#counters.late++
            if (this.#o.keepsLateRows) (lateRows ??= []).push(batch.rows?.[i])
          } else this.#counters.outside++
          from = i + 1
          state = undefined
          continue
        }
        state = found
      }
      slots[i] = (state as SliceState).slotOf(ids[numbers[i]])
      contributed++
    }
    if (state !== undefined && n > from) this.#add(state, { inputs, order }, slots, from, n)
    this.#counters.contributed += contributed
    if (lateRows !== undefined) out.late(lateRows)
  }

  #add(
    state: SliceState,
    batch: Pick<KeyedBatch, "inputs" | "order">,
    slots: Int32Array,
    from: number,
    to: number
  ): void {
    state.add(slots, batch.inputs, from, to, batch.order)
    this.#retain(state)
    if (this.#o.allowedLatenessMs > 0 && state.firstWindow + this.#w.sizeMs <= this.#slices.watermark) {
      for (let i = from; i < to; i++) state.changed.add(slots[i])
    }
    if (this.#early) for (let i = from; i < to; i++) state.early.add(slots[i])
  }

  /** Counts the keys of slots that are new as in use. */
  #retain(state: SliceState): void {
    for (let slot = state.retained; slot < state.slots.size; slot++) this.#keys.retain(state.slots.ids[slot])
    state.retained = state.slots.size
  }

  /** The state a row belongs to; remembers its slice as the current one. */
  #resolve(t: number, rowWatermark: number): SliceState | "late" | "outside" {
    const w = this.#w
    this.#forgetCurrent()
    const last = lastWindow(w, t)
    if (last + w.sizeMs <= t) return "outside"
    const slice = sliceStart(w, t)
    const first = firstWindow(w, slice)
    const L = this.#o.allowedLatenessMs
    let enter = first
    if (first + w.sizeMs + L <= rowWatermark) {
      enter = firstWindowEndingAfter(w, rowWatermark - L)
      if (enter > last) return "late"
      this.#counters.partlyLate++
      return this.#stateOf(slice, enter)
    }
    const state = this.#stateOf(slice, enter)
    this.#current = state
    this.#currentFrom = slice
    this.#currentTo = slice + w.sliceMs
    this.#currentLimit = first + w.sizeMs + L
    return state
  }

  #stateOf(slice: number, enter: number): SliceState {
    return this.#slices.stateOf(slice, enter)
  }

  #forgetCurrent(): void {
    this.#current = undefined
    this.#currentFrom = Infinity
    this.#currentTo = -Infinity
    this.#currentLimit = -Infinity
  }

  advance(watermark: number, out: OperatorOutput): boolean {
    const slices = this.#slices
    if (watermark <= slices.watermark) return true
    if (this.#sent === undefined) {
      this.#sent = slices.watermark
      if (this.#o.allowedLatenessMs > 0) this.#panes.emitChanged(this.#sent, out)
    }
    for (let end = slices.due(watermark); end !== undefined; end = slices.due(watermark)) {
      if (this.#results.size >= Limits.resultsPerStepMax) {
        this.#results.emit(this.#sent, out)
        return false
      }
      if (this.#early) this.#panes.fireChanged(end)
      else this.#panes.fire(end)
      slices.fired(end)
    }
    slices.watermark = watermark
    this.#results.emit(this.#sent, out)
    this.#sent = undefined
    this.#expire()
    return true
  }

  /** Drops slices that no window will read or be updated by again. */
  #expire(): void {
    this.#slices.expire((state) => {
      this.#counters.settled += state.rows()
      for (let slot = 0; slot < state.slots.size; slot++) this.#keys.release(state.slots.ids[slot])
    })
    if (this.#current !== undefined && !this.#slices.has(this.#current.start)) this.#forgetCurrent()
  }

  barrier(out: OperatorOutput): void {
    if (this.#o.allowedLatenessMs > 0) this.#panes.emitChanged(this.#slices.watermark, out)
    if (this.#early) this.#panes.emitEarly(this.#slices.watermark, out)
  }

  held(): number {
    let rows = 0
    for (const state of this.#slices.all()) rows += state.rows()
    return rows
  }

  keys(): number {
    return this.#keys.size
  }

  bytes(): number {
    let total = this.#keys.bytes()
    for (const state of this.#slices.all()) total += state.bytes()
    return total
  }

  snapshot(): SnapshotValue {
    if (this.#sent !== undefined) throw new Error("a snapshot in the middle of an advance")
    const keys = new KeysAtBarrier(this.#keys)
    const slices = Array.from(this.#slices.all(), (state) => state.snapshot(keys))
    return { watermark: encodeStored(this.#slices.watermark), early: this.#early, keys: keys.stored(), slices }
  }

  restore(snapshots: ReadonlyArray<SnapshotValue>, isMine: (key: KeyTuple) => boolean): void {
    for (const snapshot of snapshots) {
      const { watermark, early, keys, slices } = snapshot as unknown as Stored
      // First, since it says which windows a state still waits for. It is the same in all snapshots (C1).
      this.#slices.watermark = decodeStored(watermark) as number
      const ids = restoreKeys(keys, this.#keys, isMine)
      for (const slice of slices) {
        const from = slotsOfKeys(slice.keys, ids)
        if (from.length === 0) continue
        this.#slices.expected = from.length
        const state = this.#stateOf(slice.start, slice.firstWindow)
        state.restore(slice, from, ids)
        // Of an operator that was not early, nothing in open windows has come out yet.
        if (this.#early && !early)
          for (let slot = state.retained; slot < state.slots.size; slot++) state.early.add(slot)
        this.#retain(state)
      }
    }
  }
}

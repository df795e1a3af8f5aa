/**
 * Tumbling and sliding windows over slices. Pure and synchronous.
 *
 * A row is judged by its own partition's watermark (T4), window by window: late for all of them it is a late row; late
 * for some it goes to a side accumulator of its slice that only the other windows read (T5). A window fires when
 * end <= W_op, and its state is dropped when end + L <= W_op (T6). Result rows have no empty panes (A6).
 */
import { Limits } from "../../model/Limits.ts"
import type { AggregateSpec } from "../aggregates/Aggregate.ts"
import type { Counters } from "../Counters.ts"
import { KeyTable } from "../KeyDictionary.ts"
import type { KeyedBatch, KeyedOperator, OperatorOutput } from "../KeyedBatch.ts"
import { firstWindow, firstWindowEndingAfter, lastWindow, sliceStart, type TimeWindows } from "./SliceArithmetic.ts"
import { MinHeap } from "./MinHeap.ts"
import { SliceState } from "./SliceState.ts"
import { WindowResults, type ResultColumns } from "./WindowResults.ts"

/** What a window operator is told beside the windows themselves. */
export interface WindowOptions {
  readonly aggregates: ReadonlyArray<AggregateSpec>
  readonly columns: ResultColumns
  /** L, ms. Above 0, fired windows come out again when late rows change them (update mode). */
  readonly allowedLatenessMs: number
  /** Late rows go to the late output (counted `late`) or are dropped (counted `late` too). */
  readonly keepsLateRows: boolean
  readonly ordered: boolean
}

const none = -1

/** The slices of one instance of a tumbling or sliding window. */
export class TimeWindowState implements KeyedOperator<KeyedBatch> {
  readonly #w: TimeWindows
  readonly #o: WindowOptions
  readonly #counters: Counters
  readonly #keys: KeyTable
  readonly #results: WindowResults
  /** Slice start -> its main state first, then side states by first window. */
  readonly #slices = new Map<number, Array<SliceState>>()
  /** W_op; every window with end <= it has fired. */
  #watermark = -Infinity
  /** W_op as downstream knows it, while an advance is under way. */
  #sent: number | undefined
  /** Each state by the end of the first window, not fired yet, that reads it. */
  readonly #ends = new MinHeap<SliceState>()
  /** Slices by when no window will read or be updated by them again. */
  readonly #expiries = new MinHeap<number>()
  #expected = 16
  /** The last state dropped: the next slice takes its room. */
  #spare: SliceState | undefined
  #slots = new Int32Array(1024)
  // The slice of the row before, which is nearly always the slice of the next one.
  #current: SliceState | undefined
  #currentFrom = Infinity
  #currentTo = -Infinity
  #currentLimit = -Infinity

  constructor(keyColumns: number, windows: TimeWindows, options: WindowOptions, counters: Counters) {
    this.#w = windows
    this.#o = options
    this.#counters = counters
    this.#keys = new KeyTable(keyColumns)
    this.#results = new WindowResults(options.columns, this.#keys, options.ordered)
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
    const known = state.retained
    state.add(slots, batch.inputs, from, to, batch.order)
    for (let slot = known; slot < state.slots.size; slot++) this.#keys.retain(state.slots.ids[slot])
    state.retained = state.slots.size
    if (this.#o.allowedLatenessMs > 0 && state.firstWindow + this.#w.sizeMs <= this.#watermark) {
      for (let i = from; i < to; i++) state.changed.add(slots[i])
    }
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

  #forgetCurrent(): void {
    this.#current = undefined
    this.#currentFrom = Infinity
    this.#currentTo = -Infinity
    this.#currentLimit = -Infinity
  }

  #stateOf(slice: number, enter: number): SliceState {
    let states = this.#slices.get(slice)
    if (states === undefined) {
      this.#slices.set(slice, (states = []))
      this.#expiries.push(lastWindow(this.#w, slice) + this.#w.sizeMs + this.#o.allowedLatenessMs, slice)
    }
    for (const state of states) if (state.firstWindow === enter) return state
    const state = this.#spare?.reuse(slice, enter) ?? new SliceState(this.#o.aggregates, slice, enter, this.#expected)
    this.#spare = undefined
    states.push(state)
    this.#await(state)
    return state
  }

  /** Notes the next window that a state has to wait for. */
  #await(state: SliceState): void {
    const end = this.#nextEndOf(state)
    if (end !== Infinity) this.#ends.push(end, state)
  }

  /** End of the first window, not fired yet, that reads a state; Infinity when all have. */
  #nextEndOf(state: SliceState): number {
    const w = this.#w
    const next = this.#watermark === -Infinity ? state.firstWindow : firstWindowEndingAfter(w, this.#watermark)
    const start = Math.max(state.firstWindow, next)
    return start > lastWindow(w, state.start) ? Infinity : start + w.sizeMs
  }

  advance(watermark: number, out: OperatorOutput): boolean {
    if (watermark <= this.#watermark) return true
    if (this.#sent === undefined) {
      this.#sent = this.#watermark
      if (this.#o.allowedLatenessMs > 0) this.#emitChanged(this.#sent, out)
    }
    while (this.#ends.size > 0 && this.#ends.minKey() <= watermark) {
      if (this.#results.size >= Limits.resultsPerStepMax) {
        this.#results.emit(this.#sent, out)
        return false
      }
      const end = this.#ends.minKey()
      this.#fire(end)
      this.#watermark = end
      while (this.#ends.size > 0 && this.#ends.minKey() === end) this.#await(this.#ends.pop())
    }
    this.#watermark = watermark
    this.#results.emit(this.#sent, out)
    this.#sent = undefined
    this.#expire()
    return true
  }

  /** Emits the window that ends at `end`, every key of it. */
  #fire(end: number): void {
    const start = end - this.#w.sizeMs
    const parts = this.#partsOf(start)
    if (parts.length === 1) {
      const state = parts[0]
      this.#expected = state.slots.size
      for (let slot = 0; slot < state.slots.size; slot++) {
        this.#results.add(state.slots.ids[slot], start, end, state, slot)
      }
      return
    }
    const merged = new SliceState(this.#o.aggregates, start, start, this.#expected)
    for (const part of parts) {
      for (let slot = 0; slot < part.slots.size; slot++) {
        merged.mergeSlot(merged.slotOf(part.slots.ids[slot]), part, slot, part.start)
      }
    }
    for (let slot = 0; slot < merged.slots.size; slot++) {
      this.#results.add(merged.slots.ids[slot], start, end, merged, slot)
    }
  }

  /** The states that a window reads, in slice order: not those whose rows were late for it (T5). */
  #partsOf(start: number): Array<SliceState> {
    const parts: Array<SliceState> = []
    for (const slice of this.#slicesFrom(start, start + this.#w.sizeMs)) {
      for (const state of this.#slices.get(slice) ?? []) if (state.firstWindow <= start) parts.push(state)
    }
    return parts
  }

  /** Starts of the slices of [from, to) in order, by the shorter way: a window may be of far more slices than there are. */
  #slicesFrom(from: number, to: number): Array<number> {
    const step = this.#w.sliceMs
    if ((to - from) / step > this.#slices.size) {
      return [...this.#slices.keys()].filter((slice) => slice >= from && slice < to).sort((a, b) => a - b)
    }
    return Array.from({ length: (to - from) / step }, (_, i) => from + i * step)
  }

  /** Update mode: emits fired windows that late rows have changed since they were last emitted. */
  #emitChanged(sent: number, out: OperatorOutput): void {
    const windows = new Map<number, Set<number>>()
    for (const states of this.#slices.values()) {
      for (const state of states) {
        if (state.changed.size === 0) continue
        const last = lastWindow(this.#w, state.start)
        for (let start = state.firstWindow; start <= last; start += this.#w.slideMs) {
          if (start + this.#w.sizeMs > this.#watermark) break
          let ids = windows.get(start)
          if (ids === undefined) windows.set(start, (ids = new Set()))
          for (const slot of state.changed) ids.add(state.slots.ids[slot])
        }
        state.changed.clear()
      }
    }
    for (const [start, ids] of windows) this.#emitKeys(start, ids)
    this.#results.emit(sent, out)
  }

  #emitKeys(start: number, ids: ReadonlySet<number>): void {
    const parts = this.#partsOf(start)
    const merged = new SliceState(this.#o.aggregates, start, start, ids.size)
    for (const id of ids) {
      const slot = merged.slotOf(id)
      for (const part of parts) {
        const from = part.slots.get(id)
        if (from !== none) merged.mergeSlot(slot, part, from, part.start)
      }
      this.#results.add(id, start, start + this.#w.sizeMs, merged, slot)
    }
  }

  /** Drops slices that no window will read or be updated by again. */
  #expire(): void {
    while (this.#expiries.size > 0 && this.#expiries.minKey() <= this.#watermark) {
      const slice = this.#expiries.pop()
      for (const state of this.#slices.get(slice) ?? []) {
        this.#counters.settled += state.rows()
        for (let slot = 0; slot < state.slots.size; slot++) this.#keys.release(state.slots.ids[slot])
        this.#spare = state
      }
      this.#slices.delete(slice)
    }
    if (this.#current !== undefined && !this.#slices.has(this.#current.start)) this.#forgetCurrent()
  }

  barrier(out: OperatorOutput): void {
    if (this.#o.allowedLatenessMs > 0) this.#emitChanged(this.#watermark, out)
  }

  held(): number {
    let rows = 0
    for (const states of this.#slices.values()) for (const state of states) rows += state.rows()
    return rows
  }

  keys(): number {
    return this.#keys.size
  }
}

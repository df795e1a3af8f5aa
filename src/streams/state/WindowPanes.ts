/**
 * What windows over slices emit: all keys when they fire, and the changed ones when they come out early (A4), or again
 * for rows that were late (T6).
 */
import type { AggregateSpec } from "../aggregates/Aggregate.ts"
import type { OperatorOutput } from "../KeyedBatch.ts"
import { lastWindow, type TimeWindows } from "./SliceArithmetic.ts"
import { SliceState } from "./SliceState.ts"
import type { WindowResults } from "./WindowResults.ts"
import type { WindowSlices } from "./WindowSlices.ts"

const none = -1

/** Makes the panes of one instance of a tumbling or sliding window. */
export class WindowPanes {
  readonly #w: TimeWindows
  readonly #aggregates: ReadonlyArray<AggregateSpec>
  readonly #slices: WindowSlices
  readonly #results: WindowResults

  constructor(
    windows: TimeWindows,
    aggregates: ReadonlyArray<AggregateSpec>,
    slices: WindowSlices,
    results: WindowResults
  ) {
    this.#w = windows
    this.#aggregates = aggregates
    this.#slices = slices
    this.#results = results
  }

  /** Emits the window that ends at `end`, every key of it. */
  fire(end: number): void {
    const start = end - this.#w.sizeMs
    const parts = this.#slices.partsOf(start)
    if (parts.length === 1) {
      const state = parts[0]
      this.#slices.expected = state.slots.size
      for (let slot = 0; slot < state.slots.size; slot++) {
        this.#results.add(state.slots.ids[slot], start, end, state, slot)
      }
      return
    }
    const merged = new SliceState(this.#aggregates, start, start, this.#slices.expected)
    for (const part of parts) {
      for (let slot = 0; slot < part.slots.size; slot++) {
        merged.mergeSlot(merged.slotOf(part.slots.ids[slot]), part, slot, part.start)
      }
    }
    for (let slot = 0; slot < merged.slots.size; slot++) {
      this.#results.add(merged.slots.ids[slot], start, end, merged, slot)
    }
  }

  /** Emits of the window that ends at `end` the keys that have changed since its last early pane. */
  fireChanged(end: number): void {
    const start = end - this.#w.sizeMs
    const ids = new Set<number>()
    for (const part of this.#slices.partsOf(start)) for (const slot of part.early) ids.add(part.slots.ids[slot])
    this.#emitKeys(start, ids)
  }

  /** Update mode: emits fired windows that late rows have changed since they were last emitted. */
  emitChanged(sent: number, out: OperatorOutput): void {
    const windows = new Map<number, Set<number>>()
    for (const state of this.#slices.all()) {
      this.#collect(windows, state, state.changed, state.firstWindow, this.#slices.firstOpen(state))
    }
    for (const [start, ids] of windows) this.#emitKeys(start, ids)
    this.#results.emit(sent, out)
  }

  /** Emits windows that are still open as far as they have changed since the last barrier. */
  emitEarly(sent: number, out: OperatorOutput): void {
    const windows = new Map<number, Set<number>>()
    for (const state of this.#slices.all()) {
      this.#collect(windows, state, state.early, this.#slices.firstOpen(state), Infinity)
    }
    for (const [start, ids] of windows) this.#emitKeys(start, ids)
    this.#results.emit(sent, out)
  }

  /** Adds the keys of marked slots to those windows of [from, to) that read the state, and takes the marks away. */
  #collect(windows: Map<number, Set<number>>, state: SliceState, marked: Set<number>, from: number, to: number): void {
    if (marked.size === 0) return
    const last = lastWindow(this.#w, state.start)
    for (let start = from; start <= last && start < to; start += this.#w.slideMs) {
      let ids = windows.get(start)
      if (ids === undefined) windows.set(start, (ids = new Set()))
      for (const slot of marked) ids.add(state.slots.ids[slot])
    }
    marked.clear()
  }

  #emitKeys(start: number, ids: ReadonlySet<number>): void {
    if (ids.size === 0) return
    const parts = this.#slices.partsOf(start)
    const merged = new SliceState(this.#aggregates, start, start, ids.size)
    for (const id of ids) {
      const slot = merged.slotOf(id)
      for (const part of parts) {
        const from = part.slots.get(id)
        if (from !== none) merged.mergeSlot(slot, part, from, part.start)
      }
      this.#results.add(id, start, start + this.#w.sizeMs, merged, slot)
    }
  }
}

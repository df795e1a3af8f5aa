/**
 * The slices of one instance of a tumbling or sliding window: which there are, which windows they wait for, and when
 * they are dropped (rule T6). A slice has one state for rows that may enter all its windows, and side states for rows
 * that were late for the first of them (rule T5).
 */
import type { AggregateSpec } from "../aggregates/Aggregate.ts"
import { MinHeap } from "./MinHeap.ts"
import { firstWindowEndingAfter, lastWindow, type TimeWindows } from "./SliceArithmetic.ts"
import { SliceState } from "./SliceState.ts"

/** See the head of this file. */
export class WindowSlices {
  readonly #w: TimeWindows
  readonly #aggregates: ReadonlyArray<AggregateSpec>
  readonly #allowedLatenessMs: number
  /** Slice start -> its states. */
  readonly #slices = new Map<number, Array<SliceState>>()
  /** Each state by the end of the first window, not fired yet, that reads it. */
  readonly #ends = new MinHeap<SliceState>()
  /** Slices by when no window will read or be updated by them again. */
  readonly #expiries = new MinHeap<number>()
  /** The last state dropped: the next slice takes its room. */
  #spare: SliceState | undefined
  /** Keys that a new slice makes room for. */
  expected = 16
  /** W_op; every window with end <= it has fired. */
  watermark = -Infinity

  constructor(windows: TimeWindows, aggregates: ReadonlyArray<AggregateSpec>, allowedLatenessMs: number) {
    this.#w = windows
    this.#aggregates = aggregates
    this.#allowedLatenessMs = allowedLatenessMs
  }

  /** Whether a slice is still here. */
  has(slice: number): boolean {
    return this.#slices.has(slice)
  }

  /** The state of a slice for rows that may enter the window which starts at `enter`, and those after it. */
  stateOf(slice: number, enter: number): SliceState {
    let states = this.#slices.get(slice)
    if (states === undefined) {
      this.#slices.set(slice, (states = []))
      this.#expiries.push(lastWindow(this.#w, slice) + this.#w.sizeMs + this.#allowedLatenessMs, slice)
    }
    for (const state of states) if (state.firstWindow === enter) return state
    const state = this.#spare?.reuse(slice, enter) ?? new SliceState(this.#aggregates, slice, enter, this.expected)
    this.#spare = undefined
    states.push(state)
    this.#await(state)
    return state
  }

  /** Notes the next window that a state has to wait for. */
  #await(state: SliceState): void {
    const start = this.firstOpen(state)
    if (start <= lastWindow(this.#w, state.start)) this.#ends.push(start + this.#w.sizeMs, state)
  }

  /** Start of the first window that has not fired of those that read a state; after the last of them when all have. */
  firstOpen(state: SliceState): number {
    return this.watermark === -Infinity
      ? state.firstWindow
      : Math.max(state.firstWindow, firstWindowEndingAfter(this.#w, this.watermark))
  }

  /** End of the first window to fire at a watermark; undefined when none is due. */
  due(watermark: number): number | undefined {
    return this.#ends.size > 0 && this.#ends.minKey() <= watermark ? this.#ends.minKey() : undefined
  }

  /** Notes that all windows which end at `end` have fired. */
  fired(end: number): void {
    this.watermark = end
    while (this.#ends.size > 0 && this.#ends.minKey() === end) this.#await(this.#ends.pop())
  }

  /** The states that a window reads, in slice order: not those whose rows were late for it (T5). */
  partsOf(start: number): Array<SliceState> {
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

  /** Drops slices that no window will read or be updated by again; `dropped` is told each of their states. */
  expire(dropped: (state: SliceState) => void): void {
    while (this.#expiries.size > 0 && this.#expiries.minKey() <= this.watermark) {
      const slice = this.#expiries.pop()
      for (const state of this.#slices.get(slice) ?? []) {
        dropped(state)
        this.#spare = state
      }
      this.#slices.delete(slice)
    }
  }

  /** Every state, the slices in no fixed order. */
  *all(): Generator<SliceState> {
    for (const states of this.#slices.values()) yield* states
  }
}

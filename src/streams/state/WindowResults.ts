/** Builds result rows of windows: key columns, window bounds, aggregates; event time end - 1 (rule T10). */
import { noLane, RowChunk } from "../../model/RowChunk.ts"
import type { KeyTable, KeyTuple } from "../KeyDictionary.ts"
import type { SliceState } from "./SliceState.ts"

/** Names of a result's columns, in their order. */
export interface ResultColumns {
  readonly keys: ReadonlyArray<string>
  /** Empty for running aggregates. */
  readonly bounds: readonly ["window_start", "window_end"] | readonly []
  readonly aggregates: ReadonlyArray<string>
}

/**
 * Text of a key that sorts in a fixed way; places results in the total order (rule A1, after a window by key). A key of
 * one text is that text, any other the JSON of its columns after a NUL, so that no two keys have one text.
 */
export const keyText = (tuple: KeyTuple): string =>
  tuple.length === 1 && typeof tuple[0] === "string" && !tuple[0].startsWith("\u0000")
    ? tuple[0]
    : `\u0000${JSON.stringify(tuple.map((v) => `${typeof v}:${String(v)}`))}`

/** Collects the results of one firing and hands them on as chunks. */
export class WindowResults {
  readonly #columns: ResultColumns
  readonly #keys: KeyTable
  readonly #ordered: boolean
  #rows: Array<unknown> = []
  #times: Array<number> = []
  #lanes: Array<string> = []
  #starts: Array<number> = []

  /** `ordered`: someone downstream breaks ties, so each result needs its place. */
  constructor(columns: ResultColumns, keys: KeyTable, ordered: boolean) {
    this.#columns = columns
    this.#keys = keys
    this.#ordered = ordered
  }

  add(id: number, start: number, end: number, state: SliceState, slot: number): void {
    const row: { [column: string]: unknown } = {}
    const { keys, aggregates, bounds } = this.#columns
    const tuple = this.#keys.keyOf(id)
    for (let c = 0; c < keys.length; c++) row[keys[c]] = tuple[c]
    if (bounds.length === 2) {
      row["window_start"] = start
      row["window_end"] = end
    }
    for (let a = 0; a < aggregates.length; a++) row[aggregates[a]] = state.accumulators[a].result(slot)
    this.#rows.push(row)
    this.#times.push(end - 1)
    if (this.#ordered) {
      this.#lanes.push(keyText(tuple))
      this.#starts.push(start)
    }
  }

  get size(): number {
    return this.#rows.length
  }

  /** The rows so far as a chunk, whose W_p is the watermark sent before them (T10); undefined when there are none. */
  take(watermarkSent: number): RowChunk | undefined {
    const n = this.#rows.length
    if (n === 0) return undefined
    const chunk = new RowChunk(
      n,
      this.#rows,
      undefined,
      this.#ordered
        ? { lane: 0, first: 0, lanes: this.#lanes, ordinals: Float64Array.from(this.#starts) }
        : { lane: noLane, first: 0 },
      n * 64,
      Float64Array.from(this.#times),
      new Float64Array(n).fill(watermarkSent)
    )
    this.#rows = []
    this.#times = []
    this.#lanes = []
    this.#starts = []
    return chunk
  }
}

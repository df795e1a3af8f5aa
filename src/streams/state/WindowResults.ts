/** Builds result rows of windows: key columns, window bounds, aggregates; event time end - 1 (rule T10). */
import { Limits } from "../../model/Limits.ts"
import { noLane, RowChunk, type RowOrder } from "../../model/RowChunk.ts"
import type { windowColumns } from "../../model/WindowColumns.ts"
import type { KeyTable, KeyTuple } from "../KeyDictionary.ts"
import type { OperatorOutput } from "../KeyedBatch.ts"
import type { SliceState } from "./SliceState.ts"

/** Names of a result's columns, in their order. */
export interface ResultColumns {
  readonly keys: ReadonlyArray<string>
  /** Empty for running aggregates. */
  readonly bounds: typeof windowColumns | readonly []
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

const unordered: RowOrder = { lane: noLane, first: 0 }
const noRows: ReadonlyArray<unknown> = new Array<unknown>(Limits.chunkRowsTarget).fill(undefined)

/** One chunk of results being filled. Its list is a copy and not a literal: see ADR 5. */
class Batch {
  n = 0
  readonly rows = noRows.slice()
  readonly times = new Float64Array(Limits.chunkRowsTarget)
  readonly lanes: Array<string> | undefined
  readonly starts: Float64Array | undefined
  constructor(ordered: boolean) {
    this.lanes = ordered ? (noRows.slice() as Array<string>) : undefined
    this.starts = ordered ? new Float64Array(Limits.chunkRowsTarget) : undefined
  }
}

/** Collects the results of one firing and hands them on as chunks. */
export class WindowResults {
  readonly #columns: ResultColumns
  readonly #keys: KeyTable
  readonly #ordered: boolean
  /** Chunks are small even when a window has many keys: long lists grow old and keep their rows alive. */
  readonly #full: Array<Batch> = []
  #pending: Batch

  /** `ordered`: someone downstream breaks ties, so each result needs its place. */
  constructor(columns: ResultColumns, keys: KeyTable, ordered: boolean) {
    this.#columns = columns
    this.#keys = keys
    this.#ordered = ordered
    this.#pending = new Batch(ordered)
  }

  add(id: number, start: number, end: number, state: SliceState, slot: number): void {
    const row: { [column: string]: unknown } = {}
    const { keys, aggregates, bounds } = this.#columns
    const tuple = this.#keys.keyOf(id)
    for (let c = 0; c < keys.length; c++) row[keys[c]] = tuple[c]
    if (bounds.length === 2) {
      row[bounds[0]] = start
      row[bounds[1]] = end
    }
    for (let a = 0; a < aggregates.length; a++) row[aggregates[a]] = state.accumulators[a].result(slot)
    const n = this.#pending.n++
    this.#pending.rows[n] = row
    this.#pending.times[n] = end - 1
    const { lanes, starts } = this.#pending
    if (lanes !== undefined && starts !== undefined) {
      lanes[n] = keyText(tuple)
      starts[n] = start
    }
    if (n + 1 === Limits.chunkRowsTarget) {
      this.#full.push(this.#pending)
      this.#pending = new Batch(this.#ordered)
    }
  }

  /** Rows not handed on yet. */
  get size(): number {
    return this.#full.length * Limits.chunkRowsTarget + this.#pending.n
  }

  /** Hands on the rows so far, in chunks whose W_p is the watermark sent before them (T10). */
  emit(watermarkSent: number, out: OperatorOutput): void {
    for (const batch of this.#full) out.emit(this.#chunk(batch, watermarkSent))
    this.#full.length = 0
    if (this.#pending.n === 0) return
    out.emit(this.#chunk(this.#pending, watermarkSent))
    this.#pending = new Batch(this.#ordered)
  }

  #chunk(batch: Batch, watermarkSent: number): RowChunk {
    const { n, rows } = batch
    rows.length = n
    const times = n === batch.times.length ? batch.times : batch.times.slice(0, n)
    const { lanes, starts } = batch
    const order: RowOrder =
      lanes === undefined || starts === undefined
        ? unordered
        : { lane: 0, first: 0, lanes: lanes.slice(0, n), ordinals: starts.slice(0, n) }
    return new RowChunk(n, rows, undefined, order, n * 64, times, new Float64Array(n).fill(watermarkSent))
  }
}

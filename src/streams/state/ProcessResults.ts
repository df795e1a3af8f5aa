/** Collects the rows that user code of `process` gives, and hands them on as chunks whose W_p is given (rule T10). */
import { Limits } from "../../model/Limits.ts"
import { noLane, RowChunk, type RowOrder } from "../../model/RowChunk.ts"
import type { KeyTuple } from "../KeyDictionary.ts"
import type { OperatorOutput } from "../KeyedBatch.ts"
import { keyText } from "./WindowResults.ts"

const unordered: RowOrder = { lane: noLane, first: 0 }

/** Rows of one step on their way out. */
export class ProcessResults {
  readonly #timed: boolean
  readonly #ordered: boolean
  #rows: Array<unknown> = []
  #times: Array<number> = []
  #lanes: Array<string> = []
  #ordinals: Array<number> = []
  /** The number of the next row: those of one key come in this order, after restarts too (rule A1). */
  next = 0

  constructor(timed: boolean, ordered: boolean) {
    this.#timed = timed
    this.#ordered = ordered
  }

  get size(): number {
    return this.#rows.length
  }

  add(row: unknown, time: number, key: KeyTuple): void {
    this.#rows.push(row)
    if (this.#timed) this.#times.push(time)
    if (!this.#ordered) return
    this.#lanes.push(keyText(key))
    this.#ordinals.push(this.next++)
  }

  /** Hands on the rows so far. */
  emit(watermarkSent: number, out: OperatorOutput): void {
    const n = this.#rows.length
    for (let from = 0; from < n; from += Limits.chunkRowsTarget)
      out.emit(this.#chunk(from, Math.min(n, from + Limits.chunkRowsTarget), watermarkSent))
    if (n === 0) return
    this.#rows = []
    this.#times = []
    this.#lanes = []
    this.#ordinals = []
  }

  #chunk(from: number, to: number, watermarkSent: number): RowChunk {
    const n = to - from
    const order: RowOrder = this.#ordered
      ? {
          lane: 0,
          first: 0,
          lanes: this.#lanes.slice(from, to),
          ordinals: Float64Array.from(this.#ordinals.slice(from, to))
        }
      : unordered
    const rows = this.#rows.slice(from, to)
    if (!this.#timed) return new RowChunk(n, rows, undefined, order, n * 64)
    const times = Float64Array.from(this.#times.slice(from, to))
    return new RowChunk(n, rows, undefined, order, n * 64, times, new Float64Array(n).fill(watermarkSent))
  }
}

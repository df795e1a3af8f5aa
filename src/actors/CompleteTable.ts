/**
 * The table of a complete-mode output (rule A4): the last row of each identity, without those whose event time is
 * further behind the watermark than `keep`. Rows without event time are kept by the clock instead.
 */
import type { RowChunk } from "../model/RowChunk.ts"
import { jsonText } from "../model/Text.ts"

/** The rows of one complete-mode output, and whether they changed in this epoch. */
export class CompleteTable {
  readonly #identity: ReadonlyArray<string>
  readonly #keepMs: number
  readonly #rows = new Map<string, { readonly row: unknown; readonly time: number }>()
  #changed = false

  constructor(identity: ReadonlyArray<string>, keepMs: number) {
    this.#identity = identity
    this.#keepMs = keepMs
  }

  /** Takes rows; `nowMs` stands in for the event time of rows without one. */
  upsert(chunk: RowChunk, nowMs: number): void {
    const { rows, times, length: n } = chunk
    for (let i = 0; i < n; i++) {
      const row = rows[i] as { readonly [column: string]: unknown }
      const key = this.#identity.map((column) => `${typeof row[column]}:${jsonText(row[column])}`).join("\u0000")
      const time = times.length > 0 && times[i] !== -Infinity ? times[i] : nowMs
      this.#rows.delete(key)
      this.#rows.set(key, { row, time })
    }
    this.#changed ||= n > 0
  }

  /** The whole table if it changed since the last call, after dropping what is older than `keep`. */
  take(watermark: number, nowMs: number): ReadonlyArray<unknown> | undefined {
    const bound = (watermark === -Infinity ? nowMs : watermark) - this.#keepMs
    for (const [key, { time }] of this.#rows) {
      if (time >= bound) continue
      this.#rows.delete(key)
      this.#changed = true
    }
    if (!this.#changed) return undefined
    this.#changed = false
    return [...this.#rows.values()].map(({ row }) => row)
  }

  /** Takes rows out that the sink has refused, so that they are not offered again: they are dead. */
  refuse(rows: ReadonlySet<unknown>): void {
    for (const [key, kept] of this.#rows) if (rows.has(kept.row)) this.#rows.delete(key)
  }
}

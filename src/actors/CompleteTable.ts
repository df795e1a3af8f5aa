/**
 * The table of a complete-mode output (rule A4): the last row of each identity, without those whose event time is
 * further behind the watermark than `keep`. Rows without event time are kept by the clock instead.
 */
import type { RowChunk } from "../model/RowChunk.ts"
import type { SnapshotValue } from "../model/Snapshot.ts"
import { jsonText } from "../model/Text.ts"
import { columnReader, storedColumn } from "../streams/aggregates/StoredColumn.ts"

/** What a snapshot has, once it is encoded. */
interface Stored {
  readonly changed: boolean
  /** The time of each row, in the order of the table. */
  readonly times: Float64Array
  /** 1 where that is the clock's; absent in states of before: then none is. */
  readonly byClock?: Float64Array
  readonly rows: SnapshotValue
}

interface Kept {
  readonly row: unknown
  readonly time: number
  /** The row has no event time: `time` is when it came. */
  readonly byClock: boolean
}

/** The rows of one complete-mode output, and whether they changed in this epoch. */
export class CompleteTable {
  readonly #identity: ReadonlyArray<string>
  readonly #keepMs: number
  readonly #rows = new Map<string, Kept>()
  #changed = false

  constructor(identity: ReadonlyArray<string>, keepMs: number) {
    this.#identity = identity
    this.#keepMs = keepMs
  }

  /** Takes rows; `nowMs` stands in for the event time of rows without one. */
  upsert(chunk: RowChunk, nowMs: number): void {
    const { rows, times, length: n } = chunk
    for (let i = 0; i < n; i++) {
      const byClock = times.length === 0 || times[i] === -Infinity
      this.#put({ row: rows[i], time: byClock ? nowMs : times[i], byClock })
    }
    this.#changed ||= n > 0
  }

  /** A row takes the place of the one with its identity, at the end of the table. */
  #put(kept: Kept): void {
    const of = kept.row as { readonly [column: string]: unknown }
    const key = this.#identity.map((column) => `${typeof of[column]}:${jsonText(of[column])}`).join("\u0000")
    this.#rows.delete(key)
    this.#rows.set(key, kept)
  }

  /** The whole table if it changed since the last call, after dropping what is older than `keep`. */
  take(watermark: number, nowMs: number): ReadonlyArray<unknown> | undefined {
    // Before the first watermark no row with an event time is behind it.
    for (const [key, { time, byClock }] of this.#rows) {
      if (time >= (byClock ? nowMs : watermark) - this.#keepMs) continue
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

  /**
   * The table as it is now: see `model/Snapshot.ts`. A row that cannot be stored (a class instance) makes its `Later`
   * throw a `StoringFault` of "the table of a complete output".
   */
  snapshot(): SnapshotValue {
    const kept = [...this.#rows.values()]
    return {
      changed: this.#changed,
      times: Float64Array.from(kept, ({ time }) => time),
      byClock: Float64Array.from(kept, ({ byClock }) => Number(byClock)),
      rows: storedColumn(
        "the table of a complete output",
        kept.map(({ row }) => row)
      )
    }
  }

  /** Goes on from a snapshot. Called once, before anything else. */
  restore(snapshot: SnapshotValue): void {
    const { changed, times, byClock, rows } = snapshot as unknown as Stored
    const rowAt = columnReader(rows)
    for (let i = 0; i < times.length; i++) this.#put({ row: rowAt(i), time: times[i], byClock: byClock?.[i] === 1 })
    this.#changed = changed
  }
}

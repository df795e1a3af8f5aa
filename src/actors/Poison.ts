/**
 * Rows that fail attempt after attempt: after `Limits.poisonAttempts` failures at one and the same row the next attempt
 * sets it aside as a dead letter, instead of failing on it for ever.
 */
import { Limits } from "../model/Limits.ts"

/** Where a row stands on which user code failed. */
export interface FailedRow {
  /** Name of the source operator. */
  readonly source: string
  readonly partition: string
  readonly ordinal: number
}

/** Of a partition without such rows. */
export const noPoison: ReadonlyMap<number, string> = new Map()

/** Counts failures by row. One per query; it outlives its attempts. */
export class PoisonRows {
  readonly #failures = new Map<string, number>()
  readonly #rows = new Map<string, Map<number, string>>()

  /** Notes the row that an attempt failed on; says whether it is set aside from now on. */
  note({ source, partition, ordinal }: FailedRow, why: string): boolean {
    const place = JSON.stringify([source, partition, ordinal])
    const failures = (this.#failures.get(place) ?? 0) + 1
    this.#failures.set(place, failures)
    if (failures < Limits.poisonAttempts) return false
    const key = JSON.stringify([source, partition])
    const rows = this.#rows.get(key) ?? new Map<number, string>()
    rows.set(ordinal, `${why} (failed ${failures} attempts at this row)`)
    this.#rows.set(key, rows)
    return true
  }

  /** Ordinals of a partition that are set aside, and why. */
  rowsOf(source: string, partition: string): ReadonlyMap<number, string> {
    return this.#rows.get(JSON.stringify([source, partition])) ?? noPoison
  }
}

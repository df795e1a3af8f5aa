/**
 * Deduplication (rule A3). Lateness first: a late row neither registers nor is compared. Then, by default, the key is
 * (id, event time), so that copies are interchangeable and results fixed; with a horizon h it is the id alone, kept
 * until W_op > t + h + L. Pure and synchronous; state is dropped by buckets of event time.
 */
import type { RowChunk } from "../../model/RowChunk.ts"
import type { Counters } from "../Counters.ts"
import type { KeyedOperator, OperatorOutput } from "../KeyedBatch.ts"

/** The choices of rule A3. */
export interface DedupeOptions {
  readonly id: (row: unknown) => unknown
  /** Absent: the key is (id, event time). */
  readonly horizonMs: number | undefined
  readonly allowedLatenessMs: number
  /** Late rows are forwarded (counted `forwarded`), go to the late output or are dropped (both counted `late`). */
  readonly late: "forward" | "output" | "drop"
  /** Results need a place in the total order: (event time, id). */
  readonly ordered: boolean
}

const bucketMs = 1000

const placeOf = (id: unknown): string | number => (typeof id === "bigint" ? `${id}n` : (id as string | number))

/** The ids of one dedupe instance. */
export class DedupeState implements KeyedOperator<RowChunk> {
  readonly #o: DedupeOptions
  readonly #counters: Counters
  /** Bucket of event time -> id -> the time, or times, at which it was seen. */
  readonly #buckets = new Map<number, Map<unknown, number | Set<number>>>()
  /** With a horizon: id -> the time at which it was first seen. */
  readonly #seen = new Map<unknown, number>()
  #watermark = -Infinity
  #oldest = Infinity

  constructor(options: DedupeOptions, counters: Counters) {
    this.#o = options
    this.#counters = counters
  }

  process(_edge: number, chunk: RowChunk, out: OperatorOutput): void {
    const { length: n, times, watermarks, rows } = chunk
    const { allowedLatenessMs, horizonMs, late } = this.#o
    const kept = new Int32Array(n)
    const ids: Array<string | number> = []
    let count = 0
    let lateRows: Array<unknown> | undefined
    this.#counters.in += n
    for (let i = 0; i < n; i++) {
      const t = times[i]
      const id = this.#o.id(rows[i])
      if (t < watermarks[i] - allowedLatenessMs) {
        if (late !== "forward") {
          this.#counters.late++
          if (late === "output") (lateRows ??= []).push(rows[i])
          continue
        }
      } else if (horizonMs === undefined ? this.#registerExact(id, t) : this.#registerId(id, t)) {
        this.#counters.duplicate++
        continue
      }
      if (this.#o.ordered) ids.push(placeOf(id))
      kept[count++] = i
    }
    this.#counters.forwarded += count
    if (lateRows !== undefined) out.late(lateRows)
    if (count === 0) return
    out.emit(this.#o.ordered ? chunk.pick(kept, count).placed(ids) : count === n ? chunk : chunk.pick(kept, count))
  }

  /** True when (id, t) was there already. */
  #registerExact(id: unknown, t: number): boolean {
    const bucket = this.#bucketOf(t)
    const seen = bucket.get(id)
    if (seen === undefined) bucket.set(id, t)
    else if (typeof seen === "number") {
      if (seen === t) return true
      bucket.set(id, new Set([seen, t]))
    } else if (seen.has(t)) return true
    else seen.add(t)
    return false
  }

  /** True when the id was there already. */
  #registerId(id: unknown, t: number): boolean {
    if (this.#seen.has(id)) return true
    this.#seen.set(id, t)
    this.#bucketOf(t).set(id, t)
    return false
  }

  #bucketOf(t: number): Map<unknown, number | Set<number>> {
    const at = Math.floor(t / bucketMs)
    let bucket = this.#buckets.get(at)
    if (bucket === undefined) {
      this.#buckets.set(at, (bucket = new Map()))
      if (at < this.#oldest) this.#oldest = at
    }
    return bucket
  }

  advance(watermark: number): boolean {
    if (watermark <= this.#watermark) return true
    this.#watermark = watermark
    const keptMs = (this.#o.horizonMs ?? 0) + this.#o.allowedLatenessMs
    if ((this.#oldest + 1) * bucketMs - 1 + keptMs >= watermark) return true
    this.#oldest = Infinity
    for (const [at, bucket] of this.#buckets) {
      if ((at + 1) * bucketMs - 1 + keptMs >= watermark) {
        if (at < this.#oldest) this.#oldest = at
        continue
      }
      if (this.#o.horizonMs !== undefined) for (const id of bucket.keys()) this.#seen.delete(id)
      this.#buckets.delete(at)
    }
    return true
  }

  barrier(): void {
    // Rows leave as they come; nothing waits for the end of an epoch.
  }

  held(): number {
    return 0
  }

  keys(): number {
    if (this.#o.horizonMs !== undefined) return this.#seen.size
    let total = 0
    for (const bucket of this.#buckets.values()) total += bucket.size
    return total
  }
}

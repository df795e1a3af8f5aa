/**
 * Deduplication (rule A3). Lateness first: a late row neither registers nor is compared. Then, by default, the key is
 * (id, event time), so that copies are interchangeable and results fixed; with a horizon h it is the id alone, kept
 * until W_op > t + h + L. Pure and synchronous; state is dropped by buckets of event time.
 */
import type { RowChunk } from "../../model/RowChunk.ts"
import type { SnapshotValue } from "../../model/Snapshot.ts"
import { decodeStored, encodeStored } from "../../model/StoredValue.ts"
import { roughBytes } from "../aggregates/StateBytes.ts"
import { columnReader, storedColumn } from "../aggregates/StoredColumn.ts"
import type { Counters } from "../Counters.ts"
import type { KeyTuple } from "../KeyDictionary.ts"
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

/**
 * What was registered in one bucket, in order: only appended to, so that a barrier has to note no more than how many
 * there are.
 */
class Bucket {
  readonly ids: Array<unknown> = []
  readonly times: Array<number> = []
  /** Without a horizon: id -> the time, or times, at which it was seen. */
  readonly seen = new Map<unknown, number | Set<number>>()

  add(id: unknown, t: number): void {
    this.ids.push(id)
    this.times.push(t)
  }
}

/** What a snapshot has, once it is encoded. */
interface Stored {
  /** W_op, by `model/StoredValue.ts`. */
  readonly watermark: SnapshotValue
  readonly buckets: ReadonlyArray<{
    readonly count: number
    readonly ids: SnapshotValue
    readonly times: SnapshotValue
  }>
}

/** About what a registered id takes beside itself. */
const entryBytes = 64

/** The ids of one dedupe instance. */
export class DedupeState implements KeyedOperator<RowChunk> {
  readonly #o: DedupeOptions
  readonly #counters: Counters
  readonly #buckets = new Map<number, Bucket>()
  /** Ids registered in all buckets. */
  #size = 0
  /** About the size of one: of that which was registered last. */
  #idBytes = 0
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
    const { allowedLatenessMs, late } = this.#o
    const kept = new Int32Array(n)
    const ids: Array<string | number> = []
    let count = 0
    let lateRows: Array<unknown> | undefined
    this.#counters.in += n
    let id: unknown
    for (let i = 0; i < n; i++) {
      const t = times[i]
      id = this.#o.id(rows[i])
      if (t < watermarks[i] - allowedLatenessMs) {
        if (late !== "forward") {
          this.#counters.late++
          if (late === "output") (lateRows ??= []).push(rows[i])
          continue
        }
      } else if (this.#register(id, t)) {
        this.#counters.duplicate++
        continue
      }
      if (this.#o.ordered) ids.push(placeOf(id))
      kept[count++] = i
    }
    this.#idBytes = roughBytes(id)
    this.#counters.forwarded += count
    if (lateRows !== undefined) out.late(lateRows)
    if (count === 0) return
    out.emit(this.#o.ordered ? chunk.pick(kept, count).placed(ids) : count === n ? chunk : chunk.pick(kept, count))
  }

  /** True when it was there already. */
  #register(id: unknown, t: number): boolean {
    return this.#o.horizonMs === undefined ? this.#registerExact(id, t) : this.#registerId(id, t)
  }

  /** True when (id, t) was there already. */
  #registerExact(id: unknown, t: number): boolean {
    const bucket = this.#bucketOf(t)
    const seen = bucket.seen.get(id)
    if (seen === undefined) bucket.seen.set(id, t)
    else if (typeof seen === "number") {
      if (seen === t) return true
      bucket.seen.set(id, new Set([seen, t]))
    } else if (seen.has(t)) return true
    else seen.add(t)
    bucket.add(id, t)
    this.#size++
    return false
  }

  /** True when the id was there already. */
  #registerId(id: unknown, t: number): boolean {
    if (this.#seen.has(id)) return true
    this.#seen.set(id, t)
    this.#bucketOf(t).add(id, t)
    this.#size++
    return false
  }

  #bucketOf(t: number): Bucket {
    const at = Math.floor(t / bucketMs)
    let bucket = this.#buckets.get(at)
    if (bucket === undefined) {
      this.#buckets.set(at, (bucket = new Bucket()))
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
      if (this.#o.horizonMs !== undefined) for (const id of bucket.ids) this.#seen.delete(id)
      this.#size -= bucket.ids.length
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
    return this.#size
  }

  bytes(): number {
    return this.#size * (entryBytes + this.#idBytes)
  }

  snapshot(): SnapshotValue {
    const buckets = Array.from(this.#buckets.values(), ({ ids, times }) => {
      const count = ids.length
      return { count, ids: storedColumn("a dedupe id", ids, count), times: storedColumn("a time", times, count) }
    })
    return { watermark: encodeStored(this.#watermark), buckets }
  }

  restore(snapshots: ReadonlyArray<SnapshotValue>, isMine: (key: KeyTuple) => boolean): void {
    for (const snapshot of snapshots) {
      const { watermark, buckets } = snapshot as unknown as Stored
      // The same in all snapshots (C1).
      this.#watermark = decodeStored(watermark) as number
      for (const { count, ids, times } of buckets) {
        const idAt = columnReader(ids)
        const timeAt = columnReader(times)
        for (let i = 0; i < count; i++) {
          const id = idAt(i)
          if (isMine([id] as KeyTuple)) this.#register(id, timeAt(i) as number)
        }
      }
    }
  }
}

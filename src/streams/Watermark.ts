/**
 * Where a watermark is computed: one generator per partition and `withEventTime` (rule T2).
 *
 * Invariant: the watermark never goes back. For each row the generator notes W_p *before* the row, in the partition's
 * order; nothing that is filtered later can change it. Bounded: highest event time so far minus the bound; explicit:
 * the highest value of the user's function. The clock guard (T8) takes rows out before they can move it.
 */
import { eventTimeMs, instantMax } from "../model/EventTime.ts"
import { Limits } from "../model/Limits.ts"
import { fieldOf, type RowChunk } from "../model/RowChunk.ts"
import { EventTimeStats } from "./EventTimeStats.ts"
import type { EventTimeSpec } from "./Plan.ts"
import { RowFault, valuesBy } from "./UserCode.ts"

/** What became of the rows of one chunk. Indices are of the chunk that came in. */
export interface TimedRows {
  /** The rows that go on, with times and watermarks; undefined when none does. */
  readonly chunk: RowChunk | undefined
  /** Rows whose event time is missing or no instant. */
  readonly untimed: ReadonlyArray<number>
  /** Rows that the clock guard refuses. */
  readonly quarantined: ReadonlyArray<number>
}

const nothing: ReadonlyArray<number> = []

/** Whole milliseconds in the range of a JavaScript `Date`. */
const isInstant = (v: number): boolean => v === Math.floor(v) && v >= -instantMax && v <= instantMax

/** The guard's bound in ms, or undefined when it is off (T8: on by default only where the source has append times). */
export const futureSkewMs = (spec: EventTimeSpec, hasAppendTime: boolean): number | undefined => {
  if (spec.maxFutureSkewMs === "off") return undefined
  if (spec.maxFutureSkewMs !== undefined) return spec.maxFutureSkewMs
  if (!hasAppendTime) return undefined
  return Math.max(Limits.maxFutureSkewFloorMs, Math.min(Limits.maxFutureSkewDefaultMs, spec.outOfOrdernessMs))
}

/** The watermark of one partition: see the invariant above. */
export class WatermarkGenerator {
  readonly #spec: EventTimeSpec
  readonly #skewMs: number | undefined
  /** W_p; -Infinity is "none yet". */
  watermark = -Infinity
  /** Event times of the rows let through, for progress. */
  readonly eventTimes = new EventTimeStats()

  constructor(spec: EventTimeSpec, hasAppendTime: boolean) {
    this.#spec = spec
    this.#skewMs = futureSkewMs(spec, hasAppendTime)
  }

  /** Whether the clock guard compares with the time of ingestion, which the caller then has to give. */
  get needsIngestionTime(): boolean {
    return this.#skewMs !== undefined
  }

  /** T7, T12: an idle or new partition is raised by others. Returns whether it rose. */
  raise(watermark: number): boolean {
    if (watermark <= this.watermark) return false
    this.watermark = watermark
    return true
  }

  /** Times a chunk. `nowMs` is the ingestion time, for the clock guard of sources without append times. */
  process(chunk: RowChunk, nowMs: number): TimedRows {
    const n = chunk.length
    const times = this.#times(chunk)
    const watermarks = new Float64Array(n)
    const append = chunk.appendTimes
    const skew = this.#skewMs ?? Infinity
    const bound = this.#spec.outOfOrdernessMs
    const explicit = this.#spec.explicit
    let refused: { untimed: Array<number>; quarantined: Array<number> } | undefined
    let watermark = this.watermark
    for (let i = 0; i < n; i++) {
      const t = times[i]
      watermarks[i] = watermark
      if (t !== t) {
        ;(refused ??= { untimed: [], quarantined: [] }).untimed.push(i)
        continue
      }
      if (t > (append === undefined ? nowMs : append[i]) + skew) {
        ;(refused ??= { untimed: [], quarantined: [] }).quarantined.push(i)
        continue
      }
      const said = explicit === undefined ? t - bound : this.#said(chunk, i, explicit)
      if (said > watermark) watermark = said
    }
    this.watermark = watermark
    const timed = chunk.timed(times, watermarks)
    if (refused === undefined) {
      this.eventTimes.add(times)
      return { chunk: timed, untimed: nothing, quarantined: nothing }
    }
    const kept = without(timed, refused.untimed, refused.quarantined)
    if (kept !== undefined) this.eventTimes.add(kept.times)
    return { chunk: kept, ...refused }
  }

  /** The watermark that a row claims. */
  #said(chunk: RowChunk, i: number, explicit: (row: unknown) => unknown): number {
    try {
      return eventTimeMs(explicit(chunk.rows[i]), this.#spec.zone)
    } catch (cause) {
      throw new RowFault(i, cause)
    }
  }

  #times(chunk: RowChunk): Float64Array {
    const { field, get } = this.#spec.time
    const zone = this.#spec.zone
    const n = chunk.length
    const own = field !== undefined && chunk.columns !== undefined && Object.hasOwn(chunk.columns, field)
    const column = own ? chunk.column(field) : undefined
    // A column of instants is used as it stands.
    if (column instanceof Float64Array && allInstants(column, n)) return column
    const times = new Float64Array(n)
    if (column instanceof Float64Array) {
      for (let i = 0; i < n; i++) times[i] = isInstant(column[i]) ? column[i] : eventTimeMs(column[i], zone)
    } else if (column !== undefined) {
      for (let i = 0; i < n; i++) times[i] = eventTimeMs(column[i], zone)
    } else if (field !== undefined) {
      const rows = chunk.rows
      for (let i = 0; i < n; i++) times[i] = eventTimeMs(fieldOf(rows[i], field), zone)
    } else if (get !== undefined) {
      const values = valuesBy(chunk.rows, n, get)
      for (let i = 0; i < n; i++) times[i] = eventTimeMs(values[i], zone)
    }
    return times
  }
}

const allInstants = (column: Float64Array, n: number): boolean => {
  for (let i = 0; i < n; i++) if (!isInstant(column[i])) return false
  return column.length === n
}

const without = (
  chunk: RowChunk,
  untimed: ReadonlyArray<number>,
  quarantined: ReadonlyArray<number>
): RowChunk | undefined => {
  const refused = new Set([...untimed, ...quarantined])
  const kept = new Int32Array(chunk.length)
  let n = 0
  for (let i = 0; i < chunk.length; i++) if (!refused.has(i)) kept[n++] = i
  return n === 0 ? undefined : chunk.pick(kept, n)
}

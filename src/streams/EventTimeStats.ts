/**
 * Lowest, highest and average event time of the rows since it was last asked: what progress shows per epoch.
 *
 * Costs one pass over a column that is in the cache. Times are added up as distances from the first one, so that the
 * sum stays exact far beyond the rows of an epoch.
 */

/** Event times of some rows, ms since the epoch. */
export interface EventTimeRange {
  readonly count: number
  readonly min: number
  readonly max: number
  readonly avg: number
}

/** Adds up; one per watermark generator. */
export class EventTimeStats {
  #count = 0
  #base = 0
  #sum = 0
  #min = Infinity
  #max = -Infinity

  /** Takes the event times of rows that were let through, all of them instants. */
  add(times: Float64Array): void {
    const n = times.length
    if (n === 0) return
    if (this.#count === 0) this.#base = times[0]
    const base = this.#base
    let even = 0
    let odd = 0
    let min = this.#min
    let max = this.#max
    let i = 0
    // Two sums: one addition does not wait for the other.
    for (; i + 1 < n; i += 2) {
      const t = times[i]
      const u = times[i + 1]
      even += t - base
      odd += u - base
      if (t < min) min = t
      if (t > max) max = t
      if (u < min) min = u
      if (u > max) max = u
    }
    if (i < n) {
      const t = times[i]
      even += t - base
      if (t < min) min = t
      if (t > max) max = t
    }
    this.#count += n
    this.#sum += even + odd
    this.#min = min
    this.#max = max
  }

  /** What came since the last call; undefined when nothing did. */
  take(): EventTimeRange | undefined {
    if (this.#count === 0) return undefined
    const avg = this.#base + this.#sum / this.#count
    const range = { count: this.#count, min: this.#min, max: this.#max, avg }
    this.#count = 0
    this.#sum = 0
    this.#min = Infinity
    this.#max = -Infinity
    return range
  }
}

/** The range over several partitions; undefined when none had rows. */
export const mergeRanges = (ranges: Iterable<EventTimeRange | undefined>): EventTimeRange | undefined => {
  let all: EventTimeRange | undefined
  for (const range of ranges) {
    if (range === undefined) continue
    if (all === undefined) {
      all = range
      continue
    }
    const count: number = all.count + range.count
    all = {
      count,
      min: Math.min(all.min, range.min),
      max: Math.max(all.max, range.max),
      avg: all.avg + ((range.avg - all.avg) * range.count) / count
    }
  }
  return all
}

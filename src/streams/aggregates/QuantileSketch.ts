/**
 * A quantile sketch: DDSketch (Masson, Rim, Lee; VLDB 2019), with exact counts, mergeable, bounded.
 *
 * Bucket i holds the values in (g^(i-1), g^i], g = (1 + a) / (1 - a), and answers 2 g^i / (g + 1): within the relative
 * accuracy a of each of them. Positive and negative values have a store each; values below 2.3e-308 in size count as
 * zero; the least and the greatest are kept exactly, and bound every answer. Up to 32 values are kept as they are, and
 * the answer is then one of them.
 *
 * Bounds: a store spans a factor of 1e18 (2,075 buckets at 1 %). When the greatest value of a sign is more than 1e18
 * times another of that sign, the smaller ones share the lowest bucket: they keep their count, but are answered with up
 * to 1e-18 of the greatest. The state is a function of the multiset of values, so the order of adds and merges is
 * nothing to the result.
 */

/** Values up to which a sketch keeps them as they are. */
export const rawMax = 32
const spanMax = 1e18
const sizeMin = 2.2250738585072014e-308

/** What all sketches of one spec share. */
export interface SketchScale {
  readonly accuracy: number
  readonly logGamma: number
  /** log(2 / (g + 1)): from a bucket's upper bound to its answer. */
  readonly logCenter: number
  readonly bucketsMax: number
}

/** The scale of a relative accuracy between 0 and 1. */
export const sketchScale = (accuracy: number): SketchScale => {
  const gamma = (1 + accuracy) / (1 - accuracy)
  const logGamma = Math.log(gamma)
  return {
    accuracy,
    logGamma,
    logCenter: Math.log(2 / (gamma + 1)),
    bucketsMax: Math.ceil(Math.log(spanMax) / logGamma) + 2
  }
}

/** Counts by bucket index: `counts[k]` is of index `base + k`. In use: `low..high`. */
export interface Buckets {
  counts: Float64Array
  base: number
  low: number
  high: number
}

/** One sketch. While `raw` is present it holds all `n` values, and the rest is unused. */
export interface QuantileSketch {
  n: number
  raw: Float64Array | undefined
  zeros: number
  least: number
  greatest: number
  positive: Buckets | undefined
  negative: Buckets | undefined
}

/** A sketch of nothing. */
export const makeQuantileSketch = (): QuantileSketch => ({
  n: 0,
  raw: new Float64Array(4),
  zeros: 0,
  least: Infinity,
  greatest: -Infinity,
  positive: undefined,
  negative: undefined
})

const makeBuckets = (index: number): Buckets => ({
  counts: new Float64Array(32),
  base: index - 16,
  low: index,
  high: index
})

/** Makes `low..high` the range in use: counts below `low` go to `low`; an array that is too short is replaced. */
const spread = (b: Buckets, low: number, high: number): void => {
  const folded = Math.min(low - 1, b.high)
  let lost = 0
  for (let i = b.low; i <= folded; i++) {
    lost += b.counts[i - b.base]
    b.counts[i - b.base] = 0
  }
  if (low < b.base || high >= b.base + b.counts.length) {
    const spare = 32
    const counts = new Float64Array(high - low + 1 + 2 * spare)
    const from = Math.max(b.low, low)
    for (let i = from; i <= b.high; i++) counts[i - low + spare] = b.counts[i - b.base]
    b.counts = counts
    b.base = low - spare
  }
  b.low = low
  b.high = high
  b.counts[low - b.base] += lost
}

const addToBucket = (b: Buckets, index: number, n: number, bucketsMax: number): void => {
  let i = index
  if (i < b.low || i > b.high) {
    const high = Math.max(b.high, i)
    const floor = high - bucketsMax + 1
    i = Math.max(i, floor)
    spread(b, Math.max(Math.min(b.low, i), floor), high)
  }
  b.counts[i - b.base] += n
}

const addSized = (s: QuantileSketch, scale: SketchScale, x: number): void => {
  if (x < s.least) s.least = x
  if (x > s.greatest) s.greatest = x
  const size = Math.abs(x)
  if (size < sizeMin) {
    s.zeros += 1
    return
  }
  const index = Math.ceil(Math.log(size) / scale.logGamma)
  const store = x > 0 ? (s.positive ??= makeBuckets(index)) : (s.negative ??= makeBuckets(index))
  addToBucket(store, index, 1, scale.bucketsMax)
}

/** From raw values to buckets. */
const toBuckets = (s: QuantileSketch, scale: SketchScale, raw: Float64Array): void => {
  s.raw = undefined
  for (let i = 0; i < s.n; i++) addSized(s, scale, raw[i])
}

/** Adds a finite number. */
export const addQuantileValue = (s: QuantileSketch, scale: SketchScale, x: number): void => {
  const raw = s.raw
  if (raw !== undefined) {
    if (s.n < raw.length) {
      raw[s.n++] = x
      return
    }
    if (s.n < rawMax) {
      const longer = new Float64Array(raw.length * 2)
      longer.set(raw)
      longer[s.n++] = x
      s.raw = longer
      return
    }
    toBuckets(s, scale, raw)
  }
  s.n += 1
  addSized(s, scale, x)
}

const mergeBuckets = (
  ours: Buckets | undefined,
  theirs: Buckets | undefined,
  bucketsMax: number
): Buckets | undefined => {
  if (theirs === undefined) return ours
  if (ours === undefined) return { ...theirs, counts: theirs.counts.slice() }
  // The highest first, so that what has to be folded is folded once.
  for (let i = theirs.high; i >= theirs.low; i--) {
    const n = theirs.counts[i - theirs.base]
    if (n > 0) addToBucket(ours, i, n, bucketsMax)
  }
  return ours
}

/** Adds everything `other` was given. `other` does not change. */
export const mergeQuantileSketch = (s: QuantileSketch, scale: SketchScale, other: QuantileSketch): void => {
  if (other.raw !== undefined) {
    for (let i = 0; i < other.n; i++) addQuantileValue(s, scale, other.raw[i])
    return
  }
  if (s.raw !== undefined) toBuckets(s, scale, s.raw)
  s.n += other.n
  s.zeros += other.zeros
  s.least = Math.min(s.least, other.least)
  s.greatest = Math.max(s.greatest, other.greatest)
  s.positive = mergeBuckets(s.positive, other.positive, scale.bucketsMax)
  s.negative = mergeBuckets(s.negative, other.negative, scale.bucketsMax)
}

/**
 * The rank, from 1 to n, of a quantile: the least row such that at least `quantile * n` rows are not after it (SQL's
 * `percentile_disc`). A product that is a whole number but for rounding is that number.
 */
export const rankOf = (quantile: number, n: number): number => {
  const exact = quantile * n
  const whole = Math.round(exact)
  const rank = Math.abs(exact - whole) <= whole * 4 * Number.EPSILON ? whole : Math.ceil(exact)
  return Math.min(Math.max(rank, 1), n)
}

/** The index at which the running count from one end reaches `rank`. */
const bucketAt = (b: Buckets, rank: number, fromHigh: boolean): number => {
  let seen = 0
  for (let k = 0; k <= b.high - b.low; k++) {
    const i = fromHigh ? b.high - k : b.low + k
    seen += b.counts[i - b.base]
    if (seen >= rank) return i
  }
  return fromHigh ? b.low : b.high
}

const totalOf = (b: Buckets | undefined): number => {
  let total = 0
  if (b !== undefined) for (let i = b.low; i <= b.high; i++) total += b.counts[i - b.base]
  return total
}

const estimateAt = (s: QuantileSketch, scale: SketchScale, rank: number): number => {
  const centerOf = (index: number): number => Math.exp(index * scale.logGamma + scale.logCenter)
  const negatives = totalOf(s.negative)
  if (s.negative !== undefined && rank <= negatives) return -centerOf(bucketAt(s.negative, rank, true))
  if (rank <= negatives + s.zeros || s.positive === undefined) return 0
  return centerOf(bucketAt(s.positive, rank - negatives - s.zeros, false))
}

/** The values at quantiles from 0 to 1, of at least one value. Does not change the sketch. */
export const quantilesOf = (s: QuantileSketch, scale: SketchScale, quantiles: ReadonlyArray<number>): Array<number> => {
  const { raw, n } = s
  if (raw !== undefined) {
    const sorted = raw.slice(0, n).sort()
    return quantiles.map((q) => sorted[rankOf(q, n) - 1] + 0)
  }
  return quantiles.map((q) => {
    const rank = rankOf(q, n)
    const x = rank === 1 ? s.least : rank === n ? s.greatest : estimateAt(s, scale, rank)
    return Math.min(Math.max(x, s.least), s.greatest) + 0
  })
}

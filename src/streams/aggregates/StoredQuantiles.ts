/** Quantile sketches in a snapshot: each as a run of numbers, many in one column. */
import type { SnapshotValue } from "../../model/Snapshot.ts"
import {
  addQuantileValue,
  type Buckets,
  makeQuantileSketch,
  type QuantileSketch,
  type SketchScale
} from "./QuantileSketch.ts"
import { startsInParts } from "./StoredColumn.ts"

/** The first number of a run: what follows are the values themselves, or counts and buckets. */
const asValues = 0
const asBuckets = 1

const noNumbers = new Float64Array(0)

/** Lowest bucket, how many there are, and their counts. */
const bucketNumbers = (b: Buckets | undefined): ReadonlyArray<number> =>
  b === undefined ? [0, 0] : [b.low, b.high - b.low + 1, ...b.counts.subarray(b.low - b.base, b.high - b.base + 1)]

/** A copy of a sketch as numbers; none for a slot without rows. */
export const numbersOfSketch = (s: QuantileSketch | undefined): Float64Array => {
  if (s === undefined) return noNumbers
  if (s.raw === undefined) {
    const { n, zeros, least, greatest } = s
    return Float64Array.from([
      ...[asBuckets, n, zeros, least, greatest],
      ...bucketNumbers(s.positive),
      ...bucketNumbers(s.negative)
    ])
  }
  const out = new Float64Array(s.n + 1)
  out[0] = asValues
  out.set(s.raw.subarray(0, s.n), 1)
  return out
}

/** The sketches of a part in one column. */
export const packSketches = (runs: ReadonlyArray<Float64Array>): SnapshotValue => {
  const sizes = Int32Array.from(runs, (run) => run.length)
  const numbers = new Float64Array(sizes.reduce((n, size) => n + size, 0))
  let at = 0
  for (const run of runs) {
    numbers.set(run, at)
    at += run.length
  }
  return { sizes, numbers }
}

const bucketsAt = (run: Float64Array, at: number): Buckets | undefined => {
  const [low, n] = [run[at], run[at + 1]]
  return n === 0 ? undefined : { counts: run.slice(at + 2, at + 2 + n), base: low, low, high: low + n - 1 }
}

const sketchOf = (run: Float64Array, scale: SketchScale): QuantileSketch => {
  if (run[0] === asValues) {
    const sketch = makeQuantileSketch()
    for (let i = 1; i < run.length; i++) addQuantileValue(sketch, scale, run[i])
    return sketch
  }
  const [, n, zeros, least, greatest] = run
  const positive = bucketsAt(run, 5)
  return { n, raw: undefined, zeros, least, greatest, positive, negative: bucketsAt(run, 7 + run[6]) }
}

/** Reads a part: the sketch of each of its slots. */
export const openSketches =
  (scale: SketchScale) =>
  ({ sizes, numbers }: { readonly sizes: Int32Array; readonly numbers: Float64Array }) => {
    const starts = startsInParts(sizes, sizes.length)
    return (i: number): QuantileSketch | undefined =>
      sizes[i] === 0 ? undefined : sketchOf(numbers.subarray(starts[i], starts[i] + sizes[i]), scale)
  }

/**
 * `percentile` and `percentiles`: values at quantiles, by a mergeable sketch with exact counts (rule A1), see
 * {@link "./QuantileSketch.ts"}. Answers are within the relative accuracy (default 1 %) of the exact one, and exact
 * for up to 32 rows and for the quantiles 0 and 1. The quantile is that of SQL's `percentile_disc`: no interpolation.
 */
import type { OptionProblem } from "../../model/Errors.ts"
import { show } from "../../model/Options.ts"
import type { Column } from "../../model/Source.ts"
import type { RowValue } from "../Plan.ts"
import type { Accumulators, AggregateSpec } from "./Aggregate.ts"
import { growArray, grownCapacity } from "./Columns.ts"
import {
  addQuantileValue,
  makeQuantileSketch,
  mergeQuantileSketch,
  type QuantileSketch,
  quantilesOf,
  type SketchScale,
  sketchScale
} from "./QuantileSketch.ts"
import { numbersOfSketch, openSketches, packSketches } from "./StoredQuantiles.ts"
import { referenceBytes, sampledBytes } from "./StateBytes.ts"
import { StatesAtBarrier } from "./StatesAtBarrier.ts"
import { partReader } from "./StoredColumn.ts"

/** Options of percentiles. */
export interface PercentileOptions {
  /** Relative accuracy, from 0.001 to 0.1; default 0.01. Memory grows as it shrinks: at most 33 KiB a slot at 0.01. */
  readonly accuracy?: number
}

const accuracyDefault = 0.01
const accuracyMin = 0.001
const accuracyMax = 0.1

/** Slots of one part of a snapshot. */
const slotsPerPart = 256

interface PercentileAccumulators extends Accumulators {
  readonly sketches: Array<QuantileSketch | undefined>
}

const asNumber = (value: unknown): number =>
  typeof value === "bigint" ? Math.min(Math.max(Number(value), -Number.MAX_VALUE), Number.MAX_VALUE) : (value as number)

const make = (scale: SketchScale, resultOf: (sketch: QuantileSketch) => unknown) => (): PercentileAccumulators => {
  const sketches: Array<QuantileSketch | undefined> = []
  const states = new StatesAtBarrier(numbersOfSketch)
  const at = (slot: number): QuantileSketch => {
    states.changing(slot)
    return (sketches[slot] ??= makeQuantileSketch())
  }
  const addBatch = (slots: Int32Array, input: Column | undefined, from: number, to: number): void => {
    if (input === undefined) return
    if (input instanceof Float64Array) for (let i = from; i < to; i++) addQuantileValue(at(slots[i]), scale, input[i])
    else for (let i = from; i < to; i++) addQuantileValue(at(slots[i]), scale, asNumber(input[i]))
  }
  return {
    sketches,
    reserve: (capacity) => {
      if (capacity > sketches.length) growArray(sketches, grownCapacity(sketches.length, capacity), undefined)
    },
    addBatch,
    mergeSlot: (slot, other, otherSlot) => {
      const theirs = (other as PercentileAccumulators).sketches[otherSlot]
      if (theirs !== undefined) mergeQuantileSketch(at(slot), scale, theirs)
    },
    result: (slot) => {
      const sketch = sketches[slot]
      return sketch === undefined ? null : resultOf(sketch)
    },
    clear: (slot) => {
      sketches[slot] = undefined
    },
    snapshot: (count) => ({
      per: slotsPerPart,
      parts: states.snapshot(sketches, count, slotsPerPart, packSketches)
    }),
    restore: (snapshot, from, first) => {
      const sketchOf = partReader(snapshot, openSketches(scale))
      for (let i = 0; i < from.length; i++) sketches[first + i] = sketchOf(from[i])
    },
    bytes: () =>
      sampledBytes(sketches.length, (slot) => {
        const s = sketches[slot]
        if (s === undefined) return referenceBytes
        const columns = (s.raw?.length ?? 0) + (s.positive?.counts.length ?? 0) + (s.negative?.counts.length ?? 0)
        return 160 + columns * Float64Array.BYTES_PER_ELEMENT
      })
  }
}

const checkAccuracy = (
  name: string,
  options: PercentileOptions | undefined,
  problems: Array<OptionProblem>
): number => {
  const accuracy = options?.accuracy ?? accuracyDefault
  if (typeof accuracy === "number" && accuracy >= accuracyMin && accuracy <= accuracyMax) return accuracy
  problems.push({
    option: `${name}.accuracy`,
    value: show(accuracy),
    fix: `must be from ${accuracyMin} to ${accuracyMax}`
  })
  return accuracyDefault
}

/** The quantiles that are some. */
const checkQuantiles = (
  name: string,
  quantiles: ReadonlyArray<number>,
  problems: Array<OptionProblem>
): ReadonlyArray<number> => {
  if (!Array.isArray(quantiles)) {
    problems.push({ option: name, value: show(quantiles), fix: "must be a list of quantiles (try [0.5, 0.95])" })
    return []
  }
  return quantiles.filter((q) => {
    if (typeof q === "number" && q >= 0 && q <= 1) return true
    const hint = typeof q === "number" && q > 1 && q <= 100 ? ` (try ${q / 100})` : ""
    problems.push({ option: name, value: show(q), fix: `is not a quantile from 0 to 1${hint}` })
    return false
  })
}

const spec = (
  name: string,
  value: RowValue,
  given: ReadonlyArray<number>,
  options: PercentileOptions | undefined,
  resultOf: (values: ReadonlyArray<number>) => unknown
): AggregateSpec => {
  const problems: Array<OptionProblem> = []
  const accuracy = checkAccuracy(name, options, problems)
  const quantiles = checkQuantiles(`${name}.quantile`, given, problems)
  const scale = sketchScale(accuracy)
  const parts = [
    value.label,
    ...quantiles.map(String),
    ...(accuracy === accuracyDefault ? [] : [`accuracy ${accuracy}`])
  ]
  return {
    label: `${name}(${parts.join(", ")})`,
    input: { type: "number", value },
    needsOrder: false,
    fingerprinted: value.field !== undefined,
    problems,
    make: make(scale, (sketch) => resultOf(quantilesOf(sketch, scale, quantiles)))
  }
}

/** The value at one quantile, a number; null for no rows. */
export const percentile = (value: RowValue, quantile: number, options?: PercentileOptions): AggregateSpec =>
  spec("percentile", value, [quantile], options, (values) => values[0])

/** The values at several quantiles, a list in the order given; null for no rows. */
export const percentiles = (
  value: RowValue,
  quantiles: ReadonlyArray<number>,
  options?: PercentileOptions
): AggregateSpec => spec("percentiles", value, quantiles, options, (values) => values)

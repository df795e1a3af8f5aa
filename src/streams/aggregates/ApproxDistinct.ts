/**
 * `approxDistinct`: how many different values, within a standard error of 0.81 %, from at most 16 KiB a slot; see
 * {@link "./HyperLogLog.ts"}. Up to about 3,000 values the answer is nearly always exact.
 */
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import { hashPair } from "../../model/Hash.ts"
import type { RowValue } from "../Plan.ts"
import type { Accumulators, AggregateSpec } from "./Aggregate.ts"
import { growArray, grownCapacity } from "./Columns.ts"
import { countable } from "./CountableValue.ts"
import { addHash, estimate, type HyperLogLog, makeHyperLogLog, mergeHyperLogLog } from "./HyperLogLog.ts"

interface SketchAccumulators extends Accumulators {
  readonly sketches: Array<HyperLogLog | undefined>
}

const pair = new Int32Array(2)

const addValue = (sketch: HyperLogLog, value: unknown): void => {
  const v = countable(value)
  // Boxed text is hashed apart from the user's own text by turning the hash over.
  if (typeof v === "object" && v !== null) {
    hashPair(v.text, pair)
    addHash(sketch, ~pair[0], ~pair[1])
  } else {
    hashPair(v, pair)
    addHash(sketch, pair[0], pair[1])
  }
}

const encodeSketch = (h: HyperLogLog | undefined): unknown =>
  h === undefined
    ? null
    : h.dense !== undefined
      ? { dense: Base64.encode(h.dense) }
      : { sparse: Array.from(h.table.filter((entry) => entry !== 0).sort()) }

const decodeSketch = (stored: unknown): HyperLogLog | undefined => {
  if (stored === null) return undefined
  const s = stored as { readonly dense?: string; readonly sparse?: ReadonlyArray<number> }
  const h = makeHyperLogLog()
  if (s.dense !== undefined) h.dense = Result.getOrThrow(Base64.decode(s.dense))
  else mergeHyperLogLog(h, { table: Int32Array.from(s.sparse ?? []), entries: 0, dense: undefined })
  return h
}

const make = (): SketchAccumulators => {
  const sketches: Array<HyperLogLog | undefined> = []
  const at = (slot: number): HyperLogLog => (sketches[slot] ??= makeHyperLogLog())
  return {
    sketches,
    reserve: (capacity) => {
      if (capacity > sketches.length) growArray(sketches, grownCapacity(sketches.length, capacity), undefined)
    },
    addBatch: (slots, input, from, to) => {
      if (input === undefined) return
      for (let i = from; i < to; i++) addValue(at(slots[i]), input[i])
    },
    mergeSlot: (slot, other, otherSlot) => {
      const theirs = (other as SketchAccumulators).sketches[otherSlot]
      if (theirs !== undefined) mergeHyperLogLog(at(slot), theirs)
    },
    result: (slot) => {
      const sketch = sketches[slot]
      return sketch === undefined ? 0 : estimate(sketch)
    },
    clear: (slot) => {
      sketches[slot] = undefined
    },
    snapshot: (count) => sketches.slice(0, count).map(encodeSketch),
    restore: (snapshot) => {
      sketches.length = 0
      for (const stored of snapshot as ReadonlyArray<unknown>) sketches.push(decodeSketch(stored))
    }
  }
}

/** How many different values, about; what is the same is said in `CountableValue.ts`. */
export const approxDistinct = (value: RowValue): AggregateSpec => ({
  label: `approxDistinct(${value.label})`,
  input: { type: "value", value },
  needsOrder: false,
  fingerprinted: value.field !== undefined,
  make
})

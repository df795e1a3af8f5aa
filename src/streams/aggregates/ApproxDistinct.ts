/**
 * `approxDistinct`: how many different values, within a standard error of 0.81 %, from at most 16 KiB a slot; see
 * {@link "./HyperLogLog.ts"}. Up to about 3,000 values the answer is nearly always exact.
 */
import { hashPair } from "../../model/Hash.ts"
import type { SnapshotValue } from "../../model/Snapshot.ts"
import type { RowValue } from "../Plan.ts"
import type { Accumulators, AggregateSpec } from "./Aggregate.ts"
import { growArray, grownCapacity } from "./Columns.ts"
import { countable } from "./CountableValue.ts"
import { addHash, denseBytes, estimate, type HyperLogLog, makeHyperLogLog, mergeHyperLogLog } from "./HyperLogLog.ts"
import { referenceBytes, sampledBytes } from "./StateBytes.ts"
import { StatesAtBarrier } from "./StatesAtBarrier.ts"
import { partReader, startsInParts } from "./StoredColumn.ts"

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

/** A copy: the entries, or the registers once it is dense. */
const copyOf = (h: HyperLogLog | undefined): Int32Array | Uint8Array | undefined =>
  h === undefined ? undefined : h.dense !== undefined ? h.dense.slice() : h.table.filter((entry) => entry !== 0)

const dense = -1
/** Slots of one part: half a megabyte when all are dense. */
const slotsPerPart = 32

interface StoredSketches {
  /** Entries of each slot; -1: its registers instead. */
  readonly sizes: Int32Array
  readonly entries: Int32Array
  readonly registers: Uint8Array
}

const packSketches = (copies: ReadonlyArray<Int32Array | Uint8Array | undefined>): SnapshotValue => {
  const sizes = Int32Array.from(copies, (copy) => (copy instanceof Uint8Array ? dense : (copy?.length ?? 0)))
  const sparse = copies.filter((copy) => copy instanceof Int32Array)
  const entries = new Int32Array(sparse.reduce((n, copy) => n + copy.length, 0))
  let at = 0
  for (const copy of sparse) {
    entries.set(copy, at)
    at += copy.length
  }
  const full = copies.filter((copy) => copy instanceof Uint8Array)
  const registers = new Uint8Array(full.length * denseBytes)
  full.forEach((copy, i) => registers.set(copy, i * denseBytes))
  return { sizes, entries, registers }
}

const openSketches = ({ sizes, entries, registers }: StoredSketches): ((i: number) => HyperLogLog | undefined) => {
  const starts = startsInParts(sizes, sizes.length)
  const denseBefore = new Int32Array(sizes.length)
  for (let i = 1; i < sizes.length; i++) denseBefore[i] = denseBefore[i - 1] + (sizes[i - 1] === dense ? 1 : 0)
  return (i) => {
    if (sizes[i] === 0) return undefined
    const h = makeHyperLogLog()
    if (sizes[i] === dense) h.dense = registers.slice(denseBefore[i] * denseBytes, (denseBefore[i] + 1) * denseBytes)
    else {
      const table = entries.subarray(starts[i], starts[i] + sizes[i])
      mergeHyperLogLog(h, { table, entries: table.length, dense: undefined })
    }
    return h
  }
}

const make = (): SketchAccumulators => {
  const sketches: Array<HyperLogLog | undefined> = []
  const states = new StatesAtBarrier(copyOf)
  const at = (slot: number): HyperLogLog => {
    states.changing(slot)
    return (sketches[slot] ??= makeHyperLogLog())
  }
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
    snapshot: (count) => ({
      per: slotsPerPart,
      parts: states.snapshot(sketches, count, slotsPerPart, packSketches)
    }),
    restore: (snapshot, from, first) => {
      const sketchOf = partReader(snapshot, openSketches)
      for (let i = 0; i < from.length; i++) sketches[first + i] = sketchOf(from[i])
    },
    bytes: () =>
      sampledBytes(sketches.length, (slot) => {
        const h = sketches[slot]
        return h === undefined ? referenceBytes : 128 + (h.dense ?? h.table).byteLength
      })
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

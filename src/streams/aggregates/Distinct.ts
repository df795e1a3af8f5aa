/** `distinct`: how many different values, exactly. Keeps them all: memory grows with them, unlike `approxDistinct`. */
import type { Hashable } from "../../model/Hash.ts"
import type { SnapshotValue } from "../../model/Snapshot.ts"
import type { RowValue } from "../Plan.ts"
import type { Accumulators, AggregateSpec } from "./Aggregate.ts"
import { growArray, grownCapacity, grownInts } from "./Columns.ts"
import { countable } from "./CountableValue.ts"
import { referenceBytes } from "./StateBytes.ts"
import { inParts, slotsPerPart, startsInParts, storedPart, type StoredPart, valueOfPart } from "./StoredColumn.ts"

/** The values of a slot, and the text of those that are objects. */
interface Seen {
  readonly values: Set<Hashable>
  boxed: Set<string> | undefined
}

interface DistinctAccumulators extends Accumulators {
  readonly seen: Array<Seen | undefined>
}

const addValue = (seen: Seen, value: unknown): void => {
  const v = countable(value)
  if (typeof v === "object" && v !== null) (seen.boxed ??= new Set()).add(v.text)
  else seen.values.add(v)
}

interface StoredSets {
  readonly values: Int32Array
  readonly boxed: Int32Array
  readonly per: number
  readonly parts: ReadonlyArray<{ readonly values: StoredPart; readonly boxed: ReadonlyArray<string> }>
}

/** The first `sizes[slot]` members of each set: sets only grow, in order, so that these are what it held before. */
const firstOf = <V>(
  sizes: Int32Array,
  from: number,
  to: number,
  setOf: (slot: number) => Set<V> | undefined
): Array<V> => {
  const out: Array<V> = []
  for (let slot = from; slot < to; slot++) {
    let left = sizes[slot]
    if (left === 0) continue
    for (const value of setOf(slot) ?? []) {
      out.push(value)
      if (--left === 0) break
    }
  }
  return out
}

const snapshotSets = (
  label: string,
  seen: ReadonlyArray<Seen | undefined>,
  sizes: Int32Array,
  boxedSizes: Int32Array,
  total: number
): SnapshotValue => {
  const per = slotsPerPart(seen.length, total)
  const parts = inParts(seen.length, per, (from, to) => {
    const values = firstOf(sizes, from, to, (slot) => seen[slot]?.values)
    return {
      values: storedPart(label, values, 0, values.length),
      boxed: firstOf(boxedSizes, from, to, (slot) => seen[slot]?.boxed)
    }
  })
  return { values: sizes, boxed: boxedSizes, per, parts }
}

/** Calls `put` for each slot that has values, with all of them. */
const readSets = (snapshot: SnapshotValue, from: Int32Array, put: (i: number, seen: Seen) => void): void => {
  const { values, boxed, per, parts } = snapshot as unknown as StoredSets
  const starts = startsInParts(values, per)
  const boxedStarts = startsInParts(boxed, per)
  for (let i = 0; i < from.length; i++) {
    const slot = from[i]
    if (values[slot] === 0 && boxed[slot] === 0) continue
    const part = parts[Math.floor(slot / per)]
    const seen: Seen = { values: new Set(), boxed: undefined }
    for (let k = 0; k < values[slot]; k++) seen.values.add(valueOfPart(part.values, starts[slot] + k) as Hashable)
    const texts = part.boxed.slice(boxedStarts[slot], boxedStarts[slot] + boxed[slot])
    if (texts.length > 0) seen.boxed = new Set(texts)
    put(i, seen)
  }
}

/** About what a member of a set takes. */
const memberBytes = 48

const make = (label: string) => (): DistinctAccumulators => {
  const seen: Array<Seen | undefined> = []
  /** How many values each slot has, and how many boxed: what a barrier copies. */
  let sizes: Int32Array = new Int32Array(0)
  let boxedSizes: Int32Array = new Int32Array(0)
  let total = 0
  const at = (slot: number): Seen => (seen[slot] ??= { values: new Set(), boxed: undefined })
  const noteSize = (slot: number, of: Seen): void => {
    const boxed = of.boxed?.size ?? 0
    total += of.values.size + boxed - sizes[slot] - boxedSizes[slot]
    sizes[slot] = of.values.size
    boxedSizes[slot] = boxed
  }
  return {
    seen,
    reserve: (capacity) => {
      if (capacity <= seen.length) return
      const grown = grownCapacity(seen.length, capacity)
      growArray(seen, grown, undefined)
      sizes = grownInts(sizes, grown)
      boxedSizes = grownInts(boxedSizes, grown)
    },
    addBatch: (slots, input, from, to) => {
      if (input === undefined) return
      for (let i = from; i < to; i++) {
        const ours = at(slots[i])
        addValue(ours, input[i])
        noteSize(slots[i], ours)
      }
    },
    mergeSlot: (slot, other, otherSlot) => {
      const theirs = (other as DistinctAccumulators).seen[otherSlot]
      if (theirs === undefined) return
      const ours = at(slot)
      for (const value of theirs.values) ours.values.add(value)
      if (theirs.boxed !== undefined) for (const text of theirs.boxed) (ours.boxed ??= new Set()).add(text)
      noteSize(slot, ours)
    },
    result: (slot) => sizes[slot] + boxedSizes[slot],
    clear: (slot) => {
      seen[slot] = undefined
      total -= sizes[slot] + boxedSizes[slot]
      sizes[slot] = 0
      boxedSizes[slot] = 0
    },
    snapshot: (count) =>
      snapshotSets(label, seen.slice(0, count), sizes.slice(0, count), boxedSizes.slice(0, count), total),
    restore: (snapshot, from, first) =>
      readSets(snapshot, from, (i, of) => {
        seen[first + i] = of
        noteSize(first + i, of)
      }),
    bytes: () => seen.length * (referenceBytes + 2 * Int32Array.BYTES_PER_ELEMENT) + total * memberBytes
  }
}

/** How many different values; what is the same is said in `CountableValue.ts`. */
export const distinct = (value: RowValue): AggregateSpec => {
  const label = `distinct(${value.label})`
  return {
    label,
    input: { type: "value", value },
    needsOrder: false,
    fingerprinted: value.field !== undefined,
    make: make(label)
  }
}

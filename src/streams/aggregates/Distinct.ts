/** `distinct`: how many different values, exactly. Keeps them all: memory grows with them, unlike `approxDistinct`. */
import type { Hashable } from "../../model/Hash.ts"
import type { RowValue } from "../Plan.ts"
import type { Accumulators, AggregateSpec } from "./Aggregate.ts"
import { growArray, grownCapacity } from "./Columns.ts"
import { countable } from "./CountableValue.ts"
import { decodeStored, encodeStored } from "../../model/StoredValue.ts"

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

const make = (): DistinctAccumulators => {
  const seen: Array<Seen | undefined> = []
  const at = (slot: number): Seen => (seen[slot] ??= { values: new Set(), boxed: undefined })
  return {
    seen,
    reserve: (capacity) => {
      if (capacity > seen.length) growArray(seen, grownCapacity(seen.length, capacity), undefined)
    },
    addBatch: (slots, input, from, to) => {
      if (input === undefined) return
      for (let i = from; i < to; i++) addValue(at(slots[i]), input[i])
    },
    mergeSlot: (slot, other, otherSlot) => {
      const theirs = (other as DistinctAccumulators).seen[otherSlot]
      if (theirs === undefined) return
      const ours = at(slot)
      for (const value of theirs.values) ours.values.add(value)
      if (theirs.boxed !== undefined) for (const text of theirs.boxed) (ours.boxed ??= new Set()).add(text)
    },
    result: (slot) => (seen[slot]?.values.size ?? 0) + (seen[slot]?.boxed?.size ?? 0),
    clear: (slot) => {
      seen[slot] = undefined
    },
    snapshot: (count) =>
      seen
        .slice(0, count)
        .map((s) =>
          s === undefined ? null : { values: Array.from(s.values, encodeStored), boxed: Array.from(s.boxed ?? []) }
        ),
    restore: (snapshot) => {
      type Stored = { readonly values: ReadonlyArray<unknown>; readonly boxed: ReadonlyArray<string> } | null
      seen.length = 0
      for (const s of snapshot as ReadonlyArray<Stored>) {
        seen.push(
          s === null
            ? undefined
            : {
                values: new Set(s.values.map(decodeStored) as Array<Hashable>),
                boxed: s.boxed.length === 0 ? undefined : new Set(s.boxed)
              }
        )
      }
    }
  }
}

/** How many different values; what is the same is said in `CountableValue.ts`. */
export const distinct = (value: RowValue): AggregateSpec => ({
  label: `distinct(${value.label})`,
  input: { type: "value", value },
  needsOrder: false,
  fingerprinted: value.field !== undefined,
  make
})

/**
 * `first` and `last`: the value of the first or last row of the total order (event time, lane, ordinal, sub), rule A1.
 *
 * Lanes that are numbers come before those that are text; numbers compare by value, text by code unit. Rows of equal
 * place are copies of one row (rule A3), so any of them serves. Before `withEventTime` rows have no times, and the
 * order is the rest of it.
 */
import type { SnapshotValue } from "../../model/Snapshot.ts"
import type { Column } from "../../model/Source.ts"
import type { RowValue } from "../Plan.ts"
import type { Accumulators, AggregateSpec, BatchOrder } from "./Aggregate.ts"
import { growArray, grownCapacity, grownFloats, takeNumbers } from "./Columns.ts"
import { referenceBytes, roughBytes, sampledBytes } from "./StateBytes.ts"
import { columnReader, storedColumn } from "./StoredColumn.ts"

/** Negative when lane `a` comes before lane `b`, 0 when they are the same. */
export const compareLanes = (a: string | number, b: string | number): number => {
  if (typeof a === "number") return typeof b === "number" ? a - b : -1
  if (typeof b === "number") return 1
  return a < b ? -1 : a > b ? 1 : 0
}

/** The place of the row that each slot holds; time NaN: no row yet. */
interface Places {
  times: Float64Array
  lanes: Array<string | number>
  ordinals: Float64Array
  subs: Float64Array
  values: Array<unknown>
}

interface EdgeAccumulators extends Accumulators {
  readonly places: Places
}

/** Negative when (time, lane, ordinal, sub) comes before the row of the slot. */
const compareTo = (
  p: Places,
  slot: number,
  time: number,
  lane: string | number,
  ordinal: number,
  sub: number
): number =>
  time !== p.times[slot]
    ? time - p.times[slot]
    : lane !== p.lanes[slot]
      ? compareLanes(lane, p.lanes[slot])
      : ordinal !== p.ordinals[slot]
        ? ordinal - p.ordinals[slot]
        : sub - p.subs[slot]

const put = (
  p: Places,
  slot: number,
  time: number,
  lane: string | number,
  ordinal: number,
  sub: number,
  value: unknown
): void => {
  p.times[slot] = time
  p.lanes[slot] = lane
  p.ordinals[slot] = ordinal
  p.subs[slot] = sub
  p.values[slot] = value
}

/** `sign` is 1 for first, -1 for last. A slot whose time is NaN takes any row. */
const addRows = (
  p: Places,
  sign: number,
  slots: Int32Array,
  input: Column,
  from: number,
  to: number,
  order: BatchOrder
): void => {
  const { times, lanes, ordinals, subs } = order
  const timed = times.length > 0
  for (let i = from; i < to; i++) {
    const slot = slots[i]
    const time = timed ? times[i] : 0
    const present = p.times[slot]
    if (time === present) {
      if (sign * compareTo(p, slot, time, lanes[i], ordinals[i], subs[i]) >= 0) continue
    } else if (sign * (time - present) > 0) continue
    put(p, slot, time, lanes[i], ordinals[i], subs[i], input[i])
  }
}

/** Values are never changed in place, so that copies of the columns are enough. */
const snapshotPlaces = (label: string, p: Places, count: number): SnapshotValue => ({
  times: p.times.slice(0, count),
  lanes: storedColumn(label, p.lanes.slice(0, count)),
  ordinals: p.ordinals.slice(0, count),
  subs: p.subs.slice(0, count),
  values: storedColumn(label, p.values.slice(0, count))
})

const restorePlaces = (p: Places, snapshot: SnapshotValue, from: Int32Array, at: number): void => {
  const s = snapshot as {
    readonly times: Float64Array
    readonly lanes: SnapshotValue
    readonly ordinals: Float64Array
    readonly subs: Float64Array
    readonly values: SnapshotValue
  }
  takeNumbers(p.times, s.times, from, at)
  takeNumbers(p.ordinals, s.ordinals, from, at)
  takeNumbers(p.subs, s.subs, from, at)
  const laneOf = columnReader(s.lanes)
  const valueOf = columnReader(s.values)
  for (let i = 0; i < from.length; i++) {
    p.lanes[at + i] = laneOf(from[i]) as string | number
    p.values[at + i] = valueOf(from[i])
  }
}

const placesBytes = (p: Places): number =>
  p.times.length * (3 * Float64Array.BYTES_PER_ELEMENT + 2 * referenceBytes) +
  sampledBytes(p.values.length, (i) => roughBytes(p.values[i]))

const make = (label: string, sign: 1 | -1) => (): EdgeAccumulators => {
  const none = new Float64Array(0)
  const places: Places = { times: none, lanes: [], ordinals: none, subs: none, values: [] }
  return {
    places,
    reserve: (capacity) => {
      if (capacity <= places.times.length) return
      const grown = grownCapacity(places.times.length, capacity)
      places.times = grownFloats(places.times, grown, Number.NaN)
      places.ordinals = grownFloats(places.ordinals, grown)
      places.subs = grownFloats(places.subs, grown)
      growArray(places.lanes, grown, 0)
      growArray(places.values, grown, undefined)
    },
    addBatch: (slots, input, from, to, order) => {
      if (input !== undefined && order !== undefined) addRows(places, sign, slots, input, from, to, order)
    },
    mergeSlot: (slot, other, otherSlot) => {
      const o = (other as EdgeAccumulators).places
      const time = o.times[otherSlot]
      if (time !== time) return
      const before = sign * compareTo(places, slot, time, o.lanes[otherSlot], o.ordinals[otherSlot], o.subs[otherSlot])
      if (before >= 0) return
      put(places, slot, time, o.lanes[otherSlot], o.ordinals[otherSlot], o.subs[otherSlot], o.values[otherSlot])
    },
    result: (slot) => places.values[slot] ?? null,
    clear: (slot) => put(places, slot, Number.NaN, 0, 0, 0, undefined),
    snapshot: (count) => snapshotPlaces(label, places, count),
    restore: (snapshot, from, at) => restorePlaces(places, snapshot, from, at),
    bytes: () => placesBytes(places)
  }
}

const edge = (name: string, sign: 1 | -1, value: RowValue): AggregateSpec => {
  const label = `${name}(${value.label})`
  return {
    label,
    input: { type: "value", value },
    needsOrder: true,
    fingerprinted: value.field !== undefined,
    make: make(label, sign)
  }
}

/** The value of the first row; null where it is missing, and for no rows. */
export const first = (value: RowValue): AggregateSpec => edge("first", 1, value)

/** The value of the last row; null where it is missing, and for no rows. */
export const last = (value: RowValue): AggregateSpec => edge("last", -1, value)

/**
 * `reduce`: a user's own aggregate (rule A1).
 *
 * With `merge`, only states are kept: rows are added as they come, and states merged. Without it, rows are kept with
 * their places and folded when the result is asked for, by (slice, lane, ordinal, sub): `mergeSlot` is told the slice,
 * see {@link Accumulators.mergeSlot}. Either way the result does not depend on how rows came in.
 */
import type * as Schema from "effect/Schema"
import { hasProperty } from "effect/Predicate"
import type { OptionProblem } from "../../model/Errors.ts"
import { show } from "../../model/Options.ts"
import { AggregateFault } from "../UserCode.ts"
import type { Accumulators, AggregateSpec } from "./Aggregate.ts"
import { growArray, grownCapacity } from "./Columns.ts"
import { compareLanes } from "./FirstLast.ts"
import { decodeStored, encodeStored } from "../../model/StoredValue.ts"

/** A reducer without its types; the typed one is `Reducer` of `Aggregates.ts`. */
export interface AnyReducer {
  readonly state: Schema.Codec<unknown, unknown>
  readonly zero: () => unknown
  readonly add: (state: unknown, row: unknown) => unknown
  readonly merge?: (x: unknown, y: unknown) => unknown
  readonly result?: (state: unknown) => unknown
}

/** No rows yet; a state may be any value, undefined too. */
const empty = Symbol("empty")

interface StateAccumulators extends Accumulators {
  readonly states: Array<unknown>
}

// effect/Schema costs every start 14 MB and 50 ms: it is loaded by queries that have reducers, before they run.
let schema: typeof Schema | undefined

/** Loads what reducers need at run time; `AggregateSpec.load` of each of them. */
export const loadSchema = async (): Promise<void> => {
  schema = await import("effect/Schema")
}

const stateCodec = (state: Schema.Codec<unknown, unknown>) => {
  if (schema === undefined) throw new Error("a reducer runs before its AggregateSpec.load")
  const codec = schema.toCodecJson(state)
  return { encode: schema.encodeSync(codec), decode: schema.decodeUnknownSync(codec) }
}

/** The same reducer; what its functions throw says which of them it was, and on which row. */
const watched = (reducer: AnyReducer): AnyReducer => {
  const calling = (name: string, row: unknown, call: () => unknown): unknown => {
    try {
      return call()
    } catch (cause) {
      throw new AggregateFault(`reduce.${name}`, row, cause)
    }
  }
  const { zero, add, merge, result } = reducer
  return {
    state: reducer.state,
    zero: () => calling("zero", undefined, zero),
    add: (state, row) => calling("add", row, () => add(state, row)),
    ...(merge === undefined ? {} : { merge: (x, y) => calling("merge", undefined, () => merge(x, y)) }),
    ...(result === undefined ? {} : { result: (state) => calling("result", undefined, () => result(state)) })
  }
}

const makeMerging = (reducer: AnyReducer, merge: (x: unknown, y: unknown) => unknown) => (): StateAccumulators => {
  const states: Array<unknown> = []
  /** Slots whose state a result has shown: `add` and `merge` may change what they are given, but not what is out. */
  const shown = new Set<number>()
  let made: ReturnType<typeof stateCodec> | undefined
  const codec = (): ReturnType<typeof stateCodec> => (made ??= stateCodec(reducer.state))
  const at = (slot: number): unknown => (states[slot] === empty ? reducer.zero() : states[slot])
  const copyOf = (state: unknown): unknown =>
    typeof state === "object" && state !== null ? codec().decode(codec().encode(state)) : state
  const unshow = (slot: number): void => {
    if (shown.size > 0 && shown.delete(slot)) states[slot] = copyOf(states[slot])
  }
  return {
    states,
    reserve: (capacity) => {
      if (capacity > states.length) growArray(states, grownCapacity(states.length, capacity), empty)
    },
    addBatch: (slots, input, from, to) => {
      if (input === undefined) return
      if (shown.size > 0) for (let i = from; i < to; i++) unshow(slots[i])
      for (let i = from; i < to; i++) states[slots[i]] = reducer.add(at(slots[i]), input[i])
    },
    mergeSlot: (slot, other, otherSlot) => {
      const theirs = (other as StateAccumulators).states[otherSlot]
      if (theirs === empty) return
      unshow(slot)
      const merged = merge(at(slot), theirs)
      // A merge that hands back `y` would make both slots share one state, which `add` may then change under the other.
      states[slot] = merged === theirs ? copyOf(theirs) : merged
    },
    result: (slot) => {
      if (states[slot] !== empty) shown.add(slot)
      return reducer.result === undefined ? at(slot) : reducer.result(at(slot))
    },
    clear: (slot) => {
      shown.delete(slot)
      states[slot] = empty
    },
    snapshot: (count) => states.slice(0, count).map((state) => (state === empty ? null : [codec().encode(state)])),
    restore: (snapshot) => {
      states.length = 0
      for (const s of snapshot as ReadonlyArray<readonly [unknown] | null>)
        states.push(s === null ? empty : codec().decode(s[0]))
    }
  }
}

/** Rows of a slot with their places. A slice of -Infinity: none was told. */
interface KeptRows {
  readonly rows: Array<unknown>
  readonly slices: Array<number>
  readonly lanes: Array<string | number>
  readonly ordinals: Array<number>
  readonly subs: Array<number>
}

interface KeepingAccumulators extends Accumulators {
  readonly kept: Array<KeptRows | undefined>
}

const keep = (k: KeptRows, row: unknown, slice: number, lane: string | number, ordinal: number, sub: number): void => {
  k.rows.push(row)
  k.slices.push(slice)
  k.lanes.push(lane)
  k.ordinals.push(ordinal)
  k.subs.push(sub)
}

/** The indices of the rows in the order of A1. */
const foldOrder = (k: KeptRows): Int32Array => {
  const { slices, lanes, ordinals, subs } = k
  const order = new Int32Array(k.rows.length)
  for (let i = 0; i < order.length; i++) order[i] = i
  return order.sort((a, b) =>
    slices[a] !== slices[b]
      ? slices[a] < slices[b]
        ? -1
        : 1
      : compareLanes(lanes[a], lanes[b]) || ordinals[a] - ordinals[b] || subs[a] - subs[b]
  )
}

const encodeKept = (k: KeptRows | undefined): unknown =>
  k === undefined
    ? null
    : {
        rows: k.rows.map(encodeStored),
        slices: k.slices.map((slice) => (slice === -Infinity ? null : slice)),
        lanes: k.lanes.slice(),
        ordinals: k.ordinals.slice(),
        subs: k.subs.slice()
      }

const decodeKept = (stored: unknown): KeptRows | undefined => {
  if (stored === null) return undefined
  const s = stored as Omit<KeptRows, "slices"> & { readonly slices: ReadonlyArray<number | null> }
  return {
    rows: s.rows.map(decodeStored),
    slices: s.slices.map((slice) => slice ?? -Infinity),
    lanes: s.lanes.slice(),
    ordinals: s.ordinals.slice(),
    subs: s.subs.slice()
  }
}

const makeKeeping = (reducer: AnyReducer) => (): KeepingAccumulators => {
  const kept: Array<KeptRows | undefined> = []
  const at = (slot: number): KeptRows => (kept[slot] ??= { rows: [], slices: [], lanes: [], ordinals: [], subs: [] })
  return {
    kept,
    reserve: (capacity) => {
      if (capacity > kept.length) growArray(kept, grownCapacity(kept.length, capacity), undefined)
    },
    addBatch: (slots, input, from, to, order) => {
      if (input === undefined || order === undefined) return
      for (let i = from; i < to; i++)
        keep(at(slots[i]), input[i], -Infinity, order.lanes[i], order.ordinals[i], order.subs[i])
    },
    mergeSlot: (slot, other, otherSlot, slice) => {
      const theirs = (other as KeepingAccumulators).kept[otherSlot]
      if (theirs === undefined) return
      const ours = at(slot)
      for (let i = 0; i < theirs.rows.length; i++) {
        keep(ours, theirs.rows[i], slice ?? theirs.slices[i], theirs.lanes[i], theirs.ordinals[i], theirs.subs[i])
      }
    },
    result: (slot) => {
      const k = kept[slot]
      let state = reducer.zero()
      if (k !== undefined) for (const i of foldOrder(k)) state = reducer.add(state, k.rows[i])
      return reducer.result === undefined ? state : reducer.result(state)
    },
    clear: (slot) => {
      kept[slot] = undefined
    },
    snapshot: (count) => kept.slice(0, count).map(encodeKept),
    restore: (snapshot) => {
      kept.length = 0
      for (const stored of snapshot as ReadonlyArray<unknown>) kept.push(decodeKept(stored))
    }
  }
}

const problemsOf = (reducer: AnyReducer): ReadonlyArray<OptionProblem> => {
  const problems: Array<OptionProblem> = []
  const check = (option: string, value: unknown, right: boolean, fix: string): void => {
    if (!right) problems.push({ option: `reduce.${option}`, value: show(value), fix })
  }
  check("state", reducer.state, hasProperty(reducer.state, "ast"), "must be the Schema of the state")
  check(
    "zero",
    reducer.zero,
    typeof reducer.zero === "function",
    "must be a function without arguments that gives the first state"
  )
  check("add", reducer.add, typeof reducer.add === "function", "must be a function of a state and a row")
  for (const name of ["merge", "result"] as const) {
    const f = reducer[name]
    check(name, f, f === undefined || typeof f === "function", "must be a function, or absent")
  }
  return problems
}

/** A user's own aggregate. Opaque to the plan's fingerprint. */
export const reduce = (reducer: AnyReducer): AggregateSpec => ({
  label: "reduce(<lambda>)",
  input: { type: "row" },
  needsOrder: reducer.merge === undefined,
  fingerprinted: false,
  problems: problemsOf(reducer),
  load: loadSchema,
  make: makerOf(watched(reducer))
})

const makerOf = (reducer: AnyReducer): (() => Accumulators) =>
  reducer.merge === undefined ? makeKeeping(reducer) : makeMerging(reducer, reducer.merge)

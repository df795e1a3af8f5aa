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
import { decodeStored, encodeStored, type StoredValue } from "../../model/StoredValue.ts"
import { textOf } from "../../model/Text.ts"
import { AggregateFault, StateFault, StoringFault } from "../UserCode.ts"
import type { Accumulators, AggregateSpec } from "./Aggregate.ts"
import { growArray, grownCapacity } from "./Columns.ts"
import { makeKeeping } from "./KeptRows.ts"
import { referenceBytes, roughBytes, sampledBytes } from "./StateBytes.ts"
import { StatesAtBarrier } from "./StatesAtBarrier.ts"
import { partReader } from "./StoredColumn.ts"

/** A reducer without its types; the typed one is `Reducer` of `Aggregates.ts`. */
export interface AnyReducer {
  readonly state: Schema.Codec<unknown, unknown>
  readonly zero: () => unknown
  readonly add: (state: unknown, row: unknown) => unknown
  readonly merge?: (x: unknown, y: unknown) => unknown
  readonly result?: (state: unknown) => unknown
}

const label = "reduce(<lambda>)"

/** No rows yet; a state may be any value, undefined too. */
const empty = Symbol("empty")

interface StateAccumulators extends Accumulators {
  readonly states: Array<unknown>
}

// effect/Schema costs every start 14 MB and 50 ms: it is loaded by queries that have reducers, before they run.
let schema: typeof Schema | undefined

/** Loads what reducers need at run time; `AggregateSpec.load` of each of them. */
export const loadSchema = (): Promise<void> | undefined =>
  schema === undefined
    ? import("effect/Schema").then((loaded) => {
        schema = loaded
      })
    : undefined

/** A state to JSON and back, by its Schema. */
const stateCodec = (
  state: Schema.Codec<unknown, unknown>
): { readonly encode: (state: unknown) => unknown; readonly decode: (stored: unknown) => unknown } => {
  if (schema === undefined) throw new Error("a reducer runs before its AggregateSpec.load")
  const codec = schema.toCodecJson(state)
  const encode = schema.encodeSync(codec)
  return {
    encode: (value) => {
      try {
        return encode(value)
      } catch (cause) {
        throw new StoringFault("reduce.state", value, cause)
      }
    },
    decode: schema.decodeUnknownSync(codec)
  }
}

/** A state of a checkpoint, which may have been written by another Schema. */
const restored = (stored: StoredValue, decode: (stored: unknown) => unknown): unknown => {
  try {
    return decode(decodeStored(stored))
  } catch (cause) {
    const fix = "give the reducer the Schema it had, or begin anew with tidemark reset"
    throw new StateFault(`reduce.state does not fit: ${textOf(cause)} (${fix})`, { cause })
  }
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

/** States of one part of a snapshot. */
const statesPerPart = 1024

const makeMerging = (reducer: AnyReducer, merge: (x: unknown, y: unknown) => unknown) => (): StateAccumulators => {
  const states: Array<unknown> = []
  /** Slots whose state a result has shown: `add` and `merge` may change what they are given, but not what is out. */
  const shown = new Set<number>()
  let made: ReturnType<typeof stateCodec> | undefined
  const codec = (): ReturnType<typeof stateCodec> => (made ??= stateCodec(reducer.state))
  const at = (slot: number): unknown => (states[slot] === empty ? reducer.zero() : states[slot])
  const copyOf = (state: unknown): unknown =>
    typeof state === "object" && state !== null ? codec().decode(codec().encode(state)) : state
  const asStored = new StatesAtBarrier((state: unknown): ReadonlyArray<StoredValue> | null =>
    state === empty ? null : [encodeStored(codec().encode(state))]
  )
  /** Before a state is handed to `add` or `merge`, which may change it. */
  const changing = (slot: number): void => {
    asStored.changing(slot)
    if (shown.size > 0 && shown.delete(slot)) states[slot] = copyOf(states[slot])
  }
  return {
    states,
    reserve: (capacity) => {
      if (capacity > states.length) growArray(states, grownCapacity(states.length, capacity), empty)
    },
    addBatch: (slots, input, from, to) => {
      if (input === undefined) return
      for (let i = from; i < to; i++) {
        changing(slots[i])
        states[slots[i]] = reducer.add(at(slots[i]), input[i])
      }
    },
    mergeSlot: (slot, other, otherSlot) => {
      const theirs = (other as StateAccumulators).states[otherSlot]
      if (theirs === empty) return
      changing(slot)
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
    snapshot: (count) => ({
      per: statesPerPart,
      parts: asStored.snapshot(states, count, statesPerPart, (encoded) => encoded)
    }),
    restore: (snapshot, from, first) => {
      const storedOf = partReader(snapshot, (part: ReadonlyArray<readonly [StoredValue] | null>) => (i) => part[i])
      for (let i = 0; i < from.length; i++) {
        const stored = storedOf(from[i])
        states[first + i] = stored === null ? empty : restored(stored[0], codec().decode)
      }
    },
    bytes: () => sampledBytes(states.length, (slot) => referenceBytes + roughBytes(states[slot]))
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
  label,
  input: { type: "row" },
  needsOrder: reducer.merge === undefined,
  fingerprinted: false,
  problems: problemsOf(reducer),
  load: loadSchema,
  make: makerOf(watched(reducer))
})

const makerOf = (reducer: AnyReducer): (() => Accumulators) =>
  reducer.merge === undefined ? makeKeeping(label, reducer) : makeMerging(reducer, reducer.merge)

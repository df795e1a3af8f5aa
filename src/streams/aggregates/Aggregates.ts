/**
 * What a user gets in `EventStream.aggregate(({ count, sum, ... }) => ({ ... }))`: the built-in aggregates, typed.
 *
 * Every aggregate takes a field name or a function of the row. A field name is better: it is read from a column where
 * the source has one, and the plan's fingerprint sees it. Results do not depend on the order of rows (rule A1).
 * Nothing throws: wrong options become `problems` of the spec, reported before the query starts.
 */
import type * as Schema from "effect/Schema"
import type { OptionProblem } from "../../model/Errors.ts"
import { rowValue } from "../Arguments.ts"
import type { RowValue } from "../Plan.ts"
import type { AggregateSpec } from "./Aggregate.ts"
import { approxDistinct } from "./ApproxDistinct.ts"
import { avg } from "./Avg.ts"
import { count } from "./Count.ts"
import { distinct } from "./Distinct.ts"
import { first, last } from "./FirstLast.ts"
import { max, min } from "./MinMax.ts"
import { percentile, type PercentileOptions, percentiles } from "./Percentiles.ts"
import { type AnyReducer, reduce } from "./Reduce.ts"
import { sum } from "./Sum.ts"

declare const AggTypes: unique symbol

/** An aggregate of rows of type `A` with a result of type `V`. At run time it is its {@link AggregateSpec}. */
export interface Agg<in A, out V> extends AggregateSpec {
  readonly [AggTypes]?: { readonly row: (row: A) => void; readonly value: V }
}

/** The row of results of a record of aggregates. */
export type AggResults<O> = { readonly [P in keyof O]: O[P] extends Agg<never, infer V> ? V : never }

/** Names of the fields of `A` whose values are `V`s. */
export type FieldOf<A, V> = { [P in keyof A & string]: A[P] extends V ? P : never }[keyof A & string]

/** What distinct values are counted of. `Date` and effect's `DateTime` count by their instant. */
export type Countable =
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | Date
  | { readonly epochMilliseconds: number }

/** The type of a field, or of a function's result. */
export type ValueBy<A, F> = F extends (row: A) => infer V ? V : F extends keyof A ? A[F] : never
/** Numbers add up to a number, bigints to a bigint. */
export type SumOf<V> = [V] extends [number] ? number : [V] extends [bigint] ? bigint : number | bigint

/** A user's own aggregate. */
export interface Reducer<A, S, R extends (state: S) => unknown> {
  /** How the state is written into checkpoints. */
  readonly state: Schema.Codec<S, unknown>
  /** The state of no rows. Called once per key and window. */
  readonly zero: () => NoInfer<S>
  /** The state after one more row. May change the state it is given. */
  readonly add: (state: NoInfer<S>, row: A) => NoInfer<S>
  /**
   * Two states into one; must be associative and commutative, with `zero()` as neutral element. May change `x`, never
   * `y`. Without it, rows are kept until the window closes and folded by (slice, partition, position), rule A1.
   */
  readonly merge?: (x: NoInfer<S>, y: NoInfer<S>) => NoInfer<S>
  /** The result of a state; the state itself when absent. Must not change it. */
  readonly result?: R
}

/** The built-in aggregates over rows of type `A`. */
export interface Aggregates<A> {
  /** How many rows. Exact. */
  readonly count: Agg<A, number>
  /**
   * The sum. Integers, of type number or bigint, are summed exactly; a sum with a bigint among integers is a bigint.
   * Other numbers are compensated: within 1e-12 of the sum of absolute values, whatever the order.
   */
  readonly sum: <const F extends FieldOf<A, number | bigint> | ((row: A) => number | bigint)>(
    of: F
  ) => Agg<A, SumOf<ValueBy<A, F>>>
  /** The mean, from the same sum. A number, for bigints too. */
  readonly avg: <const F extends FieldOf<A, number | bigint> | ((row: A) => number | bigint)>(of: F) => Agg<A, number>
  /** The least; numbers and bigints compare by their exact values. */
  readonly min: <const F extends FieldOf<A, number | bigint> | ((row: A) => number | bigint)>(
    of: F
  ) => Agg<A, ValueBy<A, F>>
  /** The greatest. */
  readonly max: <const F extends FieldOf<A, number | bigint> | ((row: A) => number | bigint)>(
    of: F
  ) => Agg<A, ValueBy<A, F>>
  /** The value of the first row by (event time, source, partition, position); null where it is missing. */
  readonly first: <const F extends (keyof A & string) | ((row: A) => unknown)>(of: F) => Agg<A, Present<ValueBy<A, F>>>
  /** The value of the last row in the same order. */
  readonly last: <const F extends (keyof A & string) | ((row: A) => unknown)>(of: F) => Agg<A, Present<ValueBy<A, F>>>
  /** How many different values, exactly: all are kept. `1`, `1n` and `"1"` differ; null and missing are one value. */
  readonly distinct: <const F extends FieldOf<A, Countable> | ((row: A) => Countable)>(of: F) => Agg<A, number>
  /** How many different values, by HyperLogLog: standard error 0.81 %, at most 16 KiB per key and window. */
  readonly approxDistinct: <const F extends FieldOf<A, Countable> | ((row: A) => Countable)>(of: F) => Agg<A, number>
  /** The value at a quantile from 0 to 1 (`percentile("delay", 0.95)`), within 1 % or `accuracy`; exact up to 32 rows. */
  readonly percentile: <const F extends FieldOf<A, number | bigint> | ((row: A) => number | bigint)>(
    of: F,
    quantile: number,
    options?: PercentileOptions
  ) => Agg<A, number>
  /** The values at several quantiles, in the order given, from one sketch. */
  readonly percentiles: <const F extends FieldOf<A, number | bigint> | ((row: A) => number | bigint)>(
    of: F,
    quantiles: ReadonlyArray<number>,
    options?: PercentileOptions
  ) => Agg<A, ReadonlyArray<number>>
  /** A user's own aggregate. */
  readonly reduce: <S, R extends (state: S) => unknown = (state: S) => S>(
    reducer: Reducer<A, S, R>
  ) => Agg<A, ReturnType<R>>
}

type Present<V> = undefined extends V ? Exclude<V, undefined> | null : V

const withProblems = (spec: AggregateSpec, problems: ReadonlyArray<OptionProblem>): AggregateSpec =>
  problems.length === 0 ? spec : { ...spec, problems: [...problems, ...(spec.problems ?? [])] }

/** Lifts a maker over row values to one over field names and functions. */
const lift =
  <Args extends ReadonlyArray<unknown>>(name: string, make: (value: RowValue, ...args: Args) => AggregateSpec) =>
  (of: unknown, ...args: Args): AggregateSpec => {
    const problems: Array<OptionProblem> = []
    return withProblems(make(rowValue(name, of, problems), ...args), problems)
  }

const untyped: Aggregates<unknown> = {
  count,
  sum: lift("sum", sum),
  avg: lift("avg", avg),
  min: lift("min", min),
  max: lift("max", max),
  first: lift("first", first),
  last: lift("last", last),
  distinct: lift("distinct", distinct),
  approxDistinct: lift("approxDistinct", approxDistinct),
  percentile: lift("percentile", percentile),
  percentiles: lift("percentiles", percentiles),
  reduce: (reducer) => reduce(reducer as unknown as AnyReducer)
}

/** The aggregates, for rows of type `A`: what `EventStream.aggregate` hands to the user's function. */
export const aggregatesFor = <A>(): Aggregates<A> => untyped as unknown as Aggregates<A>

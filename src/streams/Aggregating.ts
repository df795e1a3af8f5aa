/** `EventStream.aggregate` and `aggregateRunning`: results per key and window, or per key. Builds the plan nodes. */
import type { OptionProblem } from "../model/Errors.ts"
import type { AggregateSpec } from "./aggregates/Aggregate.ts"
import { type Aggregates, aggregatesFor, type AggResults } from "./aggregates/Aggregates.ts"
import { checkColumns } from "./Names.ts"
import { show } from "../model/Options.ts"
import { windowColumns } from "../model/WindowColumns.ts"
import type { KeyByNode, NamedAggregate, PlanNode } from "./Plan.ts"
import { checkNeeds } from "./PlanFacts.ts"
import type { EmitAnswers, Final, KeyedRows, Show, Timed, Updating, WindowedRows } from "./Stage.ts"
import { type EventStream, streamOf, windowPartsOf, type WindowParts } from "./StreamValue.ts"

/** A record of aggregates; its names become columns of the result. */
type Build<A, O> = (of: Aggregates<A>) => O

/** The columns that every result of a window has, epoch milliseconds: [start, end). */
export interface WindowBounds {
  readonly window_start: number
  readonly window_end: number
}

type ResultStage<Emits> = [Emits] extends [Final] ? Timed : Updating

/**
 * One result row per key and window: the key's columns, `window_start`, `window_end`, and the aggregates by their
 * names. Its event time is `window_end - 1` (T10), so results can be windowed again.
 */
export const aggregate =
  <A, const O extends Record<string, AggregateSpec>>(build: Build<A, O>) =>
  <E, R, K, Emits extends EmitAnswers>(
    self: EventStream<A, E, R, WindowedRows<K, Emits>>
  ): EventStream<Show<K & WindowBounds & AggResults<O>>, E, R, ResultStage<Emits>> => {
    const parts = windowPartsOf(self) ?? notWindowed(self.plan)
    const problems: Array<OptionProblem> = [...parts.problems]
    const taken = keyNames(parts.input)
    for (const name of windowColumns) {
      if (taken.has(name)) {
        problems.push({
          option: "keyBy",
          value: show(name),
          fix: "is a column of every window's result (give the key column another name)"
        })
      }
      taken.set(name, "a bound of the window")
    }
    const aggregates = aggregatesOf("aggregate", build, taken, problems)
    return streamOf({ kind: "window", ...parts, aggregates, problems })
  }

/**
 * One row per key, over all its rows so far, again whenever it changes: an updating stream (A2), to be written in
 * update or complete mode.
 *
 * A key is never freed: memory grows with the number of distinct keys for as long as the query runs, up to the memory
 * budget (A7). For keys without bound (users, sessions, ids) use a window, or `EventStream.process` with a `ttl`.
 */
export const aggregateRunning =
  <A, const O extends Record<string, AggregateSpec>>(build: Build<A, O>) =>
  <E, R, K>(self: EventStream<A, E, R, KeyedRows<K>>): EventStream<Show<K & AggResults<O>>, E, R, Updating> => {
    const problems: Array<OptionProblem> = []
    checkNeeds("aggregateRunning", self.plan, { keyed: true, final: true }, problems)
    const input = keyed(self.plan)
    return streamOf({
      kind: "running",
      input,
      aggregates: aggregatesOf("aggregateRunning", build, keyNames(input), problems),
      problems
    })
  }

const notWindowed = (input: PlanNode): WindowParts => {
  const fix = "call EventStream.window first (or EventStream.aggregateRunning, for a result that keeps changing)"
  const problems = [{ option: "aggregate", value: "rows without windows", fix }]
  return {
    input: keyed(input),
    window: { kind: "global" },
    late: { kind: "drop" },
    allowedLatenessMs: 0,
    early: false,
    problems
  }
}

const keyed = (input: PlanNode): KeyByNode =>
  input.kind === "keyBy" ? input : { kind: "keyBy", input, columns: [], problems: [] }

const keyNames = (input: KeyByNode): Map<string, string> =>
  new Map(input.columns.map((column) => [column.name, "a column of the key"]))

const isAggregate = (u: unknown): u is AggregateSpec =>
  typeof u === "object" && u !== null && typeof (u as { readonly make?: unknown }).make === "function"

const aggregatesOf = <A, O>(
  operator: string,
  build: Build<A, O>,
  taken: ReadonlyMap<string, string>,
  problems: Array<OptionProblem>
): ReadonlyArray<NamedAggregate> => {
  let built: unknown
  try {
    built = build(aggregatesFor<A>())
  } catch (cause) {
    const value = cause instanceof Error ? cause.message : "an error"
    problems.push({
      option: operator,
      value,
      fix: "thrown while the aggregates were built (see Aggregates for what there is)"
    })
    return []
  }
  if (typeof built !== "object" || built === null) {
    problems.push({
      option: operator,
      value: show(built),
      fix: "must be a record of aggregates: ({ count }) => ({ orders: count })"
    })
    return []
  }
  const names = Object.keys(built)
  checkColumns(operator, names, taken, problems)
  const aggregates: Array<NamedAggregate> = []
  for (const name of names) {
    const spec = (built as { readonly [name: string]: unknown })[name]
    if (isAggregate(spec)) {
      aggregates.push({ name, spec })
      problems.push(...(spec.problems ?? []))
    } else {
      problems.push({
        option: `${operator}.${name}`,
        value: show(spec),
        fix: 'must be an aggregate: count, sum("amount"), ...'
      })
    }
  }
  return aggregates
}

/**
 * The language: what a query does, written as a pipe of typed, data-last functions.
 *
 * ```ts
 * EventStream.from(orders).pipe(
 *   EventStream.withEventTime("at", { outOfOrderness: "5 seconds" }),
 *   EventStream.keyBy("category"),
 *   EventStream.window(Window.tumbling("1 minute"), { late: "drop" }),
 *   EventStream.aggregate(({ count, sum }) => ({ orders: count, revenue: sum("amount") })),
 *   EventStream.to(Terminal.sink())
 * )
 * ```
 *
 * Every function returns a new description and runs nothing. A stream used by two pipelines is read once. Nothing here
 * throws: wrong options are collected in the plan's nodes as `problems` and reported together before a query starts.
 * This module holds the operators on single rows; the others are in the modules it re-exports.
 */
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { OptionProblem } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import type { Source } from "../model/Source.ts"
import { sourceOf } from "./Arguments.ts"
import { checkName } from "./Names.ts"
import { functionOf, integer, show, text } from "../model/Options.ts"
import type { MapEffectNode, PlanNode, SourceNode } from "./Plan.ts"
import { checkNeeds, factsOf } from "./PlanFacts.ts"
import type { FinalRows, Unkeyed, Untimed } from "./Stage.ts"
import { type EventStream, isEventStream, streamOf } from "./StreamValue.ts"

export type { EventStream } from "./StreamValue.ts"
export { isEventStream } from "./StreamValue.ts"
export type {
  Final,
  FinalRows,
  HasKey,
  HasTime,
  Id,
  Instant,
  Keyed,
  KeyColumn,
  KeyedRowsIn,
  Stage,
  Timed,
  TimedRows,
  Unkeyed,
  Untimed,
  UntimedRows,
  Updates,
  Updating,
  Windowed
} from "./Stage.ts"
export { withEventTime } from "./WithEventTime.ts"
export { keyBy } from "./KeyBy.ts"
export { dedupe } from "./Dedupe.ts"
export { process, type ProcessLate, type ProcessOptions } from "./Process.ts"
export type { KeyState, ProcessContext, TimedContext, Timer, UntimedContext } from "./ProcessContext.ts"
export { window, windowAll } from "./Windowing.ts"
export { aggregate, aggregateRunning, type WindowBounds } from "./Aggregating.ts"
export type { Agg, Aggregates, AggResults, Reducer } from "./aggregates/Aggregates.ts"
export { to } from "./Pipeline.ts"

type Row = (row: unknown) => unknown

/**
 * Reads a source. `select` makes a row from a source's row and what its connector knows of it (offset, enqueued time,
 * file and line). Each call is a read of its own: to share one, share the stream.
 */
export const from: {
  <A, Meta, E, R>(source: Source<A, Meta, E, R>): EventStream<A, E, R>
  <A, Meta, E, R, B>(source: Source<A, Meta, E, R>, select: (row: A, meta: Meta) => B): EventStream<B, E, R>
} = <A, Meta, E, R, B>(source: Source<A, Meta, E, R>, select?: (row: A, meta: Meta) => B): EventStream<B, E, R> => {
  const problems: Array<OptionProblem> = []
  const node: SourceNode = { kind: "source", source: sourceOf("from", source, problems), problems }
  if (select === undefined) return streamOf<B, E, R, Untimed>(node)
  const checked = functionOf("from.select", select, problems) as (row: unknown, meta: unknown) => unknown
  return streamOf<B, E, R, Untimed>({ ...node, select: checked })
}

/** Another row for each row. Event time and watermark stay. Over an updating stream, keep the key's columns. */
export const map =
  <A, B>(f: (row: A) => B) =>
  <E, R, S extends Unkeyed>(self: EventStream<A, E, R, S>): EventStream<B, E, R, S> => {
    const problems: Array<OptionProblem> = []
    checkNeeds("map", self.plan, {}, problems)
    return streamOf({ kind: "map", input: self.plan, f: functionOf("map", f, problems) as Row, problems })
  }

/** Keeps the rows for which `predicate` is true. The others are counted as filtered, and still move the watermark (T2). */
export const filter: {
  <A, B extends A>(
    predicate: (row: A) => row is B
  ): <E, R, S extends FinalRows>(self: EventStream<A, E, R, S>) => EventStream<B, E, R, S>
  <A>(
    predicate: (row: A) => boolean
  ): <E, R, S extends FinalRows>(self: EventStream<A, E, R, S>) => EventStream<A, E, R, S>
} =
  <A>(predicate: (row: A) => boolean) =>
  <E, R, S extends FinalRows>(self: EventStream<A, E, R, S>): EventStream<A, E, R, S> => {
    const problems: Array<OptionProblem> = []
    checkNeeds("filter", self.plan, { final: true }, problems)
    const f = functionOf("filter", predicate, problems) as (row: unknown) => boolean
    return streamOf({ kind: "filter", input: self.plan, f, problems })
  }

/** Any number of rows for each row, in the iterable's order; each gets the event time and watermark of its origin. */
export const flatMap =
  <A, B>(f: (row: A) => Iterable<B>) =>
  <E, R, S extends FinalRows>(self: EventStream<A, E, R, S>): EventStream<B, E, R, S> => {
    const problems: Array<OptionProblem> = []
    checkNeeds("flatMap", self.plan, { final: true }, problems)
    const checked = functionOf("flatMap", f, problems) as (row: unknown) => Iterable<unknown>
    return streamOf({ kind: "flatMap", input: self.plan, f: checked, problems })
  }

/**
 * Keeps exactly the fields of a struct schema, in its order, so that a sink with columns takes the rows. Picks; does
 * not validate (that is the source's `decode`).
 */
export const select =
  <const F extends Schema.Struct.Fields>(schema: Schema.Struct<F>) =>
  <A extends Schema.Struct<F>["Type"], E, R, S extends Unkeyed>(
    self: EventStream<A, E, R, S>
  ): EventStream<Schema.Struct<F>["Type"], E, R, S> => {
    const problems: Array<OptionProblem> = []
    checkNeeds("select", self.plan, {}, problems)
    const fields: unknown = (schema as { readonly fields?: unknown } | undefined)?.fields
    const columns = typeof fields === "object" && fields !== null ? Object.keys(fields) : []
    if (columns.length === 0) {
      problems.push({
        option: "select",
        value: "a schema without fields",
        fix: "must be a Schema.Struct with at least one field"
      })
    }
    if (columns.includes("__proto__")) {
      problems.push({
        option: "select",
        value: show("__proto__"),
        fix: "cannot be a column of a result (give it another name)"
      })
    }
    const { identity, updating } = factsOf(self.plan)
    const lost = updating ? (identity ?? []).filter((name) => !columns.includes(name)) : []
    for (const name of lost) {
      problems.push({
        option: "select",
        value: show(name),
        fix: "is missing, but identifies a row of an updating stream: select it too"
      })
    }
    return streamOf({ kind: "select", input: self.plan, columns, schema, problems })
  }

/** The rows of both. Timed when both are; each partition keeps its own watermark (T3). */
export const union =
  <A2, E2, R2, S2 extends FinalRows>(that: EventStream<A2, E2, R2, S2>) =>
  <A, E, R, S extends FinalRows>(self: EventStream<A, E, R, S>): EventStream<A | A2, E | E2, R | R2, S | S2> => {
    const problems: Array<OptionProblem> = []
    if (!isEventStream(that)) {
      problems.push({ option: "union", value: show(that), fix: "must be a stream, made by EventStream.from" })
      return streamOf({ kind: "union", inputs: [self.plan, self.plan], problems })
    }
    for (const input of [self.plan, that.plan]) checkNeeds("union", input, { final: true }, problems)
    return streamOf({ kind: "union", inputs: [self.plan, that.plan], problems })
  }

/**
 * Another row for each row, by an Effect. Its errors and requirements join the pipeline's.
 *
 * - `concurrency`: how many rows at a time (default 1, at most `Limits.chunkRowsMax`).
 * - `ordered`: results in the order of their rows (default true). When false, rows may overtake each other, but never
 *   a watermark or barrier (T13).
 * - `onError`: a failure restarts the attempt (default), or makes the row a dead letter; then `E` does not grow.
 */
export const mapEffect =
  <A, B, E2, R2, OnError extends MapEffectNode["onError"] = "restart">(
    f: (row: A) => Effect.Effect<B, E2, R2>,
    options?: { readonly concurrency?: number; readonly ordered?: boolean; readonly onError?: OnError }
  ) =>
  <E, R, S extends Unkeyed>(
    self: EventStream<A, E, R, S>
  ): EventStream<B, E | (OnError extends "deadLetter" ? never : E2), R | R2, S> => {
    const problems: Array<OptionProblem> = []
    checkNeeds("mapEffect", self.plan, {}, problems)
    const { concurrency = 1, ordered = true, onError = "restart" } = options ?? {}
    if (typeof ordered !== "boolean")
      problems.push({ option: "mapEffect.ordered", value: show(ordered), fix: "must be true or false" })
    if (ordered === false && factsOf(self.plan).updating) {
      problems.push({
        option: "mapEffect.ordered",
        value: "false",
        fix: "would let an update overtake a newer one: leave it out"
      })
    }
    if (onError !== "restart" && onError !== "deadLetter") {
      problems.push({ option: "mapEffect.onError", value: show(onError), fix: 'must be "restart" or "deadLetter"' })
    }
    return streamOf({
      kind: "mapEffect",
      input: self.plan,
      f: functionOf("mapEffect", f, problems) as MapEffectNode["f"],
      concurrency: integer("mapEffect.concurrency", concurrency, problems, { min: 1, max: Limits.chunkRowsMax }),
      ordered,
      onError,
      problems
    })
  }

/**
 * Names the last operator, for progress, errors and checkpoints: a named operator keeps its state when others come or
 * go round it. Name it where it is made; the unnamed stream is another node.
 *
 * A checkpoint remembers the plan that wrote it, but cannot see into functions. `version` says which meaning those of
 * this operator have (of a window: of its key and aggregates too): change it with them, and a query that goes on from
 * a checkpoint of another version is refused until the change is accepted (C8).
 */
export const named =
  (name: string, options?: { readonly version?: string }) =>
  <A, E, R, S extends Unkeyed>(self: EventStream<A, E, R, S>): EventStream<A, E, R, S> => {
    const problems = [...self.plan.problems]
    checkNeeds("named", self.plan, {}, problems)
    const { version } = options ?? {}
    const versioned = version === undefined ? {} : { version: text("named.version", version, problems) }
    return streamOf({ ...self.plan, name: checkName("named", name, problems), ...versioned, problems } as PlanNode)
  }

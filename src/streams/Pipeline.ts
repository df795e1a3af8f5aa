/**
 * A pipeline: one or several outputs, ready to run as one query. `EventStream.to` makes one, `outputs` joins several.
 */
import type * as Duration from "effect/Duration"
import * as Pipeable from "effect/Pipeable"
import type { OptionProblem } from "../model/Errors.ts"
import type { AnySink, Mode, Sink } from "../model/Sink.ts"
import { sourceOf } from "./Arguments.ts"
import { checkName } from "./Names.ts"
import { durationMs, show, sinkOf } from "../model/Options.ts"
import type { PlanNode, QueryPlan, SinkNode } from "./Plan.ts"
import { checkNeeds, checkSinkColumns, factsOf } from "./PlanFacts.ts"
import type { ColumnsOf, RowOf, SinkErrorOf, SinkServicesOf, Takes, Within } from "./SinkTypes.ts"
import type { FinalRows, Unkeyed } from "./Stage.ts"
import type { EventStream } from "./StreamValue.ts"

/** Marks pipelines. */
export const PipelineTypeId: unique symbol = Symbol.for("tidemark/Pipeline")

/** What a query runs. `E`, `R`: what its sources, effects, sinks, late and dead-letter sinks may fail with and need. */
export interface Pipeline<out E = never, out R = never> extends Pipeable.Pipeable {
  readonly [PipelineTypeId]: { readonly error: () => E; readonly services: () => R }
  /** Its outputs. For the engine; the shape may change between releases. */
  readonly plan: QueryPlan
}

const mark = Object.freeze({})

/** A pipeline of this plan. The caller states the types. */
export const pipelineOf = <E, R>(plan: QueryPlan): Pipeline<E, R> => {
  const pipeline = Object.assign(Object.create(Pipeable.Prototype) as object, {
    [PipelineTypeId]: mark,
    plan: Object.freeze(plan)
  })
  return Object.freeze(pipeline) as unknown as Pipeline<E, R>
}

/** Whether a value is a pipeline. */
export const isPipeline = (u: unknown): u is Pipeline<unknown, unknown> =>
  typeof u === "object" && u !== null && PipelineTypeId in u

/** Options of `EventStream.to`, by mode (A4). */
export type ToOptions =
  | { readonly mode?: "append"; readonly keep?: never }
  | { readonly mode: "update"; readonly keep?: never }
  | {
      readonly mode: "complete"
      /**
       * What bounds the table: rows whose event time is further behind the watermark leave it; without event time,
       * rows that did not change for so long.
       */
      readonly keep: Duration.Input
    }

type ModeOf<O> = O extends { readonly mode: infer M extends Mode } ? M : "append"
/** A mode that is given is refused where it stands; the default one, at the sink. */
type DefaultOf<O> = O extends { readonly mode: Mode } ? never : "append"
type StageFor<M extends Mode> = M extends "append" ? FinalRows : Unkeyed

/**
 * Writes a stream to a sink. Modes (A4): `append`, the default, writes final rows once; `update` writes rows that
 * changed, by key; `complete` writes the whole table each time and says how long rows stay in it.
 */
export const to =
  <Sk extends Sink<never, never, unknown, unknown>, const O extends ToOptions = {}>(
    sink: Sk & Takes<Sk, DefaultOf<O>>,
    options?: O & Takes<Sk, ModeOf<O>>
  ) =>
  <A extends RowOf<Sk>, E, R, S extends StageFor<ModeOf<O>>>(
    self: EventStream<A, E, R, S> & Within<A, ColumnsOf<Sk>>
  ): Pipeline<E | SinkErrorOf<Sk>, R | SinkServicesOf<Sk>> =>
    pipelineOf({ outputs: [{ name: "output", sink: sinkNode(self.plan, sink, options ?? {}) }] })

const modes: ReadonlyArray<Mode> = ["append", "update", "complete"]

const sinkNode = (input: PlanNode, given: unknown, options: ToOptions): SinkNode => {
  const problems: Array<OptionProblem> = []
  const sink = sinkOf("to", given, problems)
  const mode = modeOf(options.mode ?? "append", sink, problems)
  checkNeeds("to", input, { final: mode === "append" }, problems)
  if (mode !== "append" && factsOf(input).identity === undefined) {
    const fix = "needs results of an aggregate, whose key says which row to replace; other rows are written in append"
    problems.push({ option: "to.mode", value: show(mode), fix })
  }
  checkSinkColumns("to", input, sink, problems)
  const { keep } = options
  if (mode === "complete" && keep === undefined) {
    problems.push({
      option: "to.keep",
      value: "undefined",
      fix: 'must say how long rows stay in the table (try "2 hours")'
    })
  }
  if (mode !== "complete" && keep !== undefined) {
    problems.push({ option: "to.keep", value: show(keep), fix: 'is for mode "complete": leave it out' })
  }
  const kept =
    mode === "complete" && keep !== undefined ? { keepMs: durationMs("to.keep", keep, problems, { min: 1 }) } : {}
  return Object.freeze({ kind: "sink", input, sink, mode, ...kept, problems })
}

const modeOf = (mode: Mode, sink: AnySink, problems: Array<OptionProblem>): Mode => {
  if (!modes.includes(mode)) {
    problems.push({ option: "to.mode", value: show(mode), fix: 'must be "append", "update" or "complete"' })
    return "append"
  }
  const takes = sink.features.modes
  if (takes.length > 0 && !takes.includes(mode)) {
    problems.push({
      option: "to.mode",
      value: show(mode),
      fix: `is none that ${sink.name} takes (it takes ${takes.join(", ")})`
    })
  }
  return mode
}

/** What a pipeline may fail with. */
export type ErrorOf<P> = P extends Pipeline<infer E, unknown> ? E : never
/** What a pipeline needs. */
export type ServicesOf<P> = P extends Pipeline<unknown, infer R> ? R : never

/**
 * Several pipelines as one query: what they share is read once, and they have one ledger and one checkpoint. Outputs
 * get the record's names; a pipeline that has several outputs itself gives `name.inner`.
 */
export const outputs = <const Q extends Record<string, Pipeline<unknown, unknown>>>(
  pipelines: Q
): Pipeline<ErrorOf<Q[keyof Q]>, ServicesOf<Q[keyof Q]>> => {
  const all: Array<QueryPlan["outputs"][number]> = []
  for (const key of Object.keys(pipelines)) {
    const pipeline: unknown = pipelines[key]
    if (!isPipeline(pipeline)) {
      all.push(invalid(key, show(pipeline), "must be a pipeline: end the stream with EventStream.to(sink)"))
      continue
    }
    const own = pipeline.plan.outputs
    for (const output of own) {
      const problems = [...output.sink.problems]
      const name = checkName("outputs", own.length === 1 ? key : `${key}.${output.name}`, problems)
      all.push({ name, sink: Object.freeze({ ...output.sink, problems }) })
    }
  }
  if (all.length === 0) all.push(invalid("none", "no outputs", "must have at least one: outputs({ name: pipeline })"))
  return pipelineOf({ outputs: Object.freeze(all) })
}

/** An output that never runs: it carries its problem. */
const invalid = (name: string, value: string, fix: string): QueryPlan["outputs"][number] => {
  const input: PlanNode = { kind: "source", source: sourceOf("outputs", undefined, []), problems: [] }
  return {
    name,
    sink: {
      kind: "sink",
      input,
      sink: sinkOf("outputs", undefined, []),
      mode: "append",
      problems: [{ option: `outputs.${name}`, value, fix }]
    }
  }
}

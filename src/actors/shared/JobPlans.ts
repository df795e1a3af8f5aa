/**
 * What the queries of a job have in common (rule M1): sources that several of them read, which are then read once, and
 * sinks that only one of them may write. Sources and sinks are the same when they are the same value.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type OptionProblem, QueryError, renderProblem } from "../../model/Errors.ts"
import type { AnySink } from "../../model/Sink.ts"
import { isPipeline, type Pipeline, pipelineOf } from "../../streams/Pipeline.ts"
import type { AnySource, PlanNode, QueryPlan, SourceNode } from "../../streams/Plan.ts"
import { inputsOf } from "../../streams/PlanFacts.ts"
import { type SharedView, shareSource } from "./SharedSource.ts"
import type { ReadySource } from "../Topology.ts"

/** A query of a job: its name and what it runs. */
export type NamedPipeline = readonly [string, Pipeline<unknown, unknown>]

/** The nodes of a plan, each once. */
const nodesOf = (plan: QueryPlan): ReadonlySet<PlanNode> => {
  const seen = new Set<PlanNode>()
  const visit = (node: PlanNode): void => {
    if (seen.has(node)) return
    seen.add(node)
    inputsOf(node).forEach(visit)
  }
  for (const { sink } of plan.outputs) visit(sink.input)
  return seen
}

/** The sinks of a plan: outputs, late outputs, and dead letters of sources. */
const sinksOf = (plan: QueryPlan): ReadonlySet<AnySink> => {
  const sinks = new Set<AnySink>()
  for (const { sink } of plan.outputs) sinks.add(sink.sink)
  for (const node of nodesOf(plan)) {
    if ("late" in node && node.late.kind === "to") sinks.add(node.late.sink)
    if (node.kind === "source" && node.source.deadLetters !== undefined) sinks.add(node.source.deadLetters)
  }
  return sinks
}

/**
 * Two queries may write one sink only when it takes several writers, and read one source only when it publishes no
 * positions, which would be those of either (rule M1); fails with `InvalidPipeline`.
 */
export const checkSharedOfJob = (queries: ReadonlyArray<NamedPipeline>): Effect.Effect<void, QueryError> => {
  const owners = new Map<AnySink | AnySource, string>()
  const problems: Array<OptionProblem> = []
  let refused: string | undefined
  for (const [name, pipeline] of queries) {
    if (!isPipeline(pipeline)) continue
    const claim = (end: AnySink | AnySource, isShared: boolean, fixOf: (other: string) => string): void => {
      const other = owners.get(end)
      if (other === undefined) owners.set(end, name)
      else if (other !== name && !isShared) {
        refused ??= name
        problems.push({ option: `query ${name}`, value: end.name, fix: fixOf(other) })
      }
    }
    for (const sink of sinksOf(pipeline.plan)) {
      const fixOf = (other: string): string =>
        `is also a sink of query ${other}, and takes one writer: give each query its own`
      claim(sink, sink.features.multiWriter, fixOf)
    }
    for (const node of nodesOf(pipeline.plan)) {
      if (node.kind !== "source") continue
      const fixOf = (other: string): string =>
        `publishes positions, and is also read by query ${other}: give each query a source and a consumer group of its own`
      claim(node.source, node.source.committed === undefined, fixOf)
    }
  }
  if (refused === undefined) return Effect.void
  const message = `the job cannot start: ${problems.map(renderProblem).join("; ")}`
  return Effect.fail(new QueryError({ reason: "InvalidPipeline", query: refused, message, problems }))
}

/** A query of a job as it is run. */
export interface SharingQuery {
  readonly name: string
  readonly pipeline: Pipeline<unknown, unknown>
  /** To be run when the query has ended for good: the others no longer wait for it. */
  readonly leave: Effect.Effect<void>
}

/**
 * The same queries, in which a source that at least two of them read is read once. What is open for that is closed with
 * the scope, which has to outlive the queries. A source that one query reads is left as it is.
 */
export const shareSourcesOfJob = (
  queries: ReadonlyArray<NamedPipeline>
): Effect.Effect<ReadonlyArray<SharingQuery>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const readings = new Map<AnySource, Array<{ readonly query: string; readonly node: SourceNode }>>()
    for (const [query, pipeline] of queries) {
      if (!isPipeline(pipeline)) continue
      for (const node of nodesOf(pipeline.plan)) {
        if (node.kind !== "source") continue
        const known = readings.get(node.source)
        if (known === undefined) readings.set(node.source, [{ query, node }])
        else known.push({ query, node })
      }
    }
    /** By query, what its nodes read instead. */
    const shared = new Map<string, Map<SourceNode, SharedView>>()
    for (const [source, of] of readings) {
      if (new Set(of.map(({ query }) => query)).size < 2) continue
      const readers = of.map(({ query }) => query)
      const views = yield* shareSource(source as ReadySource, readers)
      of.forEach(({ query, node }, i) => {
        const mine = shared.get(query) ?? new Map<SourceNode, SharedView>()
        shared.set(query, mine.set(node, views[i]))
      })
    }
    return queries.map(([name, pipeline]): SharingQuery => {
      const views = shared.get(name)
      if (views === undefined) return { name, pipeline, leave: Effect.void }
      const sources = new Map([...views].map(([node, view]) => [node, view.source]))
      const leave = Effect.forEach([...views.values()], (view) => view.leave, { discard: true })
      return { name, pipeline: pipelineOf(withSources(pipeline.plan, sources)), leave }
    })
  })

/** The same plan, in which some nodes read other sources. What reads none of them is the same; one node stays one. */
export const withSources = (plan: QueryPlan, sources: ReadonlyMap<SourceNode, AnySource>): QueryPlan => {
  const made = new Map<PlanNode, PlanNode>()
  const of = (node: PlanNode): PlanNode => {
    const known = made.get(node)
    if (known !== undefined) return known
    const now = rebuilt(node)
    made.set(node, now)
    return now
  }
  const rebuilt = (node: PlanNode): PlanNode => {
    if (node.kind === "source") {
      const source = sources.get(node)
      return source === undefined ? node : { ...node, source }
    }
    if (node.kind === "union") {
      const inputs = [of(node.inputs[0]), of(node.inputs[1])] as const
      return inputs[0] === node.inputs[0] && inputs[1] === node.inputs[1] ? node : { ...node, inputs }
    }
    const input = of(node.input)
    // Its kind is that of the node it stands for.
    return input === node.input ? node : ({ ...node, input } as PlanNode)
  }
  return { outputs: plan.outputs.map(({ name, sink }) => ({ name, sink: { ...sink, input: of(sink.input) } })) }
}

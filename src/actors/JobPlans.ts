/**
 * What the queries of a job have in common (rule M1): sources that several of them read, which are then read once, and
 * sinks that only one of them may write. Sources and sinks are the same when they are the same value.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type OptionProblem, QueryError, renderProblem } from "../model/Errors.ts"
import type { AnySink } from "../model/Sink.ts"
import { isPipeline, type Pipeline, pipelineOf } from "../streams/Pipeline.ts"
import type { AnySource, PlanNode, QueryPlan } from "../streams/Plan.ts"
import { inputsOf } from "../streams/PlanFacts.ts"
import { shareSource } from "./SharedSource.ts"
import type { ReadySource } from "./Topology.ts"

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

/** Two queries may write one sink only when it takes several writers (rule M1); fails with `InvalidPipeline`. */
export const checkSinksOfJob = (queries: ReadonlyArray<NamedPipeline>): Effect.Effect<void, QueryError> => {
  const writers = new Map<AnySink, string>()
  const problems: Array<OptionProblem> = []
  let refused: string | undefined
  for (const [name, pipeline] of queries) {
    if (!isPipeline(pipeline)) continue
    for (const sink of sinksOf(pipeline.plan)) {
      const other = writers.get(sink)
      if (other === undefined) writers.set(sink, name)
      else if (!sink.features.multiWriter) {
        refused ??= name
        const fix = `is also a sink of query ${other}, and takes one writer: give each query its own`
        problems.push({ option: `query ${name}`, value: sink.name, fix })
      }
    }
  }
  if (refused === undefined) return Effect.void
  const message = `the job cannot start: ${problems.map(renderProblem).join("; ")}`
  return Effect.fail(new QueryError({ reason: "InvalidPipeline", query: refused, message, problems }))
}

/**
 * The same queries, in which a source that at least two of them read is read once. What is open for that is closed with
 * the scope, which has to outlive the queries. A source that one query reads is left as it is.
 */
export const shareSourcesOfJob = (
  queries: ReadonlyArray<NamedPipeline>
): Effect.Effect<ReadonlyArray<NamedPipeline>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const readers = new Map<AnySource, number>()
    for (const [, pipeline] of queries) {
      if (!isPipeline(pipeline)) continue
      const own = new Set<AnySource>()
      for (const node of nodesOf(pipeline.plan)) if (node.kind === "source") own.add(node.source)
      for (const source of own) readers.set(source, (readers.get(source) ?? 0) + 1)
    }
    const shared = new Map<AnySource, AnySource>()
    for (const [source, count] of readers) if (count > 1) shared.set(source, yield* shareSource(source as ReadySource))
    if (shared.size === 0) return queries
    return queries.map(([name, pipeline]): NamedPipeline => [
      name,
      isPipeline(pipeline) ? pipelineOf(withSources(pipeline.plan, shared)) : pipeline
    ])
  })

/** The same plan with other sources. Nodes above none of them are the same; a node used twice stays one node. */
export const withSources = (plan: QueryPlan, sources: ReadonlyMap<AnySource, AnySource>): QueryPlan => {
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
      const source = sources.get(node.source)
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

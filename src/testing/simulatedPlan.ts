/**
 * A plan whose sources and sinks are replaced, and whose effects are watched. All between them is the user's own.
 *
 * Idleness is left out: that a partition is idle is a fact of a run (rule T7), on which results may depend.
 */
import * as Effect from "effect/Effect"
import type { AnySink } from "../model/Sink.ts"
import type { AnySource, PlanNode, QueryPlan, SinkNode } from "../streams/Plan.ts"

/** What stands for what. */
export interface Stands {
  readonly source: (source: AnySource) => AnySource
  readonly output: (name: string, node: SinkNode) => AnySink
  /** For each late output, in the order of the plan. */
  readonly late: (sink: AnySink) => AnySink
  /** Watches over an effect of the user. */
  readonly watch: <A, E, R>(operator: string, call: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** Longer than any history. */
const neverMs = 1e15

/** The same plan on other sources and sinks. Nodes that were shared stay shared. */
export const simulatedPlan = (plan: QueryPlan, stands: Stands): QueryPlan => {
  const made = new Map<PlanNode, PlanNode>()
  const of = <N extends PlanNode>(node: N): N => {
    const known = made.get(node)
    if (known !== undefined) return known as N
    const fresh = replaced(node, of, stands)
    made.set(node, fresh)
    return fresh as N
  }
  return {
    outputs: plan.outputs.map(({ name, sink }) => ({
      name,
      sink: { ...sink, input: of(sink.input), sink: stands.output(name, sink) }
    }))
  }
}

const replaced = (node: PlanNode, of: <N extends PlanNode>(node: N) => N, stands: Stands): PlanNode => {
  switch (node.kind) {
    case "source":
      return { ...node, source: stands.source(node.source) }
    case "union":
      return { ...node, inputs: [of(node.inputs[0]), of(node.inputs[1])] }
    case "withEventTime":
      return { ...node, input: of(node.input), spec: { ...node.spec, idleAfterMs: neverMs, whenQuiet: "hold" } }
    case "mapEffect":
      return { ...node, input: of(node.input), f: watched(node.name ?? "mapEffect", node.f, stands) }
    case "window":
    case "process":
    case "dedupe": {
      const late = node.late.kind === "to" ? { kind: "to" as const, sink: stands.late(node.late.sink) } : node.late
      return { ...node, input: of(node.input), late } as PlanNode
    }
    default:
      return { ...node, input: of(node.input) } as PlanNode
  }
}

type Mapping = (row: unknown) => Effect.Effect<unknown, unknown, unknown>

const watched =
  (operator: string, f: Mapping, { watch }: Stands): Mapping =>
  (row) =>
    watch(
      operator,
      Effect.suspend(() => f(row))
    )

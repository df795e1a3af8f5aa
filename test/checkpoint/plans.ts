/** Plans as users write them, without types, and their fingerprints as the engine takes them. */
import { layOut } from "../../src/actors/Topology.ts"
import { makeTable, type MemoryTable, sink as memorySink } from "../../src/connectors/memory/MemorySink.ts"
import { source as memorySource } from "../../src/connectors/memory/MemorySource.ts"
import type { PlanFingerprint } from "../../src/model/PlanFingerprint.ts"
import type { AnySink } from "../../src/model/Sink.ts"
import * as EventStream from "../../src/streams/EventStream.ts"
import { fingerprintOf } from "../../src/streams/Fingerprint.ts"
import * as Pipeline from "../../src/streams/Pipeline.ts"
import type { AnySource, PlanNode, QueryPlan } from "../../src/streams/Plan.ts"
import { inputsOf } from "../../src/streams/PlanFacts.ts"

/** A stream or a pipeline. */
export interface Built {
  readonly plan: unknown
  readonly pipe: (...steps: ReadonlyArray<Step>) => Built
}
/** What `pipe` takes. */
export type Step = (built: never) => unknown

/** The language as JavaScript sees it: the same functions, without types. */
export const JS = { ...EventStream, outputs: Pipeline.outputs } as unknown as {
  readonly [F in keyof typeof EventStream]: (...args: ReadonlyArray<unknown>) => Step
} & { readonly outputs: (pipelines: { readonly [name: string]: Built }) => Built }

/** The fingerprint of a pipeline, after a way through JSON, as a checkpoint has it. */
export const fingerprint = (pipeline: Built): PlanFingerprint => {
  const plan = pipeline.plan as QueryPlan
  const topology = layOut(plan, memorySink() as unknown as AnySink)
  if (topology.problems.length > 0) throw new Error(JSON.stringify(topology.problems))
  const { nameOf } = topology
  const found = fingerprintOf(plan, { nameOf, writerOf: (at) => topology.stageOf(at).name })
  return JSON.parse(JSON.stringify(found)) as PlanFingerprint
}

const start = Date.UTC(2026, 0, 1, 12)

/** What every source has: orders, some of them twice, some of them late. */
export const orders: ReadonlyArray<unknown> = Array.from({ length: 120 }, (_, i) => ({
  id: `id-${i % 100}`,
  category: ["Books", "Games", "Toys"][i % 3],
  region: ["EU", "US"][i % 2],
  amount: (i * 37) % 211,
  price: i,
  at: new Date(start + i * 20_000 - (i % 17 === 0 ? 600_000 : 0)).toISOString(),
  seen: new Date(start + i * 20_000).toISOString()
}))

/** Rows of a source. */
export const rows = (name: string): Built => EventStream.from(memorySource(orders, { name })) as unknown as Built

const tables = new Map<string, MemoryTable>()

/** A place for any rows: all sinks of a name write to the same one, as those of one folder do. */
export const sink = (name: string) => {
  const table = tables.get(name) ?? makeTable()
  tables.set(name, table)
  return memorySink({ name, table })
}

/** The sources of a plan. */
export const sourcesOf = (plan: QueryPlan): ReadonlyArray<AnySource> => {
  const found = new Set<AnySource>()
  const visit = (node: PlanNode): void => {
    if (node.kind === "source") found.add(node.source)
    for (const input of inputsOf(node)) visit(input)
  }
  for (const output of plan.outputs) visit(output.sink.input)
  return [...found]
}

/** Plans as users write them, without types, and their fingerprints as the engine takes them. */
import { layOut } from "../../src/actors/Topology.ts"
import { sink as memorySink } from "../../src/connectors/memory/MemorySink.ts"
import { source as memorySource } from "../../src/connectors/memory/MemorySource.ts"
import type { PlanFingerprint } from "../../src/model/PlanFingerprint.ts"
import type { AnySink } from "../../src/model/Sink.ts"
import * as EventStream from "../../src/streams/EventStream.ts"
import { fingerprintOf } from "../../src/streams/Fingerprint.ts"
import * as Pipeline from "../../src/streams/Pipeline.ts"
import type { QueryPlan } from "../../src/streams/Plan.ts"

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

/** Rows of a source. */
export const rows = (name: string): Built => EventStream.from(memorySource<unknown>([], { name })) as unknown as Built

/** A place for any rows. */
export const sink = (name: string) => memorySink({ name })

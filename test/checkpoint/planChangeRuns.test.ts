/** C8: a query that goes on under an edited plan: refused before it has done anything, or, accepted, with its ledger in balance. */
import { Cause, Effect, Exit } from "effect"
import { describe, expect, it } from "vitest"
import { withSources } from "../../src/actors/shared/JobPlans.ts"
import { source } from "../../src/connectors/memory/MemorySource.ts"
import { imbalances } from "../../src/model/Ledger.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import { pipelineOf } from "../../src/streams/Pipeline.ts"
import type { AnySource, QueryPlan } from "../../src/streams/Plan.ts"
import { Checkpoint, Memory, Query, type QueryError, Trigger } from "tidemark"
import { edits, type Expected, type Plans } from "./edits.ts"
import { type Built, orders, sourcesOf } from "./plans.ts"

/** The same plan over the first rows of its sources: what there was when the query first ran. */
const earlier = (pipeline: Built): QueryPlan => {
  const plan = pipeline.plan as QueryPlan
  const halves = sourcesOf(plan).map((whole): readonly [AnySource, AnySource] => [
    whole,
    source(orders.slice(0, 60), { name: whole.name }) as AnySource
  ])
  return withSources(plan, new Map(halves) as never)
}

/** Sinks of all cases write to the same tables, so each case has a name of its own. */
let name = "q"
const run = (plan: QueryPlan, objects: ObjectStore, accepted: ReadonlyArray<string>) =>
  Effect.runPromiseExit(
    Query.run(pipelineOf<never, never>(plan), {
      name,
      trigger: Trigger.availableNow(),
      acceptPlanChanges: accepted,
      ifOwned: "fail"
    }).pipe(Effect.provide(Checkpoint.layer(objects)))
  )

const errorOf = (exit: Exit.Exit<unknown, unknown>): QueryError | undefined =>
  Exit.isFailure(exit) ? (exit.cause.reasons.find(Cause.isFailReason)?.error as QueryError) : undefined

describe("C8: going on under an edited plan", () => {
  const goesOn = async (edit: string, [before, after]: Plans, expected: Expected): Promise<void> => {
    const objects = Memory.objectStore()
    name = `q-${edit.replace(/[^a-z]+/gi, "-")}`
    expect(await run(earlier(before), objects, [])).toMatchObject({ _tag: "Success" })
    const verdicts = Object.values(expected)
    const plan = after.plan as QueryPlan
    if (verdicts.includes("refuse") || verdicts.includes("never")) {
      expect(errorOf(await run(plan, objects, []))).toMatchObject({ reason: "PlanChanged", query: name })
    }
    const exit = await run(plan, objects, Object.keys(expected))
    if (verdicts.includes("never")) {
      expect(errorOf(exit)).toMatchObject({ reason: "PlanChanged" })
      // What was there before is as it was.
      const again = await run(before.plan as QueryPlan, objects, [])
      expect(again).toMatchObject({ _tag: "Success" })
      return
    }
    expect(exit).toMatchObject({ _tag: "Success" })
    if (Exit.isSuccess(exit)) expect(imbalances(exit.value.ledger)).toEqual([])
  }
  it.each(edits)("%s", goesOn)
})

/** The language as JavaScript sees it: the same functions, without types. */
import type { OptionProblem } from "../../src/model/Errors.ts"
import type { PlanNode, QueryPlan } from "../../src/streams/Plan.ts"
import { inputsOf } from "../../src/streams/PlanFacts.ts"
import { EventStream } from "tidemark"

/** Anything that `pipe` gives: a stream or a pipeline. */
export interface Built {
  readonly plan: PlanNode | QueryPlan
  readonly pipe: (...fs: ReadonlyArray<(built: never) => unknown>) => Built
}

export const JS = EventStream as unknown as {
  readonly [F in Exclude<keyof typeof EventStream, "from">]: (
    ...args: ReadonlyArray<unknown>
  ) => (built: unknown) => Built
} & { readonly from: (...args: ReadonlyArray<unknown>) => Built }

/** Counts, for any row. */
export const count = JS.aggregate(({ count }: { readonly count: unknown }) => ({ n: count }))

/** The problems of the last node, or of the outputs. */
export const ownProblems = ({ plan }: Pick<Built, "plan">): ReadonlyArray<OptionProblem> =>
  "kind" in plan ? plan.problems : plan.outputs.flatMap((o) => o.sink.problems)

/** The problems of the whole plan, inputs first. */
export const allProblems = ({ plan }: Pick<Built, "plan">): ReadonlyArray<OptionProblem> => {
  const found: Array<OptionProblem> = []
  const seen = new Set<PlanNode>()
  const visit = (node: PlanNode): void => {
    if (seen.has(node)) return
    seen.add(node)
    inputsOf(node).forEach(visit)
    found.push(...node.problems)
  }
  if ("kind" in plan) visit(plan)
  else {
    for (const { sink } of plan.outputs) {
      visit(sink.input)
      found.push(...sink.problems)
    }
  }
  return found
}

/** Reads the `late` option of windows and dedupe, which has no default (rules T4, A3). */
import type { OptionProblem } from "../model/Errors.ts"
import { type LateTo, LateTypeId } from "./Late.ts"
import { show } from "./Options.ts"
import type { LatePolicy, PlanNode } from "./Plan.ts"
import { checkSinkColumns } from "./PlanFacts.ts"

/** The policy that was chosen for the rows of `input`; without a choice, a problem. */
export const latePolicy = (operator: string, input: PlanNode, late: unknown, problems: Array<OptionProblem>): LatePolicy => {
  if (late === "drop") return { kind: "drop" }
  if (typeof late === "object" && late !== null && LateTypeId in late) {
    const { policy } = late as LateTo<never>
    if (policy.kind === "to") checkSinkColumns(`${operator}.late`, input, policy.sink, problems)
    return policy
  }
  problems.push({ option: `${operator}.late`, value: show(late), fix: 'must say what becomes of late rows: "drop" or Late.to(sink)' })
  return { kind: "drop" }
}

/** Reads the `late` option of windows and dedupe, which has no default (rules T4, A3). */
import type { OptionProblem } from "../model/Errors.ts"
import { type LateTo, LateTypeId } from "./Late.ts"
import { show, sinkOf } from "../model/Options.ts"
import type { LatePolicy, PlanNode } from "./Plan.ts"
import { checkSinkColumns } from "./PlanFacts.ts"

/** The policy that was chosen for the rows of `input`; without a choice, a problem, which names `others` too. */
export const latePolicy = (
  operator: string,
  input: PlanNode,
  late: unknown,
  problems: Array<OptionProblem>,
  others = '"drop" or '
): LatePolicy => {
  if (late === "drop") return { kind: "drop" }
  if (typeof late === "object" && late !== null && LateTypeId in late) {
    const option = `${operator}.late`
    const sink = sinkOf(option, (late as LateTo<never>).sink, problems)
    const { modes } = sink.features
    if (modes.length > 0 && !modes.includes("append")) {
      problems.push({
        option,
        value: sink.name,
        fix: "takes no rows in mode append, which is how late rows are written"
      })
    }
    checkSinkColumns(option, input, sink, problems)
    return { kind: "to", sink }
  }
  problems.push({
    option: `${operator}.late`,
    value: show(late),
    fix: `must say what becomes of late rows: ${others}Late.to(sink)`
  })
  return { kind: "drop" }
}

/** Reads the `late` option of windows and dedupe, which has no default (rules T4, A3). */
import type { OptionProblem } from "../model/Errors.ts"
import { type LateTo, LateTypeId } from "./Late.ts"
import { show } from "./Options.ts"
import type { LatePolicy } from "./Plan.ts"

/** The policy that was chosen; without a choice, a problem. */
export const latePolicy = (option: string, late: unknown, problems: Array<OptionProblem>): LatePolicy => {
  if (late === "drop") return { kind: "drop" }
  if (typeof late === "object" && late !== null && LateTypeId in late) return (late as LateTo<never>).policy
  problems.push({ option: `${option}.late`, value: show(late), fix: 'must say what becomes of late rows: "drop" or Late.to(sink)' })
  return { kind: "drop" }
}

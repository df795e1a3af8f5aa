/**
 * Checks of the values a user hands to the language. What is wrong becomes a problem of the plan node, reported before
 * the query starts; nothing throws, and the node gets a stand-in of the right shape, which never runs.
 */
import type { OptionProblem } from "../model/Errors.ts"
import { has, show } from "../model/Options.ts"
import type { AnySource, RowValue } from "./Plan.ts"

/** A field name or a function of a row, as a plan holds it. */
export const rowValue = (option: string, value: unknown, problems: Array<OptionProblem>): RowValue => {
  if (typeof value === "string") return { field: value, label: value }
  if (typeof value === "function") return { get: value as (row: unknown) => unknown, label: "<lambda>" }
  problems.push({ option, value: show(value), fix: 'must be a field name or a function of a row (try "amount")' })
  return { get: () => undefined, label: "<invalid>" }
}

/** A source, or a problem and a stand-in. */
export const sourceOf = (option: string, source: unknown, problems: Array<OptionProblem>): AnySource => {
  if (has(source, "features", "partitions", "open")) return source as AnySource
  problems.push({ option, value: show(source), fix: "must be a source (try Memory.source([...]))" })
  return { name: "invalid" } as AnySource
}

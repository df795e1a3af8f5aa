/**
 * Checks of the values a user hands to the language. What is wrong becomes a problem of the plan node, reported before
 * the query starts; nothing throws, and the node gets a stand-in of the right shape, which never runs.
 */
import type { OptionProblem } from "../model/Errors.ts"
import type { AnySink } from "../model/Sink.ts"
import { show } from "../model/Options.ts"
import type { AnySource, RowValue } from "./Plan.ts"

/** A field name or a function of a row, as a plan holds it. */
export const rowValue = (option: string, value: unknown, problems: Array<OptionProblem>): RowValue => {
  if (typeof value === "string") return { field: value, label: value }
  if (typeof value === "function") return { get: value as (row: unknown) => unknown, label: "<lambda>" }
  problems.push({ option, value: show(value), fix: "must be a field name or a function of a row" })
  return { get: () => undefined, label: "<invalid>" }
}

/** A function, or a problem and one that gives `undefined`. */
export const functionOf = <F extends (...args: never) => unknown>(
  option: string,
  f: F,
  problems: Array<OptionProblem>
): F => {
  if (typeof f === "function") return f
  problems.push({ option, value: show(f), fix: "must be a function" })
  return (() => undefined) as unknown as F
}

const has = (value: unknown, ...names: ReadonlyArray<string>): boolean =>
  typeof value === "object" && value !== null && names.every((name) => name in value)

/** A source, or a problem and a stand-in. */
export const sourceOf = (option: string, source: unknown, problems: Array<OptionProblem>): AnySource => {
  if (has(source, "features", "partitions", "open")) return source as AnySource
  problems.push({ option, value: show(source), fix: "must be a source (try Memory.source([...]))" })
  return { name: "invalid" } as AnySource
}

/** A sink, or a problem and a stand-in. */
export const sinkOf = (option: string, sink: unknown, problems: Array<OptionProblem>): AnySink => {
  if (has(sink, "features", "writer", "commit")) return sink as AnySink
  problems.push({ option, value: show(sink), fix: "must be a sink (try Terminal.sink())" })
  return {
    name: "invalid",
    features: { modes: [], guarantee: "at-least-once", multiWriter: true, deletes: false }
  } as unknown as AnySink
}

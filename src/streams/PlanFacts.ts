/**
 * What follows from a plan about its rows: are they timed, may they still change, which columns do they have, which
 * of these identify a row. The types of the language say most of this; the plan is checked again for pipelines whose
 * types were not (JavaScript, casts, SQL).
 *
 * Each node is looked at once: a plan is a DAG, and a walk along all its paths could be exponential.
 */
import type { OptionProblem } from "../model/Errors.ts"
import type { AnySink } from "../model/Sink.ts"
import { windowColumns } from "../model/WindowColumns.ts"
import type { PlanNode } from "./Plan.ts"

/** What holds of the rows that leave one node. */
export interface PlanFacts {
  /** Rows have event time and a watermark. */
  readonly timed: boolean
  /** Rows may be replaced by later ones (rule A2). */
  readonly updating: boolean
  /** All columns of a row, in order, where the plan knows them. */
  readonly columns: ReadonlyArray<string> | undefined
  /**
   * Columns that identify a row of an updating or complete output: the key's, and of a window its bounds. Undefined
   * where rows have no identity. A `map` or `mapEffect` after the aggregate must keep them.
   */
  readonly identity: ReadonlyArray<string> | undefined
}

const known = new WeakMap<PlanNode, PlanFacts>()

/** The facts of a node's rows. */
export const factsOf = (node: PlanNode): PlanFacts => {
  const before = known.get(node)
  if (before !== undefined) return before
  const facts = derive(node)
  known.set(node, facts)
  return facts
}

const derive = (node: PlanNode): PlanFacts => {
  switch (node.kind) {
    case "source":
      return { timed: false, updating: false, columns: undefined, identity: undefined }
    case "map":
    case "mapEffect":
      return { ...factsOf(node.input), columns: undefined }
    case "flatMap":
      return { ...factsOf(node.input), columns: undefined, identity: undefined }
    case "filter":
    case "keyBy":
    case "dedupe":
      return factsOf(node.input)
    case "withEventTime":
      return { ...factsOf(node.input), timed: true }
    case "select": {
      const input = factsOf(node.input)
      const kept = input.identity?.every((name) => node.columns.includes(name)) === true
      return { ...input, columns: node.columns, identity: kept ? input.identity : undefined }
    }
    case "union": {
      const [a, b] = [factsOf(node.inputs[0]), factsOf(node.inputs[1])]
      return {
        timed: a.timed && b.timed,
        updating: a.updating || b.updating,
        columns: sameNames(a.columns, b.columns) ? a.columns : undefined,
        identity: undefined
      }
    }
    case "window": {
      const identity = [...node.input.columns.map((c) => c.name), ...windowColumns]
      const columns = [...identity, ...node.aggregates.map((a) => a.name)]
      return { timed: true, updating: node.allowedLatenessMs > 0 || node.early, columns, identity }
    }
    case "process":
      return { timed: factsOf(node.input).timed, updating: false, columns: undefined, identity: undefined }
    case "running": {
      const identity = node.input.columns.map((c) => c.name)
      const columns = [...identity, ...node.aggregates.map((a) => a.name)]
      return { timed: factsOf(node.input).timed, updating: true, columns, identity }
    }
  }
}

const sameNames = (a: ReadonlyArray<string> | undefined, b: ReadonlyArray<string> | undefined): boolean =>
  a !== undefined && b !== undefined && a.length === b.length && a.every((name) => b.includes(name))

/** The inputs of a node, in order. */
export const inputsOf = (node: PlanNode): ReadonlyArray<PlanNode> => {
  if (node.kind === "source") return []
  return node.kind === "union" ? node.inputs : [node.input]
}

/** What an operator needs of its input. */
export interface Needs {
  readonly timed?: boolean
  readonly untimed?: boolean
  readonly final?: boolean
  readonly keyed?: boolean
}

/** Adds a problem for each need that the input does not meet. The types refuse the same. */
export const checkNeeds = (operator: string, input: PlanNode, needs: Needs, problems: Array<OptionProblem>): void => {
  const facts = factsOf(input)
  const refuse = (value: string, fix: string): void => {
    problems.push({ option: operator, value, fix })
  }
  if (needs.keyed === true && input.kind !== "keyBy") refuse("rows without a key", "call EventStream.keyBy first")
  if (needs.keyed !== true && input.kind === "keyBy") {
    refuse(
      "keyed rows",
      "call EventStream.window, EventStream.aggregateRunning or EventStream.process right after EventStream.keyBy"
    )
  }
  if (needs.timed === true && !facts.timed) refuse("rows without event time", "call EventStream.withEventTime first")
  if (needs.untimed === true && facts.timed)
    refuse("rows with event time", "call it once; results of windows have event time")
  if (needs.final === true && facts.updating) {
    refuse("rows that may still change", 'end with EventStream.to(sink, { mode: "update" }) or mode "complete"')
  }
}

/** A sink with a schema takes no other columns than its own; checked where the plan knows the columns of the rows. */
export const checkSinkColumns = (
  option: string,
  input: PlanNode,
  sink: AnySink,
  problems: Array<OptionProblem>
): void => {
  const takes = sink.columns
  if (takes === undefined) return
  const extra = (factsOf(input).columns ?? []).filter((name) => !takes.includes(name))
  if (extra.length === 0) return
  const fix = `not among the columns of ${sink.name}: call EventStream.select(schema) first, or give the sink a schema that has them`
  problems.push({ option, value: extra.map((name) => JSON.stringify(name)).join(", "), fix })
}

/** What each operator of a checkpoint held, as tables; from the checkpoint alone, or with the plan that reads it. */
import type { TaskStates } from "../checkpoint/Chain.ts"
import type { Manifest } from "../checkpoint/Manifest.ts"
import { type OperatorState, type SinkState, stateKeys } from "../actors/TaskState.ts"
import type { OperatorFingerprint } from "../model/PlanFingerprint.ts"
import type { AggregateSpec } from "../streams/aggregates/Aggregate.ts"
import { specOfLabel } from "../streams/aggregates/LabelledSpec.ts"
import {
  completeRows,
  dedupeTable,
  labelsOf,
  processTable,
  type StateTable,
  windowTable
} from "../streams/state/StateTable.ts"
import { count, many } from "./words.ts"

/** One operator's table; rows are objects with these columns. */
export interface StateView {
  readonly operator: string
  readonly kind: string
  /** How much it holds, for people. */
  readonly summary: string
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<unknown>
  readonly hasMore: boolean
  /** Columns whose values only the job's functions can tell. */
  readonly unknown: ReadonlyArray<string>
}

/** The aggregates of an operator as a job has them; undefined where the job is not at hand, or has none of the name. */
export type SpecsOf = (operator: string) => ReadonlyArray<AggregateSpec> | undefined

const rowsOf = ({ columns, rows }: StateTable): ReadonlyArray<unknown> =>
  rows.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i]])))

const viewOf = (
  { name, kind }: OperatorFingerprint,
  table: StateTable,
  unknown: ReadonlyArray<string> = []
): StateView => {
  const { columns, hasMore, keys, held } = table
  const what = many(keys, kind === "dedupe" ? "id" : "key")
  // A running aggregate has settled its rows (L2).
  const summary = held === undefined ? what : `${what}, ${many(held, "row")} ${kind === "running" ? "so far" : "held"}`
  return { operator: name, kind, summary, columns, rows: rowsOf(table), hasMore, unknown }
}

const sourceView = ({ name, kind }: OperatorFingerprint, manifest: Manifest): StateView => {
  const readers = manifest.readers.filter(({ operator }) => operator === name)
  const clocks = [...new Set(readers.flatMap(({ watermarks }) => Object.keys(watermarks)))]
  const named = clocks.map((clock) => (clocks.length === 1 ? "watermark" : `watermark of ${clock}`))
  const rows = readers.map(({ partition, position, rows: read, watermarks }) => {
    const at = clocks.map((clock, i) => [named[i], instantOf(watermarks[clock])] as const)
    return Object.fromEntries([["partition", partition], ["position", position], ["rows", read], ...at])
  })
  const read = readers.reduce((sum, reader) => sum + reader.rows, 0)
  const summary = `${many(read, "row")} read from ${many(readers.length, "partition")}`
  const columns = ["partition", "position", "rows", ...named]
  return { operator: name, kind, summary, columns, rows, hasMore: false, unknown: [] }
}

const instantOf = (ms: number | undefined): Date | undefined => (ms === undefined ? undefined : new Date(ms))

const outputView = ({ name, kind, parameters }: OperatorFingerprint, states: TaskStates, limit: number): StateView => {
  const state = states.get(stateKeys.sink(String(parameters.writer))) as unknown as SinkState | undefined
  const { rows, total } = state?.table ? completeRows(state.table, limit) : { rows: [], total: 0 }
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row as object)))]
  const summary = `a table of ${many(total, "row")}`
  return { operator: name, kind, summary, columns, rows, hasMore: total > rows.length, unknown: [] }
}

/** The tables of all operators that hold something, or of one. Throws on state that is not of this release's form. */
export const stateViews = (
  manifest: Manifest,
  states: TaskStates,
  options: { readonly operator: string | undefined; readonly limit: number; readonly specsOf: SpecsOf }
): ReadonlyArray<StateView> => {
  const { operator: only, limit, specsOf } = options
  const snapshotsOf = (name: string) =>
    Array.from({ length: manifest.parallelism }, (_, i) => states.get(stateKeys.operator(name, i)))
      .filter((state) => state !== undefined)
      .map((state) => (state as unknown as OperatorState).operator)
  const views: Array<StateView> = []
  for (const operator of manifest.plan.operators) {
    const { name, kind, state } = operator
    if (state === undefined || (only !== undefined && only !== name)) continue
    if (kind === "source") views.push(sourceView(operator, manifest))
    else if (kind === "output") views.push(outputView(operator, states, limit))
    else if (kind === "dedupe") views.push(viewOf(operator, dedupeTable(snapshotsOf(name), limit)))
    else if (kind === "process") views.push(viewOf(operator, processTable(operator, snapshotsOf(name), limit)))
    else if (kind === "window" || kind === "running") {
      const labels = labelsOf(operator)
      const given = specsOf(name)
      const specs = labels.map((label, i) => (given?.[i]?.label === label ? given[i] : specOfLabel(label)))
      const table = windowTable(operator, specs, snapshotsOf(name), limit)
      const first = table.columns.length - 1 - labels.length
      const unknown = labels.flatMap((_, i) => (specs[i] === undefined ? [table.columns[first + i]] : []))
      views.push(viewOf(operator, table, unknown))
    }
  }
  return views
}

/** Names of the operators that hold something. */
export const holders = ({ plan }: Manifest): ReadonlyArray<string> =>
  plan.operators.filter(({ state, kind }) => state !== undefined && kind !== "withEventTime").map(({ name }) => name)

/** `epoch 1,204`. */
export const epochText = (epoch: number): string => `epoch ${count(epoch)}`

/**
 * The state of a keyed operator as a table for people, from the snapshots of a checkpoint: a row for each key and open
 * window with what its aggregates come to so far, or for each id or key.
 *
 * What windows hold is shown by the operators themselves: they take the snapshots over and are told that their input
 * has ended. Of windows that have fired and still take late rows (allowed lateness) nothing is shown.
 */
import type { OperatorFingerprint, PlanValue } from "../../model/PlanFingerprint.ts"
import type { SnapshotValue } from "../../model/Snapshot.ts"
import { decodeStored } from "../../model/StoredValue.ts"
import { windowColumns } from "../../model/WindowColumns.ts"
import type { AggregateSpec } from "../aggregates/Aggregate.ts"
import { count } from "../aggregates/Count.ts"
import { columnReader } from "../aggregates/StoredColumn.ts"
import { Counters } from "../Counters.ts"
import type { KeyedOperator, OperatorOutput } from "../KeyedBatch.ts"
import { GlobalState } from "./GlobalState.ts"
import { SessionState } from "./SessionState.ts"
import { timeWindows } from "./SliceArithmetic.ts"
import { TimeWindowState } from "./TimeWindowState.ts"

/** Rows of values, in the order of the columns. */
export interface StateTable {
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<unknown>>
  /** There are more rows than were asked for. */
  readonly hasMore: boolean
  /** Distinct keys, or ids. */
  readonly keys: number
  /** Input rows that the state was made of. */
  readonly held: number | undefined
}

type Fields = { readonly [name: string]: PlanValue | undefined }
const fieldsOf = (value: PlanValue | undefined): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {}
const listOf = (value: PlanValue | undefined): ReadonlyArray<PlanValue> => (Array.isArray(value) ? value : [])
const nameIn = (value: PlanValue): string => String(fieldsOf(value).name)

/** Labels of an operator's aggregates, in order. */
export const labelsOf = (operator: OperatorFingerprint): ReadonlyArray<string> =>
  listOf(operator.parameters.aggregates).map((aggregate) => String(fieldsOf(aggregate).label))

/** Stands in for a user's aggregate whose functions are not at hand. */
const unknown: AggregateSpec = {
  label: "unknown",
  needsOrder: false,
  fingerprinted: false,
  make: () => ({
    reserve: () => undefined,
    addBatch: () => undefined,
    mergeSlot: () => undefined,
    result: () => undefined,
    clear: () => undefined,
    snapshot: () => null,
    restore: () => undefined,
    bytes: () => 0
  })
}

interface StoredColumns {
  readonly counts: SnapshotValue
  readonly aggregates: ReadonlyArray<SnapshotValue>
}

/** The hidden count of rows as one more aggregate. */
const counted = (columns: SnapshotValue): SnapshotValue => {
  const { counts, aggregates } = columns as unknown as StoredColumns
  return { counts, aggregates: [counts, ...aggregates] }
}

/** The same snapshot with the rows of each slot as its first aggregate. */
const withCounts = (snapshot: SnapshotValue): SnapshotValue => {
  const stored = snapshot as unknown as {
    readonly columns?: SnapshotValue
    readonly slices?: ReadonlyArray<{ readonly columns: SnapshotValue }>
  }
  if (stored.columns !== undefined) return { ...(snapshot as object), columns: counted(stored.columns) }
  const slices = (stored.slices ?? []).map((slice) => ({ ...slice, columns: counted(slice.columns) }))
  return { ...(snapshot as object), slices } as unknown as SnapshotValue
}

interface Windows {
  readonly operator: KeyedOperator<never>
  readonly bounds: boolean
}

const windowsOf = (fingerprint: OperatorFingerprint, specs: ReadonlyArray<AggregateSpec>): Windows => {
  const keys = listOf(fingerprint.parameters.key)
  // By number, since two columns of a table may have one name.
  const names = {
    keys: keys.map((_, i) => `k${i}`),
    aggregates: ["n", ...specs.map((_, i) => `a${i}`)]
  }
  const options = { aggregates: [count, ...specs], keepsLateRows: false, ordered: false }
  const { kind, sizeMs, slideMs, offsetMs, gapMs } = fieldsOf(fingerprint.parameters.window)
  const counters = new Counters()
  if (kind === "time") {
    const windows = timeWindows(Number(sizeMs), Number(slideMs), Number(offsetMs ?? 0))
    const columns = { ...names, bounds: windowColumns }
    const operator = new TimeWindowState(keys.length, windows, { ...options, columns, allowedLatenessMs: 0 }, counters)
    return { operator, bounds: true }
  }
  if (kind === "session") {
    const columns = { ...names, bounds: windowColumns }
    return { operator: new SessionState(keys.length, Number(gapMs), { ...options, columns }, counters), bounds: true }
  }
  const columns = { ...names, bounds: [] as const }
  return { operator: new GlobalState(keys.length, { ...options, columns, running: false }, counters), bounds: false }
}

/** A name that no other column has. */
const free = (name: string, taken: ReadonlyArray<string>): string =>
  taken.includes(name) ? free(`${name}_`, taken) : name

/**
 * Windows and running aggregates. `specs`: of each aggregate, in order, where it is known; `snapshots` of all instances,
 * decoded.
 */
export const windowTable = (
  fingerprint: OperatorFingerprint,
  specs: ReadonlyArray<AggregateSpec | undefined>,
  snapshots: ReadonlyArray<SnapshotValue>,
  limit: number
): StateTable => {
  const { operator, bounds } = windowsOf(
    fingerprint,
    specs.map((spec) => spec ?? unknown)
  )
  operator.restore(snapshots.map(withCounts), () => true)
  const [keys, held] = [operator.keys(), operator.held()]
  const found: Array<{ readonly [column: string]: unknown }> = []
  const output: OperatorOutput = {
    emit: (chunk) => {
      for (let i = 0; i < chunk.length && found.length <= limit; i++) {
        found.push(chunk.rows[i] as { readonly [column: string]: unknown })
      }
    },
    late: () => undefined
  }
  while (!operator.advance(Infinity, output) && found.length <= limit);
  const names = [
    ...listOf(fingerprint.parameters.key).map(nameIn),
    ...(bounds ? windowColumns : []),
    ...listOf(fingerprint.parameters.aggregates).map(nameIn)
  ]
  const keyColumns = listOf(fingerprint.parameters.key).map((_, i) => `k${i}`)
  const order = [...keyColumns, ...(bounds ? windowColumns : []), ...specs.map((_, i) => `a${i}`), "n"]
  return {
    columns: [...names, free("rows", names)],
    rows: found.slice(0, limit).map((row) => order.map((column) => row[column])),
    hasMore: found.length > limit,
    keys,
    held
  }
}

/** Ids that a dedupe remembers, with the event times they were seen at. */
export const dedupeTable = (snapshots: ReadonlyArray<SnapshotValue>, limit: number): StateTable => {
  const rows: Array<ReadonlyArray<unknown>> = []
  let keys = 0
  for (const snapshot of snapshots) {
    const { buckets } = snapshot as unknown as {
      readonly buckets: ReadonlyArray<{
        readonly count: number
        readonly ids: SnapshotValue
        readonly times: SnapshotValue
      }>
    }
    for (const { count: n, ids, times } of buckets) {
      keys += n
      if (rows.length >= limit) continue
      const idAt = columnReader(ids)
      const timeAt = columnReader(times)
      for (let i = 0; i < n && rows.length < limit; i++) rows.push([idAt(i), new Date(timeAt(i) as number)])
    }
  }
  return { columns: ["id", "event_time"], rows, hasMore: keys > rows.length, keys, held: undefined }
}

interface ProcessPart {
  readonly keys: ReadonlyArray<unknown>
  readonly states: ReadonlyArray<readonly [unknown] | null>
  readonly timers: ReadonlyArray<readonly [key: number, name: string, at: number, ...rest: ReadonlyArray<unknown>]>
}

/** Keys of a user's own operator: the state of each as JSON, and its timers as instants. */
export const processTable = (
  fingerprint: OperatorFingerprint,
  snapshots: ReadonlyArray<SnapshotValue>,
  limit: number
): StateTable => {
  const rows: Array<ReadonlyArray<unknown>> = []
  let keys = 0
  for (const snapshot of snapshots) {
    const { keys: stored } = snapshot as unknown as { readonly keys: { readonly parts: ReadonlyArray<ProcessPart> } }
    for (const part of stored.parts) {
      keys += part.keys.length
      if (rows.length >= limit) continue
      const timers = part.keys.map((): Array<string> => [])
      for (const [key, name, at] of part.timers) timers[key].push(`${name === "" ? "" : `${name} `}${instant(at)}`)
      for (let i = 0; i < part.keys.length && rows.length < limit; i++) {
        const state = part.states[i]
        const tuple = decodeStored(part.keys[i]) as ReadonlyArray<unknown>
        rows.push([...tuple, state === null ? undefined : decodeStored(state[0]), timers[i].join(", ")])
      }
    }
  }
  const names = listOf(fingerprint.parameters.key).map(nameIn)
  const columns = [...names, free("state", names), free("timers", names)]
  return { columns, rows, hasMore: keys > rows.length, keys, held: undefined }
}

const instant = (ms: number): string => {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString()
}

/** The rows of a complete-mode output, as they are. */
export const completeRows = (
  table: SnapshotValue,
  limit: number
): { readonly rows: ReadonlyArray<unknown>; readonly total: number } => {
  const { times, rows } = table as unknown as { readonly times: Float64Array; readonly rows: SnapshotValue }
  const rowAt = columnReader(rows)
  return { rows: Array.from({ length: Math.min(limit, times.length) }, (_, i) => rowAt(i)), total: times.length }
}

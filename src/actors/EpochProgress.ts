/**
 * What one epoch was: a plain value with every field of Spark's `StreamingQueryProgress`, by the same names, and ours.
 * Beware of the names: Spark's `QueryProgress` is this, while our `QueryProgress` is where a query stands now.
 *
 * tidemark reads, processes and writes all the time; an epoch only marks what is committed together. So a field of
 * Spark's that measures a phase of a batch is filled with the nearest phase of an epoch, as each docstring says, and is
 * 0 where there is no such phase. Times are milliseconds, instants ISO 8601.
 */
import type { ReaderRecord } from "../checkpoint/Manifest.ts"
import type { Ledger, OperatorBalance } from "../model/Ledger.ts"
import type { AttemptStatus } from "./Attempt.ts"
import type { CatchUp } from "./CatchUp.ts"
import type { EpochFacts, EpochTimes, QueryState, StateFacts } from "./QueryState.ts"
import type { KeyedNode } from "./Topology.ts"

/** Spark's phases of a batch, ms each. */
export interface DurationMs {
  /** From the first barrier until every task has processed what came before it. */
  readonly addBatch: number
  /** The commits of all sinks. */
  readonly commitOffsets: number
  /** 0: rows are read all the time. */
  readonly getBatch: number
  /** 0: positions are known from the rows themselves. */
  readonly latestOffset: number
  /** 0: a query is planned once. */
  readonly queryPlanning: number
  /** From the first barrier to the last commit. */
  readonly triggerExecution: number
  /** Writing the state and the manifest. */
  readonly walCommit: number
}

/** Event time of an epoch's rows, ISO; absent what is not known. */
export interface EventTimeProgress {
  readonly avg?: string
  readonly max?: string
  readonly min?: string
  /** The lowest watermark of the partitions at the epoch's barrier. */
  readonly watermark?: string
}

/** One keyed operator. */
export interface StateOperatorProgress {
  readonly operatorName: string
  /** Entries in its state: keys of a running aggregate, keys of open windows, ids. */
  readonly numRowsTotal: number
  /** Rows that went into its state in this epoch. */
  readonly numRowsUpdated: number
  /** 0: not measured apart from the rest of the processing. */
  readonly allUpdatesTimeMs: number
  /** Rows whose state was dropped in this epoch, since their window closed or their time was over. */
  readonly numRowsRemoved: number
  /** 0, likewise. */
  readonly allRemovalsTimeMs: number
  /** How long the slowest task of the query stood still to copy its state. */
  readonly commitTimeMs: number
  readonly memoryUsedBytes: number
  /** Rows of this epoch that came too late. */
  readonly numRowsDroppedByWatermark: number
  /** Instances, which share the keys. */
  readonly numShufflePartitions: number
  readonly numStateStoreInstances: number
  /** `rowsHeld`: input rows that the state stands for, by the ledger. `duplicates`: those found in this epoch. */
  readonly customMetrics: { readonly rowsHeld: number; readonly duplicates: number; readonly keys: number }
}

/** Where each partition of a source stands: the row read next. */
export type Offsets = { readonly [partition: string]: string }

/** One source over all its partitions. */
export interface SourceProgress {
  readonly description: string
  readonly startOffset: Offsets
  readonly endOffset: Offsets
  /** Ends of the partitions, of those whose source names them; null when it names none. */
  readonly latestOffset: Offsets | null
  readonly numInputRows: number
  readonly inputRowsPerSecond: number
  readonly processedRowsPerSecond: number
}

/** One sink. */
export interface SinkProgress {
  readonly description: string
  /** Rows written in this epoch. */
  readonly numOutputRows: number
}

/** One epoch; see the head of this file. */
export interface EpochProgress {
  readonly id: string
  readonly runId: string
  readonly name: string
  /** When the epoch's barrier was sent. */
  readonly timestamp: string
  /** The epoch. */
  readonly batchId: number
  /** How long the epoch gathered rows: since the barrier of the one before. */
  readonly batchDuration: number
  /** Rows and dead rows read in the epoch. */
  readonly numInputRows: number
  readonly inputRowsPerSecond: number
  /** The same: what is read is processed at once. Whether a query keeps up shows in its lag. */
  readonly processedRowsPerSecond: number
  readonly durationMs: DurationMs
  readonly eventTime: EventTimeProgress
  readonly stateOperators: ReadonlyArray<StateOperatorProgress>
  readonly sources: ReadonlyArray<SourceProgress>
  /** The first output; the others, late rows and dead letters are in `sinks`. */
  readonly sink: SinkProgress
  readonly sinks: ReadonlyArray<SinkProgress & { readonly name: string; readonly role: "output" | "late" | "dead" }>
  /** Where each partition stood at the epoch's barrier, with its watermarks. */
  readonly partitions: ReadonlyArray<ReaderRecord>
  /** The epoch's own phases. */
  readonly epochTimes: EpochTimes
  /** Bytes of the state as it was written. */
  readonly stateBytes: number
  /** What waits in each partition when this is asked for: of the last epoch, null for those before. */
  readonly lag: ReadonlyArray<PartitionLag> | null
  /** When that will have been read, if it is known; likewise. */
  readonly catchUp: CatchUp | null
  readonly ledger: Ledger
}

/** How far one partition is behind; null what is not known. */
export interface PartitionLag {
  readonly source: string
  readonly partition: string
  readonly rows: number | null
  readonly ms: number | null
}

/** What is known only of the moment, and so goes with the last epoch. */
export interface Present {
  /** Ends of the partitions, as far as they are known. */
  readonly ends: EndPositions
  readonly lag: ReadonlyArray<PartitionLag>
  readonly catchUp: CatchUp | undefined
}

const perSecond = (rows: number, ms: number): number => (ms > 0 ? (rows * 1000) / ms : 0)

const iso = (ms: number): string | undefined => {
  const date = new Date(Math.floor(ms))
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}

const eventTimeOf = (facts: EpochFacts): EventTimeProgress => {
  const watermarks = facts.to.flatMap((reader) => Object.values(reader.watermarks))
  const range = facts.eventTime
  const found: ReadonlyArray<readonly [keyof EventTimeProgress, number | undefined]> = [
    ["avg", range?.avg],
    ["max", range?.max],
    ["min", range?.min],
    // A partition that has not spoken holds everything back: then there is no watermark yet.
    [
      "watermark",
      watermarks.length < facts.to.length ? undefined : watermarks.reduce((a, b) => Math.min(a, b), Infinity)
    ]
  ]
  const entries = found.flatMap(([field, ms]) => {
    const text = ms === undefined ? undefined : iso(ms)
    return text === undefined ? [] : [[field, text] as const]
  })
  return Object.fromEntries(entries)
}

/** Positions by partition; partitions of which nothing was read are absent. */
const offsetsOf = (readers: ReadonlyArray<ReaderRecord>, operator: string): Offsets =>
  Object.fromEntries(
    readers.flatMap((r) => (r.operator === operator && r.position !== undefined ? [[r.partition, r.position]] : []))
  )

const sourcesOf = (state: QueryState, facts: EpochFacts, ends?: EndPositions): ReadonlyArray<SourceProgress> =>
  state.topology.sources.map((node) => {
    const operator = state.topology.nameOf(node)
    const rows = facts.to
      .filter((r) => r.operator === operator)
      .reduce((sum, r) => sum + (facts.rowsInOf[`${operator}/${r.partition}`] ?? 0), 0)
    const rate = perSecond(rows, facts.sinceLastMs)
    const known = [...(ends?.get(node.source.name) ?? [])]
    return {
      description: node.source.name,
      startOffset: offsetsOf(facts.from, operator),
      endOffset: offsetsOf(facts.to, operator),
      latestOffset: known.length === 0 ? null : Object.fromEntries(known),
      numInputRows: rows,
      inputRowsPerSecond: rate,
      processedRowsPerSecond: rate
    }
  })

const balanceOf = (ledger: Ledger, operator: string): OperatorBalance | undefined =>
  ledger.operators.find((balance) => balance.operator === operator)

const stateOf = (state: QueryState, node: KeyedNode, facts: EpochFacts): StateOperatorProgress => {
  const operatorName = state.topology.nameOf(node)
  const now = balanceOf(facts.ledger, operatorName)
  // Counters go on across restarts: what they say of this epoch alone is what has been added since the one before.
  const then = balanceOf(facts.before, operatorName)
  const since = (field: "contributed" | "settled" | "late" | "duplicate"): number =>
    (now?.[field] ?? 0) - (then?.[field] ?? 0)
  const measured = facts.state.find(({ operator }) => operator === operatorName)
  return {
    operatorName,
    numRowsTotal: measured?.keys ?? 0,
    numRowsUpdated: since("contributed"),
    allUpdatesTimeMs: 0,
    numRowsRemoved: since("settled"),
    allRemovalsTimeMs: 0,
    commitTimeMs: facts.times.pause,
    memoryUsedBytes: measured?.bytes ?? 0,
    numRowsDroppedByWatermark: since("late"),
    numShufflePartitions: measured?.instances ?? 0,
    numStateStoreInstances: measured?.instances ?? 0,
    customMetrics: {
      rowsHeld: now?.held ?? 0,
      duplicates: since("duplicate"),
      keys: measured?.keys ?? 0
    }
  }
}

/** State of the keyed operators now, by the live facts of an attempt. */
export const stateFactsOf = (status: Pick<AttemptStatus, "keys"> | undefined): ReadonlyArray<StateFacts> => {
  const facts = new Map<string, StateFacts>()
  for (const { operator, keys, bytes } of status?.keys() ?? []) {
    const known = facts.get(operator) ?? { operator, keys: 0, bytes: 0, instances: 0 }
    facts.set(operator, {
      operator,
      keys: known.keys + keys,
      bytes: known.bytes + bytes,
      instances: known.instances + 1
    })
  }
  return [...facts.values()]
}

/** Ends of partitions, by source and partition, as far as they are known. */
export type EndPositions = ReadonlyMap<string, ReadonlyMap<string, string>>

/** The progress of one epoch. `present`: of the last one. */
export const epochProgressOf = (state: QueryState, facts: EpochFacts, present?: Present): EpochProgress => {
  const { times } = facts
  const rate = perSecond(facts.rowsIn, facts.sinceLastMs)
  const sinks = state.topology.sinks.map(({ name, role, sink }) => ({
    name,
    role,
    description: sink.name,
    numOutputRows: Object.hasOwn(facts.rowsOutOf, name) ? facts.rowsOutOf[name] : 0
  }))
  const first = sinks.find(({ role }) => role === "output")
  return {
    id: state.id ?? "",
    runId: state.runId,
    name: state.name,
    timestamp: iso(facts.atMs) ?? "",
    batchId: facts.epoch,
    batchDuration: facts.sinceLastMs,
    numInputRows: facts.rowsIn,
    inputRowsPerSecond: rate,
    processedRowsPerSecond: rate,
    durationMs: {
      addBatch: times.alignment,
      commitOffsets: times.commit,
      getBatch: 0,
      latestOffset: 0,
      queryPlanning: 0,
      triggerExecution: times.total,
      walCommit: times.state + times.manifest
    },
    eventTime: eventTimeOf(facts),
    stateOperators: state.topology.keyed.map((node) => stateOf(state, node, facts)),
    sources: sourcesOf(state, facts, present?.ends),
    sink: { description: first?.description ?? "", numOutputRows: first?.numOutputRows ?? 0 },
    sinks,
    partitions: facts.to,
    epochTimes: times,
    stateBytes: facts.stateBytes,
    lag: present?.lag ?? null,
    catchUp: present?.catchUp ?? null,
    ledger: facts.ledger
  }
}

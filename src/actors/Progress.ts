/**
 * Where a query stands now: a plain value for people, dashboards and tests, computed when asked, within an epoch too.
 * What one epoch was, in the words of Spark's `QueryProgress`, is an `EpochProgress`.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Ledger } from "../model/Ledger.ts"
import { guaranteeOf, type QueryGuarantee } from "../streams/Guarantee.ts"
import { type CatchUp, catchUpOf } from "./CatchUp.ts"
import { type EndPositions, type EpochProgress, epochProgressOf, type Present } from "./EpochProgress.ts"
import { type Lag, lagOf } from "./Lag.ts"
import type { ReaderStatus } from "./ReaderOptions.ts"
import type { Continued, QueryPhase, QueryState } from "./QueryState.ts"

/** One partition being read. */
export interface PartitionProgress {
  readonly source: string
  /** Name of the source operator in the ledger. */
  readonly operator: string
  readonly partition: string
  /** Rows and dead rows read. */
  readonly rows: number
  /** W_p, ms since the epoch; none before the first row. */
  readonly watermark: number | undefined
  readonly idle: boolean
  readonly ended: boolean
  readonly lag: Lag
}

/** One keyed operator, over all its instances. */
export interface OperatorProgress {
  readonly operator: string
  readonly keys: number
  /** W_op, the lowest of the instances; none before all partitions have spoken. */
  readonly watermark: number | undefined
}

/** One output, late output or dead-letter output. */
export interface OutputProgress {
  readonly name: string
  readonly role: "output" | "late" | "dead"
  readonly received: number
  readonly written: number
  readonly dead: number
}

/** A moment of a query; of one epoch, see `EpochProgress`. */
export interface QueryProgress {
  readonly name: string
  /** Stable across restarts; none before the query is owned. */
  readonly id: string | undefined
  /** Of this start; restarts within it share it. */
  readonly runId: string
  readonly phase: QueryPhase
  /** Number of the takeover of the present attempt; 0 before the first. */
  readonly attempt: number
  /** The epoch that this run went on from; none when it began anew. */
  readonly continued: Continued | undefined
  readonly guarantee: QueryGuarantee
  /** The last epoch committed; 0 before the first. */
  readonly epoch: number
  readonly restarts: number
  /** Why it failed last, as people read it. */
  readonly lastFailure: string | undefined
  /** Checkpoints given up since the last good one, and when that was, ms since the epoch. */
  readonly checkpoint: {
    readonly givenUp: number
    readonly why: string | undefined
    readonly atMs: number | undefined
  }
  /** Rows and dead rows read by this attempt. */
  readonly rowsIn: number
  /** The plan's operators by their names in the ledger, inputs before what they feed. */
  readonly plan: ReadonlyArray<{ readonly operator: string; readonly kind: string }>
  readonly partitions: ReadonlyArray<PartitionProgress>
  /** When it will have read what waits; none while that is not known: of a source that does not count, or just begun. */
  readonly catchUp: CatchUp | undefined
  readonly operators: ReadonlyArray<OperatorProgress>
  readonly outputs: ReadonlyArray<OutputProgress>
  /** Messages waiting in each task's inbox, and the most that one of its edges ever held. */
  readonly queues: ReadonlyArray<{ readonly task: string; readonly waiting: number; readonly peak: number }>
  /** The ledger as of the last epoch. */
  readonly ledger: Ledger
}

const known = (watermark: number): number | undefined => (watermark === -Infinity ? undefined : watermark)

const readersOf = (state: QueryState): ReadonlyArray<ReaderStatus> => state.status?.readers ?? []

/** Reads the progress off a query's live facts. `nowMs`: for the age of the last rows; without it that is not known. */
export const progressOf = (state: QueryState, nowMs: number = Number.NaN): QueryProgress => {
  const readers = readersOf(state)
  const operators = new Map<string, { keys: number; watermark: number }>()
  for (const { operator, keys, watermark } of state.status?.keys() ?? []) {
    const sum = operators.get(operator) ?? { keys: 0, watermark: Infinity }
    operators.set(operator, { keys: sum.keys + keys, watermark: Math.min(sum.watermark, watermark) })
  }
  const { topology } = state
  return {
    name: state.name,
    id: state.id,
    runId: state.runId,
    phase: state.phase,
    attempt: state.attempt,
    continued: state.continued,
    guarantee: guaranteeOf(
      topology.sources.map(({ source }) => source),
      topology.sinks.filter(({ role }) => role !== "dead").map(({ sink }) => sink)
    ),
    epoch: state.ledger.epoch,
    restarts: state.restarts,
    lastFailure: state.lastFailure,
    checkpoint: { givenUp: state.givenUp, why: state.givenUpWhy, atMs: state.checkpointAtMs },
    rowsIn: readers.reduce((sum, r) => sum + r.rows, 0),
    plan: [...topology.consumers.keys()].map((node) => ({ operator: topology.nameOf(node), kind: node.kind })),
    partitions: readers.map((r) => ({
      source: r.source,
      operator: r.operator,
      partition: r.partition,
      rows: r.rows,
      watermark: known(r.watermark),
      idle: r.idle,
      ended: r.ended,
      lag: lagOf(r, nowMs)
    })),
    catchUp: catchUpOf(state.status?.looks ?? []),
    operators: [...operators].map(([operator, { keys, watermark }]) => ({
      operator,
      keys,
      watermark: known(watermark)
    })),
    outputs: (state.status?.sinks ?? []).map((s) => ({ ...s })),
    queues: state.status?.queues() ?? [],
    ledger: state.ledger
  }
}

/** The same, as an effect that looks at the clock. */
export const progressNow = (state: QueryState): Effect.Effect<QueryProgress> =>
  Effect.map(Clock.currentTimeMillis, (nowMs) => progressOf(state, nowMs))

const endsOf = (state: QueryState): EndPositions => {
  const ends = new Map<string, Map<string, string>>()
  for (const { source, partition, end } of readersOf(state)) {
    if (end === undefined) continue
    const ofSource = ends.get(source) ?? new Map<string, string>()
    ends.set(source, ofSource)
    ofSource.set(partition, end)
  }
  return ends
}

const presentOf = (state: QueryState, nowMs: number): Present => ({
  ends: endsOf(state),
  lag: readersOf(state).map((r) => {
    const { rows = null, ms = null } = lagOf(r, nowMs)
    return { source: r.source, partition: r.partition, rows, ms }
  }),
  catchUp: catchUpOf(state.status?.looks ?? [])
})

/** The epochs that are remembered, oldest first, at most the last `most`. `nowMs`: for the age of the last rows. */
export const recentProgressOf = (state: QueryState, most: number, nowMs: number): ReadonlyArray<EpochProgress> => {
  const { epochs } = state
  const first = Math.max(0, epochs.length - most)
  return epochs.slice(first).map((facts, i) => {
    // What is of now says something about the last epoch only.
    const isLast = first + i === epochs.length - 1
    return epochProgressOf(state, facts, isLast ? presentOf(state, nowMs) : undefined)
  })
}

/** The same, as an effect that looks at the clock. */
export const recentProgressNow = (state: QueryState, most: number): Effect.Effect<ReadonlyArray<EpochProgress>> =>
  Effect.map(Clock.currentTimeMillis, (nowMs) => recentProgressOf(state, most, nowMs))

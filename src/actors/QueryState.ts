/** The live facts of a query, written by its supervisor and coordinator, read by progress, metrics and the registry. */
import type { Ledger } from "../model/Ledger.ts"
import type * as Fiber from "effect/Fiber"
import type { ReaderRecord } from "../checkpoint/Manifest.ts"
import type { EventTimeRange } from "../streams/EventTimeStats.ts"
import type { AttemptStatus } from "./Attempt.ts"
import type { Topology } from "./Topology.ts"

/** Where a query is in its life. */
export type QueryPhase = "starting" | "standby" | "running" | "restarting" | "draining" | "ended" | "failed"

/** What one epoch took, ms each. */
export interface EpochTimes {
  /** From the first barrier sent to the last task's report. */
  readonly alignment: number
  /** Longest time for which one task stood still to copy its state. */
  readonly pause: number
  /** Encoding and writing the state. */
  readonly state: number
  /** The manifest and its copy. */
  readonly manifest: number
  /** The commits of all sinks. */
  readonly commit: number
  readonly total: number
}

/** State of one keyed operator at an epoch, over all its instances. */
export interface StateFacts {
  readonly operator: string
  readonly keys: number
  /** Approximate bytes in memory. */
  readonly bytes: number
  readonly instances: number
}

/** One epoch, once it is committed. */
export interface EpochFacts {
  readonly epoch: number
  /** When its barrier was sent, ms since the epoch. */
  readonly atMs: number
  /** Since the epoch before. */
  readonly sinceLastMs: number
  readonly times: EpochTimes
  readonly stateBytes: number
  /** Rows and dead rows read in this epoch. */
  readonly rowsIn: number
  /** The same by `<source operator>/<partition>`. */
  readonly rowsInOf: { readonly [reader: string]: number }
  /** Rows written by each output, late output and dead-letter output in this epoch. */
  readonly rowsOutOf: { readonly [writer: string]: number }
  /** Where each partition stood at the barrier of the epoch before, and at this one. */
  readonly from: ReadonlyArray<ReaderRecord>
  readonly to: ReadonlyArray<ReaderRecord>
  readonly ledger: Ledger
  /** The ledger at the epoch before, of this run or of an earlier one. */
  readonly before: Ledger
  /** Event times of the rows of this epoch; none when no row had one. */
  readonly eventTime: EventTimeRange | undefined
  readonly state: ReadonlyArray<StateFacts>
}

/** An epoch that a run went on from: where each partition stood, and what had been counted. */
export interface Continued {
  readonly epoch: number
  readonly readers: ReadonlyArray<ReaderRecord>
  readonly ledger: Ledger
}

/** A query between its start and its end. */
export interface QueryState {
  readonly name: string
  readonly topology: Topology
  /** Stable across restarts: made with the first checkpoint; undefined before the query is owned. */
  id: string | undefined
  /** Of this start of the query; its restarts share it. */
  readonly runId: string
  phase: QueryPhase
  readonly startedMs: number
  /** Number of the takeover of the present attempt; 0 before the first. */
  attempt: number
  /** What the first attempt of this run went on from, and whether there was anything. */
  continued: Continued | undefined
  /** Present while an attempt runs. */
  status: AttemptStatus | undefined
  ledger: Ledger
  restarts: number
  /** The last failure, as people read it. */
  lastFailure: string | undefined
  /** The last epochs, oldest first, at most `Limits.epochsRemembered`. */
  readonly epochs: Array<EpochFacts>
  /** The epoch whose barrier is on its way, or that is being written. */
  underway: number | undefined
  /** Checkpoints given up since the last good one (C9), and why the last was. */
  givenUp: number
  givenUpWhy: string | undefined
  /** The commit under way, or one that was left behind by an attempt that was cut off. */
  committing: Fiber.Fiber<void, unknown> | undefined
  /** When the last epoch was durable, ms since the epoch; undefined before the first of this run. */
  checkpointAtMs: number | undefined
}

/** What the reader of a partition is given, and what it shows of itself. */
import type * as Effect from "effect/Effect"
import type { ReaderRecord } from "../checkpoint/Manifest.ts"
import type { QueryError } from "../model/Errors.ts"
import type { Position } from "../model/Position.ts"
import type { SnapshotValue } from "../model/Snapshot.ts"
import type { SourceNode } from "../streams/Plan.ts"
import type { EpochBudget } from "./EpochBudget.ts"
import type { LagFacts } from "./Lag.ts"
import type { Report } from "./Task.ts"
import type { ReadySource } from "./Topology.ts"

/** What one reader is given. */
export interface ReaderOptions {
  readonly node: SourceNode
  readonly source: ReadySource
  /** Operator name in the ledger. */
  readonly name: string
  readonly partition: string
  /** Number of the partition in the query: its place in the total order. */
  readonly lane: number
  /** Stands for a source that has no partitions: without rows, and without a record in the checkpoint. */
  readonly isPlaceholder: boolean
  readonly chunkRows: number
  readonly report: (report: Report) => Effect.Effect<void>
  /** Called after each chunk, so that epochs come only when something happened. */
  readonly active: () => void
  /** Where it goes on from a checkpoint; undefined: the partition is new. */
  readonly restored: { readonly record: ReaderRecord; readonly counters: SnapshotValue | undefined } | undefined
  /** What the first epoch may read. */
  readonly budget: EpochBudget
  /** Stops, without an End, where the partition ended when it was opened (T11); then calls `completed`. */
  readonly onlyAvailable: { readonly completed: () => Effect.Effect<void> } | undefined
  /** Ordinals of rows that have failed attempts again and again: set aside as dead letters. */
  readonly poison: ReadonlyMap<number, string>
  /** Why rows may not come any more: the input ended in the checkpoint, and its windows were closed. */
  readonly refusesRows: (() => QueryError) | undefined
}

/** Live facts for progress. */
export interface ReaderStatus extends LagFacts {
  readonly source: string
  /** Name of the source operator in the ledger. */
  readonly operator: string
  readonly partition: string
  rows: number
  watermark: number
  idle: boolean
  ended: boolean
  position: Position | undefined
}

/** What a source without partitions shows in progress. */
export const nonePartition = "(none)"

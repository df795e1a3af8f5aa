/**
 * One source read by several queries (rule M1): they share fetching and decoding, and nothing else.
 *
 * Each query gets the rows that it would get alone, from its own position, in the order of each partition: chunks are
 * shared as they are, with their dead rows, metadata and places, and each query runs its own `select`, bad-input policy
 * and side outputs on them. Listing partitions is not shared. A query that is slow, stopped, failed or restarted never
 * makes the others wait beyond a bounded buffer (`Limits.shared...`): it gets a reading of its own, until both stand at
 * the same place again. A failure of the reading itself is everybody's: each query restarts by its own schedule, and
 * the first that opens the partition again reads it anew.
 *
 * Not shared are sources that cannot be read again from a position: each query reads them for itself.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Limits } from "../model/Limits.ts"
import type { PartitionId } from "../model/Position.ts"
import { SharedPartition } from "./SharedPartition.ts"
import type { ReadySource } from "./Topology.ts"

/** What a shared source may hold. */
export interface SharedBounds {
  /** Chunks of each reading of a partition; default `Limits.sharedChunksMax`. */
  readonly chunks: number
  /** Chunks of them that nobody needs any more; default `Limits.sharedHistoryChunks`. */
  readonly history: number
  /** Bytes of all together, in equal parts; default `Limits.sharedBytesMax`. */
  readonly bytes: number
}

const standard: SharedBounds = {
  chunks: Limits.sharedChunksMax,
  history: Limits.sharedHistoryChunks,
  bytes: Limits.sharedBytesMax
}

/** A source of the same rows for all queries that are given it. What it has open is closed with the scope. */
export const shareSource = (
  source: ReadySource,
  bounds: SharedBounds = standard
): Effect.Effect<ReadySource, never, Scope.Scope> => {
  if (!source.features.replayable) return Effect.succeed(source)
  return Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new Map<PartitionId, SharedPartition>()),
      (partitions) => Effect.forEach([...partitions.values()], (partition) => partition.close, { discard: true })
    ),
    (partitions) => {
      const budget = { ...bounds, hubs: 0 }
      const partitionOf = (id: PartitionId): SharedPartition => {
        const known = partitions.get(id)
        if (known !== undefined) return known
        const made = new SharedPartition(source, id, budget)
        partitions.set(id, made)
        return made
      }
      return {
        ...source,
        open: (partition, from) =>
          Effect.suspend(() => {
            const shared = partitionOf(partition)
            // Registered first, so that it runs last.
            const forget = Effect.addFinalizer(() =>
              Effect.sync(() => void (shared.hubs.size === 0 && partitions.delete(partition)))
            )
            return Effect.andThen(forget, shared.open(from))
          })
      }
    }
  )
}

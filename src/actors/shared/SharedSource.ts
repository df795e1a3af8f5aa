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
 * A source that cannot be read again from a position (a socket, an Effect Stream) is the exception: nothing that it gave
 * may be lost to anybody, so it is read at the pace of the slowest query that is running, once the bounded buffer is
 * full. Its first rows wait for all queries to begin, at most `Limits.sharedStartMs`, after which a warning names those
 * that go without. A query that fails and restarts goes on where it stopped, as far as the buffer reaches.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Limits } from "../../model/Limits.ts"
import type { PartitionId } from "../../model/Position.ts"
import { SharedPartition, type Sharing } from "./SharedPartition.ts"
import type { ReadySource } from "../Topology.ts"

/** A shared source as one of its readers sees it. */
export interface SharedView {
  readonly source: ReadySource
  /** The reader reads no more: nobody waits for it. */
  readonly leave: Effect.Effect<void>
}

const standard: Sharing["bounds"] = {
  chunks: Limits.sharedChunksMax,
  history: Limits.sharedHistoryChunks,
  recent: Limits.sharedRecentChunks,
  bytes: Limits.sharedBytesMax
}

/**
 * The same source for several readers, by name: one view for each, in their order. What is open is closed with the
 * scope, which has to outlive them. `bounds`: for tests; default those of `Limits`.
 */
export const shareSource = (
  source: ReadySource,
  readers: ReadonlyArray<string>,
  bounds = standard
): Effect.Effect<ReadonlyArray<SharedView>, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new Map<PartitionId, SharedPartition>()),
      (partitions) => Effect.forEach([...partitions.values()], (partition) => partition.close, { discard: true })
    ),
    (partitions) => {
      const sharing: Sharing = { bounds, readers, gone: new Set(), hubs: 0 }
      const partitionOf = (id: PartitionId): SharedPartition => {
        const known = partitions.get(id)
        if (known !== undefined) return known
        const made = new SharedPartition(source, id, sharing)
        partitions.set(id, made)
        return made
      }
      return readers.map((_, reader): SharedView => ({
        source: {
          ...source,
          open: (partition, from) =>
            Effect.suspend(() => {
              const shared = partitionOf(partition)
              // Registered first, so that it runs last.
              const forget = Effect.addFinalizer(() =>
                Effect.sync(() => void (shared.isUnused && partitions.delete(partition)))
              )
              return Effect.andThen(forget, shared.open(from, reader))
            })
        },
        leave: Effect.sync(() => {
          sharing.gone.add(reader)
          for (const partition of partitions.values()) partition.forget(reader)
        })
      }))
    }
  )

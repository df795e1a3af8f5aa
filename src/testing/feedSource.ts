/** A feed as a source: on a simulated log, which comes bit by bit and has faults; or as a batch, all there at once. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { DeadRow } from "../model/DeadLetter.ts"
import { position } from "../model/Position.ts"
import type { PartitionCursor, SourceChunk } from "../model/Source.ts"
import type { AnySource } from "../streams/Plan.ts"
import { copyOf } from "./copyOf.ts"
import type { Feed, FeedPartition } from "./feed.ts"
import { type LogFault, type SimulatedPartition, simulatedSource } from "./SimulatedLog.ts"
import { type Simulator, simulatedStartMs } from "./Simulator.ts"

/** What a partition does in one history. */
export interface Arrivals {
  /** When each row is there, ms after the start. */
  readonly arriveMs: ReadonlyArray<number>
  readonly stalledAt: ReadonlyArray<number>
}

/** How a feed is read in one history. */
export interface Reading {
  readonly partitions: ReadonlyArray<FeedPartition>
  readonly arrivals: ReadonlyArray<Arrivals>
  readonly endPosition: boolean
  readonly faults: ReadonlyArray<LogFault>
  readonly onStruck: (kind: "read error" | "expired" | "stall") => void
}

/** The name of a partition, as metadata, places of dead letters and errors have it. */
export const partitionName = (index: number): string => `p${index}`

const poisonBytes = new TextEncoder().encode('{"not json')

/** A chunk of rows from `from` on, in which those that do not decode are dead. */
const decoded = (
  partition: FeedPartition,
  name: string,
  from: number,
  length: number,
  next: SourceChunk<unknown>["next"],
  metaOf: Feed["meta"]
): SourceChunk<unknown> => {
  const offsets: Array<number> = []
  const dead: Array<DeadRow> = []
  for (let offset = from; offset < from + length; offset++) {
    if (!partition.poison.includes(offset)) offsets.push(offset)
    else {
      const place = `${name}:${offset}`
      const detail = "is not JSON (simulated)"
      dead.push({ before: offsets.length, reason: "malformed", detail, place, bytes: poisonBytes, truncated: false })
    }
  }
  const { appendTimes } = partition
  // Whoever reads a row again gets it as it was, whatever became of it.
  const rows = offsets.map((offset) => copyOf(partition.rows[offset]))
  return {
    length: offsets.length,
    rows,
    meta: (i) =>
      metaOf === undefined
        ? { partition: name, offset: offsets[i] }
        : metaOf({ partition: name, offset: offsets[i], row: rows[i] as never }),
    place: (i) => `${name}:${offsets[i]}`,
    ...(appendTimes === undefined ? {} : { appendTimes: Float64Array.from(offsets, (offset) => appendTimes[offset]) }),
    ...(dead.length === 0 ? {} : { dead }),
    next,
    bytes: 64 * length
  }
}

/** What of the source that is replaced stays: its name, and what becomes of bad input. */
const kept = ({ source }: Feed) => ({
  name: source.name,
  ...(source.onBadInput === undefined ? {} : { onBadInput: source.onBadInput }),
  ...(source.deadLetters === undefined ? {} : { deadLetters: source.deadLetters })
})

/** A feed on a simulated log. */
export const streamOf = (feed: Feed, simulator: Simulator, reading: Reading): AnySource => {
  const { partitions, arrivals, endPosition, faults, onStruck } = reading
  const log = simulatedSource<unknown>(simulator, simulatedStartMs, {
    name: feed.source.name,
    partitions: partitions.map(({ rows, appendTimes }, i): SimulatedPartition<unknown> => ({
      name: partitionName(i),
      rows,
      arriveMs: (row) => arrivals[i].arriveMs[row],
      stalledAt: arrivals[i].stalledAt,
      ...(appendTimes === undefined ? {} : { appendTimes })
    })),
    features: { bounded: true, endPosition, dynamicPartitions: false },
    faults,
    onStruck
  })
  return {
    ...log,
    ...kept(feed),
    open: (name, from) =>
      Effect.map(log.open(name, from), (cursor): PartitionCursor<unknown, unknown, unknown> => {
        const partition = partitions[Number(name.slice(1))]
        return {
          end: cursor.end,
          pull: (demand) =>
            Effect.map(cursor.pull(demand), ({ length, next }) =>
              decoded(partition, name, Number(next) - length, length, next, feed.meta)
            )
        }
      })
  }
}

/** A feed as a batch: each partition is one chunk, as far as chunks may be so large. */
export const batchOf = (feed: Feed, partitions: ReadonlyArray<FeedPartition>): AnySource => ({
  ...kept(feed),
  features: {
    bounded: true,
    appendTime: partitions.some(({ appendTimes }) => appendTimes !== undefined),
    endPosition: true,
    replayable: true,
    dynamicPartitions: false
  },
  partitions: () => Effect.succeed(partitions.map((_, i) => partitionName(i))),
  open: (name, from) =>
    Effect.sync(() => {
      const partition = partitions[Number(name.slice(1))]
      let at = Option.match(from, { onNone: () => 0, onSome: Number })
      const end = partition.rows.length
      return {
        end: Effect.succeed(Option.some(position(String(end)))),
        pull: ({ rows }) =>
          Effect.suspend(() => {
            if (at >= end) return Cause.done()
            const start = at
            at = Math.min(end, start + rows)
            return Effect.succeed(decoded(partition, name, start, at - start, position(String(at)), feed.meta))
          })
      }
    })
})

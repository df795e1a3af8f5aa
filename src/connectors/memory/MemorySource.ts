/**
 * Fixed rows in memory as a bounded, replayable source.
 *
 * Guarantees: positions are item numbers; any number of cursors, each on its own. Rows are handed on as they are,
 * neither copied nor frozen: do not change them.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { type OptionProblem, SourceError } from "../../model/Errors.ts"
import { flag, has, integer, show, text } from "../../model/Options.ts"
import type { PartitionId, Position } from "../../model/Position.ts"
import type { PartitionCursor, Source } from "../../model/Source.ts"
import {
  cursorOf,
  decodePosition,
  itemsBetween,
  type MemoryMeta,
  PartitionLog,
  type ReadOptions
} from "./PartitionLog.ts"

/** Options of {@link source}. */
export interface MemorySourceOptions {
  /** For errors and progress; default `memory`. */
  readonly name?: string
  /** Most rows a chunk holds, whatever is asked for; default unlimited. Results do not depend on it. */
  readonly chunkRows?: number
  /** Hand out columns instead of rows where all rows of a chunk have the same fields; default false. */
  readonly columns?: boolean
}

/** Rows by partition. */
export interface Partitioned<A> {
  readonly partitions: { readonly [partition: string]: ReadonlyArray<A> }
}

/** A log for reading, in the scope. A partition or position that this source never named is a fault, not an empty answer. */
export const openLog = <A>(
  name: string,
  logs: ReadonlyMap<PartitionId, PartitionLog<A>>,
  partition: PartitionId,
  from: Option.Option<Position>,
  replayable: boolean,
  read: ReadOptions
): Effect.Effect<PartitionCursor<A, MemoryMeta, SourceError>, SourceError, Scope.Scope> => {
  const refuse = (message: string): Effect.Effect<never, SourceError> =>
    Effect.fail(new SourceError({ connector: name, partition, retryable: false, message }))
  return Effect.suspend(() => {
    const log = logs.get(partition)
    if (log === undefined)
      return refuse(`${name} has no partition "${partition}"; it has ${[...logs.keys()].join(", ")}`)
    const start = Option.isNone(from) ? Option.some(0) : decodePosition(from.value)
    if (Option.isNone(start) || start.value > log.items.length) {
      return refuse(
        `${name}, partition ${partition}: no such position: ${Option.getOrElse(from, () => "")}; its rows are not those of the checkpoint`
      )
    }
    return Effect.acquireRelease(
      Effect.sync(() => {
        log.cursors++
        return cursorOf<A, SourceError>(log, replayable ? start.value : log.handedOut, read)
      }),
      () => Effect.sync(() => log.cursors--)
    )
  })
}

/** What the options mean for cursors. */
export const readOptions = (
  options: MemorySourceOptions | undefined,
  endPosition: boolean,
  problems: Array<OptionProblem>
): ReadOptions => {
  const chunkRows = integer("Memory.chunkRows", options?.chunkRows ?? Number.MAX_SAFE_INTEGER, problems, { min: 1 })
  return { chunkRows, columns: flag("Memory.columns", options?.columns ?? false, problems), endPosition }
}

const partitionsOf = <A>(
  rows: ReadonlyArray<A> | Partitioned<A>,
  problems: Array<OptionProblem>
): ReadonlyArray<readonly [string, ReadonlyArray<A>]> => {
  if (isRows(rows)) return [["0", rows]]
  if (has(rows, "partitions") && has(rows.partitions)) {
    const partitions = Object.entries(rows.partitions)
    if (partitions.every(([, items]) => Array.isArray(items))) return partitions
  }
  problems.push({
    option: "Memory.source.rows",
    value: show(rows),
    fix: "must be an array of rows, or { partitions: { name: rows } }"
  })
  return []
}

const isRows = <A>(rows: ReadonlyArray<A> | Partitioned<A>): rows is ReadonlyArray<A> => Array.isArray(rows)

/**
 * A bounded, replayable source of the rows given: an array is one partition, `0`; `{ partitions: { p0: rows } }` are
 * several. Fails with `SourceError` only when opened at a position that its rows do not have.
 */
export const source = <A>(
  rows: ReadonlyArray<A> | Partitioned<A>,
  options?: MemorySourceOptions
): Source<A, MemoryMeta, SourceError> => {
  const problems: Array<OptionProblem> = []
  const name = text("Memory.source.name", options?.name ?? "memory", problems)
  const read = readOptions(options, true, problems)
  const byPartition = partitionsOf(rows, problems)
  const logs = new Map<PartitionId, PartitionLog<A>>()
  for (const [partition, items] of byPartition) {
    // The log of an ended partition is never appended to, so it may share the caller's array.
    const log = new PartitionLog<A>(partition, items as Array<A>)
    log.ended = true
    logs.set(partition, log)
  }
  return {
    name,
    features: { bounded: true, appendTime: false, endPosition: true, replayable: true, dynamicPartitions: false },
    problems,
    partitions: (known) => Effect.sync(() => [...logs.keys()].filter((p) => !known.has(p))),
    rowsBetween: itemsBetween,
    open: (partition, from) => openLog(name, logs, partition, from, true, read)
  }
}

/**
 * A source that a test feeds by hand while a query reads it, with any features a real one may have.
 *
 * Guarantees: rows are kept, so that a replayable channel can be read again from any position; failures strike at a
 * fixed place in a partition's order, not at a moment. Not for production: nothing is ever dropped.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { OptionProblem, SourceError } from "../../model/Errors.ts"
import { flag, show, text } from "../../model/Options.ts"
import type { PartitionId } from "../../model/Position.ts"
import type { Source, SourceFeatures } from "../../model/Source.ts"
import { type MemorySourceOptions, openLog, readOptions } from "./MemorySource.ts"
import { type DeadItem, itemsBetween, type MemoryMeta, PartitionLog } from "./PartitionLog.ts"

/** Options of {@link channel}: any of the source's features, and its first partitions. */
export interface ChannelOptions extends Partial<SourceFeatures>, MemorySourceOptions {
  /** Partitions there from the start; default one, `0`. */
  readonly partitions?: ReadonlyArray<PartitionId>
}

/** A source that is fed by hand. All its effects succeed at once and may be run from anywhere. */
export interface Channel<A> {
  readonly source: Source<A, MemoryMeta, SourceError>
  /** Appends rows to a partition. `appendTimes`: the broker's time of each; default the clock's, where the source has them. */
  readonly push: (
    partition: PartitionId,
    rows: ReadonlyArray<A>,
    options?: { readonly appendTimes?: ReadonlyArray<number> }
  ) => Effect.Effect<void>
  /** Appends input that could not be decoded. */
  readonly pushDead: (partition: PartitionId, dead: DeadItem) => Effect.Effect<void>
  /** Nothing comes after this; only on a bounded channel. */
  readonly end: (partition: PartitionId) => Effect.Effect<void>
  /** Adds an empty partition; only with `dynamicPartitions`. */
  readonly addPartition: (partition: PartitionId) => Effect.Effect<void>
  /** The next `times` (default 1) pulls that come to this place, after all that was pushed so far, fail with `error`. */
  readonly fail: (partition: PartitionId, error: SourceError, times?: number) => Effect.Effect<void>
  /** Waits until a cursor has read everything of the partition and waits for more. */
  readonly caughtUp: (partition: PartitionId) => Effect.Effect<void>
  /** Cursors open now. */
  readonly cursors: Effect.Effect<number>
  /** Rows and dead rows of the partition that some cursor was given so far. */
  readonly handedOut: (partition: PartitionId) => Effect.Effect<number>
}

/** Waits for a condition that changes when one of the logs, or the set of them, does. */
const waitFor = (listeners: Set<() => void>, holds: () => boolean): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const look = (): void => {
      if (!holds()) return
      listeners.delete(look)
      resume(Effect.void)
    }
    listeners.add(look)
    look()
    return Effect.sync(() => listeners.delete(look))
  })

const partitionsOf = (
  given: ReadonlyArray<PartitionId>,
  problems: Array<OptionProblem>
): ReadonlyArray<PartitionId> => {
  const partitions: unknown = given
  const right =
    Array.isArray(partitions) &&
    partitions.every((p) => typeof p === "string") &&
    new Set(partitions).size === partitions.length
  if (right) return given
  problems.push({ option: "Memory.channel.partitions", value: show(given), fix: "must be names, each once" })
  return []
}

/**
 * A source fed by hand, for tests: unbounded, replayable and with a known end unless the options say otherwise. Its
 * faults of use (a row pushed after the end, times missing) are defects: they show in the test that made them.
 */
export const channel = <A>(options: ChannelOptions = {}): Channel<A> => {
  const problems: Array<OptionProblem> = []
  const name = text("Memory.channel.name", options.name ?? "channel", problems)
  const feature = (of: keyof SourceFeatures, standard: boolean): boolean =>
    flag(`Memory.channel.${of}`, options[of] ?? standard, problems)
  const features: SourceFeatures = {
    bounded: feature("bounded", false),
    appendTime: feature("appendTime", false),
    endPosition: feature("endPosition", true),
    replayable: feature("replayable", true),
    dynamicPartitions: feature("dynamicPartitions", false)
  }
  const read = readOptions(options, features.endPosition, problems)
  if (features.bounded && features.dynamicPartitions) {
    problems.push({
      option: "Memory.channel.bounded",
      value: "true",
      fix: "a source with dynamicPartitions is never bounded"
    })
  }
  const logs = new Map<PartitionId, PartitionLog<A>>()
  const newcomers = new Set<() => void>()
  const add = (partition: PartitionId): void => {
    if (logs.has(partition)) throw new Error(`${name}: partition "${partition}" is there already`)
    const log = new PartitionLog<A>(partition, [])
    if (features.appendTime) log.appendTimes = []
    logs.set(partition, log)
    for (const look of [...newcomers]) look()
  }
  for (const partition of partitionsOf(options.partitions ?? ["0"], problems)) add(partition)
  const logOf = (partition: PartitionId): PartitionLog<A> => {
    const log = logs.get(partition)
    if (log === undefined) throw new Error(`${name} has no partition "${partition}"`)
    return log
  }
  const append = (
    partition: PartitionId,
    now: number,
    rows: ReadonlyArray<A>,
    dead?: DeadItem,
    times?: ReadonlyArray<number>
  ): void => {
    const log = logOf(partition)
    if (log.ended) throw new Error(`${name}: partition "${partition}" has ended`)
    if (times !== undefined && times.length !== rows.length)
      throw new Error(`${name}: ${times.length} append times for ${rows.length} rows`)
    if (dead !== undefined) {
      log.dead.set(log.items.length, dead)
      log.items.push(undefined)
      log.appendTimes?.push(now)
    }
    for (let i = 0; i < rows.length; i++) {
      log.items.push(rows[i])
      log.appendTimes?.push(times?.[i] ?? now)
    }
    log.wake()
  }
  const unknown = (known: ReadonlySet<PartitionId>): ReadonlyArray<PartitionId> =>
    [...logs.keys()].filter((p) => !known.has(p))
  const source: Source<A, MemoryMeta, SourceError> = {
    name,
    features,
    problems,
    partitions: (known) =>
      Effect.map(features.dynamicPartitions ? waitFor(newcomers, () => unknown(known).length > 0) : Effect.void, () =>
        unknown(known)
      ),
    rowsBetween: itemsBetween,
    open: (partition, from) => openLog(name, logs, partition, from, features.replayable, read)
  }
  return {
    source,
    push: (partition, rows, o) =>
      Effect.map(Clock.currentTimeMillis, (now) => append(partition, now, rows, undefined, o?.appendTimes)),
    pushDead: (partition, dead) => Effect.map(Clock.currentTimeMillis, (now) => append(partition, now, [], dead)),
    end: (partition) =>
      Effect.sync(() => {
        if (!features.bounded) throw new Error(`${name} is not bounded: its partitions do not end (rule T11)`)
        const log = logOf(partition)
        log.ended = true
        log.wake()
      }),
    addPartition: (partition) =>
      Effect.sync(() => {
        if (!features.dynamicPartitions) throw new Error(`${name} has no dynamicPartitions`)
        add(partition)
      }),
    fail: (partition, error, times = 1) =>
      Effect.sync(() => {
        const log = logOf(partition)
        log.failures.push({ at: log.items.length, error, left: times })
        log.wake()
      }),
    caughtUp: (partition) =>
      Effect.suspend(() => {
        const log = logOf(partition)
        return waitFor(log.watchers, () => log.waiters.size > 0 && log.handedOut === log.items.length)
      }),
    cursors: Effect.sync(() => [...logs.values()].reduce((n, log) => n + log.cursors, 0)),
    handedOut: (partition) => Effect.sync(() => logOf(partition).handedOut)
  }
}

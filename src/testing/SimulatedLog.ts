/**
 * A broker's partitions in the simulator: rows that come at moments of virtual time, in one fixed order, to be read from
 * any position. It lives outside of the processes that read it.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { SourceError } from "../model/Errors.ts"
import { position } from "../model/Position.ts"
import type { Demand, PartitionCursor, Source, SourceChunk, SourceFeatures } from "../model/Source.ts"
import type { Simulator } from "./Simulator.ts"

/** One partition: its rows in order, and when each is there to be read, ms after the start of the simulation. */
export interface SimulatedPartition<out A> {
  readonly name: string
  readonly rows: { readonly length: number; readonly slice: (from: number, to: number) => ReadonlyArray<A> }
  readonly arriveMs: (row: number) => number
  readonly appendTimes?: ReadonlyArray<number>
  /** Rows before which the partition gives nothing for a while: to be counted. */
  readonly stalledAt?: ReadonlyArray<number>
  /** When the partition appears; default: it is there from the start. */
  readonly appearsMs?: number
}

/** A failure that strikes so many times, when a cursor comes to a row, or a partition is opened behind its start. */
export interface LogFault {
  readonly kind: "read" | "expired"
  readonly partition: string
  readonly row: number
  left: number
}

/** What a simulated source is made of. */
export interface SimulatedLogOptions<out A> {
  readonly name: string
  readonly partitions: ReadonlyArray<SimulatedPartition<A>>
  readonly features: Pick<SourceFeatures, "bounded" | "endPosition" | "dynamicPartitions">
  readonly faults: ReadonlyArray<LogFault>
  readonly onStruck: (kind: "read error" | "expired" | "stall") => void
  /** Whoever asks for rows of a dynamic source that has no more learns so here: it never ends by itself. */
  readonly onExhausted?: (partition: string) => void
  /** An attempt asks for the partitions anew: what another one has read, it may read again. */
  readonly onBegun?: () => void
}

/** How long a source with dynamic partitions waits until it looks for new ones again, ms. */
const discoveryMs = 20

/** A source over partitions that outlive its readers. */
export const simulatedSource = <A>(
  simulator: Simulator,
  startMs: number,
  o: SimulatedLogOptions<A>
): Source<A, { readonly partition: string; readonly offset: number }, SourceError> => {
  const features: SourceFeatures = {
    ...o.features,
    appendTime: o.partitions.some((p) => p.appendTimes !== undefined),
    replayable: true
  }
  const sinceStart = (): number => simulator.nowMs - startMs
  const there = (p: SimulatedPartition<A>): boolean => (p.appearsMs ?? 0) <= sinceStart()
  const failed = (partition: string, message: string, at: number, retryable: boolean): SourceError =>
    new SourceError({ connector: o.name, partition, position: String(at), retryable, message })
  const strikes = (kind: LogFault["kind"], partition: string, row: number): boolean => {
    const fault = o.faults.find(
      (f) => f.left > 0 && f.kind === kind && f.partition === partition && (kind === "read" ? f.row === row : row > 0)
    )
    if (fault === undefined) return false
    fault.left--
    o.onStruck(kind === "read" ? "read error" : "expired")
    return true
  }
  return {
    name: o.name,
    features,
    partitions: (known) =>
      Effect.suspend(() => {
        if (known.size === 0) o.onBegun?.()
        const found = o.partitions.filter((p) => there(p) && !known.has(p.name)).map((p) => p.name)
        const isWaiting = known.size > 0 && found.length === 0
        return isWaiting ? Effect.as(Effect.sleep(discoveryMs), found) : Effect.succeed(found)
      }),
    open: (partition, from) =>
      Effect.suspend(() => {
        const log = o.partitions.find((p) => p.name === partition)
        const at = Option.match(from, { onNone: () => 0, onSome: Number })
        if (log === undefined || at > log.rows.length)
          return Effect.fail(failed(partition, `${o.name}: partition ${partition} has no row ${at}`, at, false))
        if (strikes("expired", partition, at))
          return Effect.fail(failed(partition, `${o.name}: row ${at} of partition ${partition} expired`, at, false))
        return Effect.succeed(cursorOf(simulator, log, at, sinceStart, o, strikes, failed))
      })
  }
}

const cursorOf = <A>(
  simulator: Simulator,
  log: SimulatedPartition<A>,
  start: number,
  sinceStart: () => number,
  o: SimulatedLogOptions<A>,
  strikes: (kind: LogFault["kind"], partition: string, row: number) => boolean,
  failed: (partition: string, message: string, at: number, retryable: boolean) => SourceError
): PartitionCursor<A, { readonly partition: string; readonly offset: number }, SourceError> => {
  let at = start
  const { rows, arriveMs, appendTimes } = log
  /** The end of what has come, at most so many rows on. */
  const arrived = (most: number): number => {
    const now = sinceStart()
    const end = Math.min(rows.length, at + most)
    let to = at
    while (to < end && arriveMs(to) <= now) to++
    return to
  }
  const cut = (demand: Demand): SourceChunk<A, { readonly partition: string; readonly offset: number }> => {
    const from = at
    at = from + 1 + simulator.random.below(arrived(demand.rows) - from)
    const length = at - from
    return {
      length,
      rows: rows.slice(from, at),
      meta: (i) => ({ partition: log.name, offset: from + i }),
      place: (i) => `${log.name}:${from + i}`,
      ...(appendTimes === undefined ? {} : { appendTimes: Float64Array.from(appendTimes.slice(from, at)) }),
      next: position(String(at)),
      bytes: 64 * length
    }
  }
  const ready: Effect.Effect<void, SourceError | Cause.Done> = Effect.suspend(() => {
    if (strikes("read", log.name, at))
      return Effect.fail(failed(log.name, `${o.name}: reading row ${at} of ${log.name} failed`, at, true))
    if (at >= rows.length) {
      if (o.features.bounded) return Cause.done()
      o.onExhausted?.(log.name)
      return Effect.never
    }
    const wait = arriveMs(at) - sinceStart()
    if (wait <= 0) return Effect.void
    if (log.stalledAt?.includes(at) === true) o.onStruck("stall")
    return Effect.andThen(Effect.sleep(wait), ready)
  })
  return {
    // The rows are taken in the last step, a `sync`: whoever is interrupted before it has taken nothing.
    pull: (demand) =>
      Effect.andThen(
        ready,
        Effect.sync(() => cut(demand))
      ),
    end: Effect.sync(() => {
      const end = arrived(rows.length)
      return o.features.endPosition ? Option.some(position(String(end))) : Option.none()
    })
  }
}

/**
 * One partition in memory: rows and dead rows in one order, read by any number of cursors.
 *
 * Guarantees: a position is the number of items before it, so that every cursor at the same position reads the same;
 * a pull that is interrupted has taken nothing. Not durable: it lives and dies with the process.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { DeadRow } from "../../model/DeadLetter.ts"
import { type PartitionId, position, type Position } from "../../model/Position.ts"
import type { Demand, PartitionCursor, SourceChunk } from "../../model/Source.ts"
import { approximateBytes, columnsOf } from "./rows.ts"

/** What a memory source knows of a row. */
export interface MemoryMeta {
  readonly partition: PartitionId
  /** Which item of its partition the row is, from 0; dead rows count. */
  readonly index: number
}

/** An item that could not be decoded; `before` is made when a chunk is cut. */
export type DeadItem = Omit<DeadRow, "before">

interface Failure {
  readonly at: number
  readonly error: unknown
  left: number
}

/** How cursors of a log read it. */
export interface ReadOptions {
  /** Most rows a chunk holds, whatever the demand. */
  readonly chunkRows: number
  /** Give columns where the rows of a chunk all have the same fields. */
  readonly columns: boolean
  readonly endPosition: boolean
}

/** The items of one partition, and who waits for more. */
export class PartitionLog<A> {
  readonly partition: PartitionId
  /** Rows; `undefined` where `dead` has the item. */
  readonly items: Array<A | undefined>
  readonly dead = new Map<number, DeadItem>()
  appendTimes: Array<number> | undefined
  ended = false
  /** Items that some cursor was given: where a source that is not replayable goes on. */
  handedOut = 0
  cursors = 0
  readonly failures: Array<Failure> = []
  readonly waiters = new Set<() => void>()
  readonly watchers = new Set<() => void>()

  constructor(partition: PartitionId, items: Array<A | undefined>) {
    this.partition = partition
    this.items = items
  }

  /** Wakes every cursor that waits at the end. */
  wake(): void {
    for (const resume of [...this.waiters]) resume()
  }

  /** The failure that stands at an item, if it still has to strike. */
  failureAt(at: number): Failure | undefined {
    return this.failures.find((f) => f.at === at && f.left > 0)
  }

  /** The first item at or after `at` that must not be read past, because a failure stands there. */
  limit(at: number): number {
    let limit = this.items.length
    for (const f of this.failures) if (f.left > 0 && f.at > at && f.at < limit) limit = f.at
    return limit
  }
}

/** The item that a position names; none when the text was not made by {@link cursorOf}. */
export const decodePosition = (from: Position): Option.Option<number> =>
  /^(0|[1-9][0-9]{0,15})$/.test(from) ? Option.some(Number(from)) : Option.none()

/** Items from one position to another. */
export const itemsBetween = (from: Position, to: Position): number => Number(to) - Number(from)

const cut = <A>(log: PartitionLog<A>, from: number, demand: Demand, read: ReadOptions): SourceChunk<A, MemoryMeta> => {
  const most = Math.max(1, Math.min(demand.rows, read.chunkRows))
  const to = Math.min(log.limit(from), from + most)
  const indices: Array<number> | undefined = log.dead.size === 0 ? undefined : []
  const dead: Array<DeadRow> = []
  let rows: Array<A>
  if (indices === undefined) rows = log.items.slice(from, to) as Array<A>
  else {
    rows = []
    for (let i = from; i < to; i++) {
      const bad = log.dead.get(i)
      if (bad === undefined) {
        rows.push(log.items[i] as A)
        indices.push(i)
      } else dead.push({ ...bad, before: rows.length })
    }
  }
  const length = rows.length
  const at = (i: number): number => (indices === undefined ? from + i : indices[i])
  const times = log.appendTimes
  const columns = read.columns ? columnsOf(rows) : undefined
  return {
    length,
    ...(columns === undefined ? { rows } : { columns }),
    meta: (i) => ({ partition: log.partition, index: at(i) }),
    ...(times === undefined ? {} : { appendTimes: Float64Array.from({ length }, (_, i) => times[at(i)]) }),
    ...(dead.length === 0 ? {} : { dead }),
    next: position(String(to)),
    bytes: approximateBytes(rows)
  }
}

/** Waits until the log says something new; interruptible. */
const untilWoken = <A>(log: PartitionLog<A>): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const woken = (): void => {
      log.waiters.delete(woken)
      resume(Effect.void)
    }
    log.waiters.add(woken)
    for (const seen of [...log.watchers]) seen()
    return Effect.sync(() => log.waiters.delete(woken))
  })

/** A cursor that reads the log from item `start`. */
export const cursorOf = <A, E>(
  log: PartitionLog<A>,
  start: number,
  read: ReadOptions
): PartitionCursor<A, MemoryMeta, E> => {
  let at = start
  const ready: Effect.Effect<void, E | Cause.Done> = Effect.suspend(() => {
    const failure = log.failureAt(at)
    if (failure !== undefined) {
      failure.left--
      return Effect.fail(failure.error as E)
    }
    if (at < log.items.length) return Effect.void
    if (log.ended) return Cause.done()
    return Effect.andThen(untilWoken(log), ready)
  })
  return {
    // The rows are taken in the last step, a `sync`, whose value goes to the caller without a chance to interrupt.
    pull: (demand) =>
      Effect.flatMap(ready, () =>
        Effect.sync(() => {
          const chunk = cut(log, at, demand, read)
          at = Number(chunk.next)
          if (at > log.handedOut) log.handedOut = at
          return chunk
        })
      ),
    end: Effect.sync(() => (read.endPosition ? Option.some(position(String(log.items.length))) : Option.none()))
  }
}

/**
 * One partition of a shared source: its hubs, and the cursors of the queries that read it.
 *
 * A subscriber takes what its hub holds; at the tip the first one that comes pulls for all (the leader), in its own
 * fiber, and the others wait. A leader that is interrupted has taken nothing, and another goes on. A subscriber whose
 * position no hub holds gets a hub of its own, and moves over as soon as it stands where another hub has been.
 *
 * Interrupting a pull loses nothing: a chunk is put into the hub in the step in which the cursor gives it, and taken out
 * by a `sync` at the very end.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Limits } from "../model/Limits.ts"
import type { PartitionId, Position } from "../model/Position.ts"
import type { Demand, PartitionCursor, SourceChunk } from "../model/Source.ts"
import { entryFits, type Entry, type HubBounds, PartitionHub, type Subscriber } from "./PartitionHub.ts"
import type { ReadySource } from "./Topology.ts"

/** What all partitions of a source may hold together; `hubs` is how many readings there are now. */
export interface Budget {
  readonly chunks: number
  readonly history: number
  readonly bytes: number
  hubs: number
}

/** See the head of this file. */
export class SharedPartition {
  readonly hubs = new Set<PartitionHub>()
  readonly #source: ReadySource
  readonly #partition: PartitionId
  readonly #bounds: HubBounds
  readonly #budget: Budget
  /** Hubs without subscribers, to be closed. */
  readonly #abandoned = new Set<PartitionHub>()
  readonly #endLock = Semaphore.makeUnsafe(1)
  #made = 0

  constructor(source: ReadySource, partition: PartitionId, budget: Budget) {
    this.#source = source
    this.#partition = partition
    this.#budget = budget
    const { chunks, history, bytes } = budget
    this.#bounds = { chunks, history, bytes: () => bytes / Math.max(1, budget.hubs) }
  }

  /** A cursor at a position, closed with the scope. */
  open(from: Option.Option<Position>): Effect.Effect<PartitionCursor<unknown, unknown, unknown>, unknown, Scope.Scope> {
    const subscriber: Subscriber = {
      position: Option.getOrUndefined(from),
      next: 0,
      hub: undefined,
      rows: Infinity,
      bytes: Infinity,
      end: undefined,
      closed: false
    }
    const cursor = { pull: (demand: Demand) => this.#pull(subscriber, demand), end: this.#end(subscriber) }
    return Effect.acquireRelease(
      Effect.sync(() => this.#hubFor(subscriber)),
      () =>
        Effect.suspend(() => {
          subscriber.closed = true
          this.#leave(subscriber)
          return this.#sweep
        })
    ).pipe(Effect.andThen(this.#opened(subscriber)), Effect.as(cursor))
  }

  /** Closes what is open; nobody reads any more. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    for (const hub of this.hubs) this.#abandon(hub)
    return this.#sweep
  })

  /** The subscriber's hub: the one it has, one that holds its position, or a new one. */
  #hubFor(subscriber: Subscriber): PartitionHub {
    if (subscriber.hub !== undefined) return subscriber.hub
    for (const hub of this.hubs) if (this.#joins(subscriber, hub)) return hub
    const hub = new PartitionHub(this.#made++, subscriber.position, this.#bounds)
    this.hubs.add(hub)
    this.#budget.hubs++
    hub.join(subscriber, 0)
    return hub
  }

  #joins(subscriber: Subscriber, hub: PartitionHub): boolean {
    const at = hub.numberOf(subscriber.position)
    if (at === undefined || !hub.fits(subscriber, at)) return false
    hub.join(subscriber, at)
    return true
  }

  #leave(subscriber: Subscriber): void {
    const hub = subscriber.hub
    if (hub === undefined) return
    hub.leave(subscriber)
    if (hub.subscribers.size === 0) this.#abandon(hub)
  }

  #abandon(hub: PartitionHub): void {
    if (this.hubs.delete(hub)) this.#budget.hubs--
    this.#abandoned.add(hub)
  }

  /** Closes the cursors of hubs that nobody reads. What an interruption leaves over, the next one closes. */
  readonly #sweep: Effect.Effect<void> = Effect.uninterruptible(
    Effect.suspend(() => {
      const scopes: Array<Scope.Closeable> = []
      for (const hub of this.#abandoned) {
        if (hub.scope !== undefined) scopes.push(hub.scope)
        hub.scope = undefined
        hub.cursor = undefined
      }
      this.#abandoned.clear()
      return Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void), { discard: true })
    })
  )

  /** Waits until the hub has a cursor. */
  #opened(subscriber: Subscriber): Effect.Effect<void, unknown> {
    return Effect.suspend(() => {
      const hub = this.#hubFor(subscriber)
      if (hub.over !== undefined) return hub.over.isEnd ? Effect.void : this.#fail(subscriber, hub.over.cause)
      if (hub.cursor !== undefined) return Effect.void
      return Effect.andThen(this.#turn(hub, subscriber), this.#opened(subscriber))
    })
  }

  #pull(subscriber: Subscriber, demand: Demand): Effect.Effect<SourceChunk<unknown>, unknown> {
    return Effect.suspend(() => {
      subscriber.rows = demand.rows
      subscriber.bytes = demand.bytes
      return Effect.flatMap(this.#ready(subscriber), (entry) => Effect.sync(() => this.#take(subscriber, entry)))
    })
  }

  /** The last step of a pull. The hub may have let the subscriber go since it looked; the chunk is the same. */
  #take(subscriber: Subscriber, entry: Entry): SourceChunk<unknown> {
    subscriber.position = entry.chunk.next
    subscriber.next++
    return entry.chunk
  }

  /** The entry to take next. Everything is looked at anew after each wait. */
  #ready(subscriber: Subscriber, turns = 0): Effect.Effect<Entry, unknown> {
    return Effect.suspend(() => {
      if (subscriber.closed) return Effect.die(new Error("a cursor was pulled after its scope was closed"))
      const hub = this.#hubFor(subscriber)
      const entry = hub.entryFor(subscriber)
      if (entry !== undefined) {
        if (entryFits(entry, subscriber)) return Effect.succeed(entry)
        // Read for somebody who takes more: positions within a chunk are not known, so it is read again in parts.
        this.#leave(subscriber)
        return Effect.andThen(this.#sweep, this.#ready(subscriber))
      }
      if (hub.over !== undefined)
        return hub.over.isEnd ? Effect.failCause(hub.over.cause) : this.#fail(subscriber, hub.over.cause)
      if (this.hubs.size > 1 && this.#moves(subscriber, hub))
        return Effect.andThen(this.#sweep, this.#ready(subscriber))
      // Others get some turns before one of them loses its place: whoever is only waiting for the CPU goes on.
      if (turns < Limits.sharedTurnsMax && hub.isFull)
        return Effect.andThen(Effect.yieldNow, this.#ready(subscriber, turns + 1))
      return Effect.andThen(this.#turn(hub, subscriber), this.#ready(subscriber))
    })
  }

  /** Goes over to a hub that is further, or that reads on from the same place, so that two readings become one. */
  #moves(subscriber: Subscriber, from: PartitionHub): boolean {
    for (const hub of this.hubs) {
      const at = hub === from ? undefined : hub.numberOf(subscriber.position)
      if (at === undefined || !hub.fits(subscriber, at)) continue
      if (hub.tip === subscriber.position && !precedes(hub, from)) continue
      this.#leave(subscriber)
      hub.join(subscriber, at)
      return true
    }
    return false
  }

  #fail(subscriber: Subscriber, cause: Cause.Cause<unknown>): Effect.Effect<never, unknown> {
    return Effect.suspend(() => {
      this.#leave(subscriber)
      return Effect.andThen(this.#sweep, Effect.failCause(cause))
    })
  }

  /** Leads, or waits for a change when another does. */
  #turn(hub: PartitionHub, subscriber: Subscriber): Effect.Effect<void, unknown> {
    return hub.leader === undefined ? this.#lead(hub, subscriber) : untilChange(hub, hub.version)
  }

  /** Opens the cursor, or pulls it once, for all. A failure is the hub's: who meets it there fails with it. */
  #lead(hub: PartitionHub, subscriber: Subscriber): Effect.Effect<void> {
    const step = Effect.suspend(() => {
      // Others may have come first since this fiber looked.
      if (hub.leader !== undefined || subscriber.hub !== hub || hub.entryFor(subscriber) !== undefined)
        return Effect.void
      hub.leader = subscriber
      if (hub.cursor === undefined) return this.#openCursor(hub)
      const demand = hub.demand()
      return Effect.flatMap(hub.cursor.pull(demand), (chunk) => {
        hub.push(chunk, demand.rows)
        hub.leader = undefined
        hub.wake()
        return Effect.void
      })
    })
    const ended = Effect.onExit(step, (exit) => {
      if (hub.leader !== subscriber) return Effect.void
      hub.leader = undefined
      if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) {
        hub.over = { cause: exit.cause, isEnd: isDone(exit.cause) }
        if (!hub.over.isEnd) this.#abandon(hub)
      }
      hub.wake()
      return this.#sweep
    })
    // What went wrong stands in the hub. An interruption goes on.
    return Effect.catchCause(ended, (cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.failCause(cause as Cause.Cause<never>) : Effect.void
    )
  }

  #openCursor(hub: PartitionHub): Effect.Effect<void, unknown> {
    return Effect.uninterruptibleMask((restore) => {
      const scope = Scope.makeUnsafe()
      const opening = Scope.provide(this.#source.open(this.#partition, Option.fromUndefinedOr(hub.tip)), scope)
      return Effect.matchCauseEffect(restore(opening), {
        onFailure: (cause) => Effect.andThen(Scope.close(scope, Exit.failCause(cause)), Effect.failCause(cause)),
        onSuccess: (cursor) =>
          Effect.sync(() => {
            hub.cursor = cursor
            hub.scope = scope
            // All left meanwhile.
            if (!this.hubs.has(hub)) this.#abandoned.add(hub)
          })
      })
    })
  }

  /** Asked of the hub's cursor, one at a time; without a hub, what was known last. */
  #end(subscriber: Subscriber): Effect.Effect<Option.Option<Position>, unknown> {
    return Effect.suspend(() => {
      const cursor = subscriber.hub?.cursor
      if (!this.#source.features.endPosition || cursor === undefined)
        return Effect.succeed(Option.fromUndefinedOr(subscriber.end))
      return Effect.map(Semaphore.withPermit(this.#endLock, cursor.end), (end) => {
        subscriber.end = Option.getOrUndefined(end)
        return end
      })
    })
  }
}

/** Which of two hubs at the same place goes on: the one that is reading already, else the older one. */
const precedes = (hub: PartitionHub, other: PartitionHub): boolean =>
  other.leader === undefined && (hub.leader !== undefined || hub.id < other.id)

const untilChange = (hub: PartitionHub, seen: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    // The fiber may have yielded since it looked.
    if (hub.version !== seen) return resume(Effect.void)
    return Effect.sync(hub.onChange(() => resume(Effect.void)))
  })

const isDone = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isFailReason(reason) && Cause.isDone(reason.error))

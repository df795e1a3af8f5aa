/**
 * One partition of a shared source: its hubs, and the cursors of the queries that read it.
 *
 * A subscriber takes what its hub holds; at the tip the first one that comes pulls for all (the leader), in its own
 * fiber, and the others wait. A leader that is interrupted has taken nothing, and another goes on. A subscriber whose
 * position no hub holds gets a hub of its own, and moves over as soon as it stands where another hub has been. A source
 * that cannot be read again from a position has one hub, at the pace of the slowest, which keeps its start until every
 * reader has begun, for a bounded time.
 *
 * Interrupting a pull loses nothing: a chunk is put into the hub in the step in which the cursor gives it, and taken out
 * by a `sync` at the very end.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Limits } from "../../model/Limits.ts"
import type { PartitionId, Position } from "../../model/Position.ts"
import type { Demand, PartitionCursor, SourceChunk } from "../../model/Source.ts"
import { entryFits, type Entry, type HubBounds, PartitionHub, type Subscriber, subscriberAt } from "./PartitionHub.ts"
import { lead, untilChange } from "./leadHub.ts"
import { sliceChunk } from "./sliceChunk.ts"
import type { ReadySource } from "../Topology.ts"

/** What the partitions of a source have in common; `hubs` is how many readings there are now. */
export interface Sharing {
  readonly bounds: {
    readonly chunks: number
    readonly history: number
    readonly recent: number
    readonly bytes: number
  }
  /** Names of the readers. */
  readonly readers: ReadonlyArray<string>
  /** Numbers of those that read no more. */
  readonly gone: Set<number>
  hubs: number
}

/** See the head of this file. */
export class SharedPartition {
  readonly hubs = new Set<PartitionHub>()
  readonly #source: ReadySource
  readonly #partition: PartitionId
  readonly #sharing: Sharing
  readonly #bounds: HubBounds
  /** Hubs without subscribers, to be closed. */
  readonly #abandoned = new Set<PartitionHub>()
  readonly #endLock = Semaphore.makeUnsafe(1)
  #made = 0
  /** Only of a source that cannot be read again: who has not begun, and where those stood that went away. */
  readonly #awaited = new Set<number>()
  readonly #left = new Map<number, { readonly hub: PartitionHub; readonly next: number; readonly taken: number }>()

  constructor(source: ReadySource, partition: PartitionId, sharing: Sharing) {
    this.#source = source
    this.#partition = partition
    this.#sharing = sharing
    const { readers, bounds, gone } = sharing
    const holds = !source.features.replayable
    if (holds) readers.forEach((_, reader) => gone.has(reader) || this.#awaited.add(reader))
    this.#bounds = {
      ...bounds,
      bytes: () => bounds.bytes / Math.max(1, sharing.hubs),
      readers: readers.length,
      holds,
      isAwaited: () => this.#awaited.size > 0
    }
  }

  /** A cursor at a position for one of the readers, closed with the scope. */
  open(
    from: Option.Option<Position>,
    reader: number
  ): Effect.Effect<PartitionCursor<unknown, unknown, unknown>, unknown, Scope.Scope> {
    const subscriber = subscriberAt(reader, Option.getOrUndefined(from))
    const cursor = () => ({
      pull: (demand: Demand) => this.#pull(subscriber, demand),
      end: this.#end(subscriber),
      start: subscriber.position
    })
    return Effect.acquireRelease(
      Effect.sync(() => this.#hubFor(subscriber)),
      () =>
        Effect.suspend(() => {
          subscriber.closed = true
          this.#leave(subscriber)
          return this.#sweep
        })
    ).pipe(Effect.andThen(this.#opened(subscriber)), Effect.map(cursor))
  }

  /** Nothing is open, and nothing has to be remembered. */
  get isUnused(): boolean {
    return this.hubs.size === 0 && !this.#bounds.holds
  }

  /** Nothing is kept for a reader that has not begun. */
  forget(reader: number): void {
    if (this.#awaited.delete(reader)) for (const hub of this.hubs) hub.wake()
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
    this.#awaited.delete(subscriber.reader)
    const hub = new PartitionHub(this.#made++, subscriber.position, this.#bounds)
    this.hubs.add(hub)
    this.#sharing.hubs++
    hub.join(subscriber, 0)
    return hub
  }

  #joins(subscriber: Subscriber, hub: PartitionHub): boolean {
    if (this.#bounds.holds) {
      // There is one reading. Who comes again goes on where it was, or with the oldest there is.
      const left = this.#left.get(subscriber.reader)
      const known = left?.hub === hub ? left : undefined
      hub.join(subscriber, hub.nearest(known?.next ?? 0))
      subscriber.taken = known?.next === subscriber.next ? known.taken : 0
      this.#awaited.delete(subscriber.reader)
      return true
    }
    const at = hub.numberOf(subscriber.position)
    if (at === undefined || !hub.fits(subscriber, at)) return false
    hub.join(subscriber, at)
    return true
  }

  #leave(subscriber: Subscriber): void {
    const hub = subscriber.hub
    if (hub === undefined) return
    if (this.#bounds.holds) this.#left.set(subscriber.reader, { hub, next: subscriber.next, taken: subscriber.taken })
    hub.leave(subscriber)
    if (hub.subscribers.size === 0) this.#abandon(hub)
    else if (this.#bounds.holds) hub.wake()
  }

  #abandon(hub: PartitionHub): void {
    if (this.hubs.delete(hub)) this.#sharing.hubs--
    this.#abandoned.add(hub)
    for (const [reader, left] of this.#left) if (left.hub === hub) this.#left.delete(reader)
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
    if (this.#bounds.holds) return this.#takePart(subscriber, entry)
    subscriber.position = entry.chunk.next
    subscriber.next++
    return entry.chunk
  }

  /** What is asked for of a chunk that cannot be read again in parts. */
  #takePart(subscriber: Subscriber, { chunk }: Entry): SourceChunk<unknown> {
    const { hub, next, taken, rows } = subscriber
    const to = Math.min(chunk.length, taken + Math.max(1, rows))
    const part = sliceChunk(chunk, taken, to, hub?.startOf(next))
    if (to < chunk.length) {
      subscriber.taken = to
      return part
    }
    // Only then may somebody wait for room.
    const waited = hub?.isFull === true
    subscriber.position = chunk.next
    subscriber.taken = 0
    subscriber.next++
    if (waited) hub.wake()
    return part
  }

  /** The entry to take next. Everything is looked at anew after each wait. */
  #ready(subscriber: Subscriber, turns = 0): Effect.Effect<Entry, unknown> {
    return Effect.suspend(() => {
      if (subscriber.closed) return Effect.die(new Error("a cursor was pulled after its scope was closed"))
      const hub = this.#hubFor(subscriber)
      const entry = hub.entryFor(subscriber)
      if (entry !== undefined) {
        if (this.#bounds.holds || entryFits(entry, subscriber)) return Effect.succeed(entry)
        // Read for somebody who takes more: positions within a chunk are not known, so it is read again in parts.
        this.#leave(subscriber)
        return Effect.andThen(this.#sweep, this.#ready(subscriber))
      }
      if (hub.over !== undefined)
        return hub.over.isEnd ? Effect.failCause(hub.over.cause) : this.#fail(subscriber, hub.over.cause)
      if (this.hubs.size > 1 && this.#moves(subscriber, hub))
        return Effect.andThen(this.#sweep, this.#ready(subscriber))
      if (this.#bounds.holds && hub.isFull) return Effect.andThen(this.#untilRoom(hub), this.#ready(subscriber))
      // Others get some turns before one of them loses its place: whoever is only waiting for the CPU goes on.
      if (turns < Limits.sharedTurnsMax && hub.isFull)
        return Effect.andThen(Effect.yieldNow, this.#ready(subscriber, turns + 1))
      return Effect.andThen(this.#turn(hub, subscriber), this.#ready(subscriber))
    })
  }

  /** Waits until the slowest has taken something. Who has not begun in time is waited for no longer, and this is said. */
  #untilRoom(hub: PartitionHub): Effect.Effect<void> {
    const change = untilChange(hub, hub.version)
    if (this.#awaited.size === 0) return change
    const giveUp = Effect.suspend(() => {
      const names = [...this.#awaited].map((reader) => this.#sharing.readers[reader]).join(", ")
      this.#awaited.clear()
      const message = `${this.#source.name} cannot be read again, and goes on without ${names}, which did not begin to read it within ${Limits.sharedStartMs} ms: the rows until then are missing there`
      return Effect.andThen(
        names === "" ? Effect.void : Effect.logWarning(message),
        Effect.sync(() => hub.wake())
      )
    })
    return Effect.raceFirst(change, Effect.andThen(Effect.sleep(Limits.sharedStartMs), Effect.uninterruptible(giveUp)))
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
    if (hub.leader !== undefined) return untilChange(hub, hub.version)
    const failed = (): void => this.#abandon(hub)
    return lead(hub, subscriber, { open: this.#openCursor(hub), failed, after: this.#sweep })
  }

  #openCursor(hub: PartitionHub): Effect.Effect<void, unknown> {
    return Effect.uninterruptibleMask((restore) => {
      const scope = Scope.makeUnsafe()
      const opening = Scope.provide(this.#source.open(this.#partition, Option.fromUndefinedOr(hub.tip)), scope)
      return Effect.matchCauseEffect(restore(opening), {
        onFailure: (cause) => Effect.andThen(Scope.close(scope, Exit.failCause(cause)), Effect.failCause(cause)),
        onSuccess: (cursor) =>
          Effect.sync(() => {
            hub.opened(cursor, scope)
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

/**
 * Reads one partition of a hub, from a place on, whatever becomes of the connection.
 *
 * A receiver that failed is closed, and another one opened behind the last event that was handed out; what the service
 * gives again is dropped by its sequence number. Where retention took events that were not read, the query stops, or, with
 * `failOnDataLoss: false`, goes on, and one dead row says which are gone.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { DecodedMessages } from "../../formats/Format.ts"
import { SourceError } from "../../model/Errors.ts"
import { Limits } from "../../model/Limits.ts"
import { monotonicMs } from "../../model/monotonic.ts"
import { position, type Position } from "../../model/Position.ts"
import type { Demand, PartitionCursor, SourceChunk } from "../../model/Source.ts"
import type { ClientError, PartitionInfo, ReceivedEvent, Receiver } from "./EventHubsClient.ts"
import { isBrief, sourceError } from "./faults.ts"
import { dataLoss, type Gap, gapRow } from "./gap.ts"
import { type PartitionToRead, warnOfOtherReaders } from "./otherReaders.ts"
import { type Before, type OfHub, type Place, positionAfter, positionBefore } from "./hubPosition.ts"
import { isNothing, type StartPosition } from "./StartPosition.ts"

/** What is known of an event beside its body; the columns of Spark's connector. */
export interface EventHubMeta {
  readonly partitionId: string
  readonly partitionKey: string | undefined
  /** Opaque: neither a number nor comparable. */
  readonly offset: string
  readonly sequenceNumber: number
  /** When the service took the event. */
  readonly enqueuedTime: Date
  readonly properties: { readonly [name: string]: unknown }
  readonly systemProperties: { readonly [name: string]: unknown }
}

/** Makes rows of bodies. */
export type Decode<A> = (events: ReadonlyArray<ReceivedEvent>, place: (i: number) => string) => DecodedMessages<A>

/** How a partition is read. */
export interface HubReading<A> extends PartitionToRead, OfHub {
  readonly decode: Decode<A>
  readonly prefetchEvents: number
  readonly failOnDataLoss: boolean
  /** Where to begin, as long as nothing was read and no place is known. */
  readonly start: StartPosition
}

/** Times that a receiver is opened again before the supervisor is told. */
const reopensMax = 8
const pauseMinMs = 100
const pauseMaxMs = 5_000
/** A receiver that lasted so long was sound: those that ended before it no longer count, also where no event came. */
const soundMs = 60_000
/** What `end` says while the hub does not answer: no place that a reader can stand at, so that nobody is idle for it. */
const unknownEnd = position("unknown")

class HubCursor<A> implements PartitionCursor<A, EventHubMeta, SourceError> {
  readonly #o: HubReading<A>
  readonly #scope: Scope.Scope
  #place: Place | undefined
  /** Where it begins, while no place is known. */
  readonly #before: Before
  #gap: Gap | undefined
  /** Below it, no event is missing. */
  #wholeBelow = -1
  #receiver: { readonly of: Receiver; readonly scope: Scope.Closeable; readonly sinceMs: number } | undefined
  #reopens = 0
  #hasOpened = false

  constructor(o: HubReading<A>, scope: Scope.Scope, before: Before, place?: Place, gap?: Gap) {
    this.#before = before
    this.#o = o
    this.#scope = scope
    this.#place = place
    this.#gap = gap
  }

  get start(): Position {
    const { createdMs } = this.#o
    return this.#place === undefined ? positionBefore(this.#before, createdMs) : positionAfter(this.#place, createdMs)
  }

  readonly pull = (demand: Demand): Effect.Effect<SourceChunk<A, EventHubMeta>, SourceError> =>
    Effect.suspend(() => {
      // After what is gone, there may be no event for long.
      if (this.#gap !== undefined && this.#gap.to === this.#place?.after) return Effect.sync(() => this.#tell())
      return Effect.andThen(
        this.#ready,
        Effect.sync(() => this.#take(demand))
      )
    })

  readonly end: Effect.Effect<Option.Option<Position>> = Effect.suspend(() =>
    Effect.map(Effect.option(this.#o.client.info(this.#o.partition)), (info) => {
      if (Option.isNone(info)) return Option.some(unknownEnd)
      const isAtEnd = this.#place === undefined && isNothing(this.#before.start, info.value)
      return Option.some(isAtEnd ? this.start : endOf(info.value, this.#o.createdMs))
    })
  )

  /** Until an event waits that was not handed out before, and what came before it is known not to be missing. */
  readonly #ready: Effect.Effect<void, SourceError> = Effect.suspend(() => {
    const open = this.#receiver
    if (open === undefined) return Effect.andThen(this.#open, this.#ready)
    const { waiting, take } = open.of
    const after = this.#place?.after ?? -1
    const news = waiting().findIndex(({ sequenceNumber }) => sequenceNumber > after)
    if (news > 0) take(news)
    if (news < 0) {
      take(waiting().length)
      return Effect.matchEffect(open.of.ready, {
        onFailure: (error) => Effect.andThen(this.#failed(error), this.#ready),
        onSuccess: () => this.#ready
      })
    }
    const first = waiting()[0].sequenceNumber
    const next = (this.#place?.after ?? this.#before.last) + 1
    return first <= Math.max(next, this.#wholeBelow) ? Effect.void : this.#jumped(next, first)
  })

  /** Sequence numbers jump: retention took the events between, or the hub never had any (it was compacted). */
  #jumped(from: number, to: number): Effect.Effect<void, SourceError> {
    const { client, partition } = this.#o
    return Effect.matchEffect(client.info(partition), {
      onFailure: (error) => Effect.andThen(this.#failed(error), this.#ready),
      onSuccess: ({ beginSequenceNumber }) => {
        this.#wholeBelow = to
        const lost = Math.min(beginSequenceNumber, to) - from
        return lost > 0 ? this.#lost({ from, to: from + lost - 1 }) : Effect.void
      }
    })
  }

  #lost(gap: Gap): Effect.Effect<void, SourceError> {
    if (this.#o.failOnDataLoss) return Effect.fail(dataLoss(this.#o, gap))
    this.#gap = gap
    return Effect.void
  }

  /** Opens a receiver; before another one, whether the hub is still the one whose numbers are known. */
  readonly #open = Effect.suspend((): Effect.Effect<void, SourceError> => {
    if (!this.#hasOpened) return this.#openHere
    const { client, createdMs } = this.#o
    return Effect.matchEffect(client.hub, {
      onFailure: (error) => this.#failed(error),
      onSuccess: ({ createdMs: nowMs }) =>
        createdMs === undefined || nowMs === createdMs
          ? this.#openHere
          : Effect.fail(madeAnew(this.#o, `it was made at ${timeText(createdMs)}, and now at ${timeText(nowMs)}`))
    })
  })

  readonly #openHere = Effect.suspend((): Effect.Effect<void, SourceError> => {
    const { client, partition, consumerGroup, ownerLevel, prefetchEvents } = this.#o
    return Effect.uninterruptible(
      Effect.gen({ self: this }, function* () {
        const scope = yield* Scope.fork(this.#scope)
        const options = { partition, consumerGroup, ownerLevel, prefetchEvents, from: this.#from() }
        const opened = yield* Effect.exit(Scope.provide(client.receive(options), scope))
        if (Exit.isSuccess(opened)) {
          this.#receiver = { of: opened.value, scope, sinceMs: yield* monotonicMs }
          this.#hasOpened = true
          return Effect.void
        }
        yield* Scope.close(scope, Exit.void)
        return Effect.failCause(opened.cause)
      })
    ).pipe(
      Effect.flatten,
      Effect.catch((error: ClientError) => this.#failed(error))
    )
  })

  #from(): StartPosition {
    const place = this.#place
    if (place === undefined) return this.#before.start
    if (place.after < 0) return { at: "earliest" }
    return place.offset === undefined
      ? { sequenceNumber: place.after, inclusive: false }
      : { offset: place.offset, inclusive: false }
  }

  /** The receiver is closed at once; a passing fault is waited for, any other one is the query's. */
  #failed(error: ClientError): Effect.Effect<void, SourceError> {
    return Effect.gen({ self: this }, function* () {
      const failed = this.#receiver
      this.#receiver = undefined
      if (failed !== undefined) {
        yield* Scope.close(failed.scope, Exit.void)
        if ((yield* monotonicMs) - failed.sinceMs >= soundMs) this.#reopens = 0
      }
      const { partition } = this.#o
      if (!isBrief(error) || ++this.#reopens > reopensMax)
        return yield* Effect.fail(sourceError(this.#o, error, partition, this.start))
      yield* Effect.sleep(Math.min(pauseMaxMs, pauseMinMs * 2 ** (this.#reopens - 1)))
    })
  }

  /** What is gone, by itself. */
  #tell(): SourceChunk<A, EventHubMeta> {
    const dead = [gapRow(this.#gap as Gap)]
    this.#gap = undefined
    return { length: 0, rows: [], dead, next: this.start, bytes: 0 }
  }

  /** At least one event; up to where numbers jump. */
  #take({ rows, bytes }: Demand): SourceChunk<A, EventHubMeta> {
    const { partition, decode } = this.#o
    const { waiting, take } = (this.#receiver as { readonly of: Receiver }).of
    const all = waiting()
    const max = Math.min(all.length, Math.max(1, Math.min(rows, Limits.chunkRowsMax)))
    let n = 0
    let size = 0
    while (n < max && (n === 0 || (size < bytes && all[n].sequenceNumber === all[n - 1].sequenceNumber + 1)))
      size += all[n++].body.length
    const events = all.slice(0, n)
    take(n)
    this.#reopens = 0
    const last = events[n - 1]
    this.#place = { after: last.sequenceNumber, offset: last.offset }
    const where = (i: number): string => `sequence number ${events[i].sequenceNumber}`
    const { rows: decoded, bodies, dead } = decode(events, where)
    const gap = this.#gap === undefined ? [] : [gapRow(this.#gap)]
    this.#gap = undefined
    const lost = [...gap, ...dead]
    return {
      length: decoded.length,
      rows: decoded,
      meta: (i) => metaOf(events[bodies[i]], partition),
      place: (i) => where(bodies[i]),
      appendTimes: Float64Array.from(bodies, (i) => events[i].enqueuedMs),
      ...(lost.length === 0 ? {} : { dead: lost }),
      next: this.start,
      bytes: size
    }
  }
}

/** What stands beside the body of an event. */
export const metaOf = (e: ReceivedEvent, partitionId: string): EventHubMeta => ({
  partitionId,
  partitionKey: e.partitionKey,
  offset: e.offset,
  sequenceNumber: e.sequenceNumber,
  enqueuedTime: new Date(e.enqueuedMs),
  properties: e.properties,
  systemProperties: e.systemProperties
})

const endOf = ({ lastSequenceNumber, lastOffset }: PartitionInfo, createdMs: number | undefined): Position =>
  positionAfter({ after: lastSequenceNumber, offset: lastOffset }, createdMs)

const placeBehind = (after: number, info: PartitionInfo): Place => ({
  after,
  offset: after === info.lastSequenceNumber && after >= 0 ? info.lastOffset : undefined
})

/** The place where reading begins when no checkpoint says so; undefined: only the first event will tell. */
const placeAt = (start: StartPosition, info: PartitionInfo): Place | undefined => {
  const behind = (after: number): Place => placeBehind(after, info)
  if ("at" in start) return behind(start.at === "latest" ? info.lastSequenceNumber : info.beginSequenceNumber - 1)
  const after = numberBefore(start)
  // Nobody stands behind an event that never was: a number yet to come is waited for.
  return after > info.lastSequenceNumber ? undefined : behind(Math.max(after, info.beginSequenceNumber - 1))
}

/** The number after which a start by number begins; of another one, beyond all. */
const numberBefore = (start: StartPosition): number =>
  "sequenceNumber" in start ? start.sequenceNumber - (start.inclusive === true ? 1 : 0) : Infinity

const beforeAt = (start: StartPosition, { lastSequenceNumber }: PartitionInfo): Before => ({
  start,
  last: "sequenceNumber" in start ? Math.max(numberBefore(start), lastSequenceNumber) : lastSequenceNumber
})

/** ISO text; a stored position may hold any number. */
const timeText = (ms: number): string => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms))

/** Another hub of the same name: its numbers begin again, and those of the checkpoint say nothing of it. */
const madeAnew = ({ connector, partition }: PartitionToRead, why: string): SourceError => {
  const message = `${connector}, partition ${partition}: ${why}: the hub was made anew: start from the beginning with a new checkpoint`
  return new SourceError({ connector, partition, retryable: false, message })
}

/** Opens a partition at a stored place, or where the options say. */
export const openHubCursor = <A>(
  o: HubReading<A>,
  stored: ((Place | Before) & OfHub) | undefined
): Effect.Effect<PartitionCursor<A, EventHubMeta, SourceError>, SourceError, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const info = yield* Effect.mapError(o.client.info(o.partition), (error) => sourceError(o, error, o.partition))
    yield* warnOfOtherReaders(o)
    const before = stored !== undefined && "start" in stored ? stored : beforeAt(o.start, info)
    const cursorAt = (place?: Place, gap?: Gap): HubCursor<A> => new HubCursor(o, scope, before, place, gap)
    const { createdMs } = o
    if (stored === undefined) return cursorAt(placeAt(o.start, info))
    if (stored.createdMs !== undefined && createdMs !== undefined && stored.createdMs !== createdMs)
      return yield* Effect.fail(
        madeAnew(
          o,
          `the checkpoint is of a hub made at ${timeText(stored.createdMs)}, and this one was made at ${timeText(createdMs)}`
        )
      )
    if ("start" in stored) return cursorAt()
    if (stored.after > info.lastSequenceNumber)
      return yield* Effect.fail(
        madeAnew(
          o,
          `the checkpoint is behind event ${stored.after}, and the last one there is ${info.lastSequenceNumber}`
        )
      )
    const lost = info.beginSequenceNumber - (stored.after + 1)
    if (lost <= 0) return cursorAt(stored)
    const gap = { from: stored.after + 1, to: info.beginSequenceNumber - 1 }
    if (o.failOnDataLoss) return yield* Effect.fail(dataLoss(o, gap))
    return cursorAt(placeBehind(gap.to, info), gap)
  })

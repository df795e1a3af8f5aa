/**
 * Azure Event Hubs as a source: one partition of the hub is one partition here, read by the SDK one by one.
 *
 * Replayable from its checkpoint, which alone says where to go on. Order: that of each partition. Append times are the
 * service's enqueued times (rule T8); the end of a partition is known, so that idleness is confirmed (T7). Partitions
 * that are added are read from their first event on (T12). Options follow Spark's connector where it has them.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { MessageFormat } from "../../formats/Format.ts"
import { type OptionProblem, SourceError } from "../../model/Errors.ts"
import type { PublishedGroup, PublishPositions } from "../../model/HubPositions.ts"
import { badInput, durationMs, flag, functionOf, has, integer, optionsOf, show, text } from "../../model/Options.ts"
import type { BadInputOptions, Source } from "../../model/Source.ts"
import { checkConnection, type ConnectionOptions, defaultName, resolveConnection } from "./connection.ts"
import type { ConnectHub, EventHubsClient } from "./EventHubsClient.ts"
import { type ReadingAt, sourceError } from "./faults.ts"
import { type Decode, type EventHubMeta, metaOf, openHubCursor } from "./hubCursor.ts"
import { type Before, beforeOf, eventsBetween, type OfHub, type Place, placeOf, publishable } from "./hubPosition.ts"
import { sharedClient } from "./sharedClient.ts"
import { startsOf, type StartOption } from "./StartPosition.ts"

/** Options of {@link source}. */
export interface EventHubSourceOptions extends ConnectionOptions, BadInputOptions {
  /** For errors and progress; default `event hub NAME`. */
  readonly name?: string
  /** Has to be spelt out, `$Default` too: readers of one group get in each other's way. Only a local service has a default, `$Default`. */
  readonly consumerGroup?: string
  /** Where to begin without a checkpoint; default `earliest`. */
  readonly startAt?: StartOption
  /** From 1 on: readers of the group with the same or a lower level, or none, are sent away; this one by a later or higher one. Default none. */
  readonly ownerLevel?: number
  /** Stop when retention took events that were not read (default), or go on, with a dead row that says which. */
  readonly failOnDataLoss?: boolean
  /** Most events that are fetched ahead of what was asked for, each partition; default 3,000. */
  readonly prefetchEvents?: number
  /**
   * Publishes after each epoch where the partitions stand in it: `Blob.publishPositions(path, access)` does so in the
   * layout of the SDKs' checkpoint store. For others to see: the query goes on from its own checkpoint. Default none.
   */
  readonly publishPositions?: PublishPositions
  /** A request that takes longer is tried again; default 10 seconds. */
  readonly operationTimeout?: Duration.Input
  /** Pace at which new partitions are looked for; default 30 seconds. */
  readonly partitionCheckInterval?: Duration.Input
}

/** An event as it is: what a source without `decode` gives. */
export interface EventHubEvent extends EventHubMeta {
  readonly body: Uint8Array
}

/** What the options say, checked. */
interface Settings {
  readonly name: string
  readonly connect: Effect.Effect<Connected, SourceError, Scope.Scope>
  /** Whose positions this source reads. */
  readonly group: Effect.Effect<PublishedGroup, SourceError>
  readonly checkMs: number
}

interface Connected {
  readonly client: EventHubsClient
  readonly at: ReadingAt
}

/** Partitions that are not known yet; when there are none, looks again and again. */
const newPartitions = (
  { connect, checkMs }: Settings,
  known: ReadonlySet<string>
): Effect.Effect<ReadonlyArray<string>, SourceError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { client, at } = yield* connect
      const asked = Effect.mapBoth(client.hub, {
        onFailure: (error) => sourceError(at, error),
        onSuccess: ({ partitionIds }) => partitionIds
      })
      if (known.size === 0) return yield* asked
      for (;;) {
        // The readers find out by themselves when the service is away.
        const all = yield* Effect.catchIf(
          asked,
          ({ retryable }) => retryable,
          () => Effect.succeed([])
        )
        const fresh = all.filter((partition) => !known.has(partition))
        if (fresh.length > 0) return fresh
        yield* Effect.sleep(checkMs)
      }
    })
  )

const storedPlace = (
  at: ReadingAt,
  partition: string,
  from: string
): Effect.Effect<(Place | Before) & OfHub, SourceError> => {
  const place = placeOf(from) ?? beforeOf(from)
  if (place !== undefined) return Effect.succeed(place)
  const message = `${at.connector}: the stored position is not one of an event hub: start with a new checkpoint`
  return Effect.fail(
    new SourceError({ connector: at.connector, partition, position: from.slice(0, 200), retryable: false, message })
  )
}

const settingsOf = (options: EventHubSourceOptions, problems: Array<OptionProblem>): Settings => {
  const own = "EventHubs.source"
  const { hub, consumerGroup, ownerLevel } = options
  checkConnection(own, options, problems)
  const name = text(`${own}.name`, options.name ?? defaultName(hub), problems)
  if (consumerGroup !== undefined) text(`${own}.consumerGroup`, consumerGroup, problems)
  if (ownerLevel !== undefined) integer(`${own}.ownerLevel`, ownerLevel, problems, { min: 1 })
  const timeoutMs = durationMs(`${own}.operationTimeout`, options.operationTimeout ?? 10_000, problems, {
    min: 100,
    max: 3_600_000
  })
  const checkMs = durationMs(`${own}.partitionCheckInterval`, options.partitionCheckInterval ?? 30_000, problems, {
    min: 100,
    max: 86_400_000
  })
  const refuse = (message: string): SourceError =>
    new SourceError({ connector: name, retryable: false, message: `${name}: ${message}` })
  const resolved = Effect.mapError(resolveConnection(options, timeoutMs), refuse)
  const named = Effect.gen(function* () {
    const connection = yield* resolved
    const group = consumerGroup ?? (connection.isLocal ? "$Default" : undefined)
    if (group === undefined)
      return yield* Effect.fail(
        refuse(
          'name the consumer group: consumerGroup: "$Default", or better one of this query alone: readers of one group get in each other\'s way'
        )
      )
    return { connection, group }
  })
  const open = (connectHub: ConnectHub): Effect.Effect<Connected, SourceError, Scope.Scope> =>
    Effect.gen(function* () {
      const { connection, group: of } = yield* named
      const at: ReadingAt = {
        connector: `event hub ${connection.hub} at ${connection.endpoint}`,
        consumerGroup: of,
        ownerLevel
      }
      const client = yield* Effect.mapError(connectHub(connection), (error) => sourceError(at, error))
      return { client, at }
    })
  const group = Effect.map(named, ({ connection, group: of }): PublishedGroup => {
    const { endpoint, hub: eventHub } = connection
    return { fullyQualifiedNamespace: new URL(endpoint).hostname, eventHub, consumerGroup: of }
  })
  return { name, connect: sharedClient(open), group, checkMs }
}

/** How events become rows; loaded once for each partition that is opened. */
type Load<A> = (partition: string) => Effect.Effect<Decode<A>>

const make = <A>(
  options: EventHubSourceOptions,
  load: Load<A>,
  wrong: ReadonlyArray<OptionProblem>
): Source<A, EventHubMeta, SourceError> => {
  const problems: Array<OptionProblem> = [...wrong]
  const settings = settingsOf(options, problems)
  const starts = startsOf("EventHubs.source.startAt", options.startAt ?? "earliest", problems)
  const failOnDataLoss = flag("EventHubs.source.failOnDataLoss", options.failOnDataLoss ?? true, problems)
  const prefetchEvents = integer("EventHubs.source.prefetchEvents", options.prefetchEvents ?? 3_000, problems, {
    min: 3,
    max: 100_000
  })
  const publish =
    options.publishPositions === undefined
      ? undefined
      : functionOf("EventHubs.source.publishPositions", options.publishPositions, problems)
  return {
    name: settings.name,
    features: { bounded: false, appendTime: true, endPosition: true, replayable: true, dynamicPartitions: true },
    problems,
    ...badInput("EventHubs.source", options, problems),
    partitions: (known) => newPartitions(settings, known),
    rowsBetween: eventsBetween,
    ...(publish !== undefined && {
      committed: (positions) =>
        Effect.flatMap(settings.group, (group) => publish(group, [...positions].flatMap(publishable)))
    }),
    open: (partition, from) =>
      Effect.gen(function* () {
        const { client, at } = yield* settings.connect
        const stored = Option.isNone(from) ? undefined : yield* storedPlace(at, partition, from.value)
        const { createdMs } = yield* Effect.mapError(client.hub, (error) => sourceError(at, error, partition))
        const decode = yield* load(partition)
        const start = starts.of(partition)
        const reading = { ...at, client, partition, createdMs, decode, prefetchEvents, failOnDataLoss, start }
        return yield* openHubCursor(reading, stored)
      })
  }
}

const raw: Load<EventHubEvent> = (partitionId) =>
  Effect.succeed((events) => {
    const rows: Array<EventHubEvent> = []
    const bodies: Array<number> = []
    for (const e of events) {
      bodies.push(rows.length)
      rows.push({ body: e.body, ...metaOf(e, partitionId) })
    }
    return { rows, bodies, dead: [] }
  })

const decodedBy =
  <A>(format: MessageFormat<A>): Load<A> =>
  () =>
    Effect.map(
      format.load,
      (decode): Decode<A> =>
        (events, place) =>
          decode(
            events.map(({ body }) => body),
            place
          )
    )

/**
 * Reads an event hub: `EventHubs.source({ hub, consumerGroup, decode: Json.schema(Row) })` gives a row an event; without
 * `decode`, events as they are, with the columns of Spark's connector. Fails with a `SourceError`: retryable when the
 * service or the network is away, final when a name, a key, a position or an owner level is wrong.
 */
export const source: {
  <A>(options: EventHubSourceOptions & { readonly decode: MessageFormat<A> }): Source<A, EventHubMeta, SourceError>
  (options: EventHubSourceOptions): Source<EventHubEvent, EventHubMeta, SourceError>
} = <A>(
  given: EventHubSourceOptions & { readonly decode?: MessageFormat<A> }
): Source<A | EventHubEvent, EventHubMeta, SourceError> => {
  const options = optionsOf(given)
  const { decode } = options
  if (decode === undefined) return make(options, raw, [])
  if (has(decode, "problems", "load") && !("kind" in decode)) return make(options, decodedBy(decode), decode.problems)
  const fix = "must be a format of messages (try Json.schema(Schema))"
  return make(options, raw, [{ option: "EventHubs.source.decode", value: show(decode), fix }])
}

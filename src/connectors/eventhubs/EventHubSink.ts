/**
 * Azure Event Hubs as a sink: one event a row, as JSON.
 *
 * At least once: events go out as rows come, and an epoch counts as written once the service took all of them; after a
 * crash the last epoch may go out again. Each event of a result (a row with an identity: key and window) carries the same
 * `messageId` each time, so that readers can tell. Order: rows of one key, or of one partition, keep theirs. A hub that
 * asks for patience is waited for: that is backpressure, and no failure. What is too large for the hub, or cannot be said
 * in JSON, is a dead letter.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { jsonLines } from "../../formats/encode.ts"
import type { RowCodec } from "../../formats/RowSchema.ts"
import type { DeadRow } from "../../model/DeadLetter.ts"
import { epochCount } from "../../model/epochCount.ts"
import { type OptionProblem, SinkError } from "../../model/Errors.ts"
import { Limits } from "../../model/Limits.ts"
import { durationMs, functionOf, optionsOf, show, text } from "../../model/Options.ts"
import { makeProcessMarkers } from "../../model/ProcessMarkers.ts"
import { fieldOf } from "../../model/RowChunk.ts"
import type { Sink, SinkBatch, SinkFeatures, SinkWriter, WriterContext } from "../../model/Sink.ts"
import { textOf } from "../../model/Text.ts"
import { checkConnection, type ConnectionOptions, defaultName, resolveConnection } from "./connection.ts"
import type { EventHubsClient, OutgoingEvent } from "./EventHubsClient.ts"
import { sinkError } from "./faults.ts"
import { sendWithRetry } from "./sendWithRetry.ts"
import { sharedClient } from "./sharedClient.ts"

/** A field of a row by its name, or a function of the row. */
export type OfRow<A> = string | ((row: A) => unknown)

/** Options of {@link sink}. */
export interface EventHubSinkOptions<A> extends ConnectionOptions {
  /** For errors and progress; default `event hub NAME`. */
  readonly name?: string
  /** How rows are written as JSON; default as they are. */
  readonly schema?: RowCodec<A>
  /** What an event holds instead of the whole row as JSON: bytes and text as they are, anything else as JSON. */
  readonly body?: OfRow<A>
  /** Rows with the same key come to the same partition, in order. Default: partitions in turn. */
  readonly partitionKey?: OfRow<A>
  /** The partition by its id; not beside `partitionKey`. */
  readonly partition?: OfRow<A>
  /** What readers tell events apart by; default the query, the writer and the row's identity, for rows that have one. */
  readonly messageId?: OfRow<A>
  /** A request that takes longer is tried again; default 10 seconds. */
  readonly operationTimeout?: Duration.Input
}

const features: SinkFeatures = {
  modes: ["append", "update"],
  guarantee: "at-least-once",
  multiWriter: true,
  deletes: false
}

/** A partition key has requests of its own, however few its rows: so many are under way at a time. */
const groupsAtOnce = 16

type Reader = (row: unknown) => string | undefined
type Body = string | Uint8Array | { readonly detail: string }
type Encode = (row: unknown) => Body

const valueOf = (
  option: string,
  of: OfRow<never> | undefined,
  problems: Array<OptionProblem>
): ((row: unknown) => unknown) | undefined => {
  if (of === undefined) return undefined
  if (typeof of === "function") return functionOf(option, of as (row: unknown) => unknown, problems)
  if (typeof of === "string" && of !== "") return (row) => fieldOf(row, of)
  problems.push({ option, value: show(of), fix: "must be the name of a field, or a function of the row" })
  return undefined
}

const readerOf = (option: string, of: OfRow<never> | undefined, problems: Array<OptionProblem>): Reader | undefined => {
  const value = valueOf(option, of, problems)
  return value === undefined ? undefined : (row) => said(value(row))
}

const said = (value: unknown): string | undefined => (value === undefined || value === null ? undefined : textOf(value))

const utf8 = new TextEncoder()

interface Settings {
  readonly name: string
  readonly connect: Effect.Effect<EventHubsClient, SinkError, Scope.Scope>
  readonly keyOf: Reader | undefined
  readonly partitionOf: Reader | undefined
  readonly idOf: Reader | undefined
  readonly encode: Effect.Effect<Encode>
}

/** A row as the body of an event: as JSON, or what `bodyOf` takes of it. */
const encodingOf = (
  schema: RowCodec<unknown> | undefined,
  bodyOf: ((row: unknown) => unknown) | undefined
): Effect.Effect<Encode> =>
  Effect.map(jsonLines(schema).load, (load): Encode => {
    const encode = load()
    return (row) => {
      const value = bodyOf === undefined ? row : bodyOf(row)
      if (bodyOf !== undefined && (typeof value === "string" || value instanceof Uint8Array)) return value
      const text = encode(value)
      // Without the line end that the encoding closes a row with.
      return typeof text === "string" ? text.slice(0, -1) : text
    }
  })

const refused = (before: number, detail: string, body: string): DeadRow => {
  const bytes = utf8.encode(body)
  return {
    before,
    reason: "sink",
    detail,
    place: `row ${before} of the batch`,
    bytes: bytes.slice(0, Limits.deadLetterBytesMax),
    truncated: bytes.length > Limits.deadLetterBytesMax
  }
}

interface Outgoing {
  readonly partition: string | undefined
  readonly partitionKey: string | undefined
  readonly events: Array<OutgoingEvent>
  /** Parallel to the events: which rows of the batch they are. */
  readonly rows: Array<number>
}

const writerOf = <A>(
  { name, keyOf, partitionOf, idOf }: Settings,
  { query, writer, queryId, identity }: WriterContext,
  client: EventHubsClient,
  encode: Encode
): SinkWriter<A, SinkError> => {
  const count = epochCount()
  const ownId: Reader = (row) =>
    identity.length === 0
      ? undefined
      : JSON.stringify([query, writer, ...identity.map((column) => said(fieldOf(row, column)))])
  const messageIdOf = idOf ?? ownId
  const grouped = (batch: SinkBatch<A>, dead: Array<DeadRow>): ReadonlyArray<Outgoing> => {
    const groups = new Map<string, Outgoing>()
    for (let i = 0; i < batch.rows.length; i++) {
      const row: unknown = batch.rows[i]
      const encoded = encode(row)
      if (typeof encoded === "object" && "detail" in encoded) {
        dead.push(refused(i, encoded.detail, textOf(row)))
        continue
      }
      const partition = partitionOf?.(row)
      const partitionKey = partition === undefined ? keyOf?.(row) : undefined
      const to = `${partition ?? ""}\0${partitionKey ?? ""}`
      let group = groups.get(to)
      if (group === undefined) groups.set(to, (group = { partition, partitionKey, events: [], rows: [] }))
      const body = typeof encoded === "string" ? utf8.encode(encoded) : encoded
      group.events.push({ body, messageId: messageIdOf(row) })
      group.rows.push(i)
    }
    return [...groups.values()]
  }
  return {
    write: (batch) =>
      Effect.gen(function* () {
        const dead: Array<DeadRow> = []
        let sent = 0
        const sendGroup = ({ partition, partitionKey, events, rows }: Outgoing): Effect.Effect<void, SinkError> =>
          Effect.matchEffect(sendWithRetry(client, { partition, partitionKey, events }), {
            onFailure: (error) => Effect.fail(sinkError(name, error)),
            onSuccess: (tooLarge) =>
              Effect.sync(() => {
                for (const i of tooLarge) {
                  const { body } = events[i]
                  const detail = `the event has ${body.length} bytes, more than the hub takes`
                  const shown = new TextDecoder().decode(body.subarray(0, Limits.deadLetterBytesMax))
                  dead.push(refused(rows[i], detail, shown))
                }
                sent += events.length - tooLarge.length
              })
          })
        yield* Effect.forEach(grouped(batch, dead), sendGroup, { concurrency: groupsAtOnce, discard: true })
        count.add(sent)
        return dead.toSorted((a, b) => a.before - b.before)
      }),
    prepare: (epoch) => Effect.sync(() => ({ query, writer, epoch, data: { queryId }, rows: count.of(epoch) }))
  }
}

/**
 * Writes to an event hub: `EventHubs.sink({ hub, partitionKey: "device" })`. Fails with a `SinkError`: retryable when the
 * service or the network is away, final when a name, a key or a partition is wrong.
 */
export const sink = <A = unknown>(given: EventHubSinkOptions<A>): Sink<A, "append" | "update", SinkError> => {
  const options = optionsOf(given)
  const own = "EventHubs.sink"
  const problems: Array<OptionProblem> = []
  checkConnection(own, options, problems)
  const { hub, partitionKey, partition, messageId, schema, body } = options
  const name = text(`${own}.name`, options.name ?? defaultName(hub), problems)
  if (partitionKey !== undefined && partition !== undefined)
    problems.push({
      option: `${own}.partition`,
      value: show(partition),
      fix: "give partition or partitionKey, not both"
    })
  const timeoutMs = durationMs(`${own}.operationTimeout`, options.operationTimeout ?? 10_000, problems, {
    min: 100,
    max: 3_600_000
  })
  const resolved = Effect.mapError(
    resolveConnection(options, timeoutMs),
    (message) => new SinkError({ connector: name, retryable: false, message: `${name}: ${message}` })
  )
  const settings: Settings = {
    name,
    connect: sharedClient((connect) =>
      Effect.flatMap(resolved, (hub) => Effect.mapError(connect(hub), (error) => sinkError(name, error)))
    ),
    keyOf: readerOf(`${own}.partitionKey`, partitionKey as OfRow<never> | undefined, problems),
    partitionOf: readerOf(`${own}.partition`, partition as OfRow<never> | undefined, problems),
    idOf: readerOf(`${own}.messageId`, messageId as OfRow<never> | undefined, problems),
    encode: encodingOf(
      schema as RowCodec<unknown> | undefined,
      valueOf(`${own}.body`, body as OfRow<never> | undefined, problems)
    )
  }
  const committed = makeProcessMarkers()
  return {
    name,
    features,
    problems,
    writer: (context) =>
      Effect.gen(function* () {
        committed.begin(context)
        const client = yield* settings.connect
        const encode = yield* settings.encode
        return writerOf<A>(settings, context, client, encode)
      }),
    commit: (prepared) =>
      Effect.sync(() => {
        if (!committed.has(prepared)) committed.set(prepared)
      }),
    committed: (query, writer) => Effect.sync(() => committed.last(query, writer))
  }
}

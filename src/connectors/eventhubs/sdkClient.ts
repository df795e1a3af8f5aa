/** A hub by Azure's SDK, `@azure/event-hubs`. An edge: connects over the network, with timers of the SDK's own. */
import { hostname } from "node:os"
import { EventHubConsumerClient, EventHubProducerClient } from "@azure/event-hubs"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { closeInTime } from "./closeInTime.ts"
import type { TokenCredential } from "../../model/TokenCredential.ts"
import type { EventHubConnection } from "./connection.ts"
import {
  ClientError,
  type EventHubsClient,
  type HubInfo,
  type OutgoingBatch,
  type OutgoingEvent,
  type PartitionInfo,
  type ReceiveOptions
} from "./EventHubsClient.ts"
import { inTurn, QuestionTurns } from "./rateLimit.ts"
import type { Consumer, Producer, SdkBatch, SdkOutgoing } from "./sdk.ts"
import { clientError } from "./sdkErrors.ts"
import { subscribe } from "./subscription.ts"

/** Who others are told has sent them away, or is in their way; the service takes 64 characters. */
const readerName = `tidemark-${hostname().slice(0, 40)}-${process.pid}`

/** Within one request; what comes after it is the supervisor's. */
const retriesMax = 2

const environmentCredential: Effect.Effect<TokenCredential, ClientError> = Effect.map(
  Effect.tryPromise({
    try: () => import("@azure/identity"),
    catch: (cause) =>
      new ClientError({
        fault: "refused",
        message:
          "the package @azure/identity cannot be loaded: install it (npm i @azure/identity), or give a credential",
        cause
      })
  }),
  ({ DefaultAzureCredential }) => new DefaultAzureCredential() as TokenCredential
)

const promised = <A>(run: () => Promise<A>): Effect.Effect<A, ClientError> =>
  Effect.tryPromise({ try: run, catch: clientError })

const outgoing = ({ body, messageId }: OutgoingEvent): SdkOutgoing => ({
  // A Buffer goes out as it is; any other body as JSON.
  body: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
  ...(messageId === undefined ? {} : { messageId })
})

const sendAll = async (
  producer: Producer,
  { partition, partitionKey, events }: OutgoingBatch
): Promise<ReadonlyArray<number>> => {
  const to = partition === undefined ? (partitionKey === undefined ? {} : { partitionKey }) : { partitionId: partition }
  const tooLarge: Array<number> = []
  let batch: SdkBatch | undefined
  for (let i = 0; i < events.length; i++) {
    const event = outgoing(events[i])
    batch ??= await producer.createBatch(to)
    if (batch.tryAdd(event)) continue
    if (batch.count > 0) {
      await producer.sendBatch(batch)
      batch = await producer.createBatch(to)
      if (batch.tryAdd(event)) continue
    }
    tooLarge.push(i)
  }
  if (batch !== undefined && batch.count > 0) await producer.sendBatch(batch)
  return tooLarge
}

/** Connects; nothing goes over the network before the first request. */
export const connectBySdk = (
  connection: EventHubConnection
): Effect.Effect<EventHubsClient, ClientError, Scope.Scope> =>
  Effect.gen(function* () {
    const { by, hub, operationTimeoutMs } = connection
    const credential = by.tag === "credential" ? (by.credential ?? (yield* environmentCredential)) : undefined
    const scope = yield* Effect.scope
    const options = { retryOptions: { timeoutInMs: operationTimeoutMs, maxRetries: retriesMax, retryDelayInMs: 500 } }
    const make = <A>(
      byString: (text: string) => A,
      byCredential: (namespace: string, credential: TokenCredential) => A
    ): Effect.Effect<A, ClientError> =>
      Effect.try({
        try: () =>
          by.tag === "string"
            ? byString(Redacted.value(by.text))
            : byCredential(by.namespace, credential as TokenCredential),
        catch: clientError
      })
    const closing = <A extends { readonly close: () => Promise<void> }>(client: Effect.Effect<A, ClientError>) =>
      Effect.acquireRelease(client, (c) => closeInTime(() => c.close()))
    /** One client, with a connection of its own, for each consumer group; more where a partition is read twice. */
    const consumers: Array<{ readonly group: string; readonly client: Consumer; readonly reads: Set<string> }> = []
    const consumerOf = (group: string, partition: string): Effect.Effect<Consumer, ClientError, Scope.Scope> =>
      Effect.gen(function* () {
        let one = consumers.find((c) => c.group === group && !c.reads.has(partition))
        if (one === undefined) {
          const made = make(
            (text) => new EventHubConsumerClient(group, text, hub, options),
            (namespace, token) => new EventHubConsumerClient(group, namespace, hub, token, options)
          )
          one = { group, client: yield* Scope.provide(closing(made), scope), reads: new Set() }
          consumers.push(one)
        }
        const { client, reads } = one
        yield* Effect.acquireRelease(
          Effect.sync(() => reads.add(partition)),
          () => Effect.sync(() => reads.delete(partition))
        )
        return client
      })
    let producer: Producer | undefined
    const producing: Effect.Effect<Producer, ClientError> = Effect.suspend(() => {
      if (producer !== undefined) return Effect.succeed(producer)
      const made = make(
        (text) => new EventHubProducerClient(text, hub, options),
        (namespace, token) => new EventHubProducerClient(namespace, hub, token, options)
      )
      return Effect.tap(Scope.provide(closing(made), scope), (client) =>
        Effect.sync(() => {
          producer = client
        })
      )
    })
    const asking = Effect.suspend((): Effect.Effect<Consumer | Producer, ClientError> => {
      const [consumer] = consumers
      return consumer === undefined ? producing : Effect.succeed(consumer.client)
    })
    const turn = (yield* QuestionTurns)(connection.endpoint)
    const ask = <A>(question: (client: Consumer | Producer) => Promise<A>): Effect.Effect<A, ClientError> =>
      Effect.flatMap(asking, (client) => promised(() => question(client)))
    const info = (partition: string): Effect.Effect<PartitionInfo, ClientError> =>
      Effect.map(
        ask((client) => client.getPartitionProperties(partition)),
        (p) => ({
          beginSequenceNumber: p.isEmpty ? p.lastEnqueuedSequenceNumber + 1 : p.beginningSequenceNumber,
          lastSequenceNumber: p.lastEnqueuedSequenceNumber,
          lastOffset: p.lastEnqueuedOffset,
          lastEnqueuedMs: p.lastEnqueuedOnUtc.getTime()
        })
      )
    const hubInfo = (): Effect.Effect<HubInfo, ClientError> =>
      Effect.map(
        ask((client) => client.getEventHubProperties()),
        ({ partitionIds, createdOn }) => ({ partitionIds, createdMs: createdOn.getTime() })
      )
    return {
      hub: inTurn(turn, hubInfo, scope)("hub"),
      info: inTurn(turn, info, scope),
      receive: (receiving: ReceiveOptions) =>
        Effect.flatMap(consumerOf(receiving.consumerGroup, receiving.partition), (consumer) =>
          subscribe(consumer, receiving, readerName)
        ),
      requestBytesMax: Effect.flatMap(producing, (client) =>
        Effect.map(
          promised(() => client.createBatch()),
          (batch) => batch.maxSizeInBytes
        )
      ),
      send: (batch) => Effect.flatMap(producing, (client) => promised(() => sendAll(client, batch)))
    }
  })

/**
 * The contract of a client of Event Hubs: what the source and the sink need of the service, partition by partition.
 *
 * One implementation is Azure's SDK (`sdkClient.ts`), another a simulated hub. Order: events of a partition come in the
 * order of their sequence numbers, from a start on, each once, unless the service gives one again: the source drops
 * those. Backpressure: a receiver holds a bounded number of events that nobody asked for yet. Concurrency: one `ready`
 * at a time per receiver. Close: the scope in which it was opened.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { EventHubConnection } from "./connection.ts"
import type { StartPosition } from "./StartPosition.ts"

/** One event as the service gives it. */
export interface ReceivedEvent {
  /** Ascending within a partition; the next one's is mostly one more. */
  readonly sequenceNumber: number
  /** Opaque: never compared nor computed with. */
  readonly offset: string
  /** When the service took it, ms since the epoch. */
  readonly enqueuedMs: number
  readonly body: Uint8Array
  readonly partitionKey: string | undefined
  /** What the sender put beside the body. */
  readonly properties: { readonly [name: string]: unknown }
  /** What the protocol and the service put there: `messageId`, `contentType`, `iothub-connection-device-id`. */
  readonly systemProperties: { readonly [name: string]: unknown }
}

/** A hub. */
export interface HubInfo {
  readonly partitionIds: ReadonlyArray<string>
  /** When it was made, ms since the epoch: another one of its name has another time. */
  readonly createdMs: number
}

/** What a partition holds now. */
export interface PartitionInfo {
  /** Of the oldest event that is retained, or of the next one when there is none. */
  readonly beginSequenceNumber: number
  /** -1 before the first event. */
  readonly lastSequenceNumber: number
  readonly lastOffset: string
  /** When the service took the last event, ms since the epoch; of no meaning before the first. */
  readonly lastEnqueuedMs: number
}

/** Why the client could not do something; a closed set, which decides what becomes of the query. */
export type ClientFault =
  /** The network, the service, a timeout: is tried again. */
  | "unavailable"
  /** The hub, the consumer group or the partition is not there. */
  | "not-found"
  /** The key is wrong, or lacks a right. */
  | "unauthorized"
  /** Another reader with the same or a higher owner level has the partition. */
  | "stolen"
  /** The consumer group has as many readers as it may have. */
  | "too-many-readers"
  /** The event, or the batch, is larger than the hub takes. */
  | "too-large"
  /** The service asks for patience. */
  | "busy"
  /** Anything else that will not go away by itself: a position or an option that the service refuses. */
  | "refused"

/** A request that failed. */
export class ClientError extends Data.TaggedError("EventHubsClientError")<{
  readonly fault: ClientFault
  /** The service's words, without secrets. */
  readonly message: string
  readonly cause?: unknown
}> {}

/** Reads one partition. What waits in it stays there until it is taken. */
export interface Receiver {
  /** Until the service has let it in, or an event waits; fails when it is refused. Absent where only `ready` tells. */
  readonly opened?: Effect.Effect<void, ClientError>
  /** Until an event waits. Fails once all were taken that came before the failure; the receiver is of no more use then. */
  readonly ready: Effect.Effect<void, ClientError>
  /** The events that wait, in order. */
  readonly waiting: () => ReadonlyArray<ReceivedEvent>
  /** The first `n` of them were taken. */
  readonly take: (n: number) => void
}

/** How a partition is read. */
export interface ReceiveOptions {
  readonly partition: string
  readonly consumerGroup: string
  readonly from: StartPosition
  /** From 1 on: readers of the same or a lower level, or none, are sent away, and so is this one by a later or higher one. */
  readonly ownerLevel: number | undefined
  /** Most events that are fetched ahead of what was asked for. */
  readonly prefetchEvents: number
}

/** Events that go out together, and where to. */
export interface OutgoingBatch {
  /** The partition, or undefined: the service chooses by `partitionKey`, or in turn. */
  readonly partition: string | undefined
  readonly partitionKey: string | undefined
  readonly events: ReadonlyArray<OutgoingEvent>
}

/** An event to be sent. */
export interface OutgoingEvent {
  readonly body: Uint8Array
  readonly messageId: string | undefined
}

/** One hub, connected. */
export interface EventHubsClient {
  readonly hub: Effect.Effect<HubInfo, ClientError>
  /** As it is no earlier than asked. May wait for its turn: the service takes few such questions. */
  readonly info: (partition: string) => Effect.Effect<PartitionInfo, ClientError>
  readonly receive: (options: ReceiveOptions) => Effect.Effect<Receiver, ClientError, Scope.Scope>
  /** Most bytes of a request; the protocol's own are among them, so that a body has to be a little smaller. */
  readonly requestBytesMax: Effect.Effect<number, ClientError>
  /**
   * Sends in as few requests as the limit of the hub allows, in order; what is too large for a request of its own is
   * left out, and given back by its index.
   */
  readonly send: (batch: OutgoingBatch) => Effect.Effect<ReadonlyArray<number>, ClientError>
}

/** Connects to a hub; in the scope. */
export type ConnectHub = (connection: EventHubConnection) => Effect.Effect<EventHubsClient, ClientError, Scope.Scope>

/** How hubs are reached. A reference, for the simulator to set; by default Azure's SDK, loaded when it is needed. */
export const HubConnector: Context.Reference<ConnectHub> = Context.Reference<ConnectHub>("tidemark/HubConnector", {
  defaultValue: () => (connection) =>
    Effect.flatMap(Effect.tryPromise({ try: () => import("./sdkClient.ts"), catch: sdkMissing }), ({ connectBySdk }) =>
      connectBySdk(connection)
    )
})

const sdkMissing = (cause: unknown): ClientError =>
  new ClientError({
    fault: "refused",
    message: "the package @azure/event-hubs cannot be loaded: install it beside tidemark (npm i @azure/event-hubs)",
    cause
  })

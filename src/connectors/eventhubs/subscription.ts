/**
 * A subscription of Azure's SDK to one partition, as a receiver that is asked.
 *
 * The SDK pushes batches and waits for its handler: the handler ends when the batch has been taken, so that at most one
 * batch waits here and what the link was granted waits in the SDK. The handler never throws, and the first error or close
 * ends the subscription for good: the SDK's own restart, which begins where the subscription began, never comes to be
 * (EVENTHUBS.md, section 2). What was received before it is still given.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { ClientError, type ReceivedEvent, type ReceiveOptions, type Receiver } from "./EventHubsClient.ts"
import { closeInTime } from "./closeInTime.ts"
import { capCredit } from "./creditCap.ts"
import type { Consumer, SdkEvent } from "./sdk.ts"
import { clientError } from "./sdkErrors.ts"
import type { StartPosition } from "./StartPosition.ts"

/**
 * A receive that brings nothing ends after so long, s, and is asked again. Only then does the SDK find out that the
 * service closed the connection in good order.
 */
const emptyAfterS = 1

const sdkPosition = (from: StartPosition) => {
  if ("at" in from) return { offset: from.at === "earliest" ? "-1" : "@latest" }
  if ("offset" in from) return { offset: from.offset, isInclusive: from.inclusive === true }
  if ("sequenceNumber" in from) return { sequenceNumber: from.sequenceNumber, isInclusive: from.inclusive === true }
  return { enqueuedOn: new Date(from.enqueuedTime) }
}

const utf8 = new TextEncoder()

/** A body that is not bytes, which AMQP allows and no SDK of Event Hubs sends by itself, is taken as text or JSON. */
const bytesOf = (body: unknown): Uint8Array => {
  if (body instanceof Uint8Array) return body
  if (body === null || body === undefined) return new Uint8Array(0)
  return utf8.encode(typeof body === "string" ? body : (JSON.stringify(body) ?? ""))
}

const none = {}

const eventOf = (e: SdkEvent): ReceivedEvent => ({
  sequenceNumber: e.sequenceNumber,
  offset: String(e.offset),
  enqueuedMs: e.enqueuedTimeUtc.getTime(),
  body: bytesOf(e.body),
  partitionKey: e.partitionKey ?? undefined,
  properties: e.properties ?? none,
  systemProperties: e.systemProperties ?? none
})

class Subscription implements Receiver {
  #events: ReadonlyArray<ReceivedEvent> = []
  #failure: ClientError | undefined
  #release: () => void = () => undefined
  #wake: () => void = () => undefined
  #opened = false
  #closed = false

  /** The SDK has a batch: until it was taken. An empty one says that the link is open. */
  deliver(events: ReadonlyArray<SdkEvent>): Promise<void> {
    this.#opened = true
    if (events.length === 0 || this.#closed) {
      this.#wake()
      return Promise.resolve()
    }
    this.#events = events.map(eventOf)
    const taken = new Promise<void>((done) => {
      this.#release = done
    })
    this.#wake()
    return taken
  }

  fail(error: ClientError): void {
    this.#failure ??= error
    this.#wake()
  }

  /** Lets the SDK's handler end; nothing more is given. */
  close(): void {
    this.#closed = true
    this.#release()
  }

  readonly ready: Effect.Effect<void, ClientError> = Effect.suspend(() => {
    if (this.#events.length > 0) return Effect.void
    if (this.#failure !== undefined) return Effect.fail(this.#failure)
    return Effect.andThen(
      this.#until(() => this.#events.length > 0),
      this.ready
    )
  })

  readonly opened: Effect.Effect<void, ClientError> = Effect.suspend(() => {
    if (this.#opened) return Effect.void
    if (this.#failure !== undefined) return Effect.fail(this.#failure)
    return Effect.andThen(
      this.#until(() => this.#opened),
      this.opened
    )
  })

  readonly waiting = (): ReadonlyArray<ReceivedEvent> => this.#events

  readonly take = (n: number): void => {
    this.#events = n >= this.#events.length ? [] : this.#events.slice(n)
    if (this.#events.length === 0) this.#release()
  }

  /** Until something happened. It may have happened since the caller looked: others run between two steps of a fiber. */
  readonly #until = (holds: () => boolean): Effect.Effect<void> =>
    Effect.callback<void>((resume) => {
      const wake = (): void => resume(Effect.void)
      if (holds() || this.#failure !== undefined) return wake()
      this.#wake = wake
      return Effect.sync(() => {
        if (this.#wake === wake) this.#wake = () => undefined
      })
    })
}

/** Subscribes to a partition, until the scope closes. `name`: what the service calls this reader to others. */
export const subscribe = (
  consumer: Consumer,
  { partition, from, ownerLevel, prefetchEvents }: ReceiveOptions,
  name: string
): Effect.Effect<Receiver, ClientError, Scope.Scope> =>
  Effect.gen(function* () {
    const subscription = new Subscription()
    const maxBatchSize = Math.max(1, Math.floor(prefetchEvents / 3))
    yield* Effect.acquireRelease(
      Effect.try({
        try: () =>
          consumer.subscribe(
            partition,
            {
              processEvents: (events) => {
                capCredit(consumer, prefetchEvents)
                return subscription.deliver(events)
              },
              processError: (error) => Promise.resolve(subscription.fail(clientError(error))),
              processClose: (reason) =>
                Promise.resolve(
                  subscription.fail(
                    new ClientError({ fault: "unavailable", message: `the subscription was closed (${reason})` })
                  )
                )
            },
            {
              startPosition: sdkPosition(from),
              maxBatchSize,
              prefetchCount: prefetchEvents,
              maxWaitTimeInSeconds: emptyAfterS,
              skipParsingBodyAsJson: true,
              ...(ownerLevel === undefined ? {} : { ownerLevel }),
              // Not in the SDK's types. Without it, and in a release that does not take it, each reader's name is a new UUID.
              ...({ ownerId: name } as object)
            }
          ),
        catch: clientError
      }),
      (opened) =>
        Effect.suspend(() => {
          subscription.close()
          return closeInTime(() => opened.close())
        })
    )
    return subscription
  })

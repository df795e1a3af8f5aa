/** A service and clients of the unmodified SDK against it, for tests: all of it is closed when the test ends. */
import {
  EventHubConsumerClient,
  EventHubProducerClient,
  type EventPosition,
  earliestEventPosition,
  type ReceivedEventData,
  type RetryOptions,
  type SubscribeOptions
} from "@azure/event-hubs"
import * as Effect from "effect/Effect"
import { type EmbeddedOptions, type EmbeddedService, start } from "../../src/connectors/eventhubs/embedded/index.ts"

/** How reading went on: what came, and how it ended if it did. */
export interface Reading {
  readonly events: ReadonlyArray<ReceivedEventData>
  /** Waits until so many events came. */
  readonly has: (count: number) => Promise<void>
  /** Waits for the first error. */
  readonly error: Promise<Error & { readonly code?: string }>
  readonly close: () => Promise<void>
}

export interface World {
  readonly service: EmbeddedService
  readonly producer: (hub: string, keyName?: string, retry?: RetryOptions) => EventHubProducerClient
  readonly consumer: (hub: string, group?: string, keyName?: string, retry?: RetryOptions) => EventHubConsumerClient
  /** Reads a partition until it is closed, from its first event unless said otherwise. */
  readonly read: (hub: string, partition: string, from?: EventPosition, options?: ReadOptions) => Reading
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
}

export interface ReadOptions extends SubscribeOptions {
  readonly group?: string
  readonly keyName?: string
}

/** Patient enough for a slow machine, and quick to try again. */
export const retry: RetryOptions = { maxRetries: 3, retryDelayInMs: 20, maxRetryDelayInMs: 50, timeoutInMs: 15_000 }
/** Says what is wrong at the first failure. */
export const noRetry: RetryOptions = { ...retry, maxRetries: 0 }

const reading = (client: EventHubConsumerClient, partition: string, options: SubscribeOptions): Reading => {
  const events: Array<ReceivedEventData> = []
  const looks = new Set<() => void>()
  let failed: (error: Error) => void = () => undefined
  const error = new Promise<Error>((done) => (failed = done))
  const subscription = client.subscribe(
    partition,
    {
      processEvents: (some) => {
        events.push(...some)
        for (const look of looks) look()
        return Promise.resolve()
      },
      processError: (why) => {
        failed(why)
        return Promise.resolve()
      }
    },
    { maxBatchSize: 100, maxWaitTimeInSeconds: 1, ...options }
  )
  return {
    events,
    error,
    has: (count) =>
      new Promise((done) => {
        const look = (): void => {
          if (events.length < count) return
          looks.delete(look)
          done()
        }
        looks.add(look)
        look()
      }),
    close: () => subscription.close()
  }
}

const world = (service: EmbeddedService, closing: Array<{ close: () => Promise<void> }>): World => {
  const opened = <C extends { close: () => Promise<void> }>(client: C): C => {
    closing.push(client)
    return client
  }
  const consumer: World["consumer"] = (hub, group = "$Default", keyName, retryOptions = noRetry) =>
    opened(new EventHubConsumerClient(group, service.connectionString(hub, keyName), { retryOptions }))
  return {
    service,
    producer: (hub, keyName, retryOptions = noRetry) =>
      opened(new EventHubProducerClient(service.connectionString(hub, keyName), { retryOptions })),
    consumer,
    read: (hub, partition, startPosition = earliestEventPosition, { group, keyName, ...options } = {}) =>
      reading(consumer(hub, group, keyName), partition, { startPosition, ...options }),
    run: Effect.runPromise
  }
}

/** Runs a test with a service of its own. */
export const withService = (options: EmbeddedOptions, use: (world: World) => Promise<void>): Promise<void> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const service = yield* start(options)
        const closing: Array<{ close: () => Promise<void> }> = []
        yield* Effect.ensuring(
          Effect.promise(() => use(world(service, closing))),
          Effect.promise(() => Promise.allSettled(closing.map((client) => client.close())))
        )
      })
    )
  )

/** The error of a promise, with the code that the SDK gives it. */
export const failure = async (promise: Promise<unknown>): Promise<{ code?: string; message: string }> => {
  try {
    await promise
  } catch (error) {
    return error as { code?: string; message: string }
  }
  throw new Error("it did not fail")
}

/** Events with these bodies. */
export const bodies = (from: number, to: number): Array<{ body: number }> =>
  Array.from({ length: to - from }, (_, i) => ({ body: from + i }))

/** Hubs of an embedded service, for tests of the source and the sink: filled and read by the unmodified SDK. */
import { EventHubConsumerClient, EventHubProducerClient } from "@azure/event-hubs"
import { Effect, Redacted, type Scope } from "effect"
import * as Embedded from "../../src/connectors/eventhubs/embedded/index.ts"
import type { SourceFeatures } from "../../src/model/Source.ts"

/** What the source is, for the suite of sources. */
export const features: SourceFeatures = {
  bounded: false,
  appendTime: true,
  endPosition: true,
  replayable: true,
  dynamicPartitions: true
}

/** A service with one hub, `hub`. */
export const serviceWith = (
  partitions: number,
  options: Embedded.EmbeddedOptions = {}
): Effect.Effect<Embedded.EmbeddedService, unknown, Scope.Scope> =>
  Embedded.start({ hubs: { hub: { partitions, consumerGroups: ["readers"] } }, ...options })

/** How the hub is reached. */
export const connectionOf = (service: Embedded.EmbeddedService): Redacted.Redacted =>
  Redacted.make(service.connectionString("hub"))

/** Sends bodies to a partition by the SDK; texts as they are. */
export const sendTo = (
  service: Embedded.EmbeddedService,
  partitionId: string,
  bodies: ReadonlyArray<string | Uint8Array>
): Effect.Effect<void> =>
  Effect.promise(async () => {
    const producer = new EventHubProducerClient(service.connectionString("hub"))
    let batch = await producer.createBatch({ partitionId })
    for (const body of bodies) {
      const event = { body: Buffer.from(body) }
      if (batch.tryAdd(event)) continue
      await producer.sendBatch(batch)
      batch = await producer.createBatch({ partitionId })
      batch.tryAdd(event)
    }
    if (batch.count > 0) await producer.sendBatch(batch)
    await producer.close()
  })

/** What the SDK reads from a partition until `count` events came. */
export const readBySdk = (
  service: Embedded.EmbeddedService,
  partitionId: string,
  count: number
): Effect.Effect<
  ReadonlyArray<{ readonly body: unknown; readonly messageId: unknown; readonly partitionKey: unknown }>
> =>
  Effect.promise(async () => {
    const consumer = new EventHubConsumerClient("$Default", service.connectionString("hub"))
    const read: Array<{ body: unknown; messageId: unknown; partitionKey: unknown }> = []
    await new Promise<void>((done, fail) => {
      if (count === 0) return done()
      consumer.subscribe(
        partitionId,
        {
          processEvents: (events) => {
            for (const { body, messageId, partitionKey } of events) read.push({ body, messageId, partitionKey })
            if (read.length >= count) done()
            return Promise.resolve()
          },
          processError: (error) => Promise.resolve(fail(error))
        },
        { startPosition: { offset: "-1" }, maxWaitTimeInSeconds: 1 }
      )
    })
    await consumer.close()
    return read
  })

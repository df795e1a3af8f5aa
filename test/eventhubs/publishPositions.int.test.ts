/** Positions of a query, as the SDK's own checkpoint store reads them: a real query, the embedded service, Azurite. */
import { EventHubConsumerClient } from "@azure/event-hubs"
import { BlobCheckpointStore } from "@azure/eventhubs-checkpointstore-blob"
import { Effect, Logger, Redacted, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { Checkpoint, EventStream, Json, Memory, Query, Trigger } from "tidemark"
import * as Blob from "tidemark/Blob"
import * as EventHubs from "tidemark/EventHubs"
import { newContainer, startAzurite } from "../azurite.ts"
import { connectionOf, sendTo, serviceWith } from "./hubs.ts"

const Row = Schema.Struct({ n: Schema.Number })
const bodies = (from: number, to: number): ReadonlyArray<string> =>
  Array.from({ length: to - from }, (_, i) => JSON.stringify({ n: from + i }))

/** Takes all partitions at once. */
const loadBalancingOptions = { strategy: "greedy", updateIntervalInMs: 500 } as const

const world = Effect.gen(function* () {
  const service = yield* serviceWith(3)
  const azurite = yield* startAzurite()
  const container = azurite.service.getContainerClient(yield* newContainer(azurite))
  const store = new BlobCheckpointStore(container)
  const path = `${azurite.endpoint}/${container.containerName}`
  const out = Memory.sink<typeof Row.Type>()
  const start = (publishTo: string) => {
    const connectionString = azurite.connectionString
    const hub = EventHubs.source({
      connection: connectionOf(service),
      consumerGroup: "readers",
      decode: Json.schema(Row),
      publishPositions: Blob.publishPositions(publishTo, { connectionString })
    })
    const read = EventStream.from(hub).pipe(EventStream.to(out))
    return Query.start(read, { name: "read", trigger: Trigger.every("50 millis") })
  }
  const has = (count: number) =>
    Effect.gen(function* () {
      while ((yield* out.rows).length < count) yield* Effect.sleep("20 millis")
    })
  const consumer = yield* Effect.acquireRelease(
    Effect.sync(
      () => new EventHubConsumerClient("readers", service.connectionString("hub"), store, { loadBalancingOptions })
    ),
    (client) => Effect.promise(() => client.close())
  )
  const listed = Effect.promise(() =>
    store.listCheckpoints(consumer.fullyQualifiedNamespace, consumer.eventHubName, "readers")
  )
  return { service, path, start, has, out, consumer, listed }
})

describe("positions that a query publishes", () => {
  it("are those of its last committed epoch to the SDK's checkpoint store, whose processor reads on from them", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { service, path, start, has, consumer, listed } = yield* world
          yield* sendTo(service, "0", bodies(0, 5))
          yield* sendTo(service, "1", bodies(5, 7))
          const query = yield* start(path)
          yield* has(7)
          // While it runs, and once more when it stops.
          while ((yield* listed).length < 2) yield* Effect.sleep("20 millis")
          yield* sendTo(service, "0", bodies(7, 8))
          yield* has(8)
          yield* query.drain
          const ofGroup = { fullyQualifiedNamespace: "127.0.0.1", eventHubName: "hub", consumerGroup: "readers" }
          const offset = expect.stringMatching(/^\d+$/)
          expect((yield* listed).toSorted((a, b) => Number(a.partitionId) - Number(b.partitionId))).toEqual([
            { ...ofGroup, partitionId: "0", sequenceNumber: 5, offset },
            { ...ofGroup, partitionId: "1", sequenceNumber: 1, offset }
          ])
          yield* sendTo(service, "0", bodies(8, 9))
          yield* sendTo(service, "1", bodies(9, 10))
          yield* sendTo(service, "2", bodies(10, 11))
          const read = yield* Effect.callback<ReadonlyArray<number>>((resume) => {
            const found: Array<number> = []
            const subscription = consumer.subscribe(
              {
                processEvents: (events) => {
                  for (const { body } of events) found.push((body as typeof Row.Type).n)
                  if (found.length >= 3) resume(Effect.succeed(found))
                  return Promise.resolve()
                },
                processError: (error) => Promise.resolve(resume(Effect.die(error)))
              },
              { startPosition: { offset: "-1" }, maxWaitTimeInSeconds: 1 }
            )
            return Effect.promise(() => subscription.close())
          })
          expect(read.toSorted((a, b) => a - b)).toEqual([8, 9, 10])
        })
      ).pipe(Effect.provide(Checkpoint.layerMemory))
    ))

  it("that have nowhere to go are said once, and the query goes on", () => {
    const said: Array<string> = []
    const logger = Logger.make(({ message }) => void said.push(String(message)))
    return Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { service, path, start, has, listed } = yield* world
          const query = yield* start(`${path}-no-such`)
          for (let n = 0; n < 3; n++) {
            yield* sendTo(service, "0", bodies(n, n + 1))
            yield* has(n + 1)
          }
          expect((yield* query.drain).restarts).toBe(0)
          expect(yield* listed).toEqual([])
          expect(said.filter((text) => text.includes("positions"))).toEqual([
            expect.stringMatching(
              /^source event hub: committed positions are not published: blob .*there is no container .*; the query goes on, and it is tried again$/
            )
          ])
        })
      ).pipe(Effect.provide(Checkpoint.layerMemory), Effect.provide(Logger.layer([logger])))
    )
  })

  it("have to be published by a function", () => {
    const publishPositions = "https://account.blob.core.windows.net/positions" as never
    const { problems } = EventHubs.source({ connection: Redacted.make("Endpoint=sb://a;"), publishPositions })
    expect(problems?.map(({ option }) => option)).toContain("EventHubs.source.publishPositions")
  })
})

/** A reader of a hub whose connections end now and then, under a clock of its own. */
import { Effect, Fiber, Option, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { expect, it } from "vitest"
import * as EventHubs from "../../src/EventHubs.ts"
import { ClientError, type EventHubsClient } from "../../src/connectors/eventhubs/EventHubsClient.ts"
import { demand } from "../conformance/reading.ts"

const connection = Redacted.make("Endpoint=sb://a/;SharedAccessKeyName=n;SharedAccessKey=k;EntityPath=hub")

/** A hub that ends each link after so many ms, and never has an event. */
const endsAfter = (ms: number, opened: () => void): EventHubsClient => {
  const failed = Effect.fail(new ClientError({ fault: "unavailable", message: "the link was idle" }))
  const info = { beginSequenceNumber: 0, lastSequenceNumber: -1, lastOffset: "", lastEnqueuedMs: 0 }
  return {
    hub: Effect.succeed({ partitionIds: ["0"], createdMs: 0 }),
    info: () => Effect.succeed(info),
    receive: () =>
      Effect.sync(() => {
        opened()
        return { ready: Effect.andThen(Effect.sleep(ms), failed), waiting: () => [], take: () => undefined }
      }),
    requestBytesMax: failed,
    send: () => failed
  }
}

/** How often a link was opened until the reader gave up, or the time was over. */
const links = (linkMs: number, overMs: number): Promise<{ readonly opened: number; readonly isReading: boolean }> =>
  Effect.gen(function* () {
    let opened = 0
    const client = endsAfter(linkMs, () => opened++)
    const cursor = yield* Effect.provideService(
      EventHubs.source({ connection, consumerGroup: "g" }).open("0", Option.none()),
      EventHubs.HubConnector,
      () => Effect.succeed(client)
    )
    const pull = yield* Effect.forkScoped(cursor.pull(demand(1)))
    yield* TestClock.adjust(overMs)
    return { opened, isReading: pull.pollUnsafe() === undefined }
  }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.runPromise)

it("a quiet partition whose link ends each ten minutes is read on for ever", async () => {
  expect(await links(600_000, 24 * 3_600_000)).toEqual({ opened: 144, isReading: true })
})

it("a link that ends again and again at once is told", async () => {
  expect(await links(1_000, 24 * 3_600_000)).toEqual({ opened: 9, isReading: false })
})

it("a hub made anew while it is read is not read on as if its numbers were the old ones", () =>
  Effect.gen(function* () {
    let createdMs = 0
    const client = {
      ...endsAfter(1_000, () => undefined),
      hub: Effect.sync(() => ({ partitionIds: ["0"], createdMs }))
    }
    const cursor = yield* Effect.provideService(
      EventHubs.source({ connection, consumerGroup: "g" }).open("0", Option.none()),
      EventHubs.HubConnector,
      () => Effect.succeed(client)
    )
    const pull = yield* Effect.forkScoped(Effect.flip(cursor.pull(demand(1))))
    yield* TestClock.adjust(1_500)
    expect(pull.pollUnsafe()).toBeUndefined()
    createdMs = 86_400_000
    yield* TestClock.adjust(1_500)
    const error = yield* Fiber.join(pull)
    expect(error).toMatchObject({ retryable: false, partition: "0" })
    expect(String(error)).toContain(
      "it was made at 1970-01-01T00:00:00.000Z, and now at 1970-01-02T00:00:00.000Z: the hub was made anew"
    )
  }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.runPromise))

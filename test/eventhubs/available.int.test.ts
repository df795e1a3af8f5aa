/** Runs over what a hub holds when they begin: they read all of that, and end. */
import { EventHubProducerClient } from "@azure/event-hubs"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import { Checkpoint, EventStream, Memory, Query, Trigger } from "../../src/index.ts"
import * as EventHubs from "../../src/EventHubs.ts"
import type { EmbeddedService } from "../../src/connectors/eventhubs/embedded/index.ts"
import { connectionOf, sendTo, serviceWith } from "./hubs.ts"

const test = <A, E>(effect: Effect.Effect<A, E, Checkpoint.CheckpointStore | Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(Effect.provide(effect, Checkpoint.layerMemory)))

/** Reads what is there, each time from where it was; all events so far by their numbers, and what dead letters say. */
const reader = (service: EmbeddedService, options: Partial<EventHubs.EventHubSourceOptions> = {}) => {
  const sink = Memory.sink<EventHubs.EventHubEvent>()
  const letters = Memory.sink<{ readonly detail: string }>()
  const hub = EventHubs.source({ connection: connectionOf(service), deadLetters: letters, ...options })
  const read = EventStream.from(hub).pipe(EventStream.to(sink))
  return Effect.gen(function* () {
    const query = yield* Query.start(read, { name: "read", trigger: Trigger.availableNow() })
    yield* query.await
    return {
      events: (yield* sink.rows).map(({ sequenceNumber }) => sequenceNumber),
      dead: (yield* letters.rows).map(({ detail }) => detail)
    }
  })
}

/** Sends one event after the other until the scope closes, and waits for the first. */
const sending = (service: EmbeddedService) =>
  Effect.gen(function* () {
    const producer = yield* Effect.acquireRelease(
      Effect.sync(() => new EventHubProducerClient(service.connectionString("hub"))),
      (p) => Effect.promise(() => p.close())
    )
    const one = Effect.promise(() => producer.sendBatch([{ body: "more" }], { partitionId: "0" }))
    yield* one
    yield* Effect.forkScoped(Effect.forever(one))
  })

describe("a run over what a hub holds", () => {
  it.each<EventHubs.StartOption>([{ enqueuedTime: 0 }, { offset: "-1" }])(
    "reads it from %j, however long the link takes to open, and nothing of it again",
    (startAt) =>
      test(
        Effect.gen(function* () {
          const service = yield* serviceWith(2)
          yield* sendTo(service, "0", ["a", "b", "c"])
          yield* service.faults.delay("attach receiver", 1_000)
          const read = reader(service, { startAt })
          expect((yield* read).events).toEqual([0, 1, 2])
          expect((yield* read).events).toEqual([0, 1, 2])
        })
      )
  )

  it("ends though the hub grows all the time", () =>
    test(
      Effect.gen(function* () {
        const service = yield* serviceWith(1)
        yield* sending(service)
        expect((yield* reader(service)).events.length).toBeGreaterThan(0)
      })
    ))

  it("tells what retention took where no event came after it, once, and ends", () =>
    test(
      Effect.gen(function* () {
        const service = yield* serviceWith(1)
        yield* sendTo(service, "0", ["a", "b", "c"])
        const read = reader(service, { failOnDataLoss: false })
        expect((yield* read).events).toEqual([0, 1, 2])
        yield* sendTo(service, "0", ["d", "e"])
        yield* service.faults.trim("hub", "0", 5)
        const told = {
          events: [0, 1, 2],
          dead: ["the 2 events 3 to 4 are gone: retention took them before they were read"]
        }
        expect(yield* read).toEqual(told)
        expect(yield* read).toEqual(told)
      })
    ))
})

import { Effect, Exit, Redacted, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as EventHubs from "../../src/EventHubs.ts"
import type { EmbeddedService } from "../../src/connectors/eventhubs/embedded/index.ts"
import type { SinkFeatures } from "../../src/model/Sink.ts"
import { sinkConformance } from "../conformance/sink.ts"
import { context } from "../conformance/sinkWorld.ts"
import { connectionOf, readBySdk, serviceWith } from "./hubs.ts"

const features: SinkFeatures = {
  modes: ["append", "update"],
  guarantee: "at-least-once",
  multiWriter: true,
  deletes: false
}

const eventsOf = (service: EmbeddedService, partition = 0) =>
  Effect.suspend(() =>
    readBySdk(service, String(partition), service.stats().hubs["hub"]?.[partition]?.nextSequence ?? 0)
  )

sinkConformance(
  "event hub",
  features,
  Effect.gen(function* () {
    const service = yield* serviceWith(1)
    const make = () => EventHubs.sink({ connection: connectionOf(service) })
    return {
      sink: make(),
      again: make,
      visible: Effect.map(eventsOf(service), (events) => events.map(({ body }) => body)),
      rendered: (row) => JSON.parse(JSON.stringify(row)) as unknown
    }
  })
)

interface Reading {
  readonly device: string
  readonly t: number
}

const readings = (n: number): ReadonlyArray<Reading> =>
  Array.from({ length: n }, (_, t) => ({ device: `d${t % 5}`, t }))

const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Effect.scoped(effect))

describe("an event hub as a sink", () => {
  it("rows of a key come to one partition, in order; rows may name the partition", () =>
    inScope(
      Effect.gen(function* () {
        const service = yield* serviceWith(4)
        const byKey = yield* EventHubs.sink<Reading>({
          connection: connectionOf(service),
          partitionKey: "device"
        }).writer(context("append"))
        yield* byKey.write({ rows: readings(50) })
        const toThree = yield* EventHubs.sink<Reading>({
          connection: connectionOf(service),
          partition: () => 3
        }).writer(context("append"))
        yield* toThree.write({ rows: [{ device: "named", t: 0 }] })
        const places = new Map<string, Set<number>>()
        for (let partition = 0; partition < 4; partition++) {
          const events = yield* eventsOf(service, partition)
          const last = new Map<string, number>()
          for (const { body, partitionKey } of events) {
            const { device, t } = body as Reading
            if (device === "named") {
              expect(partition).toBe(3)
              continue
            }
            expect(partitionKey).toBe(device)
            expect(t).toBeGreaterThan(last.get(device) ?? -1)
            last.set(device, t)
            places.set(device, (places.get(device) ?? new Set()).add(partition))
          }
        }
        expect([...places.values()].map((all) => all.size)).toEqual([1, 1, 1, 1, 1])
      })
    ))

  it("a row with an identity has the same message id each time", () =>
    inScope(
      Effect.gen(function* () {
        const service = yield* serviceWith(1)
        const sink = EventHubs.sink<Reading>({ connection: connectionOf(service) })
        for (let i = 0; i < 2; i++) {
          const writer = yield* sink.writer(context("update", { identity: ["device", "t"] }))
          yield* writer.write({ rows: readings(2) })
        }
        const ids = (yield* eventsOf(service)).map(({ messageId }) => messageId)
        expect(ids).toEqual([...ids.slice(0, 2), ...ids.slice(0, 2)])
        expect(new Set(ids).size).toBe(2)
      })
    ))

  it("what is too large for the hub is a dead letter, and what is around it goes out", () =>
    inScope(
      Effect.gen(function* () {
        const service = yield* serviceWith(1)
        const writer = yield* EventHubs.sink({ connection: connectionOf(service) }).writer(context("append"))
        const dead = yield* writer.write({ rows: [{ n: 0 }, { n: 1, text: "x".repeat(2 << 20) }, { n: 2 }] })
        expect(dead.map(({ before, reason, detail }) => [before, reason, detail])).toEqual([
          [1, "sink", expect.stringMatching(/^the event has 20971\d\d bytes, more than the hub takes$/)]
        ])
        expect((yield* eventsOf(service)).map(({ body }) => body)).toEqual([{ n: 0 }, { n: 2 }])
        expect((yield* writer.prepare(1)).rows).toBe(2)
      })
    ))

  it("a busy hub is waited for, and a connection that breaks is made anew", () =>
    inScope(
      Effect.gen(function* () {
        const service = yield* serviceWith(1)
        const writer = yield* EventHubs.sink({
          connection: connectionOf(service),
          operationTimeout: "2 seconds"
        }).writer(context("append"))
        yield* service.faults.failNext("send", 6, "com.microsoft:server-busy")
        yield* writer.write({ rows: [{ n: 0 }] })
        yield* service.faults.dropConnections()
        yield* writer.write({ rows: [{ n: 1 }] })
        const seen = (yield* eventsOf(service)).map(({ body }) => (body as { readonly n: number }).n)
        expect([...new Set(seen)]).toEqual([0, 1])
      })
    ))

  it("a key without the right to send is said", () =>
    inScope(
      Effect.gen(function* () {
        const service = yield* serviceWith(1, { sasKeys: { reader: { key: "r", rights: ["Listen"] } } })
        const connection = Redacted.make(service.connectionString("hub", "reader"))
        const sink = EventHubs.sink({ connection, operationTimeout: "2 seconds" })
        const exit = yield* Effect.exit(
          Effect.flatMap(sink.writer(context("append")), (writer) => writer.write({ rows: [{ n: 0 }] }))
        )
        expect(Exit.isFailure(exit) ? String(exit.cause) : "").toMatch(/right Send/)
      })
    ))
})

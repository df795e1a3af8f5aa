import { Effect, Exit, Fiber, Option, Redacted, Schema, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as EventHubs from "../../src/EventHubs.ts"
import type { EmbeddedOptions } from "../../src/connectors/eventhubs/embedded/index.ts"
import * as Json from "../../src/formats/Json.ts"
import type { Position } from "../../src/model/Position.ts"
import { type Contents, sourceConformance, type SourceUnderTest } from "../conformance/source.ts"
import { demand, readAll } from "../conformance/reading.ts"
import { connectionOf, features, sendTo, serviceWith } from "./hubs.ts"

const Row = Schema.Struct({ n: Schema.Number })
type Row = typeof Row.Type

const rows = (from: number, to: number): ReadonlyArray<Row> =>
  Array.from({ length: to - from }, (_, i) => ({ n: from + i }))
const bodies = (from: number, to: number): ReadonlyArray<string> => rows(from, to).map((row) => JSON.stringify(row))

const world = (options: EmbeddedOptions): Effect.Effect<SourceUnderTest<Row>, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const service = yield* serviceWith(2, options)
    yield* sendTo(service, "0", [...bodies(0, 20), "no JSON", ...bodies(20, 30)])
    yield* sendTo(service, "1", bodies(100, 104))
    const contents = new Map<string, Contents<Row>>([
      ["0", { rows: rows(0, 30), dead: 1 }],
      ["1", { rows: rows(100, 104) }]
    ])
    let added = 1000
    return {
      source: EventHubs.source({
        connection: connectionOf(service),
        decode: Json.schema(Row),
        partitionCheckInterval: "100 millis"
      }),
      contents,
      more: (partition) =>
        Effect.gen(function* () {
          const from = added
          added += 3
          yield* sendTo(service, partition, bodies(from, added))
          return rows(from, added)
        }),
      addPartition: Effect.as(service.addPartitions("hub", 1), "2"),
      held: Effect.sync(() => service.stats().openReaders)
    }
  })

sourceConformance("event hub", features, world({}))
sourceConformance("event hub with opaque offsets", features, world({ opaqueOffsets: true }))

const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Effect.scoped(effect))

const opened = (partitions: number, options: Partial<EventHubs.EventHubSourceOptions> = {}, sent = 0) =>
  Effect.gen(function* () {
    const service = yield* serviceWith(partitions)
    if (sent > 0) yield* sendTo(service, "0", bodies(0, sent))
    const source = EventHubs.source({
      connection: connectionOf(service),
      decode: Json.schema(Row),
      operationTimeout: "2 seconds",
      ...options
    })
    return { service, source }
  })

const causeOf = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isFailure(exit) ? String(exit.cause) : "no failure"

describe("an event hub as a source", () => {
  it("goes on after connections broke, links were detached and the port was shut: each event once, in order", () =>
    inScope(
      Effect.gen(function* () {
        const { service, source } = yield* opened(1, {}, 50)
        const cursor = yield* source.open("0", Option.none())
        const faults: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
          service.faults.dropConnections(),
          service.faults.closeConnections(),
          service.faults.detachReceivers("amqp:link:detach-forced"),
          service.faults.detachReceivers("com.microsoft:server-busy"),
          service.faults.detachReceivers("amqp:internal-error"),
          Effect.andThen(service.faults.refuseConnections(1_500), service.faults.dropConnections()),
          service.faults.failNext("attach receiver", 1, "com.microsoft:timeout")
        ]
        const seen: Array<number> = []
        const reader = yield* Effect.forkScoped(
          Effect.forever(
            Effect.map(cursor.pull(demand(7)), (chunk) => seen.push(...(chunk.rows ?? []).map(({ n }) => n)))
          )
        )
        for (const [i, fault] of faults.entries()) {
          yield* fault
          yield* sendTo(service, "0", bodies(50 + i * 10, 60 + i * 10)).pipe(Effect.retry({ times: 20 }))
          for (let n = 0; n < 600 && seen.length < 60 + i * 10; n++) yield* Effect.sleep("50 millis")
          expect(seen).toEqual(Array.from({ length: 60 + i * 10 }, (_, k) => k))
        }
        yield* Fiber.interrupt(reader)
      })
    ))

  it("a burst after a quiet time comes no further than what was granted", () =>
    inScope(
      Effect.gen(function* () {
        const { service, source } = yield* opened(1, { prefetchEvents: 30 }, 1)
        const cursor = yield* source.open("0", Option.none())
        yield* cursor.pull(demand(1))
        const waiting = yield* Effect.forkScoped(cursor.pull(demand(1)))
        // Each second that brings nothing, the SDK would grant as much again.
        yield* Effect.sleep("5 seconds")
        yield* Fiber.interrupt(waiting)
        const before = service.stats().eventsOut
        yield* sendTo(service, "0", bodies(1, 2_000))
        yield* Effect.sleep("1 second")
        expect(service.stats().eventsOut - before).toBeLessThanOrEqual(30 + 30 / 3)
        expect((yield* readAll(features, cursor, 1_999)).rows).toEqual(rows(1, 2_000))
      })
    ))

  it("begins where the options say", () =>
    inScope(
      Effect.gen(function* () {
        const { service } = yield* opened(1, {}, 10)
        const first = (startAt: EventHubs.StartOption) =>
          Effect.scoped(
            Effect.gen(function* () {
              const source = EventHubs.source({ connection: connectionOf(service), decode: Json.schema(Row), startAt })
              expect(source.problems).toEqual([])
              const cursor = yield* source.open("0", Option.none())
              return (yield* readAll(features, cursor, 1)).rows[0].n
            })
          )
        expect(yield* first("earliest")).toBe(0)
        expect(yield* first({ sequenceNumber: 3 })).toBe(4)
        expect(yield* first({ sequenceNumber: 3, inclusive: true })).toBe(3)
        expect(yield* first('{"offset":"-1","seqNo":-1,"enqueuedTime":null,"isInclusive":true}')).toBe(0)
        expect(yield* first('{"offset":"","seqNo":5,"enqueuedTime":null,"isInclusive":true}')).toBe(5)
        expect(yield* first({ enqueuedTime: 0 })).toBe(0)
        expect(yield* first({ enqueuedTime: "2020-01-01T00:00:00Z" })).toBe(0)
        expect(yield* first({ partitions: { "0": { sequenceNumber: 7 } }, others: "latest" })).toBe(8)
      })
    ))

  it("latest stays what it was when the query was first started", () =>
    inScope(
      Effect.gen(function* () {
        const { service, source } = yield* opened(1, { startAt: "latest" }, 4)
        const start = yield* Effect.scoped(
          Effect.map(source.open("0", Option.none()), (cursor) => Option.fromUndefinedOr(cursor.start))
        )
        yield* sendTo(service, "0", bodies(4, 6))
        const cursor = yield* source.open("0", start)
        expect((yield* readAll(features, cursor, 2)).rows).toEqual(rows(4, 6))
      })
    ))

  it("what retention took before it was read stops the query, or is one dead row", () =>
    inScope(
      Effect.gen(function* () {
        const { service, source } = yield* opened(1, {}, 20)
        const { next } = yield* Effect.scoped(
          Effect.flatMap(source.open("0", Option.none()), (cursor) => cursor.pull(demand(5)))
        )
        yield* service.faults.trim("hub", "0", 12)
        const gone = "the 7 events 5 to 11 are gone: retention took them before they were read"
        const failed = yield* Effect.exit(Effect.scoped(source.open("0", Option.some(next))))
        expect(causeOf(failed)).toContain(`${gone}: set failOnDataLoss: false`)
        const patient = EventHubs.source({
          connection: connectionOf(service),
          decode: Json.schema(Row),
          failOnDataLoss: false
        })
        const cursor = yield* patient.open("0", Option.some(next))
        const rest = yield* readAll(features, cursor, 9)
        expect(rest.rows).toEqual(rows(12, 20))
        expect(rest.dead.map(({ reason, detail }) => [reason, detail])).toEqual([["expired", gone]])
      })
    ))

  it("retention that overtakes a reader is told as well", () =>
    inScope(
      Effect.gen(function* () {
        const { service, source } = yield* opened(1, { failOnDataLoss: false, prefetchEvents: 3 }, 100)
        const cursor = yield* source.open("0", Option.none())
        expect((yield* cursor.pull(demand(1))).rows).toEqual(rows(0, 1))
        yield* service.faults.trim("hub", "0", 90)
        yield* service.faults.dropConnections()
        const seen: Array<number> = [0]
        const gaps: Array<string> = []
        while (!seen.includes(99)) {
          const { rows: got = [], dead = [] } = yield* cursor.pull(demand(10))
          seen.push(...got.map(({ n }) => n))
          gaps.push(...dead.map(({ detail }) => detail))
        }
        const from = seen.findIndex((n) => n >= 90)
        expect(seen).toEqual([...Array(from).keys(), 90, 91, 92, 93, 94, 95, 96, 97, 98, 99])
        expect(gaps).toEqual([
          `the ${90 - from} events ${from} to 89 are gone: retention took them before they were read`
        ])
      })
    ))

  it("retention that goes on before the first event is read takes nothing from what is told", () =>
    inScope(
      Effect.gen(function* () {
        const { service, source } = yield* opened(1, { failOnDataLoss: false }, 20)
        const { next } = yield* Effect.scoped(
          Effect.flatMap(source.open("0", Option.none()), (cursor) => cursor.pull(demand(5)))
        )
        yield* service.faults.trim("hub", "0", 12)
        const cursor = yield* source.open("0", Option.some(next))
        yield* service.faults.trim("hub", "0", 16)
        const rest = yield* readAll(features, cursor, 5)
        expect(rest.rows).toEqual(rows(16, 20))
        expect(rest.dead.map(({ detail }) => detail)).toEqual([
          "the 7 events 5 to 11 are gone: retention took them before they were read",
          "the 4 events 12 to 15 are gone: retention took them before they were read"
        ])
      })
    ))

  it("what came after the start by time, and went before the first event was read, is told", () =>
    inScope(
      Effect.gen(function* () {
        const { service, source } = yield* opened(1, { failOnDataLoss: false, startAt: { enqueuedTime: 0 } })
        const cursor = yield* source.open("0", Option.none())
        yield* sendTo(service, "0", bodies(0, 5))
        yield* service.faults.trim("hub", "0", 3)
        const rest = yield* readAll(features, cursor, 3)
        expect(rest.rows).toEqual(rows(3, 5))
        expect(rest.dead.map(({ detail }) => detail)).toEqual([
          "the 3 events 0 to 2 are gone: retention took them before they were read"
        ])
      })
    ))

  it("a hub that was made anew is not taken for the one of the checkpoint", () =>
    inScope(
      Effect.gen(function* () {
        const { service, source } = yield* opened(1, {}, 20)
        const { next } = yield* Effect.scoped(
          Effect.flatMap(source.open("0", Option.none()), (cursor) => cursor.pull(demand(20)))
        )
        yield* service.faults.removeHub("hub")
        yield* service.addHub("hub", { partitions: 1 })
        const failed = yield* Effect.exit(Effect.scoped(source.open("0", Option.some(next))))
        expect(causeOf(failed)).toContain("the hub was made anew")
      })
    ))

  it("a start at a number that is yet to come is waited for, also after a restart", () =>
    inScope(
      Effect.gen(function* () {
        const { service, source } = yield* opened(1, { startAt: { sequenceNumber: 7, inclusive: true } }, 2)
        const start = yield* Effect.scoped(Effect.map(source.open("0", Option.none()), (cursor) => cursor.start))
        const cursor = yield* source.open("0", Option.fromUndefinedOr(start))
        yield* sendTo(service, "0", bodies(2, 10))
        expect((yield* readAll(features, cursor, 3)).rows).toEqual(rows(7, 10))
      })
    ))

  it("nor is one that has more events by now; in one that is the same, reading goes on", () =>
    inScope(
      Effect.gen(function* () {
        const { service, source } = yield* opened(1, {}, 20)
        const read = (from: Option.Option<Position>) =>
          Effect.scoped(Effect.flatMap(source.open("0", from), (cursor) => cursor.pull(demand(5))))
        const { next } = yield* read(Option.none())
        expect((yield* read(Option.some(next))).rows).toEqual(rows(5, 10))
        yield* service.faults.removeHub("hub")
        yield* service.addHub("hub", { partitions: 1 })
        yield* sendTo(service, "0", bodies(0, 50))
        const failed = yield* Effect.exit(read(Option.some(next)))
        expect(causeOf(failed)).toMatch(/the checkpoint is of a hub made at .*, and this one was made at .*made anew/)
      })
    ))

  it("a partition that a higher owner level took says so, and is not read on", () =>
    inScope(
      Effect.gen(function* () {
        const { service, source } = yield* opened(1, { ownerLevel: 1, consumerGroup: "readers" }, 3)
        const cursor = yield* source.open("0", Option.none())
        yield* cursor.pull(demand(3))
        const waiting = yield* Effect.forkScoped(Effect.exit(cursor.pull(demand(3))))
        yield* Effect.sleep("200 millis")
        const other = EventHubs.source({
          connection: connectionOf(service),
          decode: Json.schema(Row),
          ownerLevel: 2,
          consumerGroup: "readers"
        })
        const winner = yield* other.open("0", Option.none())
        expect((yield* readAll(features, winner, 3)).rows).toEqual(rows(0, 3))
        expect(causeOf(yield* Fiber.join(waiting))).toMatch(
          /partition 0.*consumer group readers has taken it, with the owner level 1 or a higher one/s
        )
      })
    ))

  it("wrong names and keys are said precisely, and no secret", () =>
    inScope(
      Effect.gen(function* () {
        const service = yield* serviceWith(1, {
          sasKeys: { sender: { key: "k", rights: ["Send"] }, reader: { key: "r", rights: ["Listen"] } }
        })
        const said = (connection: string, options: Partial<EventHubs.EventHubSourceOptions> = {}) =>
          Effect.scoped(
            Effect.gen(function* () {
              const source = EventHubs.source({
                connection: Redacted.make(connection),
                operationTimeout: "2 seconds",
                ...options
              })
              const cursor = yield* source.open("0", Option.none())
              return yield* cursor.pull(demand(1))
            })
          ).pipe(Effect.exit, Effect.timeout("60 seconds"), Effect.map(causeOf))
        const text = service.connectionString("hub", "reader")
        expect(yield* said(text, { consumerGroup: "absent" })).toMatch(/absent/)
        expect(yield* said(service.connectionString(undefined, "reader"), { hub: "nothing" })).toMatch(
          /nothing.*check the name of the hub/s
        )
        const refused = yield* said(text.replace(/SharedAccessKey=[^;]+/, "SharedAccessKey=d3Jvbmc="))
        expect(refused).toMatch(/check the key, and that its policy has the right Listen/)
        expect(refused).not.toContain("d3Jvbmc=")
        expect(yield* said(service.connectionString("hub", "sender"))).toMatch(/right Listen/)
      })
    ))
})

describe("options of an event hub", () => {
  const problems = (options: object): ReadonlyArray<string> =>
    (EventHubs.source(options as EventHubs.EventHubSourceOptions).problems ?? []).map(
      ({ option, fix }) => `${option}: ${fix}`
    )

  it("what a connection string lacks is named, and none of its values", () => {
    const of = (text: string): string | undefined => problems({ connection: Redacted.make(text), hub: "h" })[0]
    expect(of("SharedAccessKeyName=n;SharedAccessKey=secret")).toBe(
      "EventHubs.source.connection: the connection string is not whole: Endpoint=sb://... is missing"
    )
    expect(of("Endpoint=sb://x.servicebus.windows.net/;SharedAccessKey=secret")).toContain("SharedAccessKeyName=...")
    expect(of("Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=n")).toContain("SharedAccessKey=...")
    expect(of("HostName=x.azure-devices.net;SharedAccessKeyName=n;SharedAccessKey=s")).toContain("IoT Hub")
    expect(of("Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey=s;EntityPath=other")).toContain("name one")
  })

  it("a connection string where a name belongs, or as plain text, is refused and not shown", () => {
    const text = "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=secret"
    const joined = Redacted.make(`${text};EntityPath=h SharedAccessKey=secret`)
    const wrong: ReadonlyArray<object> = [
      { hub: text },
      { namespace: text },
      { namespace: text, hub: "h", connection: Redacted.make(text) },
      { hub: "h", connection: text },
      { hub: "h", connection: joined },
      { connection: joined }
    ]
    for (const options of wrong)
      for (const made of [EventHubs.source(options), EventHubs.sink(options)]) {
        expect(made.problems?.length).toBeGreaterThan(0)
        expect(JSON.stringify([made.name, made.problems])).not.toContain("secret")
      }
  })

  it("what is wrong is said by option", () => {
    expect(problems({ namespace: "x.servicebus.windows.net" })[0]).toContain("must be named, beside a namespace")
    expect(problems({ hub: "h", startAt: "soon" })[0]).toContain("EventHubs.source.startAt")
    expect(problems({ hub: "h", ownerLevel: 0 })[0]).toContain("EventHubs.source.ownerLevel")
    expect(problems({ hub: "h", decode: Json.lines() })[0]).toContain("must be a format of messages")
  })

  it("a consumer group has to be spelt out, but for a local service", () =>
    inScope(
      Effect.gen(function* () {
        const text = "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=s;EntityPath=h"
        const source = EventHubs.source({ connection: Redacted.make(text) })
        const failed = yield* Effect.flip(Effect.scoped(source.open("0", Option.none())))
        expect(failed.message).toContain('name the consumer group: consumerGroup: "$Default"')
      })
    ))
})

/**
 * What an SDK of another language, unmodified, has to find at the embedded service: one suite for each of them.
 *
 * It sends, reads from every kind of position, asks, takes a partition from another reader, is refused with a wrong key;
 * what it sends is what tidemark's source reads, and what tidemark's sink sends is what it reads.
 */
import { Effect, Option, Redacted } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as EventHubs from "../../../src/EventHubs.ts"
import { fieldOf } from "../../../src/model/RowChunk.ts"
import { demand, readAll } from "../../conformance/reading.ts"
import { context } from "../../conformance/sinkWorld.ts"
import { features } from "../hubs.ts"
import { type World, withService } from "../world.ts"
import { type Language, missing } from "./install.ts"
import { type Outgoing, type Peer, type Start, startPeer } from "./Peer.ts"

/** In which an SDK is not as the others. */
export interface Peculiarities {
  /** It knows a position at an offset, beside that after it. */
  readonly inclusiveOffsets: boolean
  /** What it says when a reader with a higher owner level has the partition. */
  readonly stolen: RegExp
  /** What it says when the service does not take its key, and when the key may not send, or read. */
  readonly unauthorized: RegExp
  readonly maySend: RegExp
  readonly mayRead: RegExp
  /** It writes booleans in the form of which the SDK of JavaScript makes numbers. */
  readonly booleansAsNumbers?: true
}

const partitions = ["0", "1", "2"]
const hubs = { hub: { partitions: partitions.length, consumerGroups: ["readers"] } }

/** Events with a number, and a property of each type that every SDK has. */
const numbered = (from: number, to: number): ReadonlyArray<Outgoing> =>
  Array.from({ length: to - from }, (_, i) => {
    const n = from + i
    return {
      body: Buffer.from(`event ${n}`),
      properties: { n, half: n + 0.5, name: `größe ${n} ✓`, even: n % 2 === 0 }
    }
  })

const numbersOf = (events: ReadonlyArray<{ readonly body: Uint8Array }>): ReadonlyArray<number> =>
  events.map(({ body }) => Number(/\d+$/.exec(Buffer.from(body).toString())?.[0]))

const range = (from: number, to: number): ReadonlyArray<number> => Array.from({ length: to - from }, (_, i) => from + i)

/** Of lengths around the words and blocks of the hash, and of characters of several bytes. */
const keys = [...range(1, 28).map((length) => "k".repeat(length)), "größe", "🚀🚀🚀", "a b/c?d", "0"]

/** Waits until so many readers are attached. */
const readersOf = async ({ service }: World, count: number): Promise<void> => {
  while (service.stats().openReaders !== count) await new Promise((soon) => setTimeout(soon, 10))
}

/** All that tidemark's source reads from a partition up to `count` events. */
const readBySource = (connection: string, partition: string, count: number) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const source = EventHubs.source({ connection: Redacted.make(connection) })
        const cursor = yield* source.open(partition, Option.none())
        return (yield* readAll(features, cursor, count)).rows
      })
    )
  )

/** Tells what an SDK has to do, in the language of the peer; without the language, why it is left out. */
export const sdkSuite = async (language: Language, name: string, own: Peculiarities): Promise<void> => {
  const lacks = await missing(language)

  describe.skipIf(lacks !== undefined)(`${name}${lacks === undefined ? "" : ` (left out: ${lacks})`}`, () => {
    let peer: Peer
    beforeAll(async () => {
      peer = await startPeer(language)
    }, 600_000)
    afterAll(() => peer?.close())

    it("sends batches to every partition, and reads them from the first event on, with their properties", () =>
      withService({ hubs }, async ({ service }) => {
        const hub = service.connectionString("hub")
        const sendings = partitions.map((partition, i) => ({ partition, events: numbered(i * 100, i * 100 + 50) }))
        expect(await peer.send(hub, ...sendings, ...sendings)).toBe(6)
        const readings = await Promise.all(partitions.map((partition) => peer.read(hub, { partition, count: 100 })))
        for (const [i, { events, error }] of readings.entries()) {
          expect(error).toBeUndefined()
          expect(events.map(({ body, properties }) => ({ body, properties }))).toEqual([
            ...sendings[i].events,
            ...sendings[i].events
          ])
          expect(events.map(({ sequence }) => sequence)).toEqual(range(0, 100))
          expect(events.every(({ key }) => key === null)).toBe(true)
        }
      }))

    it("sends in several batches what is too much for one", () =>
      withService({ hubs }, async ({ service }) => {
        const hub = service.connectionString("hub")
        const events = range(0, 30).map((n) => ({ body: Buffer.from(range(0, 50_000).map((i) => (i * n) & 0xff)) }))
        expect(await peer.send(hub, { partition: "1", events })).toBe(2)
        const read = await peer.read(hub, { partition: "1", count: 30 })
        expect(read.events).toHaveLength(30)
        expect(read.events.every(({ body, sequence }) => body.equals(events[sequence].body))).toBe(true)
      }))

    it.each([false, true])(
      "reads from an offset, a sequence number, a time and the end (opaque offsets: %s)",
      (opaque) => {
        const clock = { ms: 1_700_000_000_123 }
        return withService({ hubs, opaqueOffsets: opaque, now: () => clock.ms }, async (world) => {
          const hub = world.service.connectionString("hub")
          const producer = world.producer("hub")
          for (const { body } of numbered(0, 10)) {
            await producer.sendBatch([{ body }], { partitionId: "2" })
            clock.ms += 10
          }
          const all = (await peer.read(hub, { partition: "2", count: 10 })).events
          expect(numbersOf(all)).toEqual(range(0, 10))
          expect(all.map(({ enqueuedMs }) => enqueuedMs)).toEqual(range(0, 10).map((n) => 1_700_000_000_123 + n * 10))
          const { sequence, offset, enqueuedMs } = all[4]
          const starts: ReadonlyArray<readonly [first: number, start: Start]> = [
            [5, { sequence }],
            [4, { sequence, inclusive: true }],
            [5, { offset }],
            ...(own.inclusiveOffsets ? [[4, { offset, inclusive: true }] as const] : []),
            [5, { enqueuedMs: enqueuedMs + 1 }],
            [4, { enqueuedMs: enqueuedMs - 1 }]
          ]
          // At most five readers of a group may have a partition.
          const readings = starts.map(([first, start]) =>
            peer.read(hub, {
              ...{ partition: "2", start, count: 10 - first },
              group: start.inclusive === true ? "readers" : "$Default"
            })
          )
          for (const [i, { events }] of (await Promise.all(readings)).entries()) {
            const [first, start] = starts[i]
            expect([start, numbersOf(events)]).toEqual([start, range(first, 10)])
          }
          await readersOf(world, 0)
          const latest = peer.read(hub, { partition: "2", count: 1, start: { offset: "@latest" } })
          await readersOf(world, 1)
          await producer.sendBatch([{ body: Buffer.from("event 10") }], { partitionId: "2" })
          expect(numbersOf((await latest).events)).toEqual([10])
        })
      }
    )

    it("is told what the hub and its partitions are", () => {
      const clock = { ms: 1_700_000_000_000 }
      return withService({ hubs, now: () => clock.ms }, async ({ service, consumer }) => {
        const hub = service.connectionString("hub")
        clock.ms += 5_000
        await peer.send(hub, { partition: "0", events: numbered(0, 3) }, { partition: "2", events: numbered(0, 1) })
        const { name: called, createdMs, partitions: found } = await peer.properties(hub)
        expect([called, createdMs]).toEqual(["hub", 1_700_000_000_000])
        const javascript = consumer("hub")
        for (const [i, { isEmpty, ...partition }] of found.entries()) {
          const known = await javascript.getPartitionProperties(partitions[i])
          expect(isEmpty).toBe(i === 1)
          expect(partition).toMatchObject({
            id: partitions[i],
            first: known.beginningSequenceNumber,
            last: known.lastEnqueuedSequenceNumber,
            lastOffset: known.lastEnqueuedOffset
          })
        }
        expect(found.map(({ last }) => last)).toEqual([2, -1, 0])
        const times = [found[0], found[2]].map(({ lastEnqueuedMs }) => lastEnqueuedMs)
        expect(times).toEqual([1_700_000_005_000, 1_700_000_005_000])
      })
    })

    it("takes a partition from a reader with a lower owner level, who is told; and is refused below a higher one", () =>
      withService({ hubs }, async (world) => {
        const hub = world.service.connectionString("hub")
        await peer.send(hub, { partition: "0", events: numbered(0, 3) })
        const place = { partition: "0", group: "readers" }
        const first = peer.read(hub, { ...place, count: 1_000, level: 1 })
        await readersOf(world, 1)
        const second = await peer.read(hub, { ...place, count: 3, level: 2 })
        expect([numbersOf(second.events), second.error]).toEqual([[0, 1, 2], undefined])
        expect((await first).error).toMatch(own.stolen)
        await readersOf(world, 0)
        const third = peer.read(hub, { ...place, count: 4, level: 3 })
        await readersOf(world, 1)
        expect((await peer.read(hub, { ...place, count: 1, level: 2 })).error).toMatch(own.stolen)
        await peer.send(hub, { partition: "0", events: numbered(3, 4) })
        expect(numbersOf((await third).events)).toEqual([0, 1, 2, 3])
      }))

    it("takes a partition from tidemark's source, which says so", () =>
      withService({ hubs }, async (world) => {
        const hub = world.service.connectionString("hub")
        await peer.send(hub, { partition: "0", events: numbered(0, 3) })
        let hasIt: () => void = () => undefined
        const owned = new Promise<void>((done) => (hasIt = done))
        const reading = Effect.runPromise(
          Effect.scoped(
            Effect.gen(function* () {
              const source = EventHubs.source({
                connection: Redacted.make(hub),
                consumerGroup: "readers",
                ownerLevel: 1
              })
              const cursor = yield* source.open("0", Option.none())
              yield* cursor.pull(demand(1))
              hasIt()
              return yield* Effect.flip(Effect.forever(cursor.pull(demand(3))))
            })
          )
        )
        await owned
        expect((await peer.read(hub, { partition: "0", group: "readers", count: 3, level: 2 })).events).toHaveLength(3)
        expect(String(await reading)).toMatch(/partition 0.*consumer group readers has taken it/s)
      }))

    it("sends what tidemark's source reads: bodies, keys and properties; a key has the same partition from every SDK", () =>
      withService({ hubs }, async ({ service, producer }) => {
        const hub = service.connectionString("hub")
        await peer.send(hub, ...keys.map((key, i) => ({ key, events: numbered(i * 10, i * 10 + 3) })))
        const javascript = producer("hub")
        for (const key of keys) await javascript.sendBatch([{ body: Buffer.from("-") }], { partitionKey: key })
        const places = new Map<string, Set<string>>()
        const came = new Map<string, Array<unknown>>()
        for (const [i, { nextSequence }] of service.stats().hubs["hub"].entries()) {
          for (const event of await readBySource(hub, String(i), nextSequence)) {
            const key = event.partitionKey ?? "none"
            places.set(key, (places.get(key) ?? new Set()).add(event.partitionId))
            const sent = { body: Buffer.from(event.body), properties: event.properties }
            if (sent.body.toString() !== "-") came.set(key, [...(came.get(key) ?? []), sent])
          }
        }
        const asRead = ({ body, properties }: Outgoing): unknown => ({
          body,
          properties: own.booleansAsNumbers ? { ...properties, even: Number(properties?.["even"]) } : properties
        })
        for (const [i, key] of keys.entries()) expect(came.get(key)).toEqual(numbered(i * 10, i * 10 + 3).map(asRead))
        expect([...came.keys()].toSorted()).toEqual(keys.toSorted())
        expect([...places.values()].map(({ size }) => size)).toEqual(keys.map(() => 1))
        expect(new Set([...places.values()].flatMap((at) => [...at])).size).toBe(partitions.length)
      }))

    it("reads what tidemark's sink sends: bodies, keys and message ids", () =>
      withService({ hubs }, async ({ service }) => {
        const hub = service.connectionString("hub")
        const rows = range(0, 40).map((t) => ({ device: `gerät ${t % 4}`, t, text: "ä ✓" }))
        await Effect.runPromise(
          Effect.scoped(
            Effect.gen(function* () {
              const sink = EventHubs.sink({
                connection: Redacted.make(hub),
                partitionKey: "device",
                messageId: (row: object) => `id ${String(fieldOf(row, "t"))}`
              })
              const writer = yield* sink.writer(context("append"))
              yield* writer.write({ rows })
            })
          )
        )
        const counts = service.stats().hubs["hub"].map(({ nextSequence }) => nextSequence)
        const readings = await Promise.all(
          counts.flatMap((count, i) => (count === 0 ? [] : [peer.read(hub, { partition: String(i), count })]))
        )
        const came = readings.flatMap(({ events }) => events)
        expect(came).toHaveLength(rows.length)
        for (const { body, key, messageId } of came) {
          const row = JSON.parse(body.toString()) as (typeof rows)[number]
          expect(row).toEqual(rows[row.t])
          expect([key, messageId]).toEqual([row.device, `id ${row.t}`])
        }
        for (const { events } of readings) {
          for (const device of new Set(events.map(({ key }) => key))) {
            const turns = events.filter(({ key }) => key === device).map(({ messageId }) => Number(messageId?.slice(3)))
            expect(turns).toEqual(turns.toSorted((a, b) => a - b))
          }
        }
      }))

    it("is let in with the right key, and not with a wrong one or one that lacks the right", () =>
      withService(
        {
          hubs,
          sasKeys: {
            root: Redacted.make("root secret"),
            sender: { key: "sender secret", rights: ["Send"] },
            reader: { key: "reader secret", rights: ["Listen"] }
          }
        },
        async ({ service }) => {
          const events = numbered(0, 2)
          const to = { partition: "0", events }
          await peer.send(service.connectionString("hub", "sender"), to)
          const reader = service.connectionString("hub", "reader")
          expect((await peer.read(reader, { partition: "0", count: 2 })).events).toHaveLength(2)
          expect((await peer.properties(service.connectionString("hub", "root"))).name).toBe("hub")
          const wrong = reader.replace("reader secret", "wrong")
          const refusals = await Promise.all([
            peer.send(wrong, to).catch(String),
            peer.properties(wrong).catch(String),
            peer.read(wrong, { partition: "0", count: 1 }).then(({ error }) => error)
          ])
          for (const refusal of refusals) expect(refusal).toMatch(own.unauthorized)
          expect(await peer.send(reader, to).catch(String)).toMatch(own.maySend)
          const sender = service.connectionString("hub", "sender")
          expect((await peer.read(sender, { partition: "0", count: 1 })).error).toMatch(own.mayRead)
          expect(service.stats().eventsIn).toBe(2)
        }
      ))
  })
}

import { EventHubBufferedProducerClient, latestEventPosition, type ReceivedEventData } from "@azure/event-hubs"
import rhea, { type Sender } from "rhea"
import { describe, expect, it } from "vitest"
import { bodies, failure, withService } from "./world.ts"

const h = { h: { partitions: 4, consumerGroups: ["g"] } }
/** The link of an idempotent producer, which the SDK keeps to itself, and what becomes of what is sent on it. */
const idempotent = (port: number, properties: object) => {
  const connection = rhea.create_container().connect({ host: "127.0.0.1", port, reconnect: false })
  connection.on("connection_error", () => undefined).on("disconnected", () => undefined)
  const sender: Sender = connection.open_sender({
    target: "h/Partitions/0",
    desired_capabilities: "com.microsoft:idempotent-producer",
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, n]) => [`com.microsoft:producer-${name}`, rhea.types.wrap_int(n)])
    )
  } as never)
  const attached = new Promise<unknown>((done) => {
    sender.on("sender_open", () => done(sender.properties))
    sender.on("sender_close", () => done((sender.error as { condition: string } | undefined)?.condition))
  })
  const send = (sequence: number): Promise<string> =>
    new Promise((done) => {
      sender.once("accepted", () => done("accepted"))
      sender.once("rejected", ({ delivery }) =>
        done(String((delivery?.remote_state as { error?: { condition: string } } | undefined)?.error?.condition))
      )
      const annotations = { "com.microsoft:producer-sequence-number": rhea.types.wrap_int(sequence) }
      sender.send({ body: sequence, message_annotations: annotations })
    })
  return {
    attached,
    send,
    refused: new Promise((done) => sender.on("sender_error", () => done(sender.error))),
    close: () => connection.close()
  }
}

const bodyOf = ({ body }: ReceivedEventData): unknown => body

describe("sending to the embedded Event Hubs", () => {
  it("events of every shape come back as they were, in order, with sequence numbers from 0", () =>
    withService({ hubs: h }, async ({ producer, read }) => {
      const sent = [
        { body: "text ä €" },
        { body: { deep: [1, 2.5, null, { n: true }] } },
        { body: null },
        { body: Buffer.from([0, 1, 255]) },
        { body: "", contentType: "text/plain", correlationId: "c", messageId: "m" },
        { body: 1, properties: { s: "x", n: 7, float: 1.5, yes: true, big: 1234567890123 } }
      ]
      const client = producer("h")
      await client.sendBatch(sent, { partitionId: "1" })
      await client.sendBatch([sent[0]], { partitionId: "1" })
      const reading = read("h", "1")
      await reading.has(7)
      const { events } = reading
      expect(events.map(bodyOf)).toEqual([...sent.map(({ body }) => body), sent[0].body])
      expect(events.map(({ sequenceNumber }) => sequenceNumber)).toEqual([0, 1, 2, 3, 4, 5, 6])
      expect(events[4]).toMatchObject({ contentType: "text/plain", correlationId: "c", messageId: "m" })
      expect(events[5].properties).toEqual(sent[5].properties)
      expect(events.every(({ partitionKey }) => partitionKey === undefined)).toBe(true)
      const times = events.map(({ enqueuedTimeUtc }) => enqueuedTimeUtc.getTime())
      expect(times).toEqual(times.toSorted((a, b) => a - b))
    }))

  it("single events are kept byte for byte, whatever types of AMQP their properties have", () =>
    withService({ hubs: h }, async ({ producer, read }) => {
      const client = producer("h")
      await client.sendBatch([{ body: "x", properties: { a: 1 } }], { partitionId: "0" })
      const raw = {
        body: { content: Buffer.from("raw"), typecode: 0x75 },
        bodyType: "data" as const,
        messageAnnotations: { "x-opt-mine": "kept", "x-opt-sequence-number": 99 },
        applicationProperties: { k: "v" },
        header: { durable: true, priority: 7 }
      }
      await client.sendBatch([raw as never], { partitionId: "0" })
      const reading = read("h", "0")
      await reading.has(2)
      const amqp = reading.events[1].getRawAmqpMessage()
      expect(amqp.header).toMatchObject({ durable: true, priority: 7 })
      expect(amqp.messageAnnotations).toMatchObject({ "x-opt-mine": "kept", "x-opt-sequence-number": 1 })
      expect(amqp.applicationProperties).toEqual({ k: "v" })
    }))

  it("without a key, sends take turns; with one, they stay together, where the SDK's own buffer would put them", () =>
    withService({ hubs: h }, async ({ service, producer, read }) => {
      const client = producer("h")
      for (let i = 0; i < 8; i++) await client.sendBatch(bodies(i, i + 1))
      expect(service.stats().hubs["h"].map(({ nextSequence }) => nextSequence)).toEqual([2, 2, 2, 2])
      const keys = Array.from({ length: 20 }, (_, i) => `key ${i} ${"ü".repeat(i)}`)
      for (const key of keys) await client.sendBatch([{ body: key }], { partitionKey: key })
      for (const key of keys) {
        const batch = await client.createBatch({ partitionKey: key })
        expect(batch.tryAdd({ body: key })).toBe(true)
        await client.sendBatch(batch)
      }
      const buffered = new EventHubBufferedProducerClient(service.connectionString("h"), {
        onSendEventsErrorHandler: () => undefined,
        maxWaitTimeInMs: 10
      })
      for (const key of keys) await buffered.enqueueEvent({ body: key }, { partitionKey: key })
      await buffered.close({ flush: true })
      const places = new Map<string, Set<string>>()
      for (const [i, { nextSequence }] of service.stats().hubs["h"].entries()) {
        const reading = read("h", String(i))
        await reading.has(nextSequence)
        for (const { body, partitionKey } of reading.events.slice(2)) {
          // What the SDK dealt out itself comes without its key.
          expect([body, undefined]).toContain(partitionKey)
          places.set(body, (places.get(body) ?? new Set()).add(String(i)))
        }
      }
      expect(places.size).toBe(20)
      expect([...places.values()].every((at) => at.size === 1)).toBe(true)
      expect(new Set([...places.values()].flatMap((at) => [...at])).size).toBeGreaterThan(1)
    }))

  it("hubs and groups are apart; $Default is always there", () =>
    withService({ hubs: { ...h, other: { partitions: 1 } } }, async ({ producer, consumer, read }) => {
      await producer("h").sendBatch(bodies(0, 3), { partitionId: "0" })
      await producer("other").sendBatch(bodies(10, 11), { partitionId: "0" })
      const readings = [read("h", "0"), read("h", "0", undefined, { group: "g" }), read("other", "0")]
      await Promise.all(readings.map((reading, i) => reading.has(i < 2 ? 3 : 1)))
      expect(readings.map(({ events }) => events.map(bodyOf))).toEqual([[0, 1, 2], [0, 1, 2], [10]])
      expect(await consumer("other").getPartitionIds()).toEqual(["0"])
    }))

  it("large events and batches go through in many frames", () =>
    withService({ hubs: h }, async ({ service, producer, read }) => {
      const sizes = [65_000, 65_400, 65_500, 66_000, 300_000, 1_000_000]
      const reading = read("h", "2", latestEventPosition)
      while (service.stats().openReaders === 0) await new Promise((soon) => setTimeout(soon, 5))
      const client = producer("h")
      for (const size of sizes)
        await client.sendBatch([{ body: Buffer.alloc(size, 200 + (size % 50)) }], { partitionId: "2" })
      const late = read("h", "2")
      await Promise.all([late.has(6), reading.has(6)])
      expect(late.events.map(({ body }) => [body.length, body[0], body.at(-1)])).toEqual(
        sizes.map((size) => [size, 200 + (size % 50), 200 + (size % 50)])
      )
    }))

  it("a client that knows nothing of hubs is told what is wrong", () =>
    withService({ hubs: h }, async ({ producer, consumer }) => {
      const unknown = await failure(producer("nowhere").sendBatch(bodies(0, 1)))
      expect(unknown).toMatchObject({ code: "MessagingEntityNotFoundError" })
      expect(unknown.message).toContain("'nowhere' could not be found")
      expect(await failure(producer("h").sendBatch(bodies(0, 1), { partitionId: "4" }))).toMatchObject({
        code: "ArgumentOutOfRangeError"
      })
      const client = consumer("h")
      expect(await failure(client.getPartitionProperties("9"))).toMatchObject({ code: "ArgumentOutOfRangeError" })
      expect(await failure(consumer("nowhere").getEventHubProperties())).toMatchObject({
        code: "MessagingEntityNotFoundError"
      })
    }))

  it("what a hub and its partitions hold can be asked for", () =>
    withService({ hubs: h, now: () => 1_700_000_000_000 }, async ({ producer, consumer }) => {
      const client = consumer("h")
      expect(await client.getEventHubProperties()).toMatchObject({
        name: "h",
        partitionIds: ["0", "1", "2", "3"],
        createdOn: new Date(1_700_000_000_000)
      })
      expect(await client.getPartitionProperties("3")).toMatchObject({
        isEmpty: true,
        beginningSequenceNumber: 0,
        lastEnqueuedSequenceNumber: -1,
        lastEnqueuedOffset: "-1"
      })
      await producer("h").sendBatch(bodies(0, 5), { partitionId: "3" })
      const after = await client.getPartitionProperties("3")
      expect(after).toMatchObject({
        isEmpty: false,
        lastEnqueuedSequenceNumber: 4,
        lastEnqueuedOnUtc: new Date(1_700_000_000_000)
      })
      expect(Number(after.lastEnqueuedOffset)).toBeGreaterThan(0)
    }))

  it("hubs are made on first use where that is wanted, and partitions while it runs", () =>
    withService({ createOnFirstUse: { partitions: 2 } }, async ({ service, producer, consumer, read, run }) => {
      expect(await consumer("new").getPartitionIds()).toEqual(["0", "1"])
      await producer("newer").sendBatch(bodies(0, 1), { partitionId: "1" })
      expect(service.hubs()).toEqual(["new", "newer"])
      await run(service.addPartitions("newer", 3))
      expect(await consumer("NEWER").getPartitionIds()).toEqual(["0", "1", "2", "3", "4"])
      await producer("newer").sendBatch(bodies(7, 8), { partitionId: "4" })
      const reading = read("newer", "4")
      await reading.has(1)
      expect(bodyOf(reading.events[0])).toBe(7)
      await run(service.addHub("made", { partitions: 1, consumerGroups: ["late"] }))
      expect(await consumer("made", "late").getPartitionIds()).toEqual(["0"])
    }))

  it("what an idempotent producer repeats is accepted and not kept again; gaps and old epochs are refused", () =>
    withService({ hubs: h }, async ({ service, read }) => {
      const first = idempotent(service.port, {})
      expect(await first.attached).toEqual({
        "com.microsoft:producer-id": 1_000,
        "com.microsoft:producer-epoch": 0,
        "com.microsoft:producer-sequence-number": 0
      })
      expect(await first.send(1)).toBe("accepted")
      expect(await first.send(2)).toBe("accepted")
      expect(await first.send(2)).toBe("accepted")
      expect(await first.send(4)).toBe("com.microsoft:out-of-order-sequence")
      const second = idempotent(service.port, { id: 1_000, epoch: 1 })
      expect(await second.attached).toMatchObject({ "com.microsoft:producer-sequence-number": 2 })
      expect(await first.send(3)).toBe("amqp:link:stolen")
      expect(await second.send(3)).toBe("accepted")
      const third = idempotent(service.port, { id: 1_000, epoch: 0 })
      expect(await third.refused).toMatchObject({ condition: "amqp:link:stolen" })
      const reading = read("h", "0")
      await reading.has(3)
      expect(reading.events.map(({ sequenceNumber }) => sequenceNumber)).toEqual([0, 1, 2])
      for (const { close } of [first, second, third]) close()
    }))
})

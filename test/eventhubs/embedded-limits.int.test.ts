import { describe, expect, it } from "vitest"
import { bodies, failure, retry, withService } from "./world.ts"

const hubs = { h: { partitions: 2 } }
const numbers = (events: ReadonlyArray<{ readonly body: unknown }>): ReadonlyArray<unknown> =>
  events.map(({ body }) => body)

describe("limits of the embedded Event Hubs", () => {
  it("a batch holds as much as the link says; what is larger is refused, and nothing of it kept", () =>
    withService({ hubs, messageBytesMax: 100_000 }, async ({ service, producer }) => {
      const client = producer("h")
      const batch = await client.createBatch({ partitionId: "0" })
      expect(batch.maxSizeInBytes).toBe(100_000)
      while (batch.tryAdd({ body: "x".repeat(1_000) }));
      await client.sendBatch(batch)
      const { count } = batch
      expect(count).toBeGreaterThan(90)
      const large = await failure(client.sendBatch([{ body: "x".repeat(100_001) }]))
      expect(large).toMatchObject({ code: "MessageTooLargeError" })
      const huge = await failure(client.sendBatch([{ body: "x".repeat(3_000_000) }]))
      expect(huge).toMatchObject({ code: "MessageTooLargeError" })
      await client.sendBatch([{ body: "still" }], { partitionId: "0" })
      expect(service.stats().hubs["h"].map(({ nextSequence }) => nextSequence)).toEqual([count + 1, 0])
    }))

  it("1 MiB is the limit where nothing else is said", () =>
    withService({ hubs }, async ({ producer }) => {
      const client = producer("h")
      expect((await client.createBatch()).maxSizeInBytes).toBe(1 << 20)
      await client.sendBatch([{ body: Buffer.alloc((1 << 20) - 200, 0xff) }])
      expect(await failure(client.sendBatch([{ body: Buffer.alloc(1 << 20, 0xff) }]))).toMatchObject({
        code: "MessageTooLargeError"
      })
    }))

  it("a throughput unit lets 1000 events or 1 MB a second in; more is refused as busy, which clients try again", () => {
    const clock = { ms: 1_000_000 }
    return withService({ hubs, throughputUnits: 1, now: () => clock.ms }, async ({ service, producer }) => {
      const client = producer("h")
      await client.sendBatch(bodies(0, 1_000))
      const busy = await failure(client.sendBatch(bodies(0, 1)))
      expect(busy).toMatchObject({ code: "ServerBusyError" })
      expect(busy.message).toMatch(/50002.*wait 4 seconds/)
      clock.ms += 1_000
      await client.sendBatch([{ body: Buffer.alloc(1_040_000, 0xff) }])
      expect(await failure(client.sendBatch(bodies(0, 1)))).toMatchObject({ code: "ServerBusyError" })
      clock.ms += 20
      expect(await failure(client.sendBatch(bodies(0, 1)))).toMatchObject({ code: "ServerBusyError" })
      clock.ms += 30
      await client.sendBatch(bodies(0, 1))
      expect(service.stats().throttledSends).toBe(3)
      await client.sendBatch([{ body: Buffer.alloc(1_000_000, 0xff) }])
      const patient = producer("h", undefined, { ...retry, maxRetries: 50, maxRetryDelayInMs: 20 })
      const sending = patient.sendBatch(bodies(0, 1))
      while (service.stats().throttledSends < 5) await new Promise((soon) => setTimeout(soon, 5))
      clock.ms += 5_000
      await sending
    })
  })

  it("two units let in twice as much", () =>
    withService({ hubs, throughputUnits: 2, now: () => 1 }, async ({ producer }) => {
      const client = producer("h")
      await client.sendBatch(bodies(0, 1_000))
      await client.sendBatch(bodies(0, 1_000))
      expect(await failure(client.sendBatch(bodies(0, 1)))).toMatchObject({ code: "ServerBusyError" })
    }))
})

describe("retention of the embedded Event Hubs", () => {
  it("by time: a position that has expired is the first that is retained", () => {
    const clock = { ms: 1_000_000 }
    const options = { hubs, retention: { forMs: 10_000 }, now: () => clock.ms }
    return withService(options, async ({ service, producer, consumer, read }) => {
      const client = producer("h")
      await client.sendBatch(bodies(0, 5), { partitionId: "0" })
      clock.ms += 6_000
      await client.sendBatch(bodies(5, 8), { partitionId: "0" })
      clock.ms += 6_000
      for (const position of [{ offset: "-1" }, { sequenceNumber: 2 }, { offset: "0" }, { enqueuedOn: 1 }]) {
        const reading = read("h", "0", position)
        await reading.has(3)
        await reading.close()
        expect(numbers(reading.events)).toEqual([5, 6, 7])
        expect(reading.events[0].sequenceNumber).toBe(5)
      }
      expect(await consumer("h").getPartitionProperties("0")).toMatchObject({
        beginningSequenceNumber: 5,
        lastEnqueuedSequenceNumber: 7,
        isEmpty: false
      })
      clock.ms += 60_000
      const empty = await consumer("h").getPartitionProperties("0")
      expect(empty).toMatchObject({ isEmpty: true, beginningSequenceNumber: 8, lastEnqueuedSequenceNumber: 7 })
      const reading = read("h", "0", { offset: empty.lastEnqueuedOffset })
      while (service.stats().openReaders === 0) await new Promise((soon) => setTimeout(soon, 5))
      await client.sendBatch(bodies(8, 9), { partitionId: "0" })
      await reading.has(1)
      expect(reading.events[0]).toMatchObject({ body: 8, sequenceNumber: 8 })
    })
  })

  it("by size: the last bytes of a partition stay, and memory with them", () =>
    withService({ hubs: { h: { partitions: 2, retention: { bytes: 500_000 } } } }, async (world) => {
      const { service, producer, read } = world
      const client = producer("h")
      for (let i = 0; i < 40; i++) {
        const body = Buffer.alloc(100_000, 0xff)
        body.writeUInt32BE(i, 0)
        await client.sendBatch([{ body }], { partitionId: "1" })
      }
      const [, stats] = service.stats().hubs["h"]
      expect(stats.bytes).toBeLessThanOrEqual(500_000)
      expect(stats.nextSequence).toBe(40)
      expect(stats.firstSequence).toBe(36)
      expect(stats.memoryBytes).toBeLessThan(3 << 20)
      const reading = read("h", "1")
      await reading.has(4)
      expect(reading.events.map(({ body }) => (body as Buffer).readUInt32BE(0))).toEqual([36, 37, 38, 39])
    }))

  it("an event costs 28 bytes beside its own", () =>
    withService({ hubs }, async ({ service, producer }) => {
      const client = producer("h")
      const body = Buffer.alloc(300, 0xff)
      for (let i = 0; i < 20; i++)
        await client.sendBatch(
          Array.from({ length: 1_000 }, () => ({ body })),
          { partitionId: "0" }
        )
      const [{ bytes, memoryBytes }] = service.stats().hubs["h"]
      // As the SDK encodes it, with an empty header and empty properties.
      expect(bytes).toBe(20_000 * (24 + 316))
      expect(memoryBytes).toBeLessThan(bytes * 1.25 + (1 << 20))
    }))
})

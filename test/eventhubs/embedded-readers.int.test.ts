import { EventHubConsumerClient, type EventPosition, latestEventPosition } from "@azure/event-hubs"
import { describe, expect, it } from "vitest"
import { bodies, failure, retry, withService, type World } from "./world.ts"

const hubs = { h: { partitions: 2 } }
const numbers = (events: ReadonlyArray<{ readonly body: unknown }>): ReadonlyArray<unknown> =>
  events.map(({ body }) => body)

/** Ten events in each of five partitions, some 1 s and some 2 s later than the first; says their offsets. */
const filled = async ({ producer, read }: World, clock: { ms: number }): Promise<ReadonlyArray<string>> => {
  const client = producer("h")
  const at = clock.ms
  for (const [later, some] of [
    [0, bodies(0, 2)],
    [1_000, bodies(2, 4)],
    [2_000, bodies(4, 10)]
  ] as const) {
    clock.ms = at + later
    for (let i = 0; i < 5; i++) await client.sendBatch([...some], { partitionId: String(i) })
  }
  const reading = read("h", "0")
  await reading.has(10)
  await reading.close()
  return reading.events.map(({ offset }) => offset)
}

describe.each([false, true])("positions in the embedded Event Hubs, opaque offsets: %s", (opaqueOffsets) => {
  it("every position that a reader may begin at", () => {
    const clock = { ms: 1_700_000_000_000 }
    const startMs = clock.ms
    return withService({ hubs: { h: { partitions: 5 } }, opaqueOffsets, now: () => clock.ms }, async (world) => {
      const { service, producer, read } = world
      const offsets = await filled(world, clock)
      expect(offsets[3]).toMatch(opaqueOffsets ? /^0:[0-9]+:3$/ : /^[0-9]+$/)
      expect(new Set(offsets).size).toBe(10)
      const inside: ReadonlyArray<readonly [EventPosition, number]> = [
        [{ offset: "-1" }, 0],
        [{ offset: offsets[3] }, 4],
        [{ offset: offsets[3], isInclusive: true }, 3],
        [{ sequenceNumber: 6 }, 7],
        [{ sequenceNumber: 6, isInclusive: true }, 6],
        [{ sequenceNumber: 0, isInclusive: true }, 0],
        [{ enqueuedOn: startMs - 1 }, 0],
        [{ enqueuedOn: startMs }, 2],
        [{ enqueuedOn: new Date(startMs + 1_500) }, 4]
      ]
      for (const [position, from] of inside) {
        const reading = read("h", "0", position)
        await reading.has(10 - from)
        await reading.close()
        expect(numbers(reading.events), JSON.stringify(position)).toEqual(numbers(bodies(from, 10)))
      }
      const end: ReadonlyArray<EventPosition> = [
        latestEventPosition,
        { offset: offsets[9] },
        { sequenceNumber: 9 },
        { enqueuedOn: startMs + 60_000 }
      ]
      while (service.stats().openReaders > 0) await new Promise((soon) => setTimeout(soon, 5))
      const readings = end.map((position, i) => read("h", String(i + 1), position))
      while (service.stats().openReaders < 4) await new Promise((soon) => setTimeout(soon, 5))
      for (const [i, reading] of readings.entries()) {
        await producer("h").sendBatch(bodies(100, 101), { partitionId: String(i + 1) })
        await reading.has(1)
        expect(numbers(reading.events)).toEqual([100])
      }
    })
  })

  it("positions that are nowhere are refused", () =>
    withService({ hubs, opaqueOffsets }, async ({ producer, read }) => {
      await producer("h").sendBatch(bodies(0, 3), { partitionId: "0" })
      const wrong: ReadonlyArray<EventPosition> = [
        { sequenceNumber: 3 },
        { offset: opaqueOffsets ? "0:9999:3" : "9999" },
        { offset: opaqueOffsets ? "17" : "0:1:2" },
        { offset: "x" }
      ]
      for (const position of wrong) {
        const reading = read("h", "0", position)
        const error = await reading.error
        expect(error).toMatchObject({ code: "ArgumentError" })
        expect(error.message).toMatch(/is invalid/)
        await reading.close()
      }
    }))
})

describe("readers of the embedded Event Hubs", () => {
  it("an unknown group, partition or hub is refused", () =>
    withService({ hubs }, async ({ read }) => {
      expect(await read("h", "0", undefined, { group: "nobody" }).error).toMatchObject({
        code: "MessagingEntityNotFoundError"
      })
      expect(await read("h", "7").error).toMatchObject({ code: "ArgumentOutOfRangeError" })
      expect(await read("x", "0").error).toMatchObject({ code: "MessagingEntityNotFoundError" })
    }))

  it("a higher owner level drives others away, a lower one is refused, and so is none", () =>
    withService({ hubs }, async ({ service, producer, read }) => {
      await producer("h").sendBatch(bodies(0, 1), { partitionId: "0" })
      const first = read("h", "0")
      await first.has(1)
      const one = read("h", "0", undefined, { ownerLevel: 1 })
      await one.has(1)
      const lost = await first.error
      expect(lost).toMatchObject({ code: "ReceiverDisconnectedError" })
      expect(lost.message).toMatch(/New receiver .* with higher epoch of '1'/)
      const three = read("h", "0", undefined, { ownerLevel: 3 })
      await three.has(1)
      expect(await one.error).toMatchObject({ code: "ReceiverDisconnectedError" })
      const two = await read("h", "0", undefined, { ownerLevel: 2 }).error
      expect(two).toMatchObject({ code: "ReceiverDisconnectedError" })
      expect(two.message).toMatch(/higher epoch '3' already exists/)
      const none = await read("h", "0").error
      expect(none.message).toMatch(/non-epoch receiver is not allowed/)
      const other = read("h", "1", undefined, { ownerLevel: 1 })
      await producer("h").sendBatch(bodies(5, 6), { partitionId: "1" })
      await other.has(1)
      const again = read("h", "0", undefined, { ownerLevel: 3 })
      await again.has(1)
      expect(await three.error).toMatchObject({ code: "ReceiverDisconnectedError" })
      expect(service.stats().hubs["h"].map(({ readers }) => readers)).toEqual([1, 1])
    }))

  it("a sixth reader of one partition and group is refused", () =>
    withService({ hubs: { h: { partitions: 2, consumerGroups: ["g"] } } }, async ({ producer, read }) => {
      await producer("h").sendBatch(bodies(0, 1), { partitionId: "0" })
      const five = Array.from({ length: 5 }, () => read("h", "0"))
      await Promise.all(five.map((reading) => reading.has(1)))
      const sixth = await read("h", "0").error
      expect(sixth).toMatchObject({ code: "QuotaExceededError" })
      expect(sixth.message).toMatch(
        /maximum number of allowed receivers .* is 5\. List of connected receivers -( [0-9a-f-]{36},?){5}/
      )
      await read("h", "0", undefined, { group: "g" }).has(1)
      await five[0].close()
      await read("h", "0").has(1)
    }))

  it("tells of the end of the partition with each event, when asked to", () =>
    withService({ hubs, now: () => 1_700_000_000_000 }, async ({ service, producer, consumer }) => {
      await producer("h").sendBatch(bodies(0, 5), { partitionId: "0" })
      const { lastEnqueuedOffset } = await consumer("h").getPartitionProperties("0")
      const seen = await new Promise((done, fail) => {
        const client = new EventHubConsumerClient("$Default", service.connectionString("h"), { retryOptions: retry })
        const subscription = client.subscribe(
          "0",
          {
            processEvents: async (events, context) => {
              if (events.length === 0) return
              done(context.lastEnqueuedEventProperties)
              await subscription.close()
              await client.close()
            },
            processError: (error) => {
              fail(error)
              return Promise.resolve()
            }
          },
          { startPosition: { offset: "-1" }, trackLastEnqueuedEventProperties: true, maxBatchSize: 1 }
        )
      })
      expect(seen).toEqual({
        sequenceNumber: 4,
        offset: lastEnqueuedOffset,
        enqueuedOn: new Date(1_700_000_000_000),
        retrievedOn: new Date(1_700_000_000_000)
      })
    }))

  it("never sends more than a reader gave credit for, and all of it in the end", () =>
    withService({ hubs }, async ({ service, producer, consumer }) => {
      for (let i = 0; i < 10; i++) await producer("h").sendBatch(bodies(i * 100, i * 100 + 100), { partitionId: "0" })
      const got: Array<number> = []
      let handled = 0
      let excess = 0
      const client = consumer("h")
      await new Promise<void>((done, fail) => {
        client.subscribe(
          "0",
          {
            processEvents: async (events) => {
              got.push(...events.map(({ body }) => body as number))
              await new Promise((soon) => setTimeout(soon, 5))
              handled += events.length
              excess = Math.max(excess, service.stats().eventsOut - handled)
              if (got.length === 1_000) done()
            },
            processError: (error) => {
              fail(error)
              return Promise.resolve()
            }
          },
          { startPosition: { offset: "-1" }, maxBatchSize: 50, prefetchCount: 60 }
        )
      })
      expect(got).toEqual(bodies(0, 1_000).map(({ body }) => body))
      // A batch and what is prefetched meanwhile.
      expect(excess).toBeLessThanOrEqual(120)
    }))

  it("many readers on one connection do not hold each other up", () =>
    withService({ hubs: { h: { partitions: 8 } } }, async ({ producer, consumer }) => {
      const client = producer("h")
      for (let i = 0; i < 8; i++) await client.sendBatch(bodies(0, 200), { partitionId: String(i) })
      const counts = new Map<string, number>()
      let isHeld = true
      await new Promise<void>((done, fail) => {
        consumer("h").subscribe(
          {
            processEvents: async (events, { partitionId }) => {
              counts.set(partitionId, (counts.get(partitionId) ?? 0) + events.length)
              const others = [...counts].filter(([id]) => id !== "3")
              if (others.length === 7 && others.every(([, count]) => count === 200)) {
                isHeld = false
                if (counts.get("3") === 200) done()
              }
              while (partitionId === "3" && isHeld) await new Promise((soon) => setTimeout(soon, 5))
              if ([...counts.values()].reduce((sum, count) => sum + count, 0) === 1_600) done()
            },
            processError: (error) => {
              fail(error)
              return Promise.resolve()
            }
          },
          { startPosition: { offset: "-1" }, maxBatchSize: 20 }
        )
      })
      expect([...counts.values()]).toEqual(Array.from({ length: 8 }, () => 200))
    }))

  it("closing clients leave nothing behind", () =>
    withService({ hubs }, async ({ service, producer, read }) => {
      const client = producer("h")
      await client.sendBatch(bodies(0, 1), { partitionId: "0" })
      const reading = read("h", "0")
      await reading.has(1)
      expect(service.stats()).toMatchObject({ openReaders: 1, openPublishers: 1 })
      await reading.close()
      await client.close()
      while (service.stats().openReaders + service.stats().openPublishers > 0)
        await new Promise((soon) => setTimeout(soon, 5))
      expect(await failure(client.sendBatch(bodies(0, 1)))).toBeDefined()
    }))
})

import { connect } from "node:net"
import { describe, expect, it } from "vitest"
import { bodies, failure, retry, withService, type World } from "./world.ts"

const hubs = { h: { partitions: 2 } }
const numbers = (events: ReadonlyArray<{ readonly body: unknown }>): ReadonlyArray<unknown> =>
  events.map(({ body }) => body)
const until = async (is: () => boolean): Promise<void> => {
  while (!is()) await new Promise((soon) => setTimeout(soon, 5))
}

/** A reader that has read one event and goes on trying. */
const readerIn = async ({ producer, consumer }: World): Promise<{ events: Array<number>; errors: Array<unknown> }> => {
  await producer("h").sendBatch(bodies(0, 1), { partitionId: "0" })
  const seen = { events: new Array<number>(), errors: new Array<unknown>() }
  consumer("h", "$Default", undefined, { ...retry, maxRetries: 20 }).subscribe(
    "0",
    {
      processEvents: (events) => {
        seen.events.push(...events.map(({ body }) => body as number))
        return Promise.resolve()
      },
      processError: (error) => {
        seen.errors.push(error)
        return Promise.resolve()
      }
    },
    { startPosition: { offset: "-1" }, maxWaitTimeInSeconds: 1 }
  )
  await until(() => seen.events.length === 1)
  return seen
}

describe("faults of the embedded Event Hubs", () => {
  it.each(["dropConnections", "closeConnections"] as const)("%s: clients connect again and lose nothing", (fault) =>
    withService({ hubs }, async (world) => {
      const { service, producer, run } = world
      const seen = await readerIn(world)
      const client = producer("h", undefined, retry)
      await client.sendBatch(bodies(1, 2), { partitionId: "0" })
      const before = service.stats().connections
      expect(await run(service.faults[fault]())).toBeGreaterThanOrEqual(2)
      await producer("h").sendBatch(bodies(2, 3), { partitionId: "0" })
      await until(() => seen.events.length === 3)
      // By now the one that was cut off has noticed.
      await client.sendBatch(bodies(3, 4), { partitionId: "0" })
      await until(() => seen.events.length === 4)
      expect(seen).toEqual({ events: [0, 1, 2, 3], errors: [] })
      expect(service.stats().connections).toBeGreaterThan(before)
    })
  )

  it("refuseConnections: no one listens for a while; then all goes on, on the same port", () =>
    withService({ hubs }, async ({ service, producer, run }) => {
      await run(service.faults.refuseConnections(300))
      const code = await new Promise((done) =>
        connect(service.port, "127.0.0.1").on("error", (error: Error & { code?: string }) => done(error.code))
      )
      expect(code).toBe("ECONNREFUSED")
      const client = producer("h", undefined, { ...retry, maxRetries: 100 })
      await client.sendBatch(bodies(0, 1))
      expect(service.stats().eventsIn).toBe(1)
    }))

  it("detachReceivers: of one hub and partition, by any condition; readers come back where they were", () =>
    withService({ hubs }, async (world) => {
      const { service, producer, run } = world
      const seen = await readerIn(world)
      const { faults } = service
      expect(await run(faults.detachReceivers("amqp:link:detach-forced", { partition: 1 }))).toBe(0)
      expect(await run(faults.detachReceivers("amqp:link:detach-forced", { hub: "x" }))).toBe(0)
      const conditions = ["amqp:link:detach-forced", "com.microsoft:server-busy", "amqp:internal-error"]
      for (const [i, condition] of conditions.entries()) {
        await until(() => service.stats().openReaders === 1)
        expect(await run(faults.detachReceivers(condition, { hub: "H", partition: "0" }))).toBe(1)
        await producer("h").sendBatch(bodies(i + 1, i + 2), { partitionId: "0" })
        await until(() => seen.events.length === i + 2)
      }
      expect(seen).toEqual({ events: [0, 1, 2, 3], errors: [] })
    }))

  it("detachSenders: the next send attaches again", () =>
    withService({ hubs }, async ({ service, producer, run }) => {
      const client = producer("h", undefined, retry)
      await client.sendBatch(bodies(0, 1))
      expect(await run(service.faults.detachSenders("amqp:link:detach-forced", { hub: "h", partition: 1 }))).toBe(1)
      await client.sendBatch(bodies(0, 1))
      expect(service.stats()).toMatchObject({ eventsIn: 2, openPublishers: 1 })
    }))

  it.each([
    ["send", "com.microsoft:server-busy", "ServerBusyError"],
    ["send", "amqp:internal-error", "InternalServerError"],
    ["attach sender", "amqp:unauthorized-access", "UnauthorizedError"],
    ["attach sender", "com.microsoft:entity-disabled", "MessagingEntityDisabledError"],
    ["put token", "amqp:unauthorized-access", "UnauthorizedError"],
    ["put token", "amqp:internal-error", "InternalServerError"],
    ["management", "com.microsoft:server-busy", "ServerBusyError"]
  ] as const)("failNext %s with %s: %s, once; then it works", (operation, condition, code) =>
    withService({ hubs }, async ({ service, producer, consumer, run }) => {
      await run(service.faults.failNext(operation, 1, condition))
      const attempt = (): Promise<unknown> =>
        operation === "management" ? consumer("h").getPartitionIds() : producer("h").sendBatch(bodies(0, 1))
      expect(await failure(attempt())).toMatchObject({ code })
      await attempt()
    })
  )

  it("failNext attach receiver: it is refused, once", () =>
    withService({ hubs }, async ({ service, producer, read, run }) => {
      await run(service.faults.failNext("attach receiver", 1, "amqp:resource-limit-exceeded"))
      expect(await read("h", "0").error).toMatchObject({ code: "QuotaExceededError" })
      await producer("h").sendBatch(bodies(0, 1), { partitionId: "0" })
      await read("h", "0").has(1)
    }))

  it("failNext n: so many fail, and clients that try again get through", () =>
    withService({ hubs }, async ({ service, producer, run }) => {
      await run(service.faults.failNext("send", 3, "com.microsoft:server-busy"))
      await producer("h", undefined, { ...retry, maxRetries: 3 }).sendBatch(bodies(0, 1))
      expect(service.stats()).toMatchObject({ sends: 4, refusedSends: 3, eventsIn: 1 })
    }))

  it.each(["send", "attach sender", "put token", "management", "attach receiver"] as const)(
    "delay %s: it takes so long, and works",
    (operation) =>
      withService({ hubs }, async ({ service, producer, consumer, read, run }) => {
        await producer("h").sendBatch(bodies(0, 1), { partitionId: "0" })
        const attempt = async (): Promise<number> => {
          const began = performance.now()
          if (operation === "attach receiver") await read("h", "0").has(1)
          else if (operation === "management") await consumer("h").getPartitionIds()
          else await producer("h").sendBatch(bodies(1, 2), { partitionId: "0" })
          return performance.now() - began
        }
        await run(service.faults.delay(operation, 400))
        expect(await attempt()).toBeGreaterThanOrEqual(399)
        await run(service.faults.delay(operation, 0))
        await attempt()
      })
  )

  it("a client that gives up while it is kept waiting leaves nothing behind", () =>
    withService({ hubs }, async ({ service, producer, run }) => {
      await run(service.faults.delay("attach sender", 300))
      const client = producer("h")
      const sending = failure(client.sendBatch(bodies(0, 1), { abortSignal: AbortSignal.timeout(50) }))
      expect((await sending).message).toMatch(/abort/i)
      await client.close()
      await run(service.faults.delay("attach sender", 0))
      await new Promise((soon) => setTimeout(soon, 400))
      expect(service.stats().openPublishers).toBe(0)
    }))

  it("stealPartition: its readers lose it, as to one with a higher owner level", () =>
    withService({ hubs }, async ({ service, producer, read, run }) => {
      await producer("h").sendBatch(bodies(0, 1), { partitionId: "0" })
      const reading = read("h", "0", undefined, { ownerLevel: 4 })
      await reading.has(1)
      expect(await run(service.faults.stealPartition("h", 1))).toBe(0)
      expect(await run(service.faults.stealPartition("h", 0, "other"))).toBe(0)
      expect(await run(service.faults.stealPartition("h", "0", "$DEFAULT"))).toBe(1)
      const error = await reading.error
      expect(error).toMatchObject({ code: "ReceiverDisconnectedError" })
      expect(error.message).toMatch(/higher epoch of '5'/)
    }))

  it("trim: events expire at once, under readers too", () =>
    withService({ hubs }, async ({ service, producer, consumer, read, run }) => {
      await producer("h").sendBatch(bodies(0, 10), { partitionId: "0" })
      await run(service.faults.trim("h", 0, 4))
      const reading = read("h", "0", { sequenceNumber: 1 })
      await reading.has(6)
      expect(numbers(reading.events)).toEqual([4, 5, 6, 7, 8, 9])
      await run(service.faults.trim("h", 0, 99))
      expect(await consumer("h").getPartitionProperties("0")).toMatchObject({ isEmpty: true })
      await producer("h").sendBatch(bodies(10, 11), { partitionId: "0" })
      await reading.has(7)
      expect(reading.events[6]).toMatchObject({ body: 10, sequenceNumber: 10 })
    }))

  it("removeHub: links are closed, and it is not found any more", () =>
    withService({ hubs }, async ({ service, producer, read, run }) => {
      const client = producer("h")
      await client.sendBatch(bodies(0, 1), { partitionId: "0" })
      const reading = read("h", "0")
      await reading.has(1)
      await run(service.faults.removeHub("h"))
      expect(service.hubs()).toEqual([])
      expect(await reading.error).toMatchObject({ code: "MessagingEntityNotFoundError" })
      expect(await failure(client.sendBatch(bodies(0, 1)))).toMatchObject({ code: "MessagingEntityNotFoundError" })
      expect(await failure(run(service.faults.removeHub("h")))).toMatchObject({ reason: "InvalidOptions" })
      await run(service.addHub("h", { partitions: 1 }))
      await producer("h").sendBatch(bodies(5, 6))
      const again = read("h", "0")
      await again.has(1)
      expect(numbers(again.events)).toEqual([5])
    }))
})

import * as Effect from "effect/Effect"
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { type Disk, nodeDisk } from "../../src/connectors/eventhubs/embedded/disk.ts"
import { type EmbeddedOptions, start } from "../../src/connectors/eventhubs/embedded/index.ts"
import { startOn } from "../../src/connectors/eventhubs/embedded/EmbeddedService.ts"
import { EventHubProducerClient } from "@azure/event-hubs"
import { bodies, failure, noRetry, withService } from "./world.ts"

let dataFolder: string
beforeEach(() => {
  dataFolder = join(mkdtempSync(join(tmpdir(), "tidemark-eventhubs-")), "data")
})
afterEach(() => rmSync(join(dataFolder, ".."), { recursive: true, force: true }))

const hubs = { Hub: { partitions: 2, consumerGroups: ["g"] } }
const numbers = (events: ReadonlyArray<{ readonly body: unknown }>): ReadonlyArray<unknown> =>
  events.map(({ body }) => body)
const partitionFolder = (id: number): string => join(dataFolder, "hub", String(id))
const logs = (id: number): ReadonlyArray<string> =>
  readdirSync(partitionFolder(id))
    .filter((name) => name.endsWith(".log"))
    .toSorted()
    .map((name) => join(partitionFolder(id), name))

/** Sends 0 to 9 to partition 0, in batches of five, and stops. */
const fill = (options: EmbeddedOptions = { hubs, dataFolder }): Promise<void> =>
  withService(options, async ({ producer }) => {
    const client = producer("hub")
    await client.sendBatch(bodies(0, 5), { partitionId: "0" })
    await client.sendBatch(bodies(5, 10), { partitionId: "0" })
  })

/** What partition 0 holds after another start; `more` is sent before. */
const found = async (count: number, more: ReadonlyArray<{ body: number }> = []): Promise<ReadonlyArray<unknown>> => {
  let got: ReadonlyArray<unknown> = []
  await withService({ dataFolder }, async ({ producer, read }) => {
    if (more.length > 0) await producer("hub").sendBatch([...more], { partitionId: "0" })
    const reading = read("hub", "0")
    await reading.has(count)
    expect(reading.events.map(({ sequenceNumber }) => sequenceNumber)).toEqual(bodies(0, count).map(({ body }) => body))
    got = numbers(reading.events)
  })
  return got
}

describe("the embedded Event Hubs on disk", () => {
  it("hubs, groups, events, offsets and times are there again after a restart, and it goes on behind them", async () => {
    await fill()
    const before: Array<unknown> = []
    await withService({ dataFolder }, async ({ service, consumer, read }) => {
      expect(service.hubs()).toEqual(["Hub"])
      expect(await consumer("HUB", "g").getPartitionIds()).toEqual(["0", "1"])
      const reading = read("hub", "0", undefined, { group: "g" })
      await reading.has(10)
      before.push(...reading.events.map(({ offset, enqueuedTimeUtc }) => [offset, enqueuedTimeUtc]))
    })
    expect(await found(12, bodies(10, 12))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    await withService({ dataFolder, hubs: { hub: { partitions: 3, consumerGroups: ["new"] } } }, async (world) => {
      expect(await world.consumer("hub", "new").getPartitionIds()).toEqual(["0", "1", "2"])
      const reading = world.read("hub", "0", { offset: (before as Array<[string]>)[4][0] })
      await reading.has(7)
      expect(numbers(reading.events)).toEqual([5, 6, 7, 8, 9, 10, 11])
      expect(reading.events.slice(0, 5).map(({ offset, enqueuedTimeUtc }) => [offset, enqueuedTimeUtc])).toEqual(
        before.slice(5)
      )
    })
    await withService({ dataFolder }, async ({ consumer }) =>
      expect(await consumer("hub", "new").getPartitionIds()).toEqual(["0", "1", "2"])
    )
  })

  it.each([1, 30, 100, 200])("a tail that was torn %i bytes before its end is cut off", async (bytes) => {
    await fill()
    const [file] = logs(0)
    truncateSync(file, statSync(file).size - bytes)
    const whole = readFileSync(file)
    const left = await withServiceCount()
    expect(left).toBeLessThan(10)
    expect(left).toBeGreaterThan(3)
    expect(whole.subarray(0, statSync(file).size)).toEqual(readFileSync(file))
    expect(await found(left + 1, bodies(77, 78))).toEqual([...numbers(bodies(0, left)), 77])
  })

  it("bytes of garbage behind the last record are cut off, too", async () => {
    await fill()
    const [file] = logs(0)
    const size = statSync(file).size
    for (const garbage of [
      Buffer.alloc(3),
      Buffer.alloc(500),
      Buffer.alloc(90, 0xff),
      readFileSync(file).subarray(0, 30)
    ]) {
      appendFileSync(file, garbage)
      expect(await withServiceCount()).toBe(10)
      expect(statSync(file).size).toBe(size)
    }
  })

  it("a file of nothing but garbage is removed", async () => {
    await fill()
    await found(11, bodies(10, 11))
    const [, second] = logs(0)
    writeFileSync(second, "garbage")
    expect(await withServiceCount()).toBe(10)
    expect(logs(0).length).toBe(1)
    expect(await found(11, bodies(50, 51))).toContain(50)
  })

  it("damage before the last file is an error that names the place", async () => {
    await fill()
    await found(11, bodies(10, 11))
    const [file] = logs(0)
    const sound = readFileSync(file)
    const damaged = Buffer.from(sound)
    damaged[200] ^= 1
    writeFileSync(file, damaged)
    const error = await Effect.runPromise(Effect.flip(Effect.scoped(start({ dataFolder }))))
    expect(error).toMatchObject({ _tag: "EmbeddedError", reason: "DataFolder" })
    expect(error.message).toMatch(/\.log is damaged at byte [0-9]+/)
    truncateSync(file, 0)
    expect(await failure(withServiceCount())).toMatchObject({ message: expect.stringMatching(/damaged at byte 0/) })
    writeFileSync(file, sound)
    await found(11)
  })

  it("events that expire take their files with them; a trim is remembered", async () => {
    const clock = { ms: 1_000_000 }
    const options = { hubs, dataFolder, retention: { forMs: 10_000 }, now: () => clock.ms }
    await fill(options)
    clock.ms += 6_000
    await withService(options, async ({ service, producer, run }) => {
      await producer("hub").sendBatch(bodies(10, 15), { partitionId: "0" })
      await run(service.faults.trim("hub", 0, 2))
    })
    expect(logs(0).length).toBe(2)
    await withService(options, async ({ service }) =>
      expect(service.stats().hubs["Hub"][0]).toMatchObject({ firstSequence: 2, nextSequence: 15 })
    )
    clock.ms += 6_000
    await withService(options, async ({ service }) =>
      expect(service.stats().hubs["Hub"][0]).toMatchObject({ firstSequence: 10, nextSequence: 15 })
    )
    expect(logs(0).length).toBe(1)
    clock.ms += 60_000
    await withService(options, async ({ service, producer, read }) => {
      expect(service.stats().hubs["Hub"][0]).toMatchObject({ firstSequence: 15, nextSequence: 15, bytes: 0 })
      await producer("hub").sendBatch(bodies(15, 16), { partitionId: "0" })
      const reading = read("hub", "0")
      await reading.has(1)
      expect(reading.events[0]).toMatchObject({ body: 15, sequenceNumber: 15 })
    })
  })

  it("a hub that is removed is gone after a restart", async () => {
    await fill()
    await withService({ dataFolder }, ({ service, run }) => run(service.faults.removeHub("hub")))
    await withService({ dataFolder }, ({ service }) => Promise.resolve(expect(service.hubs()).toEqual([])))
    await fill()
    expect(await found(10)).toEqual(numbers(bodies(0, 10)))
  })

  it("hubs made on first use are kept as well", async () => {
    await withService({ dataFolder, createOnFirstUse: { partitions: 1 } }, ({ producer }) =>
      producer("hub").sendBatch(bodies(0, 3))
    )
    expect(await found(3)).toEqual([0, 1, 2])
  })

  it("when the disk fails, sends are refused, for good; what cannot be opened is an error", async () => {
    let isBroken = false
    const broken: Disk = {
      ...nodeDisk,
      records: (folder) => {
        const records = nodeDisk.records(folder)
        return {
          ...records,
          create: async (name) => {
            const file = await records.create(name)
            return {
              ...file,
              append: (bytes) => (isBroken ? Promise.reject(new Error("ENOSPC: no space")) : file.append(bytes))
            }
          }
        }
      }
    }
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const service = yield* startOn(broken, { hubs, dataFolder })
          const client = new EventHubProducerClient(service.connectionString("hub"), { retryOptions: noRetry })
          yield* Effect.promise(async () => {
            await client.sendBatch(bodies(0, 10), { partitionId: "0" })
            isBroken = true
            const refused = await failure(client.sendBatch(bodies(10, 11), { partitionId: "0" }))
            expect(refused).toMatchObject({ code: "InternalServerError" })
            expect(refused.message).toContain("ENOSPC")
            isBroken = false
            await failure(client.sendBatch(bodies(10, 11), { partitionId: "0" }))
            await client.sendBatch(bodies(0, 1), { partitionId: "1" })
            await client.close()
          })
        })
      )
    )
    expect(await found(10)).toEqual(numbers(bodies(0, 10)))
    writeFileSync(join(dataFolder, "..", "file"), "")
    const error = await Effect.runPromise(
      Effect.flip(Effect.scoped(start({ dataFolder: join(dataFolder, "..", "file") })))
    )
    expect(error).toMatchObject({ _tag: "EmbeddedError", reason: "DataFolder" })
  })
})

/** Events in partition 0 after another start. */
async function withServiceCount(): Promise<number> {
  let count = 0
  await withService({ dataFolder }, ({ service }) => {
    const [{ firstSequence, nextSequence }] = service.stats().hubs["Hub"]
    count = nextSequence - firstSequence
    return Promise.resolve()
  })
  return count
}

/** `tidemark serve eventhubs`, in a process of its own: the SDK connects by what it prints; stops; SIGKILL loses nothing. */
import { EventHubConsumerClient, EventHubProducerClient, earliestEventPosition } from "@azure/event-hubs"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { parseHub, parseKey, parseSize } from "../../src/cli/serveWords.ts"
import { makeProject, type Project, type Running } from "./program.ts"

let project: Project
beforeEach(() => {
  project = makeProject()
})
afterEach(() => project.remove())

const connectionString = async ({ said, child }: Running): Promise<string> => {
  let out = ""
  child.stdout?.on("data", (bytes: Buffer) => (out += bytes.toString()))
  await said(/^Endpoint=.*\n/m)
  return out.trim()
}

const retryOptions = { maxRetries: 0, timeoutInMs: 15_000 }

/** The bodies of a partition, as far as it is filled. */
const contents = async (connection: string): Promise<ReadonlyArray<number>> => {
  const client = new EventHubConsumerClient("$Default", connection, "h", { retryOptions })
  const { lastEnqueuedSequenceNumber: last } = await client.getPartitionProperties("0")
  const got: Array<number> = []
  await new Promise<void>((done, fail) => {
    if (last < 0) return done()
    client.subscribe(
      "0",
      {
        processEvents: (events) => {
          got.push(...events.map(({ body }) => body as number))
          if (got.length > last) done()
          return Promise.resolve()
        },
        processError: (error) => {
          fail(error)
          return Promise.resolve()
        }
      },
      { startPosition: earliestEventPosition, maxBatchSize: 1_000 }
    )
  })
  await client.close()
  return got
}

describe("tidemark serve eventhubs", () => {
  it("prints what the SDK connects with, says what it did, and ends with 0", async () => {
    const running = project.start("serve", "eventhubs", "--hub", "h:2:g", "--hub", "other", "--sas", "root=c2Vj==")
    const connection = await connectionString(running)
    expect(connection).toMatch(
      /^Endpoint=sb:\/\/127\.0\.0\.1:[0-9]+;SharedAccessKeyName=root;SharedAccessKey=c2Vj==;UseDevelopmentEmulator=true$/
    )
    const client = new EventHubProducerClient(connection, "h", { retryOptions })
    expect(await client.getPartitionIds()).toEqual(["0", "1"])
    await client.sendBatch([{ body: 1 }, { body: 2 }], { partitionId: "0" })
    expect(await contents(connection)).toEqual([1, 2])
    running.kill("SIGTERM")
    const { code, stdout, stderr } = await running.ended
    await client.close()
    expect(code).toBe(0)
    expect(stdout.trim()).toBe(connection)
    expect(stderr).toMatch(/Event Hubs on 127\.0\.0\.1:[0-9]+, until Ctrl-C: h, other\n/)
    expect(stderr).toMatch(/2 events in, 2 events out, by 2 connections\n/)
  })

  it("with --data, SIGKILL loses nothing that was accepted, and doubles nothing", async () => {
    let sent = 0
    let accepted = 0
    for (let life = 0; life < 3; life++) {
      const running = project.start("serve", "eventhubs", "--hub", "h:1", "--data", "data")
      const connection = await connectionString(running)
      const there = await contents(connection)
      // What was sent and not answered may be there or not.
      expect(there.length).toBeGreaterThanOrEqual(accepted)
      expect(there).toEqual(Array.from({ length: there.length }, (_, i) => i))
      sent = there.length
      const client = new EventHubProducerClient(connection, "h", {
        retryOptions: { maxRetries: 0, timeoutInMs: 1_000 }
      })
      for (let isUp = true; isUp;) {
        const some = Array.from({ length: 7 }, (_, i) => ({ body: sent + i }))
        sent += 7
        isUp = await client.sendBatch(some, { partitionId: "0" }).then(
          () => true,
          () => false
        )
        if (isUp) accepted = sent
        if (accepted - there.length === 140) running.kill("SIGKILL")
      }
      expect(accepted - there.length).toBeGreaterThanOrEqual(140)
      await running.ended
      await client.close().catch(() => undefined)
    }
  })

  it.each([
    [["--hub", "h:x"], 2, /a hub such as orders/],
    [["--hub", "h:99"], 2, /--hub h\.partitions: 99: must be a whole number from 1 to 32/],
    [["--retention-size", "much"], 2, /a size such as 500MB/],
    [["--sas", "key"], 2, /a key such as/],
    [["--tls-cert", "x"], 2, /--tls-cert and --tls-key belong together/],
    [["--tls-cert", "x", "--tls-key", "y"], 1, /x cannot be read/],
    [["--host", "192.0.2.1"], 1, /cannot listen on 192\.0\.2\.1/],
    [["--data", "package.json"], 1, /folder of the embedded Event Hubs cannot be used/]
  ])("%j ends with %i and says why", async (options, status, says) => {
    const { code, stderr, stdout } = await project.run("serve", "eventhubs", ...options)
    expect(stdout + stderr).toMatch(says)
    expect(code).toBe(status)
  })

  it("reads hubs, keys and sizes", () => {
    expect(parseHub("orders")).toEqual({ name: "orders", partitions: undefined, groups: [] })
    expect(parseHub("orders:4:a,b")).toEqual({ name: "orders", partitions: 4, groups: ["a", "b"] })
    expect([":4", "a:b", "a:1:b:c", ""].map(parseHub)).toEqual([undefined, undefined, undefined, undefined])
    expect(parseKey("n=k=")).toEqual({ name: "n", key: "k=" })
    expect(["n", "n=", "=k"].map(parseKey)).toEqual([undefined, undefined, undefined])
    expect(["100", "1.5kB", "500 MB", "2GiB"].map(parseSize)).toEqual([100, 1_500, 5e8, 2 ** 31])
    expect(["", "x", "-1", "1 TB", "0"].map(parseSize)).toEqual([undefined, undefined, undefined, undefined, undefined])
  })
})

import { Effect, Exit, Redacted } from "effect"
import { describe, expect, it } from "vitest"
import * as Blob from "tidemark/Blob"
import { connectionStringOf } from "../azurite.ts"
import { azuriteForFile, run, worldOn } from "./support.ts"

const azurite = azuriteForFile()

const group: Blob.PublishedGroup = {
  fullyQualifiedNamespace: "Shop.servicebus.windows.net",
  eventHub: "Transactions-Stream",
  consumerGroup: "$Default"
}
const folder = "shop.servicebus.windows.net/transactions-stream/$default/checkpoint/"

/** What lies in a container, as the checkpoint store of the Event Hubs SDK reads it. */
const published = (container: string) =>
  Effect.promise(async () => {
    const found: Array<unknown> = []
    const client = azurite().service.getContainerClient(container)
    for await (const blob of client.listBlobsFlat({ includeMetadata: true })) {
      found.push([blob.name, blob.properties.contentLength, blob.metadata])
    }
    return found
  })

describe("positions in the layout of the Event Hubs SDK", () => {
  it("lie in lower case at the top of the container, as metadata of empty blobs; later ones stand in their place", () =>
    run(
      Effect.gen(function* () {
        const { proxy, container } = yield* worldOn(azurite())
        const connectionString = Redacted.make(connectionStringOf(proxy.endpoint))
        const publish = Blob.publishPositions(`${proxy.endpoint}/${container}`, { connectionString })
        yield* publish(group, [
          { partitionId: "0", offset: "1024", sequenceNumber: 7 },
          { partitionId: "1", offset: "3:77:12", sequenceNumber: 9_007_199_254_740_993n }
        ])
        expect(proxy.asked.length).toBe(4)
        proxy.asked.length = 0
        yield* publish(group, [{ partitionId: "0", offset: "2048", sequenceNumber: 8 }])
        expect(proxy.asked.map(({ method }) => method)).toEqual(["PUT"])
        expect(yield* published(container)).toEqual([
          [`${folder}0`, 0, { sequencenumber: "8", offset: "2048" }],
          [`${folder}1`, 0, { sequencenumber: "9007199254740993", offset: "3:77:12" }]
        ])
      })
    ))

  it("are published all the same when the network goes wrong for a moment", () =>
    run(
      Effect.gen(function* () {
        const { proxy, container } = yield* worldOn(azurite())
        const connectionString = Redacted.make(connectionStringOf(proxy.endpoint))
        const lost = new Set<string>()
        proxy.decide = ({ path, query }) => {
          const key = `${path} ${query.toString()}`
          if (lost.has(key)) return "pass"
          lost.add(key)
          return "done, reply lost"
        }
        const publish = Blob.publishPositions(`${proxy.endpoint}/${container}`, { connectionString })
        const all = Array.from({ length: 32 }, (_, i) => ({ partitionId: `${i}`, offset: `${i}`, sequenceNumber: i }))
        yield* publish(group, all)
        expect((yield* published(container)).length).toBe(32)
        expect(lost.size).toBe(64)
      })
    ))

  it("a path with a folder, wrong options and a container that is not there are errors that say so", () =>
    run(
      Effect.gen(function* () {
        const position = [{ partitionId: "0", offset: "1", sequenceNumber: 1 }]
        const endpoint = azurite().endpoint
        for (const [publish, says] of [
          [
            Blob.publishPositions(`${endpoint}/jobs/a`, azurite()),
            /at the top of a container: take the folder "a\/" off/
          ],
          [Blob.publishPositions("jobs", azurite()), /^published positions: write "https:/],
          [Blob.publishPositions(`${endpoint}/jobs`), /over plain http only/],
          [
            Blob.publishPositions(`${endpoint}/no-such`, azurite()),
            /^blob http.*no-such: shop\..*\/checkpoint\/0: there is no container "no-such"/
          ]
        ] as const) {
          expect((yield* Effect.flip(publish(group, position))).message).toMatch(says)
        }
        expect(
          Exit.isSuccess(yield* Effect.exit(Blob.publishPositions(`${endpoint}/jobs`, azurite())(group, [])))
        ).toBe(true)
      })
    ))
})

/** Rule C5b on a real service: what epochs and takeovers ask of it, however much lies behind them. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Redacted, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Blob from "tidemark/Blob"
import { encodeManifest, encodeTombstone } from "../../src/checkpoint/ManifestCodec.ts"
import { manifestName } from "../../src/checkpoint/names.ts"
import { requestsPerEpochMax } from "../../src/checkpoint/requests.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import { type Azurite, connectionStringOf, newContainer, startAzurite } from "../azurite.ts"
import { asProcess, epochs, impatient, own } from "../checkpoint/chains.ts"
import { fullManifest } from "../checkpoint/manifests.ts"
import { type Asked, proxyTo } from "./proxy.ts"
import { run } from "./support.ts"

const copies = ["primary", "copy"] as const

const putManifest = (store: ObjectStore, number: number) => {
  const { origin: _o, state: _s, ...rest } = fullManifest
  const manifest = encodeManifest({ ...rest, number, epoch: number, keptFrom: number })
  return Effect.forEach(copies, (copy) => store.put(manifestName("q", copy, number), manifest))
}

/** Requests as kinds: `LIST primary`, `PUT copy`. Heartbeats are apart. */
const kindsOf = (asked: ReadonlyArray<Asked>): ReadonlyArray<string> =>
  asked
    .map(({ method, path, query }) =>
      query.get("comp") === "list" ? `LIST ${query.get("prefix")}` : `${method} ${path.slice(path.indexOf("/") + 1)}`
    )
    .filter((kind) => !kind.includes("heartbeat"))
    .map((kind) => kind.replace("queries/q/", "").replace(/[/].*$/, ""))

/** What a takeover asks, then what each of eight epochs does, and how many names were listed by all of them. */
const bill = (azurite: Azurite, container: string, last: number) =>
  Effect.gen(function* () {
    const proxy = yield* proxyTo(azurite.port)
    const connectionString = Redacted.make(connectionStringOf(proxy.endpoint))
    const blobs = Blob.store(`${proxy.endpoint}/${container}`, { connectionString })
    let listed = 0
    const store: ObjectStore = {
      ...blobs,
      list: (prefix, limit) =>
        Effect.tap(blobs.list(prefix, limit), (names) => Effect.sync(() => void (listed += names.length)))
    }
    const perEpoch: Array<ReadonlyArray<string>> = []
    const takeover = yield* asProcess(impatient(1))(
      Effect.scoped(
        Effect.gen(function* () {
          const owned = yield* own(store)
          yield* owned.sweep
          expect(owned.base.number).toBe(last + 1)
          const kinds = kindsOf(proxy.asked)
          for (let n = last + 2; n < last + 10; n++) {
            proxy.asked.length = 0
            yield* epochs(owned, n, n)
            perEpoch.push(kindsOf(proxy.asked))
          }
          return kinds
        })
      )
    )
    return { takeover, perEpoch, listed }
  })

/** A database of Azurite's with one tombstone becomes one with many: a hundred thousand puts would take it minutes. */
const multiply = (folder: string, container: string, names: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    interface Doc {
      readonly containerName: string
      readonly name: string
      readonly [field: string]: unknown
    }
    interface Collection {
      readonly name: string
      data: ReadonlyArray<Doc>
      maxId: number
      readonly binaryIndices: { readonly [field: string]: { values: ReadonlyArray<number> } }
    }
    const path = join(folder, "__azurite_db_blob__.json")
    const db = JSON.parse(await readFile(path, "utf8")) as { readonly collections: ReadonlyArray<Collection> }
    const blobs = db.collections.find((each) => each.name === "$BLOBS_COLLECTION$") as Collection
    const there = blobs.data.filter((doc) => doc.containerName === container)
    const tombstone = there.find((doc) => doc.name === "tombstone") as Doc
    blobs.data = [...there.filter((doc) => doc !== tombstone), ...names.map((name) => ({ ...tombstone, name }))]
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((doc, i) => ({ ...doc, $loki: i + 1 }))
    blobs.maxId = blobs.data.length
    for (const index of Object.values(blobs.binaryIndices)) index.values = blobs.data.map((_, i) => i)
    await writeFile(path, JSON.stringify(db))
  })

const folderOfItsOwn: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "tidemark-tombstones-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
)

describe("C5b: requests to Blob storage", () => {
  it("an epoch makes at most 14, 8 once it runs; a takeover and an epoch make as many with 100,000 tombstones behind", () =>
    run(
      Effect.gen(function* () {
        const last = 50_000
        const folder = yield* folderOfItsOwn
        const made = yield* Effect.scoped(
          Effect.gen(function* () {
            const azurite = yield* startAzurite(folder)
            const [few, many] = [yield* newContainer(azurite), yield* newContainer(azurite)]
            const store = Blob.store(`${azurite.endpoint}/${many}`, azurite)
            yield* store.put("tombstone", encodeTombstone(1))
            yield* putManifest(store, last)
            yield* putManifest(Blob.store(`${azurite.endpoint}/${few}`, azurite), 3)
            const bare = yield* bill(azurite, few, 3)
            return { bare, many }
          })
        )
        const tombstones = copies.flatMap((copy) =>
          Array.from({ length: last }, (_, i) => manifestName("q", copy, i + 1)).filter(
            (name) => name !== manifestName("q", copy, last)
          )
        )
        yield* multiply(folder, made.many, [...tombstones, "z/1", "z/2"])
        const azurite = yield* startAzurite(folder)
        const direct = Blob.store(`${azurite.endpoint}/${made.many}`, azurite)
        // The oldest thousand is there, and so is what sorts behind all of them.
        expect((yield* direct.list("queries/q/copy/9999999/", 5_000)).length).toBe(999)
        expect((yield* direct.list("z/", 5_000)).length).toBe(2)

        const { takeover, perEpoch, listed } = yield* bill(azurite, made.many, last)
        expect(Math.max(...perEpoch.map((each) => each.length))).toBeLessThanOrEqual(requestsPerEpochMax)
        expect(perEpoch.at(-1)).toEqual([
          "PUT data",
          "PUT primary",
          "GET primary",
          "PUT copy",
          "GET primary",
          "PUT primary",
          "PUT copy",
          "DELETE data"
        ])
        expect(perEpoch.flat().filter((kind) => kind.startsWith("LIST"))).toEqual([])
        expect(takeover.filter((kind) => kind.startsWith("LIST")).length).toBeGreaterThan(0)
        expect(perEpoch).toEqual(made.bare.perEpoch)
        expect(takeover.length).toBeLessThan(25)
        expect(takeover.toSorted()).toEqual(made.bare.takeover.toSorted())
        expect([listed, made.bare.listed].map((names) => names < 20)).toEqual([true, true])
        expect(listed).toBe(made.bare.listed)
      })
    ))
})

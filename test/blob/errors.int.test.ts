/** What goes wrong with a real service: each error says what, where, and what to do, and shows no secret. */
import { createServer } from "node:net"
import { inspect } from "node:util"
import {
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential
} from "@azure/storage-blob"
import { Effect, Option, Redacted } from "effect"
import { describe, expect, it } from "vitest"
import * as Blob from "../../src/Blob.ts"
import type { StoreError } from "../../src/model/Errors.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import { azuriteKey, connectionStringOf } from "../azurite.ts"
import { azuriteForFile, bytes, run, worldOn } from "./support.ts"

const azurite = azuriteForFile()

/** What every operation of a store fails with. */
const errorsOf = (store: ObjectStore): Effect.Effect<ReadonlyArray<StoreError>> => {
  const failing = (call: Effect.Effect<unknown, StoreError>): Effect.Effect<StoreError> =>
    Effect.orDie(Effect.flip(call))
  return Effect.all(
    [
      failing(store.get("a/b")),
      failing(store.put("a/b", bytes("x"))),
      failing(store.putIfAbsent("a/b", bytes("x"))),
      failing(store.list("a/", 1)),
      failing(store.delete("a/b"))
    ],
    { concurrency: "unbounded" }
  )
}

const sasOf = (container: string, permissions: string, lastsMs = 3_600_000): string =>
  generateBlobSASQueryParameters(
    {
      containerName: container,
      permissions: ContainerSASPermissions.parse(permissions),
      startsOn: new Date(Date.now() - 7_200_000),
      expiresOn: new Date(Date.now() + lastsMs)
    },
    new StorageSharedKeyCredential("devstoreaccount1", azuriteKey)
  ).toString()

/** Everything that might show an error to somebody. */
const printed = (error: StoreError): string =>
  [inspect(error, { depth: 9 }), JSON.stringify(error), String(error)].join()

describe("errors of Blob storage", () => {
  it("a container that is not there: every operation says how to make it", () =>
    run(
      Effect.gen(function* () {
        const store = Blob.store(`${azurite().endpoint}/no-such/jobs`, azurite())
        for (const error of yield* errorsOf(store)) {
          expect(error._tag).toBe("StoreError")
          expect(error.message).toMatch(
            /^blob http.*\/no-such\/jobs: \w+ "a\/b?": there is no container "no-such" in devstoreaccount1: make it \(az storage container create/
          )
        }
      })
    ))

  it("a wrong key, which is not shown", () =>
    run(
      Effect.gen(function* () {
        const { container } = yield* worldOn(azurite())
        const key = `${azuriteKey.slice(0, 40)}${"A".repeat(46)}==`
        const connectionString = Redacted.make(connectionStringOf(azurite().endpoint).replace(azuriteKey, key))
        const store = Blob.store(`${azurite().endpoint}/${container}`, { connectionString })
        for (const error of yield* errorsOf(store)) {
          expect(error.message).toMatch(/: the account key is not accepted: copy it anew from the access keys/)
          expect(printed(error)).not.toMatch(/A{20}|SharedKey [a-z]|Eby8vd/)
        }
      })
    ))

  it("a SAS works; one that has expired, or allows too little, says which; none is shown", () =>
    run(
      Effect.gen(function* () {
        const { container, direct } = yield* worldOn(azurite())
        const path = `${azurite().endpoint}/${container}/jobs`
        const by = (sas: string): ObjectStore => Blob.store(path, { sasToken: Redacted.make(sas) })
        const good = by(`?${sasOf(container, "rwdl")}`)
        expect(yield* good.putIfAbsent("a", bytes("x"))).toBe(true)
        expect(yield* good.putIfAbsent("a", bytes("y"))).toBe(false)
        expect(Option.getOrThrow(yield* direct.get("a"))).toEqual(bytes("x"))
        expect(yield* good.list("", 9)).toEqual(["a"])
        yield* good.delete("a")
        const expired = sasOf(container, "rwdl", -3_600_000)
        const reading = sasOf(container, "rl")
        for (const [sas, says, calls] of [
          [expired, /the SAS is not accepted: it has expired/, errorsOf(by(expired))],
          [
            reading,
            /the SAS does not allow this: make one for the container .* read, write, delete and list \(sp=rwdl\)/,
            Effect.orDie(
              Effect.all([Effect.flip(by(reading).put("a", bytes("x"))), Effect.flip(by(reading).delete("a"))])
            )
          ]
        ] as ReadonlyArray<readonly [string, RegExp, Effect.Effect<ReadonlyArray<StoreError>>]>) {
          const signature = new URLSearchParams(sas).get("sig") as string
          for (const error of yield* calls) {
            expect(error.message).toMatch(says)
            expect(printed(error)).not.toContain(signature.slice(0, 12))
            expect(printed(error)).not.toMatch(/sig=/)
          }
        }
      })
    ))

  it("a host that is not there, and a port where nobody listens", () =>
    run(
      Effect.gen(function* () {
        const connectionString = Redacted.make(`AccountName=acc;AccountKey=${azuriteKey}`)
        const nowhere = Blob.store("https://acc.blob.tidemark.invalid/jobs", { connectionString })
        for (const error of yield* errorsOf(nowhere)) {
          expect(error.message).toMatch(
            /there is no host acc\.blob\.tidemark\.invalid: correct the name of the account/
          )
        }
        const port = yield* Effect.callback<number>((resume) => {
          const server = createServer().listen(0, "127.0.0.1", () => {
            const { port: free } = server.address() as { readonly port: number }
            server.close(() => resume(Effect.succeed(free)))
          })
        })
        const endpoint = `http://127.0.0.1:${port}/devstoreaccount1`
        const closed = Blob.store(`${endpoint}/jobs`, { connectionString: Redacted.make(connectionStringOf(endpoint)) })
        for (const error of yield* errorsOf(closed)) {
          expect(error.message).toMatch(/127\.0\.0\.1:\d+ cannot be reached \(connect ECONNREFUSED .*\): is it running/)
        }
      })
    ))

  it("a credential is asked for a token of storage; one that has none says how to sign in", () =>
    run(
      Effect.gen(function* () {
        const path = "https://acc.blob.tidemark.invalid/jobs"
        const scopes: Array<unknown> = []
        const getToken = (scope: string | Array<string>) => {
          scopes.push(scope)
          return Promise.resolve({ token: "hunter2", expiresOnTimestamp: Date.now() + 3_600_000 })
        }
        for (const error of yield* errorsOf(Blob.store(path, { credential: { getToken } }))) {
          expect(error.message).toMatch(/there is no host acc\.blob\.tidemark\.invalid/)
          expect(printed(error)).not.toContain("hunter2")
        }
        expect(scopes.flat()).toContain("https://storage.azure.com/.default")
        const without = new Error("tried hunter2 in vain")
        without.name = "CredentialUnavailableError"
        const none = Blob.store(path, { credential: { getToken: () => Promise.reject(without) } })
        for (const error of yield* errorsOf(none)) {
          expect(error.message).toMatch(/: no credential \(CredentialUnavailableError\): sign in with "az login"/)
        }
      })
    ))

  it("a wrong path or wrong options: every call says so, and shows no secret", () =>
    run(
      Effect.gen(function* () {
        for (const [store, says] of [
          [Blob.store("https://acc.blob.core.windows.net"), /^blob https:.*: it names no container: write "https:/],
          [
            Blob.store("https://acc.blob.core.windows.net/jobs?sv=1&sig=hunter2"),
            /^blob https:.*\/jobs\?\.\.\.: it has a query: a SAS is a secret/
          ],
          [Blob.store("https://me:hunter2@host.net/jobs"), /^blob https:\/\/\.\.\.@host\.net\/jobs: a user's name/],
          [
            Blob.store("https://acc.blob.core.windows.net/jobs", { sasToken: Redacted.make("hunter2") }),
            /^blob https:.*\/jobs: sasToken has no signature/
          ]
        ] as const) {
          for (const error of yield* errorsOf(store)) {
            expect(error.message).toMatch(says)
            expect(printed(error)).not.toContain("hunter2")
          }
        }
      })
    ))

  it("replies that are cut, and a service that is busy for a moment, are nobody's trouble", () =>
    run(
      Effect.gen(function* () {
        const { proxy, open, direct } = yield* worldOn(azurite())
        const large = new Uint8Array(300_000).fill(7)
        yield* direct.put("large", large)
        const store = open()
        const once = new Set<string>()
        proxy.decide = ({ method, path, query }) => {
          const key = `${method} ${path} ${query.toString()}`
          if (once.has(key)) return "pass"
          once.add(key)
          return method === "GET" ? "done, reply cut" : "503"
        }
        expect(Option.getOrThrow(yield* store.get("large"))).toEqual(large)
        yield* store.put("b", bytes("x"))
        expect(yield* store.list("", 9)).toEqual(["b", "large"])
        yield* store.delete("b")
        expect(yield* direct.list("", 9)).toEqual(["large"])
        expect(proxy.asked.length).toBe(2 * once.size)
      })
    ))

  it("what the service says of a fault that is not known is passed on, with its code", () =>
    run(
      Effect.gen(function* () {
        const { proxy, open } = yield* worldOn(azurite())
        proxy.decide = () => ({ status: 400, code: "SomethingNew", text: "A rule of next year.\nmore" })
        const error = yield* Effect.flip(open().get("a"))
        expect(error.message).toMatch(/get "a": A rule of next year\. \(SomethingNew, status 400, request planted\)$/)
      })
    ))
})

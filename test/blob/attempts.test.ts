/** Time, tries and pauses, on a container that does as it is told and under a clock that stands still. */
import { Effect, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { storeOn } from "../../src/connectors/blob/BlobObjectStore.ts"
import { type BlobContainer, BlobFault, type BlobMetadata } from "../../src/connectors/blob/BlobContainer.ts"
import { parseLocation } from "../../src/connectors/blob/location.ts"
import { Limits } from "../../src/model/Limits.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"

const parsed = parseLocation("https://acc.blob.core.windows.net/jobs/q")
if (parsed.tag === "problem") throw new Error(parsed.why)
const { location } = parsed

const unused = () => Promise.reject(new Error("not asked for"))
const none: BlobContainer = {
  upload: unused,
  download: unused,
  metadata: unused,
  setMetadata: unused,
  list: unused,
  delete: unused
}
const on = (container: Partial<BlobContainer>): ObjectStore => storeOn({ ...none, ...container }, location, "key")

const service = (status: number, code: string, retryAfterMs?: number): BlobFault =>
  new BlobFault({
    kind: "service",
    status,
    code,
    message: "planted",
    ...(retryAfterMs === undefined ? {} : { retryAfterMs })
  })
const network = (code: string): BlobFault => new BlobFault({ kind: "network", code, message: "planted" })

/** Lets time pass until a program has ended; gives what it gave, and how long it took by the clock. */
const passing = <A, E>(program: Effect.Effect<A, E>): Promise<readonly [A, number]> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(program)
      let at = 0
      while (fiber.pollUnsafe() === undefined) {
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        yield* TestClock.adjust(100)
        at += 100
      }
      return [yield* Fiber.join(fiber), at] as const
    }).pipe(Effect.provide(TestClock.layer()))
  )

describe("requests to Blob storage, in time and again", () => {
  it("a request without a reply is aborted, made again, and fails in the end with what was waited for", async () => {
    let aborted = 0
    let made = 0
    const store = on({
      list: (_prefix, _max, _marker, signal) => {
        made++
        signal.addEventListener("abort", () => aborted++)
        return new Promise(() => undefined)
      }
    })
    const [error, tookMs] = await passing(Effect.flip(store.list("", 1)))
    expect(error.message).toMatch(/^blob https:.*\/jobs\/q: list "": acc\.blob.*: no reply within 15000 ms$/)
    expect([made, aborted]).toEqual([Limits.blobTimeoutsMax, Limits.blobTimeoutsMax])
    expect(tookMs).toBeGreaterThan(Limits.blobTimeoutsMax * Limits.blobTryTimeoutMs)
    expect(tookMs).toBeLessThan(Limits.blobTimeoutsMax * (Limits.blobTryTimeoutMs + Limits.blobRetryMaxMs))
  })

  it("large bytes get the time that they need", async () => {
    let made = 0
    const slow = on({
      upload: (_name, _bytes, _how, signal) =>
        new Promise(() => {
          made++
          signal.addEventListener("abort", () => undefined)
        })
    })
    const [error, slowMs] = await passing(Effect.flip(slow.put("a", new Uint8Array(Limits.blobBytesPerSecondMin * 20))))
    expect(error.message).toContain("no reply within 35000 ms")
    expect([made, slowMs > 70_000]).toEqual([Limits.blobTimeoutsMax, true])
  })

  it.each([
    ["a busy service", service(503, "ServerBusy")],
    ["an account over its limits", service(429, "TooManyRequests")],
    ["an error inside the service", service(500, "InternalError")],
    ["a connection that broke", network("ECONNRESET")],
    ["a refused connection", network("ECONNREFUSED")],
    ["bytes damaged on their way", service(400, "Md5Mismatch")]
  ])("%s is asked again", async (_, fault) => {
    let made = 0
    const store = on({ upload: () => (++made < Limits.blobTriesMax ? Promise.reject(fault) : Promise.resolve()) })
    await passing(store.put("a", new Uint8Array(1)))
    expect(made).toBe(Limits.blobTriesMax)
  })

  it.each([
    ["a wrong key", service(403, "AuthenticationFailed"), /the account key is not accepted: copy it anew/],
    ["an unknown host", network("ENOTFOUND"), /there is no host acc\.blob\.core\.windows\.net: correct the name/],
    ["a certificate of a proxy", network("SELF_SIGNED_CERT_IN_CHAIN"), /is not trusted.*NODE_EXTRA_CA_CERTS/],
    [
      "no credential",
      new BlobFault({ kind: "credential", code: "CredentialUnavailableError", message: "planted" }),
      /no credential.*az login/
    ],
    [
      "a missing package",
      new BlobFault({ kind: "sdk", code: "ERR_MODULE_NOT_FOUND", message: "@azure/storage-blob: Cannot find package" }),
      /npm install @azure\/storage-blob @azure\/identity/
    ]
  ])("%s is told at once", async (_, fault, says) => {
    let made = 0
    const refuse = () => {
      made++
      return Promise.reject(fault)
    }
    const store = on({ upload: refuse, download: refuse, list: refuse, delete: refuse, metadata: refuse })
    const calls: ReadonlyArray<Effect.Effect<unknown, { readonly message: string }>> = [
      store.put("a", new Uint8Array(1)),
      store.putIfAbsent("a", new Uint8Array(1)),
      store.get("a"),
      store.list("", 1),
      store.delete("a")
    ]
    for (const call of calls) expect((await Effect.runPromise(Effect.flip(call))).message).toMatch(says)
    expect(made).toBe(calls.length)
  })

  it("waits as long as the service asks for, within a bound", async () => {
    for (const [asked, least, most] of [
      [3_000, 3_000, 4_000],
      [3_600_000, Limits.blobRetryMaxMs, Limits.blobRetryMaxMs + 1_000]
    ] as const) {
      let made = 0
      const store = on({
        delete: () => (made++ === 0 ? Promise.reject(service(503, "ServerBusy", asked)) : Promise.resolve())
      })
      const [, tookMs] = await passing(store.delete("a"))
      expect(tookMs).toBeGreaterThanOrEqual(least)
      expect(tookMs).toBeLessThan(most)
    }
  })

  it("goes on over short and empty pages, passes over what is no object, and asks for no more than it needs", async () => {
    const pages: ReadonlyArray<readonly [ReadonlyArray<string>, string | undefined]> = [
      [["q/a"], "1"],
      [[], "2"],
      [["q/.tmp", "q/a b", "q/b./c", "q/c"], "3"],
      [["q/d", "q/e"], "4"],
      [["q/f"], undefined]
    ]
    const asked: Array<readonly [string, number]> = []
    const store = on({
      list: (prefix, namesMax, marker) => {
        asked.push([prefix, namesMax])
        const [names, next] = pages[Number(marker ?? 0)]
        return Promise.resolve({ names, marker: next })
      }
    })
    expect(await Effect.runPromise(store.list("", 4))).toEqual(["a", "c", "d", "e"])
    expect(asked).toEqual([4, 3, 3, 2].map((max) => ["q/", max]))
    expect(await Effect.runPromise(store.list("", 100_000))).toEqual(["a", "c", "d", "e", "f"])
    expect(asked[4]).toEqual(["q/", Limits.blobPageNamesMax])
  })

  it("a folder of a data lake is no object", async () => {
    const metadata: BlobMetadata = { hdi_isfolder: "true" }
    const reply = { bytes: 0, metadata, read: () => Promise.resolve(new Uint8Array(0)), close: () => undefined }
    expect(Option.isNone(await Effect.runPromise(on({ download: () => Promise.resolve(reply) }).get("a")))).toBe(true)
  })

  it("refuses names that the service would change, and objects that it would not take", async () => {
    const store = on({})
    for (const name of ["a.", "a./b"]) {
      expect((await Effect.runPromise(Effect.flip(store.put(name, new Uint8Array(1))))).message).toMatch(
        /ending with a dot/
      )
    }
    const large = { length: Limits.blobBytesMax + 1 } as Uint8Array
    expect((await Effect.runPromise(Effect.flip(store.putIfAbsent("a", large)))).message).toMatch(
      /more than the service takes/
    )
  })
})

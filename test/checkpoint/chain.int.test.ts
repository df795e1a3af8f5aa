import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Effect, Option } from "effect"
import { afterAll, describe, expect, it } from "vitest"
import { encodeManifest, encodeTombstone } from "../../src/checkpoint/ManifestCodec.ts"
import { manifestName } from "../../src/checkpoint/names.ts"
import { listQueries, readChain } from "../../src/checkpoint/ReadChain.ts"
import { requestsPerEpochMax } from "../../src/checkpoint/requests.ts"
import { store } from "../../src/connectors/files/FileObjectStore.ts"
import { attempt, asProcess, counting, damage, epochs, impatient, own, refusal, stateOf } from "./chains.ts"
import { fullManifest } from "./manifests.ts"

const folder = mkdtempSync(join(tmpdir(), "tidemark-chain-files-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const below = (at: string): ReadonlyArray<string> =>
  readdirSync(at, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(at.length + 1))
    .toSorted()

describe("C3, C5, C6: a chain in files", () => {
  it("attempts go on from each other; what lies there is what the names say", async () => {
    const at = join(folder, "plain")
    const objects = store(at)
    await Effect.runPromise(attempt(objects, 1, 3))
    const second = await Effect.runPromise(attempt(objects, 2, 2, { retained: 1 }))
    expect(second.base).toMatchObject({ number: 5, epoch: 4 })
    const { manifest, states } = Option.getOrThrow(await Effect.runPromise(readChain(objects, "q")))
    expect(manifest.number).toBe(7)
    expect(await Effect.runPromise(states)).toStrictEqual(stateOf(7))
    expect(await Effect.runPromise(listQueries(objects))).toEqual(["q"])
    const numbers = [2, 3, 4, 5, 6, 7, 8].map((n) => `999999999${n}`)
    expect(below(at)).toEqual([
      ...numbers.map((n) => `queries/q/copy/9999999/${n}`),
      "queries/q/data/0000000005-0000000007-1.a",
      "queries/q/data/0000000005-0000000007-1.b",
      "queries/q/heartbeat/9999999994",
      ...numbers.map((n) => `queries/q/primary/9999999/${n}`),
      "registry/q"
    ])
  })

  it("one damaged file of any pair costs nothing; both are refused", async () => {
    const at = join(folder, "damaged")
    const objects = store(at)
    await Effect.runPromise(attempt(objects, 1, 2))
    const again = (pid: number) =>
      Effect.runPromise(
        asProcess(impatient(pid))(Effect.scoped(Effect.flatMap(own(objects), (owned) => owned.readState)))
      )
    const [a, b] = below(at).filter((name) => name.includes("/data/0000000001-0000000003"))
    await Effect.runPromise(damage(objects, a))
    expect(await again(2)).toStrictEqual(stateOf(3))
    await Effect.runPromise(damage(objects, b))
    expect(await again(3)).toStrictEqual(stateOf(3)) // the first was repaired
    await Effect.runPromise(damage(objects, a))
    const said = await Effect.runPromise(
      refusal(readChain(objects, "q").pipe(Effect.flatMap((r) => Option.getOrThrow(r).states)))
    )
    expect(said).toMatch(/^Checkpoint: .*its state is lost: .*0000000003-1\.a does not have the checksum/)
  })

  it("C5b: with thousands of tombstones behind, a takeover reads no more, and an epoch asks no more", async () => {
    const at = join(folder, "tombstones")
    const last = 4_321
    const write = (number: number, copy: "primary" | "copy", bytes: Uint8Array): void => {
      const path = join(at, manifestName("q", copy, number))
      if (number % 1_000 === 0 || number === 1) mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, bytes)
    }
    for (const copy of ["primary", "copy"] as const) {
      // Numbers that are multiples of 1,000 begin a group, going up.
      for (let n = 1; n < last; n++) write(n, copy, encodeTombstone(n))
      const { origin: _o, state: _s, ...rest } = fullManifest
      write(last, copy, encodeManifest({ ...rest, number: last, epoch: last, keptFrom: last }))
    }
    const { store: objects, asked } = counting(store(at))
    await Effect.runPromise(
      asProcess(impatient(1))(
        Effect.scoped(
          Effect.gen(function* () {
            const owned = yield* own(objects)
            yield* owned.sweep
            expect(owned.base.number).toBe(last + 1)
            expect(asked.length).toBeLessThan(25)
            for (let n = last + 2; n < last + 8; n++) {
              asked.length = 0
              yield* epochs(owned, n, n)
              expect(asked.length).toBeLessThanOrEqual(requestsPerEpochMax)
            }
          })
        )
      )
    )
  })
})

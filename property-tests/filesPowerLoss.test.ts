/**
 * Committed output of the file sink, and the checkpoints of the file store, under kills, losses of power and processes
 * that freeze and go on: over the real connectors on a simulated disk. Faults planted in the disk are found.
 */
import { Effect } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Files from "../src/connectors/files/Files.ts"
import { attempt, type Fault, type History, live } from "../test/files/recoveryDriver.ts"
import { Seeded } from "../src/testing/seeded.ts"
import { type DiskFaults, makeSimulatedDisk } from "../src/testing/SimulatedDisk.ts"
import { runs } from "./engineJobs.ts"

/** Numbers from 0 to below 1, the same for the same seed. */
const chanceOf = (seed: number): (() => number) => {
  const seeded = new Seeded(seed)
  return () => seeded.chance()
}

/** Calls to the disk that an undisturbed attempt makes: where faults may happen. */
const calls = Effect.runPromise(
  Effect.suspend(() => {
    const process = makeSimulatedDisk().process()
    return Effect.map(Effect.provideService(attempt, Files.FileSystem, process.fs), () => process.calls())
  })
)

/** A history by its seed alone: one to three faults. */
const historyOf = (seed: number, last: number): History => {
  const chance = chanceOf(seed)
  const whats: ReadonlyArray<Fault> = ["killed", "power lost", "frozen"]
  const faults = Array.from({ length: 1 + Math.floor(chance() * 3) }, () => ({
    what: whats[Math.floor(chance() * whats.length)],
    at: Math.floor(chance() * (last + 20))
  }))
  return { faults, chance, taking: chance() < 0.5 }
}

describe("C2, C3, C5: the file sink and the file store on a simulated disk", () => {
  it("law: kills, losses of power and frozen processes: every row once, none torn, none lost", async () => {
    const last = await calls
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        expect(await live(historyOf(seed, last))).toBeUndefined()
      }),
      { numRuns: runs(80) }
    )
  }, 3_600_000)

  it("an attempt makes every call that the law may cut off, and leaves nothing unsynced that matters", async () => {
    expect(await calls).toBeGreaterThan(250)
    for (const what of ["killed", "power lost", "frozen"] as const) {
      const at = (await calls) + 5
      expect(await live({ faults: [{ what, at }], chance: chanceOf(1), taking: true })).toBeUndefined()
    }
  })
})

describe("C3: planted in the disk", () => {
  const isPart = (path: string): boolean => path.includes("/part-")
  const planted: ReadonlyArray<readonly [what: string, faults: DiskFaults, fault: Fault, taking: boolean]> = [
    ["the folder of the parts is not synced", { folderNotSynced: (p) => p.endsWith("/rows") }, "power lost", false],
    ["the folder of the markers is not synced", { folderNotSynced: (p) => p.endsWith(".staged") }, "power lost", false],
    ["the parents of new folders are not synced", { folderNotSynced: (p) => p === "/disk" }, "power lost", false],
    ["the folders of state are not synced", { folderNotSynced: (p) => p.endsWith("/data") }, "power lost", false],
    ["the folders of manifests are not synced", { folderNotSynced: (p) => p.endsWith("/0") }, "power lost", false],
    ["staged files are not synced", { fileNotSynced: (p) => p.includes("/rows/.0") }, "power lost", false],
    ["markers are not synced", { fileNotSynced: (p) => p.endsWith(".marker") }, "power lost", false],
    ["manifests are not synced", { fileNotSynced: (p) => p.includes("/primary/") }, "power lost", false],
    [
      "a rename across folders, or an unlink that is durable before the link",
      { renameParts: true },
      "power lost",
      false
    ],
    ["a link and an unlink, where readers take parts away", { renameLinks: isPart }, "killed", true]
  ]
  it.each(planted)("%s: is found", async (_, faults, what, taking) => {
    const last = await calls
    // Every call, in an order that is soon everywhere.
    for (let i = 0; i < 3 * last; i++) {
      const at = (i * 89) % last
      const found = await live({ faults: [{ what, at }], chance: chanceOf(i), taking }, faults)
      if (found !== undefined) return
    }
    expect.fail("not found")
  })
})

/**
 * Every loss of power in a short run, at every call to the disk: the checkpoint's takeover and chain of manifests on the file
 * store, and the file sink, two epochs long; and the same protocol in its smallest form. Faults planted in the disk are
 * found, each by the first loss that shows it.
 */
import { describe, expect, it } from "vitest"
import type { DiskFaults } from "../src/testing/SimulatedDisk.ts"
import { chainAttempt } from "../test/files/chainDriver.ts"
import { exhaustiveMax, explore, lossesOf } from "../test/files/powerLosses.ts"
import { attempt } from "../test/files/recoveryDriver.ts"

describe("C2, C3, C5, C6: every loss of power, at every call", () => {
  it("every row is there once, none is torn, none lost: of the chain itself, from the start and after attempts that were killed", () => {
    const seen = new Set<string>()
    const first = explore(chainAttempt, { seen })
    expect(first.wrong).toBeUndefined()
    const killedAt = (part: number): number => Math.floor(first.calls * part)
    const later = [
      explore(chainAttempt, { killedAt: killedAt(0.45), seen }),
      // Behind this one much is unsynced: a third of the calls has thousands of disks.
      explore(chainAttempt, { killedAt: killedAt(0.8), seen, oneIn: 3 })
    ]
    for (const { wrong } of later) expect(wrong).toBeUndefined()
    const all = [first, ...later]
    const sum = (of: "calls" | "losses" | "disks" | "bounded") => all.reduce((n, one) => n + one[of], 0)
    expect(sum("calls")).toBeGreaterThan(600)
    expect(sum("losses")).toBeGreaterThan(10_000)
    expect(sum("disks")).toBeGreaterThan(2_000)
    // Nothing was sampled.
    expect(sum("bounded")).toBe(0)
  }, 3_600_000)

  it("and of the protocol in its smallest form", () => {
    const { wrong, losses, bounded } = explore(attempt)
    expect(wrong).toBeUndefined()
    expect(losses).toBeGreaterThan(1_000)
    expect(bounded).toBe(0)
  }, 3_600_000)

  it("where there would be too many, those that keep or undo at most two changes, and some of the others", () => {
    const all = [...lossesOf(5, 2, 1)].map(({ stays, bytes }) =>
      JSON.stringify([[0, 1, 2, 3, 4].map(stays), [0, 1].map(bytes)])
    )
    expect(new Set(all).size).toBe(2 ** 5 * 3 ** 2)
    const kept = [...lossesOf(13, 0, 1)].map(
      ({ stays }) => Array.from({ length: 13 }, (_, i) => i).filter(stays).length
    )
    expect(kept.length).toBeLessThan(exhaustiveMax)
    for (const [n, times] of [1, 13, 78].entries()) {
      expect(kept.filter((k) => k === n).length).toBeGreaterThanOrEqual(times)
      expect(kept.filter((k) => k === 13 - n).length).toBeGreaterThanOrEqual(times)
    }
    expect(kept.filter((k) => k > 2 && k < 11).length).toBeGreaterThan(200)
  })
})

describe("C3: planted in the disk", () => {
  const isPart = (path: string): boolean => path.includes("/part-")
  const copies = { fileNotSynced: (p: string) => /\/(primary|copy)\//.test(p) }
  /** `ofChain`: looked for in the chain itself too, which has a copy where a primary is torn (C6). */
  const planted: ReadonlyArray<{
    readonly what: string
    readonly faults: DiskFaults
    readonly ofChain?: DiskFaults | "the same"
  }> = [
    {
      what: "the folder of the parts is not synced",
      faults: { folderNotSynced: (p) => p.endsWith("/rows") },
      ofChain: "the same"
    },
    {
      what: "the folder of the markers is not synced",
      faults: { folderNotSynced: (p) => p.endsWith(".staged") },
      ofChain: "the same"
    },
    { what: "the parents of new folders are not synced", faults: { folderNotSynced: (p) => p === "/disk" } },
    { what: "the folders of state are not synced", faults: { folderNotSynced: (p) => p.endsWith("/data") } },
    { what: "the folders of manifests are not synced", faults: { folderNotSynced: (p) => p.endsWith("/0") } },
    { what: "staged files are not synced", faults: { fileNotSynced: (p) => p.includes("/rows/.0") } },
    { what: "markers are not synced", faults: { fileNotSynced: (p) => p.endsWith(".marker") } },
    { what: "manifests are not synced", faults: { fileNotSynced: (p) => p.includes("/primary/") }, ofChain: copies },
    {
      what: "a rename across folders, or an unlink that is durable before the link",
      faults: { renameParts: true },
      ofChain: "the same"
    },
    {
      what: "a link and an unlink, where readers take parts away",
      faults: { renameLinks: isPart },
      ofChain: "the same"
    }
  ]
  it.each(planted)(
    "$what: is found",
    ({ faults, ofChain }) => {
      expect(explore(attempt, { faults }).wrong).toBeDefined()
      if (ofChain === undefined) return
      expect(explore(chainAttempt, { faults: ofChain === "the same" ? faults : ofChain }).wrong).toBeDefined()
    },
    3_600_000
  )
})

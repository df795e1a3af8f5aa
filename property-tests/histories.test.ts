/**
 * Histories of the real runtime under the simulator, some of each suite; most of those of the job suite are in the two
 * files beside this one, so that they run in another worker. `npm run -s simulate` runs hundreds of thousands; a failure
 * says with which token it is replayed.
 */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { faultKinds } from "../src/testing/Fault.ts"
import { ready, replay, search } from "./histories/search.ts"
import { suites } from "./histories/suites.ts"
import { median } from "./histories/tally.ts"
import { holds } from "./histories/testing.ts"

describe("C1-C12, L1-L4, T2, A4: whatever goes wrong, what is committed is what an undisturbed run commits", () => {
  holds("split", 20_261_130, 1_000)
  holds("live", 20_261_130, 1_000)
  holds("bank", 20_261_130, 500)

  it("a typical history has 30 events, 2 checkpoints, and mostly a fault; every kind of fault happens", async () => {
    await ready()
    const { tally } = search("job", 7, 600)
    expect(median(tally.events)).toBeGreaterThanOrEqual(30)
    expect(median(tally.epochs)).toBeGreaterThanOrEqual(2)
    expect(tally.withFaults / tally.histories).toBeGreaterThan(0.7)
    expect(Object.keys(tally.faults).toSorted()).toEqual(faultKinds.toSorted())
  })

  it("the same history leaves the same trace, and another one another", async () => {
    await ready()
    const hashes = ["job.42.3", "job.42.3", "job.42.3", "live.42.3", "live.42.3"].map(
      (t) => replay(t).history.traceHash
    )
    expect(new Set(hashes.slice(0, 3)).size).toBe(1)
    expect(new Set(hashes.slice(3)).size).toBe(1)
    expect(hashes[0]).not.toBe(hashes[3])
  })

  it("a token of a number that no search has is none", () => {
    for (const token of ["job.42.4000000000", "constructor.42.3"]) expect(() => replay(token)).toThrow("is no token")
  })

  it("a token with a path that was shrunk stands for that case, and not for one beside it", async () => {
    await ready()
    const at = fc.sample(suites.job.arbitrary, { seed: 42, path: "3:0", numRuns: 1 })
    expect(replay("job.42.3:0").history.traceHash).toBe(suites.job.run(at[0]).history.traceHash)
  })
})

/** Histories of the source of Event Hubs over a simulated hub: see `histories.test.ts`. */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { hubCase } from "./histories/hubCases.ts"
import { runHub } from "./histories/hubHistory.ts"
import { ready } from "./histories/search.ts"
import { holds } from "./histories/testing.ts"

describe("C1, E11, L1, T7: whatever a hub does, each event counts once, or is said to be gone", () => {
  holds("hub", 20_261_130, 500)

  it("everything that a hub may do happens, and mostly something does", async () => {
    await ready()
    const cases = fc.sample(hubCase, { seed: 7, numRuns: 120 })
    const verdicts = cases.map((c) => runHub(c))
    const kinds = new Set(verdicts.flatMap(({ struck }) => struck.map(({ kind }) => kind)))
    expect([...kinds].toSorted()).toEqual(["again", "away", "drop", "refuse", "steal"])
    expect(verdicts.filter(({ struck }) => struck.length > 0).length).toBeGreaterThan(cases.length / 3)
    expect(verdicts.some(({ stops }) => stops > 0)).toBe(true)
  })
})

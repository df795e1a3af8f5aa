/** When a query will have caught up, from looks at what it read and what waits. */
import { describe, expect, it } from "vitest"
import { catchUpOf, lagLook, type LagLook, withLook } from "../../src/actors/CatchUp.ts"
import { position } from "../../src/model/Position.ts"
import { look, reader } from "./support.ts"

const msOf = (looks: ReadonlyArray<LagLook>): number | "never" | undefined => catchUpOf(looks)?.ms

describe("catch-up time", () => {
  it("is what waits over how much faster it is read than it comes", () => {
    // 1,000 come each second, 3,000 are read.
    const looks = [0, 1, 2, 3, 4].map((s) => look(s, 3_000 * s, 20_000 - 2_000 * s))
    expect(catchUpOf(looks)).toEqual({ rows: 12_000, readPerSecond: 3_000, comingPerSecond: 1_000, ms: 6_000 })
  })

  it("of an input that is all there is what waits over what is read", () => {
    expect(catchUpOf([look(0, 0, 1_000), look(5, 500, 500)])).toMatchObject({ comingPerSecond: 0, ms: 5_000 })
  })

  it.each([
    ["more come than are read", [look(0, 0, 500), look(4, 400, 900)]],
    ["as many come as are read", [look(0, 0, 5_000), look(4, 400, 5_000)]],
    ["nothing is read", [look(0, 7, 5), look(4, 7, 5)]]
  ])("is never at this rate when %s", (_, looks) => {
    expect(msOf(looks)).toBe("never")
  })

  it.each([
    ["nothing waits", [look(0, 0, 300), look(4, 300, 0)]],
    ["no more waits than came in the last second", [look(0, 0, 90), look(4, 390, 100)]]
  ])("is 0 when %s", (_, looks) => {
    expect(msOf(looks)).toBe(0)
  })

  it.each([
    ["nobody looked", []],
    ["rates are not known yet", [look(0, 0, 500), look(2, 100, 400)]],
    ["a row has just come to a quiet input", [look(0, 9, 0), look(10, 9, 0), look(11, 9, 1)]]
  ])("is not known when %s", (_, looks) => {
    expect(catchUpOf(looks)).toBeUndefined()
  })

  it("that a row has waited in for long is told, whatever was before", () => {
    expect(msOf([look(0, 9, 0), look(10, 9, 0), look(12, 9, 1), look(13, 9, 1)])).toBe("never")
  })

  it("forgets what was more than half a minute ago, and all of it where a look knows nothing", () => {
    const looks = Array.from({ length: 100 }, (_, s) => look(s, s < 60 ? 0 : 100 * (s - 60), 10_000))
    const kept = looks.reduce(withLook, [] as ReadonlyArray<LagLook>)
    expect([kept[0].atMs, kept.length]).toEqual([69_000, 31])
    expect(catchUpOf(kept)).toMatchObject({ readPerSecond: 100, comingPerSecond: 100 })
    expect(withLook(kept, look(100, 4_000, undefined))).toEqual([])
  })
})

describe("a look at all partitions", () => {
  it("adds up what was read and what waits", () => {
    const readers = [reader(), reader({ rows: 7, position: position("2000") }), reader({ rows: 3, ended: true })]
    expect(lagLook(readers, 5)).toEqual({ atMs: 5, read: 110, behind: 2_100 })
    expect(lagLook([], 5)).toEqual({ atMs: 5, read: 0, behind: 0 })
  })

  it("knows nothing of what waits when one partition does not", () => {
    expect(lagLook([reader(), reader({ end: undefined })], 5).behind).toBeUndefined()
  })
})

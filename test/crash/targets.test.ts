/** The kill-test comes to each side of each failpoint often enough: its targeting, played through without processes. */
import { describe, expect, it } from "vitest"
import { rotAfter } from "../../bench/kill/killTest.ts"
import { Seeded } from "../../src/testing/seeded.ts"
import { makeTargets } from "../../bench/kill/targets.ts"
import { failpointNames, failpointsAfterRot } from "../../src/testing/failpoints.ts"

const sidesOf = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.flatMap((name) => [`${name}:before`, `${name}:after`])

/** Steps that few processes come to: one in so many that is to be killed there is. */
const seldom: { readonly [step: string]: number } = {
  "dir.fsync.parent": 4,
  "collect.tombstone.primary": 3,
  "collect.tombstone.copy": 3,
  "collect.data": 3,
  "file.unlink": 3,
  "repair.write": 3,
  "void.put": 2
}

const chain = (number: number, newest: number) => {
  const facts = { epoch: 5, ended: undefined, attempt: 1, pid: 1, rows: 1, balanced: true, positions: [] }
  return { ...facts, number, newest: { ...facts, number: newest } }
}

describe("the kill-test's targets", () => {
  it.each([1, 2, 3])("5,000 kills: each side of each failpoint at least 25 times, seed %d", (seed) => {
    const random = new Seeded(seed)
    const targets = makeTargets(sidesOf(failpointNames), new Set(sidesOf(failpointsAfterRot)))
    let kills = 0
    for (let n = 0; kills < 5_000 && n < 20_000; n++) {
      // One process in twelve is killed between P(n) and C(n): the next may find it rotten.
      const rotten = rotAfter(chain(7, random.below(12) === 0 ? 8 : 7), random)
      const rule = rotten === undefined ? targets.next(random) : rotten.failpoint
      const step = rule?.slice(0, rule.indexOf(":")) ?? ""
      if (random.below(seldom[step] ?? 1) !== 0) continue
      kills++
      targets.hit(rule)
    }
    expect(kills).toBe(5_000)
    expect(targets.short(25)).toEqual([])
    expect(targets.moments()).toBeLessThan(5_000 / 2)
  })
})

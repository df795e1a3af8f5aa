/** The small edition of `npm run -s check:fence`: real processes, frozen and woken. Apart, since it waits more than it works. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { fenceTest } from "../../bench/kill/fenceTest.ts"
import { makeWorld, type World } from "../../bench/kill/world.ts"

const said: Array<string> = []
const limitMs = 120_000
let world: World
beforeAll(async () => {
  world = await makeWorld({ flights: 600, seed: 6, paceMs: 60, say: (line) => void said.push(line) })
})
afterAll(() => world?.remove())

/** Why it is wrong, if it is. */
const story = (): string => said.join("\n").slice(0, 8_000)

describe("two processes on one checkpoint", () => {
  it(
    "C5: frozen, taken over and woken: only the new owner commits, and the old one says who that is",
    async () => {
      // Before it opens its sinks, which then refuse it; and between the two copies of a manifest.
      const at = ["sweep:after:6:stop", "manifest.copy:before:2:stop"]
      const { ok, freezes } = await fenceTest(world, { workers: 2, freezes: 2, at })
      expect(ok, story()).toBe(true)
      expect(freezes).toBeGreaterThanOrEqual(2)
    },
    limitMs
  )
})

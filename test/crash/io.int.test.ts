/** The small edition of `npm run -s check:io`: a real process whose calls to the file system fail. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { canInject, ioTest } from "../../bench/kill/ioTest.ts"
import { makeWorld, type World } from "../../bench/kill/world.ts"

const said: Array<string> = []
const limitMs = 180_000

describe.skipIf(!canInject())("calls that fail: ENOSPC, EIO, EMFILE", () => {
  let world: World
  beforeAll(async () => {
    world = await makeWorld({ flights: 600, seed: 11, paceMs: 60, say: (line) => void said.push(line) })
  }, limitMs)
  afterAll(() => world?.remove())

  it(
    "C2, C3, C9: the query goes on, or stops with a clear error and is started again: every row once",
    async () => {
      const { ok, faultsByKind, lost, duplicated, foreign, problems } = await ioTest(world, { rounds: 3, workers: 2 })
      const story = said.join("\n").slice(0, 8_000)
      expect({ ok, lost, duplicated, foreign, problems }, story).toEqual({
        ok: true,
        lost: 0,
        duplicated: 0,
        foreign: 0,
        problems: []
      })
      expect(Object.values(faultsByKind).reduce((n, times) => n + times, 0)).toBeGreaterThan(2)
    },
    limitMs
  )
})

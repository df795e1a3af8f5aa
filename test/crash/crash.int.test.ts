/** Small editions of the crash checks (`npm run -s kill-test` and its kin): real processes, killed, stopped and frozen. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { killTest } from "../../bench/kill/killTest.ts"
import { rescaleTest } from "../../bench/kill/rescaleTest.ts"
import { stopTest } from "../../bench/kill/stopTest.ts"
import { makeWorld, type World } from "../../bench/kill/world.ts"

const said: Array<string> = []
const limitMs = 120_000
let world: World
beforeAll(async () => {
  world = await makeWorld({ flights: 600, seed: 5, paceMs: 60, say: (line) => void said.push(line) })
})
afterAll(() => world?.remove())

/** Why it is wrong, if it is. */
const story = (): string => said.join("\n").slice(0, 8_000)

describe("C3, C5, C6: what killed processes leave is what an undisturbed one leaves", () => {
  it(
    "killed before and after failpoints, and at random moments",
    async () => {
      const { kills, lost, duplicated, foreign, problems } = await killTest(world, {
        workers: 2,
        kills: 20,
        hitsMin: 0
      })
      expect({ lost, duplicated, foreign, problems }, story()).toEqual({
        lost: 0,
        duplicated: 0,
        foreign: 0,
        problems: 0
      })
      expect(kills).toBeGreaterThanOrEqual(20)
    },
    limitMs
  )

  it(
    "T11: stopped by SIGTERM: exit 0 in 5 seconds, and open windows stay open",
    async () => {
      const { ok, stops, slowestMs } = await stopTest(world, { workers: 2, stops: 5 })
      expect(ok, story()).toBe(true)
      expect(stops).toBeGreaterThanOrEqual(5)
      expect(slowestMs).toBeLessThan(5_000)
    },
    limitMs
  )

  it(
    "C11: with parallelism 1, then 3, then 2",
    async () => {
      const { ok, rescaled } = await rescaleTest(world, { workers: 2, histories: 1 })
      expect(ok, story()).toBe(true)
      expect(rescaled).toBeGreaterThan(0)
    },
    limitMs
  )
})

describe("TIDEMARK_FAILPOINT", () => {
  const tidemark = (env: { readonly [name: string]: string }, folder: string) =>
    spawnSync(
      process.execPath,
      ["--conditions=tidemark-source", join(import.meta.dirname, "../../src/cli/main.ts"), "--version"],
      {
        env: { PATH: process.env["PATH"], ...env },
        cwd: folder,
        encoding: "utf8"
      }
    )

  it.each(["manifest.copy:before", "manifest.copy:before:0:kill", "manifest.copy:during:1:kill", "a:after:1:explode"])(
    "%s is refused with the form that it has",
    (rule) => {
      const { status, stderr } = tidemark({ TIDEMARK_FAILPOINT: rule }, tmpdir())
      expect(stderr).toContain(`${JSON.stringify(rule)} is not NAME:before|after|*:N:kill|stop|term`)
      expect(status).toBe(1)
    }
  )

  it("TIDEMARK_FAILPOINT_LOG names a file that is made", () => {
    const folder = mkdtempSync(join(tmpdir(), "tidemark-failpoint-"))
    try {
      const { status } = tidemark({ TIDEMARK_FAILPOINT_LOG: "log", TIDEMARK_FAILPOINT: "sweep:*:3:term" }, folder)
      expect(status).toBe(0)
      expect(readFileSync(join(folder, "log"), "utf8")).toBe("")
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

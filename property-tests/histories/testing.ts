/** Histories as tests. */
import { expect, it } from "vitest"
import { runs } from "../engineJobs.ts"
import { ready, search } from "./search.ts"
import type { SuiteName } from "./suites.ts"

const timeoutMs = 1_800_000

/** Registers a test: so many random histories of a suite, from a seed, hold. */
export const holds = (suite: SuiteName, seed: number, histories: number): void => {
  it(
    `${histories} ${suite} histories from seed ${seed}`,
    async () => {
      await ready()
      const { tally, failure } = search(suite, seed, runs(histories))
      const line = failure && `replay it: npm run -s simulate -- --replay ${failure.token}`
      expect(failure && [...failure.problems, line].join("\n")).toBeUndefined()
      expect(tally).toMatchObject({ lost: 0, duplicated: 0, watermarkRegressions: 0, ledgerImbalances: 0 })
    },
    timeoutMs
  )
}

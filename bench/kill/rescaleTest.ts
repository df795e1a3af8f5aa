/** Another parallelism at each restart (rule C11), after stops and after kills: 1, 3, 2. The results are the same. */
import { runHistory, type Step } from "./history.ts"
import { Seeded } from "../../src/testing/seeded.ts"
import { inParallel, isRight, makeTally } from "./tally.ts"
import type { World } from "./world.ts"

/** What is asked for. */
export interface RescaleTest {
  readonly histories: number
  readonly workers: number
}

/** What was found. */
export interface RescaleTestResult {
  readonly histories: number
  /** Restarts with another parallelism from a checkpoint that was there. */
  readonly rescaled: number
  readonly lost: number
  readonly duplicated: number
  readonly foreign: number
  readonly problems: number
  readonly ok: boolean
}

/** Runs it. */
export const rescaleTest = async (world: World, test: RescaleTest): Promise<RescaleTestResult> => {
  const { settings, expected } = world
  const random = new Seeded(world.seed)
  const tally = makeTally(world)
  let rescaled = 0
  const one = async (n: number): Promise<void> => {
    const own = random.fork()
    const step = (parallelism: number): Step => ({
      parallelism,
      afterMs: own.below(200),
      from: "checkpoint",
      signal: own.below(2) === 0 ? "SIGTERM" : "SIGKILL"
    })
    const steps = [step(1), step(3)]
    const history = await runHistory(
      { ...settings, parallelism: 2, folder: world.folder(`rescale-${n}`) },
      expected,
      () => steps.shift()
    )
    rescaled += history.steps.filter(({ before }) => before !== undefined && before.epoch > 0).length
    tally.add(history)
  }
  await inParallel(test.workers, (begun) => begun < test.histories && isRight(tally), one)
  const { histories, lost, duplicated, foreign, problems } = tally
  return { histories, rescaled, lost, duplicated, foreign, problems, ok: isRight(tally) && rescaled > 0 }
}

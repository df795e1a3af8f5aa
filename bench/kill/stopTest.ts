/**
 * SIGTERM at random moments: the process finishes what is in flight, commits, and exits 0 within 5 seconds. What was open
 * stays open: in the end everything is as an undisturbed run leaves it.
 */
import { runHistory } from "./history.ts"
import { Seeded } from "../../src/testing/seeded.ts"
import { inParallel, isRight, makeTally } from "./tally.ts"
import type { World } from "./world.ts"

/** What is asked for. */
export interface StopTest {
  readonly stops: number
  readonly workers: number
}

/** What was found. */
export interface StopTestResult {
  readonly stops: number
  /** Of these, so many left windows open. */
  readonly withOpenWindows: number
  /** From the signal to the end of the process. */
  readonly slowestMs: number
  /** Signals that came before the program was there to hear them, or after its end; not counted. */
  readonly outside: number
  readonly lost: number
  readonly duplicated: number
  readonly foreign: number
  readonly problems: number
  readonly ok: boolean
}

const limitMs = 5_000
const stopsPerHistory = 5
const livesMs = 2_000

/** Runs it. */
export const stopTest = async (world: World, test: StopTest): Promise<StopTestResult> => {
  const { expected } = world
  const random = new Seeded(world.seed)
  const tally = makeTally(world)
  let stops = 0
  let outside = 0
  let withOpenWindows = 0
  let slowestMs = 0
  const one = async (n: number): Promise<void> => {
    const own = random.fork()
    let left = stopsPerHistory
    const history = await runHistory(
      { ...world.lasting(livesMs), folder: world.folder(`stop-${n}`) },
      expected,
      (last) => {
        if (last?.hit === true) {
          stops++
          slowestMs = Math.max(slowestMs, last.sinceSignalMs)
          if (last.held > 0) withOpenWindows++
        } else if (last !== undefined) outside++
        if (stops >= test.stops || left-- <= 0) return undefined
        const common = { parallelism: 1, signal: "SIGTERM" } as const
        // While it starts and takes over, and while it runs.
        if (own.below(5) === 0)
          return { ...common, afterMs: Math.round(expected.startMs * (0.8 + own.below(80) / 100)) }
        return { ...common, afterMs: own.below(livesMs / 4), from: "checkpoint" }
      }
    )
    tally.add(history)
    if (n % 10 === 0) world.say(`${stops} stops, the slowest took ${Math.round(slowestMs)} ms`)
  }
  await inParallel(test.workers, () => stops < test.stops && isRight(tally), one)
  const { lost, duplicated, foreign, problems } = tally
  const ok = isRight(tally) && stops >= test.stops && slowestMs <= limitMs && withOpenWindows > 0
  return { stops, withOpenWindows, slowestMs: Math.round(slowestMs), outside, lost, duplicated, foreign, problems, ok }
}

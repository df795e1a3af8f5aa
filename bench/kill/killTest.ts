/**
 * Histories of kills: real processes of the job end by SIGKILL before and after every failpoint, and at random moments, and
 * are started again until they are done. What they leave has to be what an undisturbed run leaves.
 */
import type { Chain } from "./chain.ts"
import { runHistory, type Step, type StepResult } from "./history.ts"
import { commandLine, embedded } from "./process.ts"
import type { Rot } from "./rot.ts"
import { Seeded } from "../../src/testing/seeded.ts"
import { failpointNames, failpointsAfterRot } from "../../src/testing/failpoints.ts"
import { inParallel, isRight, makeTally } from "./tally.ts"
import { makeTargets, type Targets } from "./targets.ts"
import type { World } from "./world.ts"

/** Both sides of steps. */
const sidesOf = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.flatMap((name) => [`${name}:before`, `${name}:after`])

/** What is asked for. */
export interface KillTest {
  readonly kills: number
  readonly workers: number
  /** Each side of each failpoint has to be hit so often. */
  readonly hitsMin: number
}

/** What was found. */
export interface KillTestResult {
  /** Those between the first and the last checkpoint. */
  readonly kills: number
  readonly hitsByFailpoint: { readonly [step: string]: { readonly before: number; readonly after: number } }
  readonly atRandomMoments: number
  readonly lost: number
  readonly duplicated: number
  /** Rows that readers saw and that no undisturbed run makes. */
  readonly foreign: number
  readonly problems: number
  readonly histories: number
  readonly processes: number
  readonly killsPerSecond: number
  /** Sides of failpoints that were hit less often than asked for. */
  readonly short: ReadonlyArray<string>
  readonly ok: boolean
}

/** In so many processes something has gone bad before, where it can. */
const rotOneIn = 10
const uncopiedOneIn = 3

/** What goes bad before the next process, and the step to kill it at that only then is come to. */
export const rotAfter = (chain: Chain | undefined, random: Seeded): Pick<Step, "rot" | "failpoint"> | undefined => {
  if (chain === undefined) return undefined
  const isUncopied = chain.newest.number > chain.number
  if (random.below(isUncopied ? uncopiedOneIn : rotOneIn) !== 0) return undefined
  const what: Rot = isUncopied ? "uncopied" : random.pick(["manifest", "state"])
  const step = isUncopied ? "void.put" : "repair.write"
  const failpoint = `${step}:${random.pick(["before", "after"])}:1:kill`
  return { rot: { what, seed: random.below(1 << 30) }, ...(random.below(4) === 0 ? {} : { failpoint }) }
}

/** The first process of a history is killed when it has a checkpoint; those after it anywhere. */
const stepsOf = (random: Seeded, targets: Targets, lifeMs: number) => {
  let left = 4 + random.below(16)
  /** The epoch of which a copy has gone bad: the other one has to stay, until there is a newer epoch. */
  let rottenEpoch = -1
  return (last: StepResult | undefined): Step | undefined => {
    if (left-- <= 0) return undefined
    const common = { parallelism: 1, signal: "SIGKILL" } as const
    const first = last === undefined
    const epoch = last?.after?.newest.epoch ?? 0
    const rotten = epoch > rottenEpoch ? rotAfter(last?.after, random) : undefined
    if (rotten !== undefined) rottenEpoch = epoch
    const failpoint = first ? undefined : (rotten?.failpoint ?? targets.next(random))
    if (failpoint !== undefined) return { ...common, ...rotten, failpoint }
    if (first || random.below(2) === 0) return { ...common, ...rotten, afterMs: random.below(100), from: "checkpoint" }
    return { ...common, ...rotten, afterMs: Math.round(lifeMs * (0.1 + random.below(40) / 100)) }
  }
}

/** So many histories are of `tidemark run`; the others of the same job in an application, which starts quicker. */
const commandLineOneIn = 3
const sayEveryMs = 10_000

/** Runs it. */
export const killTest = async (world: World, test: KillTest): Promise<KillTestResult> => {
  const { settings, expected } = world
  const random = new Seeded(world.seed)
  const targets = makeTargets(sidesOf(failpointNames), new Set(sidesOf(failpointsAfterRot)))
  targets.passed(new Set(expected.passed))
  const tally = makeTally(world)
  let kills = 0
  const began = performance.now()
  const rate = (): number => kills / ((performance.now() - began) / 1000)

  const one = async (n: number): Promise<void> => {
    const choose = stepsOf(random.fork(), targets, expected.tookMs)
    const program = n % commandLineOneIn === 0 ? commandLine : embedded
    const options = { ...settings, program, folder: world.folder(`history-${n}`) }
    const history = await runHistory(options, expected, (last) => {
      const inside = last?.after !== undefined && last.after.epoch > 0 && last.after.ended === undefined
      if (last?.hit === true && inside) {
        kills++
        targets.hit(last.step?.failpoint)
      }
      return kills >= test.kills ? undefined : choose(last)
    })
    tally.add(history)
  }

  const telling = setInterval(() => {
    const { histories, lost, duplicated } = tally
    world.say(
      `${kills} kills in ${histories} histories, ${rate().toFixed(1)}/s, lost ${lost}, duplicated ${duplicated}`
    )
  }, sayEveryMs)
  await inParallel(test.workers, () => kills < test.kills && isRight(tally), one)
  clearInterval(telling)
  const killsPerSecond = Number(rate().toFixed(1))
  const short = targets.short(test.hitsMin)
  const { lost, duplicated, foreign, problems, histories, processes } = tally
  return {
    kills,
    hitsByFailpoint: targets.hits(),
    atRandomMoments: targets.moments(),
    lost,
    duplicated,
    foreign,
    problems,
    histories,
    processes,
    killsPerSecond,
    short,
    ok: isRight(tally) && short.length === 0 && kills >= test.kills
  }
}

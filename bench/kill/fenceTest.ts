/**
 * Two processes on one checkpoint. The first is frozen at a random step for longer than it takes to be taken for dead; the
 * second takes over; the first is woken. Never do both commit; the one that lost says who won, with an exit code of its own.
 */
import { mkdirSync } from "node:fs"
import { type Chain, chainOf, newestPart } from "./chain.ts"
import { conclude as conclusion, type Expected, type History, lookAt } from "./history.ts"
import { changed, compare } from "./parts.ts"
import { type Ended, isFrozen, pause, type Running, start, type StartOptions, until } from "./process.ts"
import { unnumbered } from "../../src/testing/failpoints.ts"
import { Seeded } from "../../src/testing/seeded.ts"
import { inParallel, isRight, makeTally } from "./tally.ts"
import type { World } from "./world.ts"

/** What is asked for. */
export interface FenceTest {
  readonly freezes: number
  readonly workers: number
  /** Where the first ones freeze, as rules for `TIDEMARK_FAILPOINT`; the others anywhere. */
  readonly at?: ReadonlyArray<string>
}

/** What was found. */
export interface FenceTestResult {
  /** Processes that owned the query when they froze, and were taken over. */
  readonly freezes: number
  /** Of these: woken processes that said who won, with the exit code of the fenced. */
  readonly fenced: number
  /** Frozen before they owned anything, or after their work was done: not counted. */
  readonly others: number
  /** Steps they froze at. */
  readonly frozenAt: { readonly [side: string]: number }
  /** From the start of the second process to its takeover. */
  readonly slowestTakeoverMs: number
  readonly lost: number
  readonly duplicated: number
  readonly foreign: number
  readonly problems: number
  readonly ok: boolean
}

/** What `tidemark run` exits with when another process has taken the query over. */
export const fencedCode = 3

const patienceMs = 30_000
const passagesMax = 6

interface Duel {
  readonly history: History
  /** The first process ran the query when it froze. */
  readonly owned: boolean
  /** It ended as one that was taken over. */
  readonly fenced: boolean
  readonly frozenAt: string
  readonly takeoverMs: number
}

/** The first one's end is as it should be: fenced, naming the winner; or, if it never owned the query, in peace. */
const judgeLoser = (loser: Ended, owned: boolean, winner: Running): ReadonlyArray<string> => {
  const how = `the woken process ended with ${loser.code ?? loser.signal}`
  if (!owned) return loser.code === 0 || loser.code === fencedCode ? [] : [`${how}: ${loser.stderr}`]
  if (loser.code !== fencedCode) return [`${how}, not ${fencedCode}: ${loser.stderr}`]
  return loser.stderr.includes(`pid ${winner.pid}`) ? [] : [`${how} without naming pid ${winner.pid}: ${loser.stderr}`]
}

/** Any step, rare ones as often as others. */
const freezeAt = (expected: Expected, random: Seeded): string => {
  const side = random.pick([...new Set(expected.passed)])
  const passages = expected.passed.filter((passed) => passed === side).length
  return `${side}:${1 + random.below(Math.min(passages, passagesMax))}:stop`
}

const duel = async (options: StartOptions, expected: Expected, random: Seeded, rule: string): Promise<Duel> => {
  const { folder } = options
  mkdirSync(folder, { recursive: true })
  const problems: Array<string> = []
  const first = start({ ...options, failpoint: rule })
  await until(() => first.hasEnded() || isFrozen(first.pid), patienceMs)
  const before = chainOf(folder)
  const owned = before !== undefined && before.pid === first.pid && before.ended === undefined && isFrozen(first.pid)
  const second = start(options)
  const began = performance.now()
  const tookOver = (facts: Chain | undefined): boolean => facts?.pid === second.pid
  await until(() => second.hasEnded() || tookOver(chainOf(folder)), patienceMs, 20)
  const takeoverMs = performance.now() - began
  if (owned && !tookOver(chainOf(folder))) problems.push(`the second process did not take over: ${second.said()}`)
  // Woken at once, while the winner goes on, or alone, when whatever it commits would be seen.
  const alone = random.below(2) === 0
  if (alone) second.kill("SIGSTOP")
  else await pause(random.below(400))
  const seen = lookAt(folder)
  const then = chainOf(folder)
  first.kill("SIGCONT")
  if (alone && owned) {
    await until(first.hasEnded, 3_000)
    const now = lookAt(folder).files
    if (newestPart(now) > (then?.epoch ?? 0))
      problems.push(`the woken process committed epoch ${newestPart(now)} after it was taken over at ${then?.epoch}`)
    if (chainOf(folder)?.number !== then?.number) problems.push("the woken process wrote to the chain it had lost")
  }
  second.kill("SIGCONT")
  const timer = setTimeout(() => {
    problems.push("somebody does not end")
    first.kill("SIGKILL")
    second.kill("SIGKILL")
  }, patienceMs)
  const [loser, winner] = await Promise.all([first.ended, second.ended])
  clearTimeout(timer)
  problems.push(...changed(seen.files, lookAt(folder).files), ...judgeLoser(loser, owned, second))
  if (winner.code !== 0)
    problems.push(`the second process ended with ${winner.code ?? winner.signal}: ${winner.stderr}`)
  problems.push(...conclusion(folder, expected, owned ? winner : undefined))
  const wrong = compare(expected.seen, lookAt(folder), true)
  const end = { before, after: chainOf(folder), hit: true, sinceSignalMs: 0, held: 0 }
  const steps = [
    { ...end, step: { parallelism: 1, failpoint: rule, signal: "SIGKILL" as const }, ended: loser },
    { ...end, step: undefined, ended: winner }
  ]
  return {
    history: { folder, steps, wrong, problems },
    owned,
    fenced: loser.code === fencedCode,
    frozenAt: unnumbered(rule.split(":").slice(0, 2).join(":")),
    takeoverMs
  }
}

/** Runs it. */
export const fenceTest = async (world: World, test: FenceTest): Promise<FenceTestResult> => {
  const { settings, expected } = world
  const random = new Seeded(world.seed)
  const tally = makeTally(world)
  const frozenAt = new Map<string, number>()
  let freezes = 0
  let fenced = 0
  let others = 0
  let slowest = 0
  const one = async (n: number): Promise<void> => {
    const options = { ...settings, folder: world.folder(`fence-${n}`) }
    const { history, owned, takeoverMs, ...found } = await duel(
      options,
      expected,
      random.fork(),
      test.at?.[n - 1] ?? freezeAt(expected, random)
    )
    tally.add(history)
    if (!owned) others++
    else {
      freezes++
      if (found.fenced) fenced++
      slowest = Math.max(slowest, takeoverMs)
      frozenAt.set(found.frozenAt, (frozenAt.get(found.frozenAt) ?? 0) + 1)
    }
    if (n % 10 === 0) world.say(`${freezes} freezes, the slowest takeover after ${Math.round(slowest)} ms`)
  }
  await inParallel(test.workers, () => freezes < test.freezes && isRight(tally), one)
  const { lost, duplicated, foreign, problems } = tally
  const sides = [...frozenAt].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return {
    freezes,
    fenced,
    others,
    frozenAt: Object.fromEntries(sides),
    slowestTakeoverMs: Math.round(slowest),
    lost,
    duplicated,
    foreign,
    problems,
    ok: isRight(tally) && freezes >= test.freezes
  }
}

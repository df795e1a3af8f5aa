/**
 * Who waits for whom. After a kill or a clean stop on this host a restart waits for nothing. A new process started beside
 * the old one stands by, and takes over when the old one is stopped. Processes that claim to be one and the same (two
 * containers with pid 1 of one boot) never take each other for dead.
 */
import { mkdirSync } from "node:fs"
import { median } from "../checks/run.ts"
import { chainOf, numberOf } from "./chain.ts"
import { conclude, type Expected, lookAt } from "./history.ts"
import { compare } from "./parts.ts"
import { embedded, pause, type Running, start, type StartOptions, until } from "./process.ts"
import type { World } from "./world.ts"

/** What is asked for: how often each. */
export interface HandoverTest {
  readonly restarts: number
  readonly rollings: number
  readonly containers: number
}

/** What was found. */
export interface HandoverResult {
  /** Medians, from the start of a process to its first epoch. */
  readonly freshMs: number
  readonly afterKillMs: number
  readonly afterStopMs: number
  /** The longest of any restart. */
  readonly slowestRestartMs: number
  /** Between the last commit of the old process and the first of the new one, the longest. */
  readonly rollingGapMs: number
  readonly problems: ReadonlyArray<string>
  readonly ok: boolean
}

const patienceMs = 30_000
/** Long enough for the old one to be there still when the new one has found out that it is. */
const oldLivesMs = 10_000
const gapMaxMs = 5_000
/** Less than one heartbeat: whoever waits for an owner waits for three. */
const restartMaxMs = 900
const standsBy = /waits as a standby/

const epochOf = (folder: string): number => chainOf(folder)?.epoch ?? 0

/** Waits until there are so many more manifests, the takeover's among them; how long it took. */
const manifests = async (folder: string, more: number): Promise<number> => {
  const began = performance.now()
  const number = numberOf(folder) + more
  await until(() => numberOf(folder) >= number, patienceMs, 2)
  return performance.now() - began
}
/** A takeover and an epoch. */
const first = 2

/** What is wrong with a folder in which all should be done. */
const finish = async (world: World, folder: string, last: Running): Promise<ReadonlyArray<string>> => {
  const ended = await last.ended
  const { expected } = world
  const problems =
    ended.code === 0 ? [] : [`the last process ended with ${ended.code ?? ended.signal}: ${ended.stderr}`]
  return [...problems, ...wrongIn(folder, expected), ...conclude(folder, expected, undefined)]
}

const wrongIn = (folder: string, expected: Expected): ReadonlyArray<string> =>
  compare(expected.seen, lookAt(folder), true).samples

interface Restart {
  readonly freshMs: number
  readonly afterKillMs: number
  readonly afterStopMs: number
  readonly problems: ReadonlyArray<string>
}

const restart = async (world: World, options: StartOptions): Promise<Restart> => {
  const { folder } = options
  mkdirSync(folder, { recursive: true })
  const killed = start(options)
  const freshMs = await manifests(folder, first)
  await manifests(folder, 2)
  killed.kill("SIGKILL")
  await killed.ended
  const second = start(options)
  const afterKillMs = await manifests(folder, first)
  await pause(100)
  second.kill("SIGTERM")
  await second.ended
  const third = start(options)
  const afterStopMs = await manifests(folder, first)
  const waited = [second, third].filter((process) => standsBy.test(process.said()))
  const problems = waited.map((process) => `a restart stood by: ${process.said()}`)
  return { freshMs, afterKillMs, afterStopMs, problems: [...problems, ...(await finish(world, folder, third))] }
}

/** The gap between the last commit of the old and the first of the new process. */
const rolling = async (
  world: World,
  options: StartOptions
): Promise<{ readonly gapMs: number; readonly problems: ReadonlyArray<string> }> => {
  const { folder } = options
  mkdirSync(folder, { recursive: true })
  const old = start(options)
  await manifests(folder, first + 2)
  const young = start(options)
  const problems: Array<string> = []
  if (!(await young.says(standsBy))) problems.push(`the new process did not stand by: ${young.said()}`)
  old.kill("SIGTERM")
  let last = performance.now()
  let epoch = epochOf(folder)
  let gapMs = Number.POSITIVE_INFINITY
  await until(
    () => {
      const now = chainOf(folder)
      if (now === undefined || now.epoch === epoch) return young.hasEnded()
      epoch = now.epoch
      if (now.pid === young.pid) gapMs = performance.now() - last
      else last = performance.now()
      return now.pid === young.pid
    },
    patienceMs,
    2
  )
  const { code, signal, stderr } = await old.ended
  if (code !== 0) problems.push(`the old process ended with ${code ?? signal}: ${stderr}`)
  return { gapMs, problems: [...problems, ...(await finish(world, folder, young))] }
}

/** Two that claim one boot, one pid and one start, while the first lives longer than owners are waited for. */
const containers = async (world: World, options: StartOptions): Promise<ReadonlyArray<string>> => {
  const { folder } = options
  mkdirSync(folder, { recursive: true })
  const claim = { bootId: "one-boot", pidNamespace: "pid:[4026531836]", container: "", pid: 1, startedAt: "7" }
  const as = (host: string): StartOptions => ({
    ...options,
    program: embedded,
    env: { KILL_TEST_CLAIM: JSON.stringify({ ...claim, host }) }
  })
  const living = start(as("one"))
  await manifests(folder, first + 1)
  const owner = chainOf(folder)?.attempt
  const problems: Array<string> = []
  const second = start(as("one"))
  const third = start(as("two"))
  const tookOver = await until(() => !living.hasEnded() && chainOf(folder)?.attempt !== owner, oldLivesMs, 10)
  if (tookOver && !living.hasEnded()) problems.push("a living owner was taken over")
  const { code, signal, stderr } = await living.ended
  if (code !== 0) problems.push(`the owner ended with ${code ?? signal}: ${stderr}`)
  const ends = await Promise.all([second.ended, third.ended])
  for (const end of ends)
    if (end.code !== 0) problems.push(`a standby ended with ${end.code ?? end.signal}: ${end.stderr}`)
  return [...problems, ...wrongIn(folder, world.expected)]
}

const longest = (values: ReadonlyArray<number>): number => Math.round(Math.max(0, ...values))

/** Runs it. */
export const handoverTest = async (world: World, test: HandoverTest): Promise<HandoverResult> => {
  const { settings } = world
  const problems: Array<string> = []
  const note = (what: string, found: ReadonlyArray<string>): void => {
    for (const problem of found) {
      problems.push(`${what}: ${problem}`)
      world.say(`WRONG: ${world.folder(what)}: ${problem}`)
    }
  }
  const restarts: Array<Restart> = []
  for (let n = 1; n <= test.restarts; n++) {
    const found = await restart(world, { ...settings, folder: world.folder(`restart-${n}`) })
    restarts.push(found)
    note(`restart-${n}`, found.problems)
  }
  const gaps: Array<number> = []
  for (let n = 1; n <= test.rollings; n++) {
    const folder = world.folder(`rolling-${n}`)
    const found = await rolling(world, { ...world.lasting(oldLivesMs), folder })
    gaps.push(found.gapMs)
    note(`rolling-${n}`, found.problems)
  }
  for (let n = 1; n <= test.containers; n++) {
    const folder = world.folder(`containers-${n}`)
    note(`containers-${n}`, await containers(world, { ...world.lasting(oldLivesMs), folder }))
  }
  const of = (time: (found: Restart) => number): ReadonlyArray<number> => restarts.map(time)
  const again = [...of((r) => r.afterKillMs), ...of((r) => r.afterStopMs)]
  const figures = {
    freshMs: Math.round(median(of((r) => r.freshMs))),
    afterKillMs: Math.round(median(of((r) => r.afterKillMs))),
    afterStopMs: Math.round(median(of((r) => r.afterStopMs))),
    slowestRestartMs: longest(again),
    rollingGapMs: longest(gaps)
  }
  const waits = Math.max(figures.afterKillMs, figures.afterStopMs) - figures.freshMs
  const ok = problems.length === 0 && waits < restartMaxMs && figures.rollingGapMs < gapMaxMs
  return { ...figures, problems, ok }
}

/**
 * `npm run -s kill-test -- --kills 2000`: real processes of the job are killed by SIGKILL before and after every failpoint,
 * and at random moments, and started again until they are done. What they leave has to be what an undisturbed run leaves.
 *
 * Says how it goes on stderr, and ends with one line of JSON: kills, hits by failpoint, rows lost and duplicated. Exits 1
 * when anything is wrong; the folder of the history, with what was done to it, is then kept.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { writeFlights } from "./flights.ts"
import { type Expected, type History, runHistory, type Step, undisturbed } from "./history.ts"
import { total } from "./parts.ts"
import type { StartOptions } from "./process.ts"
import { seeded, type Seeded } from "./seeded.ts"
import { sidesOf, steps } from "./steps.ts"
import { makeTargets, type Targets } from "./targets.ts"

/** What the check is asked for. */
export interface KillTest {
  readonly kills: number
  readonly workers: number
  readonly seed: number
  readonly flights: number
  readonly paceMs: number
  /** Each side of each failpoint has to be hit so often. */
  readonly hitsMin: number
  readonly say: (line: string) => void
}

/** What it found. */
export interface KillTestResult {
  readonly kills: number
  readonly hitsByFailpoint: { readonly [side: string]: number }
  readonly lost: number
  readonly duplicated: number
  readonly foreign: number
  readonly problems: number
  readonly histories: number
  readonly restarts: number
  readonly killsPerSecond: number
  /** Sides that were hit less often than asked for. */
  readonly short: ReadonlyArray<string>
  readonly ok: boolean
}

/** Memory, where there is such a folder: a killed process leaves the same either way, and a disk would only be slower. */
const baseFolder = existsSync("/dev/shm") ? "/dev/shm" : tmpdir()

const killsPerHistory = (random: Seeded): number => 3 + random.below(12)

/** The first process is killed when it has a checkpoint; those after it anywhere. */
const stepsOf = (random: Seeded, targets: Targets, expected: Expected, parallelism: number) => {
  const lifeMs = expected.tookMs
  let left = killsPerHistory(random)
  return (first: boolean): Step | undefined => {
    if (left-- <= 0) return undefined
    const failpoint = first ? undefined : targets.next(random)
    if (failpoint !== undefined) return { parallelism, failpoint, signal: "SIGKILL" }
    const afterMs = Math.round(lifeMs * (first ? 0.4 + random.below(30) / 100 : 0.15 + random.below(60) / 100))
    return { parallelism, afterMs, signal: "SIGKILL" }
  }
}

/** Runs it. */
export const killTest = async (test: KillTest): Promise<KillTestResult> => {
  const root = mkdtempSync(join(baseFolder, "tidemark-kill-"))
  const input = join(root, "in")
  writeFlights(input, test.flights, test.seed)
  const settings = { input: join(input, "*.jsonl"), paceMs: test.paceMs, parallelism: 1 }
  const expected = await undisturbed({ ...settings, folder: join(root, "undisturbed") })
  test.say(
    `undisturbed: ${expected.rows} rows read, ${total(expected.seen)} rows in ${expected.seen.files.size} files, ${expected.passed.length} failpoints passed, ${Math.round(expected.tookMs)} ms`
  )
  const random = seeded(test.seed)
  const targets = makeTargets(sidesOf(steps))
  targets.passed(new Set(expected.passed))
  const began = performance.now()
  const tally = { kills: 0, lost: 0, duplicated: 0, foreign: 0, problems: 0, histories: 0, restarts: 0, outside: 0 }
  const rate = (): number => tally.kills / ((performance.now() - began) / 1000)

  const account = (history: History): void => {
    tally.histories++
    tally.lost += history.wrong.lost
    tally.duplicated += history.wrong.duplicated
    tally.foreign += history.wrong.foreign
    tally.problems += history.problems.length
    const wrong = history.problems.length > 0 || history.wrong.samples.length > 0
    if (!wrong) {
      rmSync(history.folder, { recursive: true, force: true })
      return
    }
    const told = history.steps.map(({ step, hit, before, after, ended }) => ({ step, hit, before, after, ended }))
    writeFileSync(join(history.folder, "history.json"), JSON.stringify({ settings, steps: told }, null, 1))
    test.say(`WRONG: ${history.folder}`)
    for (const line of [...history.problems, ...history.wrong.samples].slice(0, 8)) test.say(`  ${line}`)
    test.say(`  steps: ${history.steps.map(({ step }) => step.failpoint ?? `${step.afterMs} ms`).join(", ")}`)
  }

  const one = async (n: number): Promise<void> => {
    const own = random.fork()
    const choose = stepsOf(own, targets, expected, 1)
    const options: StartOptions = { ...settings, folder: join(root, `history-${n}`) }
    const history = await runHistory(options, expected, (last) => {
      if (last !== undefined) {
        tally.restarts++
        if (last.hit) {
          if (last.after !== undefined && last.after.epoch > 0 && last.after.ended === undefined) {
            tally.kills++
            targets.hit(last.step.failpoint)
          } else tally.outside++
        }
      }
      return tally.kills >= test.kills ? undefined : choose(last === undefined)
    })
    account(history)
  }

  let begun = 0
  const worker = async (): Promise<void> => {
    while (tally.kills < test.kills && tally.problems + tally.lost + tally.duplicated === 0) await one(++begun)
  }
  const telling = setInterval(() => {
    test.say(
      `${tally.kills} kills in ${tally.histories} histories, ${rate().toFixed(1)}/s, lost ${tally.lost}, duplicated ${tally.duplicated}`
    )
  }, 10_000)
  await Promise.all(Array.from({ length: test.workers }, worker))
  clearInterval(telling)
  const killsPerSecond = Number(rate().toFixed(1))
  const short = targets.short(test.hitsMin)
  const { kills, lost, duplicated, foreign, problems, histories, restarts } = tally
  const right = lost + duplicated + foreign + problems === 0
  if (right) rmSync(root, { recursive: true, force: true })
  const hitsByFailpoint = targets.hits()
  const ok = right && short.length === 0 && kills >= test.kills
  return { kills, hitsByFailpoint, lost, duplicated, foreign, problems, histories, restarts, killsPerSecond, short, ok }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      kills: { type: "string", default: "2000" },
      workers: { type: "string", default: String(availableParallelism() + 1) },
      seed: { type: "string", default: "1" },
      flights: { type: "string", default: "3000" },
      pace: { type: "string", default: "15" },
      "hits-min": { type: "string", default: "10" }
    }
  })
  const result = await killTest({
    kills: Number(values.kills),
    workers: Number(values.workers),
    seed: Number(values.seed),
    flights: Number(values.flights),
    paceMs: Number(values.pace),
    hitsMin: Number(values["hits-min"]),
    say: (line) => console.error(line)
  })
  console.log(JSON.stringify(result))
  process.exitCode = result.ok ? 0 : 1
}

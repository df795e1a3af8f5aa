/**
 * A full disk in mid-run: the checkpoint stands on a small file system of its own, which is filled and stays full for a
 * while. The query goes on and says so, and makes checkpoints again when there is room; results are as if nothing had been.
 */
import { execFileSync } from "node:child_process"
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import { chainOf } from "./chain.ts"
import { conclude, lookAt } from "./history.ts"
import { compare } from "./parts.ts"
import { start, type StartOptions, until } from "./process.ts"
import type { World } from "./world.ts"

/** What is asked for. */
export interface DiskTest {
  readonly rounds: number
}

/** What was found. */
export interface DiskTestResult {
  readonly rounds: number
  /** Checkpoints given up, by what was said. */
  readonly givenUp: number
  /** Rows read while the disk was full. */
  readonly rowsMeanwhile: number
  /** From there being room again to the next checkpoint, the longest. */
  readonly slowestRecoveryMs: number
  readonly problems: ReadonlyArray<string>
  readonly ok: boolean
}

const sizeMiB = 8
const livesMs = 8_000
const fullMs = 2_500
const patienceMs = 30_000
const noSpace = /(given up|cannot be kept now).*(ENOSPC|no space|full)/i

/** Whether file systems can be mounted here: it takes root. */
export const canMount = (): boolean => process.platform === "linux" && process.getuid?.() === 0

/** Takes what room there is. */
const fill = (path: string): void => {
  const file = openSync(path, "a")
  try {
    for (let bytes = 1 << 20; bytes >= 1; bytes >>= 1) {
      try {
        for (;;) writeSync(file, Buffer.alloc(bytes))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error
      }
    }
  } finally {
    closeSync(file)
  }
}

interface Round {
  readonly givenUp: number
  readonly rowsMeanwhile: number
  readonly recoveryMs: number
  readonly problems: ReadonlyArray<string>
}

const round = async (world: World, options: StartOptions): Promise<Round> => {
  const { folder } = options
  const epoch = (): number => chainOf(folder)?.epoch ?? 0
  const rows = (): number => chainOf(folder)?.rows ?? 0
  const problems: Array<string> = []
  const process = start(options)
  await until(() => epoch() > 2, patienceMs)
  const filler = join(folder, ".tidemark/filler")
  const before = rows()
  const end = performance.now() + fullMs
  await until(
    () => {
      // What is collected makes room, which is taken as well.
      fill(filler)
      return process.hasEnded() || performance.now() > end
    },
    patienceMs,
    20
  )
  const atFull = epoch()
  if (process.hasEnded()) problems.push(`the query did not go on: ${process.said()}`)
  if (!noSpace.test(process.said())) problems.push(`it does not say that the disk is full: ${process.said()}`)
  const givenUp = process.said().match(/given up/g)?.length ?? 0
  rmSync(filler)
  const began = performance.now()
  await until(() => process.hasEnded() || epoch() > atFull, patienceMs, 5)
  const recoveryMs = performance.now() - began
  const rowsMeanwhile = rows() - before
  const ended = await process.ended
  if (ended.code !== 0) problems.push(`it ended with ${ended.code ?? ended.signal}: ${ended.stderr}`)
  problems.push(...compare(world.expected.seen, lookAt(folder), true).samples)
  problems.push(...conclude(folder, world.expected, undefined))
  return { givenUp, rowsMeanwhile, recoveryMs, problems }
}

/** Runs it; needs {@link canMount}. */
export const diskTest = async (world: World, test: DiskTest): Promise<DiskTestResult> => {
  const rounds: Array<Round> = []
  for (let n = 1; n <= test.rounds; n++) {
    const folder = world.folder(`disk-${n}`)
    const mount = join(folder, ".tidemark")
    mkdirSync(mount, { recursive: true })
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeMiB}m`, "tidemark-kill", mount])
    try {
      const found = await round(world, { ...world.lasting(livesMs), restarts: true, folder })
      rounds.push(found)
      for (const problem of found.problems) world.say(`WRONG: ${folder}: ${problem}`)
      world.say(
        `round ${n}: ${found.givenUp} checkpoints given up, ${found.rowsMeanwhile} rows read meanwhile, again after ${Math.round(found.recoveryMs)} ms`
      )
    } finally {
      execFileSync("umount", ["-l", mount])
    }
  }
  const problems = rounds.flatMap((found) => found.problems)
  const sum = (of: (found: Round) => number): number => rounds.reduce((n, found) => n + of(found), 0)
  return {
    rounds: rounds.length,
    givenUp: sum((found) => found.givenUp),
    rowsMeanwhile: sum((found) => found.rowsMeanwhile),
    slowestRecoveryMs: Math.round(Math.max(0, ...rounds.map((found) => found.recoveryMs))),
    problems,
    ok: problems.length === 0
  }
}

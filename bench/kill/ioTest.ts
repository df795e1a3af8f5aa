/**
 * Faults of real input and output: a process of the job whose calls to the file system fail, below the folders of the
 * checkpoint and of the output, at calls that a seed chooses (`ioFaults.c`). It goes on, or stops with an error that says
 * what was wrong and is started again; what it leaves has to be what an undisturbed run leaves.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { constants } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { chainOf, newestPart } from "./chain.ts"
import { conclude, lookAt } from "./history.ts"
import { compare, watch, type Wrong } from "./parts.ts"
import { type Ended, start, type StartOptions } from "./process.ts"
import { Seeded } from "../../src/testing/seeded.ts"
import { inParallel } from "./tally.ts"
import type { World } from "./world.ts"

/** What is asked for. */
export interface IoTest {
  readonly rounds: number
  readonly workers: number
}

/** What was found. */
export interface IoTestResult {
  readonly rounds: number
  /** Calls that failed, as `fsync EIO`. */
  readonly faultsByKind: { readonly [kind: string]: number }
  /** Checkpoints given up. */
  readonly gaveUp: number
  /** Attempts within a process, and processes, that came after one that failed. */
  readonly restarts: number
  readonly lost: number
  readonly duplicated: number
  readonly foreign: number
  readonly problems: ReadonlyArray<string>
  readonly ok: boolean
}

const compiler = "gcc"

/** Whether the library can be made here. */
export const canInject = (): boolean =>
  process.platform === "linux" && spawnSync(compiler, ["--version"], { stdio: "ignore" }).status === 0

/** Compiles the library into a folder. */
const build = (folder: string): string => {
  const library = join(folder, "ioFaults.so")
  const source = fileURLToPath(new URL("ioFaults.c", import.meta.url))
  execFileSync(compiler, ["-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"])
  return library
}

const livesMs = 2_000
/** Processes with faults, at most, before one without. */
const processesMax = 4
/** So many calls in a row fail at most: each may be waited for, up to four seconds. */
const timesMax = 8
/** Which call of a kind fails first: one of the takeover, of the first epochs, or any. */
const callsMax = [30, 120, 500]
const patienceMs = 90_000

const { ENOSPC, EIO, EMFILE } = constants.errno
const errors: { readonly [kind: string]: ReadonlyArray<number> } = {
  open: [EMFILE, EIO, ENOSPC],
  write: [ENOSPC, EIO],
  fsync: [EIO, ENOSPC],
  rename: [EIO, ENOSPC],
  link: [EIO, ENOSPC]
}
const kinds = Object.keys(errors)
const nameOf = (error: number): string => ({ [ENOSPC]: "ENOSPC", [EIO]: "EIO", [EMFILE]: "EMFILE" })[error] ?? "?"

/** One to three faults. */
const faultsOf = (random: Seeded): string =>
  Array.from({ length: 1 + random.below(3) }, () => {
    const kind = random.pick(kinds)
    const from = 1 + random.below(random.pick(callsMax))
    const times = random.below(2) === 0 ? 1 : 1 + random.below(timesMax)
    return `${kind}:${from}:${times}:${random.pick(errors[kind])}`
  }).join(",")

/** An error that a person can act on: it names what the system said, and is no defect. */
const isClear = ({ stderr }: Ended): boolean =>
  /\b(ENOSPC|EIO|EMFILE)\b|the disk is full/.test(stderr) && !/defect|at file:|\.ts:\d+/.test(stderr)

interface Round {
  readonly faults: ReadonlyArray<string>
  readonly gaveUp: number
  readonly restarts: number
  readonly wrong: Wrong
  readonly problems: ReadonlyArray<string>
}

const count = (text: string, what: RegExp): number => text.match(what)?.length ?? 0

const round = async (world: World, library: string, options: StartOptions, random: Seeded): Promise<Round> => {
  const { folder } = options
  mkdirSync(folder, { recursive: true })
  const log = `${folder}-faults.log`
  writeFileSync(log, "")
  const problems: Array<string> = []
  const told: Array<string> = []
  const watching = watch(world.expected.seen)
  const left = 1 + random.below(processesMax)
  let gaveUp = 0
  let restarts = 0
  let reached = 0
  let last: Ended | undefined
  for (let n = 1; last?.code !== 0 && problems.length === 0; n++) {
    const faults = n <= left ? faultsOf(random) : ""
    // By its real name, as the system tells what a descriptor stands for.
    const real = realpathSync(folder)
    const env = {
      LD_PRELOAD: library,
      UV_USE_IO_URING: "0",
      IO_FAULTS: faults,
      IO_FAULTS_IN: `${real}/.tidemark:${real}/out`,
      IO_FAULTS_LOG: log
    }
    const process = start({ ...options, env })
    const timer = setTimeout(() => process.kill("SIGKILL"), patienceMs)
    const ended = await process.ended
    clearTimeout(timer)
    last = ended
    const which = `process ${n} with ${faults === "" ? "no faults" : faults}`
    told.push(`${which}: ${ended.code ?? ended.signal}\n${ended.stderr}`)
    gaveUp += count(ended.stderr, /was given up/g)
    restarts += count(ended.stderr, /failed and restarts from/g)
    const seen = lookAt(folder)
    for (const what of watching.look(seen.files)) problems.push(`${which}: readers see what they should not: ${what}`)
    reached = Math.max(reached, chainOf(folder)?.epoch ?? 0)
    if (newestPart(seen.files) > reached)
      problems.push(`${which}: a part of epoch ${newestPart(seen.files)} is visible, the checkpoint is at ${reached}`)
    if (ended.code === 0) break
    restarts++
    if (faults === "") problems.push(`${which} ended with ${ended.code ?? ended.signal}: ${ended.stderr}`)
    else if (ended.code !== 1 || !isClear(ended))
      problems.push(`${which} ended with ${ended.code ?? ended.signal}, and no clear error: ${ended.stderr}`)
  }
  if (problems.length === 0) problems.push(...conclude(folder, world.expected, last))
  const wrong = compare(world.expected.seen, lookAt(folder), problems.length === 0)
  const faults = readFileSync(log, "utf8").split("\n").filter(Boolean)
  if (problems.length + wrong.samples.length > 0) writeFileSync(join(folder, "history.txt"), told.join("\n"))
  return { faults, gaveUp, restarts, wrong, problems }
}

/** Runs it; needs {@link canInject}. */
export const ioTest = async (world: World, test: IoTest): Promise<IoTestResult> => {
  const library = build(world.root)
  const random = new Seeded(world.seed)
  const faultsByKind: { [kind: string]: number } = {}
  const problems: Array<string> = []
  const sum = { rounds: 0, gaveUp: 0, restarts: 0, lost: 0, duplicated: 0, foreign: 0 }
  const isRight = (): boolean => problems.length + sum.lost + sum.duplicated + sum.foreign === 0
  const one = async (n: number): Promise<void> => {
    const own = random.fork()
    const folder = world.folder(`io-${n}`)
    const options = { ...world.lasting(livesMs), restarts: own.below(2) === 0, folder }
    const found = await round(world, library, options, own)
    for (const line of found.faults) {
      const [kind, error] = line.split(" ")
      const name = `${kind} ${nameOf(Number(error))}`
      faultsByKind[name] = (faultsByKind[name] ?? 0) + 1
    }
    sum.rounds++
    sum.gaveUp += found.gaveUp
    sum.restarts += found.restarts
    sum.lost += found.wrong.lost
    sum.duplicated += found.wrong.duplicated
    sum.foreign += found.wrong.foreign
    problems.push(...found.problems)
    for (const line of [...found.problems, ...found.wrong.samples]) world.say(`WRONG: ${folder}: ${line}`)
    if (found.problems.length + found.wrong.samples.length === 0 && existsSync(folder))
      rmSync(folder, { recursive: true })
    world.say(`round ${n}: ${found.faults.length} calls failed, ${found.restarts} restarts, ${found.gaveUp} given up`)
  }
  await inParallel(test.workers, (begun) => begun < test.rounds && isRight(), one)
  const { rounds, gaveUp, restarts, lost, duplicated, foreign } = sum
  const sorted = Object.fromEntries(Object.entries(faultsByKind).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  const ok = isRight() && Object.keys(faultsByKind).length > 0
  return { rounds, faultsByKind: sorted, gaveUp, restarts, lost, duplicated, foreign, problems, ok }
}

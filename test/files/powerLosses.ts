/**
 * Every loss of power that a run may suffer: at each call to the disk, each subset of what was not synced. What each leaves
 * is recovered from, once for each disk that differs.
 *
 * Bounded: where there are more than {@link exhaustiveMax} losses at a call, those that keep or undo at most two changes,
 * with the bytes of all unsynced files whole, torn or as before; and a seeded sample of the others.
 */
import { Effect, Exit, References } from "effect"
import { CompressionThread } from "../../src/checkpoint/zlib.ts"
import * as Files from "../../src/connectors/files/Files.ts"
import { Seeded } from "../../src/testing/seeded.ts"
import type { PowerLoss } from "../../src/testing/diskNodes.ts"
import { type DiskFaults, makeSimulatedDisk, type SimulatedDisk } from "../../src/testing/SimulatedDisk.ts"
import { Simulator } from "../../src/testing/Simulator.ts"
import { out, partsOf, rowsIn, wrongIn } from "./recoveryDriver.ts"

/** Losses at one call that are all tried. */
export const exhaustiveMax = 1 << 12
const sampled = 256
const states = ["whole", "torn", "before"] as const

/** All losses of so many changes and files, by number. */
const lossOf = (n: number, changes: number): PowerLoss => ({
  stays: (i) => Math.floor(n / 2 ** i) % 2 === 1,
  bytes: (i) => states[Math.floor(n / 2 ** changes / 3 ** i) % 3]
})

const few = function* (changes: number): Generator<ReadonlySet<number>> {
  yield new Set()
  for (let i = 0; i < changes; i++) {
    yield new Set([i])
    for (let j = 0; j < i; j++) yield new Set([i, j])
  }
}

/** The losses that are tried where so much is at stake. */
export const lossesOf = function* (changes: number, files: number, seed: number): Generator<PowerLoss> {
  const all = 2 ** changes * 3 ** files
  if (all <= exhaustiveMax) {
    for (let n = 0; n < all; n++) yield lossOf(n, changes)
    return
  }
  for (const set of few(changes)) {
    for (const state of states) {
      yield { stays: (i) => set.has(i), bytes: () => state }
      yield { stays: (i) => !set.has(i), bytes: () => state }
    }
  }
  const random = new Seeded(seed)
  for (let n = 0; n < sampled; n++) {
    const stays = Array.from({ length: changes }, () => random.below(2) === 0)
    const bytes = Array.from({ length: files }, () => random.pick(states))
    yield { stays: (i) => stays[i], bytes: (i) => bytes[i] }
  }
}

/** What was tried, and what was wrong. */
export interface Explored {
  /** Calls to the disk that the run made. */
  readonly calls: number
  /** Losses of power that were tried, and different disks that they left. */
  readonly losses: number
  readonly disks: number
  /** Calls at which there were too many losses to try them all. */
  readonly bounded: number
  /** The first thing that was wrong. */
  readonly wrong: string | undefined
}

/** Attempts so far: no two of them draw the same names. */
let attempts = 0

/** Runs an attempt on a disk, from outside of any other, until it ends, or is killed at a call. */
const runOn = (
  disk: SimulatedDisk,
  attempt: Effect.Effect<void, unknown>,
  before: (call: number, what: string) => "goes on" | "is killed" = () => "goes on"
): Exit.Exit<unknown, unknown> | "killed" => {
  const simulator = new Simulator(++attempts)
  let exit: Exit.Exit<unknown, unknown> | undefined
  let isKilled = false
  const { fs } = disk.process((call, what) =>
    Effect.suspend(() => {
      if (before(call, what) === "goes on") return Effect.void
      isKilled = true
      process.kill()
      return Effect.never
    })
  )
  const process = simulator.spawn(
    attempt.pipe(
      Effect.provideService(Files.FileSystem, fs),
      Effect.provideService(CompressionThread, "here"),
      Effect.provideService(References.MinimumLogLevel, "None")
    ),
    (end) => {
      exit = end
    }
  )
  simulator.run(() => exit !== undefined || isKilled, 200_000)
  return isKilled ? "killed" : (exit ?? Exit.die(new Error("the attempt does not end")))
}

/** A reader takes the parts that it sees away, durably. */
const take = (disk: SimulatedDisk): ReadonlyArray<number> => {
  const { fs } = disk.process()
  const taken = partsOf(disk).flatMap((name) => {
    const rows = rowsIn(disk.read(`${out}/${name}`))
    Effect.runSync(fs.unlink(`${out}/${name}`))
    return rows
  })
  Effect.runSync(fs.syncDirectory(out))
  return taken
}

/** What is wrong with a disk, or comes to be when an attempt goes on from it. */
const wrongAfter = (
  disk: SimulatedDisk,
  attempt: Effect.Effect<void, unknown>,
  taken: ReadonlyArray<number>
): string | undefined => {
  try {
    const wrong = wrongIn(disk, taken, false)
    if (wrong !== undefined) return wrong
    const exit = runOn(disk, attempt)
    if (exit === "killed" || Exit.isFailure(exit)) return `the next attempt fails: ${String(exit)}`
    return wrongIn(disk, taken, true)
  } catch (error) {
    return String(error)
  }
}

/** What is explored. */
export interface ExploreOptions {
  /** Planted in the disk. */
  readonly faults?: DiskFaults
  /** The attempt that is looked at goes on from one that was killed at this call; default: from an empty disk. */
  readonly killedAt?: number
  /** Disks that were tried already. */
  readonly seen?: Set<string>
  /** Looks at one in so many calls; default at all. */
  readonly oneIn?: number
}

/**
 * Lets an attempt run, and tries every loss of power at each of its calls: the next attempt has to come to the end, with
 * every row once. At each call it is also killed after a reader took its parts. Ends with the first thing that is wrong.
 */
export const explore = (attempt: Effect.Effect<void, unknown>, o: ExploreOptions = {}): Explored => {
  const { faults = {}, killedAt, seen = new Set(), oneIn = 1 } = o
  const before = seen.size
  const disk = makeSimulatedDisk(faults)
  if (killedAt !== undefined) runOn(disk, attempt, (call) => (call === killedAt ? "is killed" : "goes on"))
  let calls = 0
  let losses = 0
  let bounded = 0
  let wrong: string | undefined
  const killed: PowerLoss = { stays: () => true, bytes: () => "whole" }
  // Files that are not there are errors by the thousand, of which nobody reads where they were made.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  const exit = runOn(disk, attempt, (call, what) => {
    if (calls++ % oneIn !== 0) return "goes on"
    const found = (of: string, text: string | undefined): boolean => {
      if (text !== undefined) wrong = `${of} before call ${call}, ${what}: ${text}`
      return text !== undefined
    }
    const { changes, files } = disk.atStake()
    if (2 ** changes * 3 ** files > exhaustiveMax) bounded++
    for (const loss of lossesOf(changes, files, call)) {
      losses++
      const lost = disk.after(loss)
      const contents = lost.contents()
      if (seen.has(contents)) continue
      seen.add(contents)
      if (found("power is lost", wrongAfter(lost, attempt, []))) return "is killed"
    }
    if (partsOf(disk).length === 0) return "goes on"
    const taken = disk.after(killed)
    return found("killed, its parts taken,", wrongAfter(taken, attempt, take(taken))) ? "is killed" : "goes on"
  })
  Error.stackTraceLimit = stackTraceLimit
  if (exit !== "killed" && Exit.isFailure(exit)) wrong ??= `the attempt fails: ${String(exit)}`
  return { calls, losses, disks: seen.size - before, bounded, wrong }
}

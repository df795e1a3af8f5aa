/** Adds up what histories came to, keeps the folders of wrong ones with what was done to them, and runs several at a time. */
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { History } from "./history.ts"
import type { World } from "./world.ts"

/** Counts of all histories of a check. */
export interface Tally {
  histories: number
  processes: number
  lost: number
  duplicated: number
  foreign: number
  /** What else was wrong. */
  problems: number
}

/** Whether all was right so far. */
export const isRight = ({ lost, duplicated, foreign, problems }: Tally): boolean =>
  lost + duplicated + foreign + problems === 0

const linesMax = 8

/** Begins a count; `add` says what is wrong, and keeps its folder, or removes it. */
export const makeTally = (world: World): Tally & { readonly add: (history: History) => void } => {
  const tally = { histories: 0, processes: 0, lost: 0, duplicated: 0, foreign: 0, problems: 0 }
  const add = (history: History): void => {
    const { wrong, problems, steps, folder } = history
    tally.histories++
    tally.processes += steps.length
    tally.lost += wrong.lost
    tally.duplicated += wrong.duplicated
    tally.foreign += wrong.foreign
    tally.problems += problems.length
    if (problems.length === 0 && wrong.samples.length === 0) {
      rmSync(folder, { recursive: true, force: true })
      return
    }
    const { settings } = world
    writeFileSync(join(folder, "history.json"), JSON.stringify({ settings, problems, wrong, steps }, null, 1))
    world.say(`WRONG: ${folder}`)
    for (const line of [...problems, ...wrong.samples].slice(0, linesMax)) world.say(`  ${line}`)
    const told = steps.map(
      ({ step }) =>
        `${step?.rot === undefined ? "" : `${step.rot.what} gone bad, `}${step?.failpoint ?? (step?.afterMs === undefined ? "to its end" : `${step.signal} after ${step.afterMs} ms`)}`
    )
    world.say(`  processes: ${told.join("; ")}`)
  }
  return Object.assign(tally, { add })
}

/** Runs `work(1)`, `work(2)`, ... in so many at a time, for as long as `goesOn(how many were begun)`. */
export const inParallel = async (
  workers: number,
  goesOn: (begun: number) => boolean,
  work: (n: number) => Promise<void>
): Promise<void> => {
  let begun = 0
  const worker = async (): Promise<void> => {
    while (goesOn(begun)) await work(++begun)
  }
  await Promise.all(Array.from({ length: workers }, worker))
}

/** Where a crash check plays: a folder, the input, and what an undisturbed run of the job leaves. */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { lanes, writeFlights } from "./flights.ts"
import { type Expected, undisturbed } from "./history.ts"
import { startHub } from "./hub.ts"
import { total } from "./parts.ts"
import { chunkRows, type JobSettings } from "./settings.ts"

/** What a world is made of. */
export interface WorldOptions {
  /** Flights before planting; 3,000 make some 16,000 rows. */
  readonly flights: number
  readonly seed: number
  /** Pause before each 16 rows of a lane. */
  readonly paceMs: number
  readonly say: (line: string) => void
  /** Where the job reads them; default files. */
  readonly input?: "files" | "eventhubs"
}

/** It stays until it is removed. */
export interface World extends WorldOptions {
  readonly root: string
  readonly settings: JobSettings
  readonly expected: Expected
  /** The same, for a job that lives so long if nothing disturbs it. */
  readonly lasting: (ms: number) => JobSettings
  /** A folder for a history. */
  readonly folder: (name: string) => string
  /** Ends what serves the input. */
  readonly stop: () => void
  readonly remove: () => void
}

/** Memory, where there is such a folder: a killed process leaves the same either way, and a disk would only be slower. */
const baseFolder = existsSync("/dev/shm") ? "/dev/shm" : tmpdir()

/** Makes one. */
export const makeWorld = async (options: WorldOptions): Promise<World> => {
  const root = mkdtempSync(join(baseFolder, "tidemark-kill-"))
  const folder = (name: string): string => join(root, name)
  writeFlights(folder("in"), options.flights, options.seed)
  const hub = options.input === "eventhubs" ? await startHub(folder("in")) : undefined
  const settings = { input: hub?.connection ?? join(folder("in"), "*.jsonl"), paceMs: options.paceMs, parallelism: 1 }
  const expected = await undisturbed({ ...settings, folder: folder("undisturbed") })
  const { rows, seen, passed, tookMs } = expected
  options.say(
    `undisturbed: ${rows} rows read, ${total(seen)} rows in ${seen.files.size} files, ${passed.length} failpoints passed, ${Math.round(tookMs)} ms`
  )
  return {
    ...options,
    root,
    settings,
    expected,
    lasting: (ms) => ({ ...settings, paceMs: Math.ceil((ms * chunkRows * lanes) / rows) }),
    folder,
    stop: () => hub?.stop(),
    remove: () => {
      hub?.stop()
      rmSync(root, { recursive: true, force: true })
    }
  }
}

/** Runs checks in a new one, which stays only when something is wrong. */
export const inWorld = async <R extends { readonly ok: boolean }>(
  options: WorldOptions,
  check: (world: World) => Promise<R>
): Promise<R> => {
  const world = await makeWorld(options)
  const result = await check(world)
  if (result.ok) world.remove()
  else {
    world.stop()
    options.say(`kept: ${world.root}`)
  }
  return result
}

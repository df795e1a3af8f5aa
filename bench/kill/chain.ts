/** The checkpoint of a history as another process finds it on disk: how far it is, and whose. Reads, and changes nothing. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Manifest } from "../../src/checkpoint/Manifest.ts"
import { decodeChainBytes } from "../../src/checkpoint/ManifestCodec.ts"
import { type Copy, chainPrefix, numberOfName } from "../../src/checkpoint/names.ts"
import { imbalances } from "../../src/model/Ledger.ts"

/** One manifest. */
export interface ChainFacts {
  readonly number: number
  /** The last data epoch; 0 before the first. */
  readonly epoch: number
  readonly ended: "exhausted" | "drained" | undefined
  /** Number of the takeover it was written under, and the process that did. */
  readonly attempt: number
  readonly pid: number
  /** Rows read, and whether the ledger is balanced. */
  readonly rows: number
  readonly balanced: boolean
  /** Where its partitions stand, as a program says it: `lane-0 at {"lanes":4...`. */
  readonly positions: ReadonlyArray<string>
}

/** The newest manifest of which both copies are there: sinks may have committed its epoch, and no later one. */
export interface Chain extends ChainFacts {
  /** The newest of which one copy is there: what comes next either adopts it, or makes it void. */
  readonly newest: ChainFacts
}

const query = "flights"
/** Longer ones are cut off by who says them. */
const positionMax = 50

const names = (at: string): ReadonlyArray<string> => {
  try {
    return readdirSync(at).toSorted()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []
    throw error
  }
}

/** The highest number of which both copies are there, by their names alone; 0 before the first. */
export const numberOf = (folder: string): number => {
  const highest = (copy: Copy): number => {
    const root = join(folder, ".tidemark", chainPrefix(query, copy))
    for (const group of names(root)) {
      for (const name of names(join(root, group))) {
        const number = numberOfName(name)
        if (number !== undefined) return number
      }
    }
    return 0
  }
  return Math.min(highest("primary"), highest("copy"))
}

/** Manifests of one copy, newest first. */
const manifests = function* (folder: string, copy: Copy): Generator<Manifest> {
  const root = join(folder, ".tidemark", chainPrefix(query, copy))
  for (const group of names(root)) {
    for (const name of names(join(root, group))) {
      if (numberOfName(name) === undefined) continue
      const found = decodeChainBytes(readFileSync(join(root, group, name)))
      if (found.tag === "manifest") yield found.manifest
    }
  }
}

const factsOf = ({ number, epoch, ended, attempt, owner, ledger, readers }: Manifest): ChainFacts => {
  const rows = readers.reduce((n, reader) => n + reader.rows, 0)
  const positions = readers.flatMap(({ partition, position }) =>
    position === undefined ? [] : [`${partition} at ${position.slice(0, positionMax)}`]
  )
  const balanced = imbalances(ledger).length === 0
  return { number, epoch, ended, attempt, pid: owner.pid, rows, balanced, positions }
}

/** Reads it; none before the first takeover. */
export const chainOf = (folder: string): Chain | undefined => {
  const copies = manifests(folder, "copy")
  let copy = copies.next()
  let newest = copy.done === true ? undefined : copy.value
  for (const primary of manifests(folder, "primary")) {
    if (newest === undefined || newest.number < primary.number) newest = primary
    while (copy.done !== true && copy.value.number > primary.number) copy = copies.next()
    if (copy.done === true || copy.value.number !== primary.number) continue
    return { ...factsOf(primary), newest: factsOf(newest) }
  }
  return undefined
}

/** The highest epoch in the name of a part that can be seen; 0: none. */
export const newestPart = (files: ReadonlyMap<string, string>): number => {
  let newest = 0
  for (const file of files.keys()) {
    const found = /-(\d{8,})(?:_\d+)?-[0-9a-f]{8}\.[a-z]+$/.exec(file)
    if (found !== null) newest = Math.max(newest, Number(found[1]))
  }
  return newest
}

/** Bits of a checkpoint that go bad: of two copies one stays good, since where both are bad there is nothing to go on from. */
import { queryPrefix } from "../checkpoint/names.ts"
import type { Seeded } from "./seeded.ts"
import type { Store, StoredObjects } from "./World.ts"

const textOf = (bytes: Uint8Array | undefined): string => (bytes === undefined ? "" : bytes.join())

const otherCopyOf = (name: string): string => {
  if (name.includes("/primary/")) return name.replace("/primary/", "/copy/")
  if (name.includes("/copy/")) return name.replace("/copy/", "/primary/")
  return name.endsWith(".a") ? name.replace(/a$/, "b") : name.replace(/b$/, "a")
}

/** Lets one object of a query's checkpoint go bad each time it is called; a state in a remote store has one copy (C6). */
export const rotting = (objects: StoredObjects, query: string, store: Store): ((random: Seeded) => void) => {
  const doubled = store === "files" ? /\/(primary|copy|data)\// : /\/(primary|copy)\//
  /** What went bad, and what it was then: it may have been written again since. */
  const rotten = new Map<string, string>()
  const isRotten = (name: string): boolean => {
    const bytes = rotten.get(name)
    return bytes !== undefined && bytes === textOf(objects.get(name))
  }
  return (random) => {
    const names = objects.names(queryPrefix(query)).filter((name) => doubled.test(name) && !isRotten(otherCopyOf(name)))
    if (names.length === 0) return
    const name = random.pick(names)
    objects.rot(name, random.below(1 << 20), random.below(8))
    rotten.set(name, textOf(objects.get(name)))
  }
}

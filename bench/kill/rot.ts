/**
 * A file of the checkpoint goes bad between two processes (rule C6): one copy of a manifest or of the state, or a manifest
 * of which there is no copy yet, since its writer was killed. The other copy serves; that manifest never was.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Chain } from "./chain.ts"
import { manifestName, queryPrefix } from "../../src/checkpoint/names.ts"
import type { Seeded } from "../../src/testing/seeded.ts"

/** What goes bad: a copy of the newest manifest, or of its state; the newest manifest if it has no copy. */
export type Rot = "manifest" | "state" | "uncopied"

/** Cuts a file off, or turns a bit of it. */
const damage = (path: string, random: Seeded): void => {
  const bytes = readFileSync(path)
  if (random.below(2) === 0) {
    writeFileSync(path, bytes.subarray(0, random.below(bytes.length)))
    return
  }
  bytes[random.below(bytes.length)] ^= 1 << random.below(8)
  writeFileSync(path, bytes)
}

/** Does it, where there is such a file; whether there was. */
export const rot = (folder: string, what: Rot, chain: Chain | undefined, random: Seeded): boolean => {
  if (chain === undefined) return false
  const root = join(folder, ".tidemark")
  const manifest = (copy: "primary" | "copy", number: number): string =>
    join(root, manifestName("flights", copy, number))
  if (what === "uncopied") {
    const { number } = chain.newest
    if (number === chain.number || existsSync(manifest("copy", number))) return false
    damage(manifest("primary", number), random)
    return true
  }
  if (what === "manifest") {
    damage(manifest(random.pick(["primary", "copy"]), chain.number), random)
    return true
  }
  const data = join(root, queryPrefix("flights"), "data")
  const suffix = random.pick([".a", ".b"])
  const newest = readdirSync(data)
    .filter((name) => name.endsWith(suffix))
    .toSorted()
    .at(-1)
  if (newest === undefined) return false
  damage(join(data, newest), random)
  return true
}

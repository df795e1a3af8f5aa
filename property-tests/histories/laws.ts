/** Laws of a history beside what it committed: the pace of epochs, copies that went bad, owners that live. */
import { decodeChainBytes } from "../../src/checkpoint/ManifestCodec.ts"
import { chainPrefix, numberOfName } from "../../src/checkpoint/names.ts"
import type { FaultKind } from "../../src/testing/Fault.ts"
import type { HistoryResult } from "../../src/testing/History.ts"
import type { StoredObjects } from "../../src/testing/World.ts"
import type { JobCase } from "./jobHistory.ts"

/** What keeps a checkpoint from being written, or a heartbeat. */
const ofStores: ReadonlyArray<FaultKind> = [
  "disk full",
  "disk error",
  "too many files",
  "store fails",
  "store no reply"
]

const tagsOf = (objects: StoredObjects, query: string, copy: "primary" | "copy"): ReadonlyMap<number, string> =>
  new Map(
    objects.names(chainPrefix(query, copy)).flatMap((name) => {
      const bytes = objects.get(name)
      const number = numberOfName(name)
      return bytes === undefined || number === undefined ? [] : [[number, decodeChainBytes(bytes).tag] as const]
    })
  )

/** Epochs that can be read: a copy of the manifest is sound, and a copy of the state is there. */
const readableEpochs = (objects: StoredObjects, query: string): number => {
  const readable = (["primary", "copy"] as const).flatMap((copy) =>
    objects.names(chainPrefix(query, copy)).flatMap((name) => {
      const bytes = objects.get(name)
      const read = bytes === undefined ? undefined : decodeChainBytes(bytes)
      if (read?.tag !== "manifest" || read.manifest.kind !== "epoch") return []
      const hasState = read.manifest.state?.names.some((state) => objects.get(state) !== undefined) === true
      return hasState ? [read.manifest.number] : []
    })
  )
  return new Set(readable).size
}

/** What is against them. */
export const brokenLaws = (c: JobCase, history: HistoryResult, objects: StoredObjects): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const without = (...kinds: ReadonlyArray<FaultKind>): boolean => !c.faults.some(({ kind }) => kinds.includes(kind))
  // An epoch that was given up leaves its rows to the next (C9).
  if (c.epochRows > 0 && without(...ofStores))
    for (const rows of history.epochRows)
      if (rows > c.epochRows) problems.push(`A5: an epoch read ${rows} rows, of ${c.epochRows} at most`)
  // Who lives is not taken for dead, unless it could not show that it lives; sleepers are not counted.
  if (history.overtaken > 0 && without(...ofStores, "rot"))
    problems.push(`C5a: ${history.overtaken} processes were overtaken while they lived`)
  if (history.copiesAlone > 0) problems.push(`C3, C9: ${history.copiesAlone} epochs have a copy and no primary`)
  const numbers = new Set(objects.names(chainPrefix("job", "primary")).flatMap((name) => numberOfName(name) ?? []))
  // Numbers follow each other, and what was put stays, or a tombstone in its place (C5).
  for (let number = 1; number < Math.max(...numbers); number++)
    if (!numbers.has(number)) problems.push(`C5: nothing stands at number ${number}, and more numbers follow`)
  const readable = readableEpochs(objects, "job")
  if (readable < Math.min(c.retained, history.epochs) && without("rot"))
    problems.push(`C5: ${readable} epochs can be read, of the last ${c.retained}`)
  if (without("freeze", "second")) {
    if (history.passedOver > 0) problems.push(`C6: ${history.passedOver} numbers were passed over without a void`)
    // Whoever goes on mends what it finds; one that only stands by does not.
    const mayRot = without(...ofStores) && !without("rot", "power loss")
    const copies = mayRot ? tagsOf(objects, "job", "copy") : new Map<number, string>()
    for (const [number, primary] of mayRot ? tagsOf(objects, "job", "primary") : []) {
      const tags = [primary, copies.get(number)]
      if (tags.includes("manifest") && tags.includes("damaged"))
        problems.push(`C6: one copy of manifest ${number} is still damaged`)
    }
  }
  return problems
}

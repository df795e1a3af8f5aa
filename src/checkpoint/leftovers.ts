/**
 * What is no longer needed of a chain, and taking it away (rules C5, C9): tombstones over manifests, in place, and the
 * removal of state that no manifest names any more.
 *
 * Never touched: the newest manifest that has both copies, the newest data epochs that are retained, and whatever they
 * name. Data is only deleted when its name begins with a lower takeover number, or is an older one of the attempt's own.
 */
import * as Effect from "effect/Effect"
import type { StoreError } from "../model/Errors.ts"
import { failpoint } from "../model/Failpoint.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import { type Cell, patiently, readCell } from "./cells.ts"
import type { Manifest } from "./Manifest.ts"
import { encodeTombstone } from "./ManifestCodec.ts"
import { attemptOfData, dataPrefix, heartbeatPrefix, manifestName, numberOfName } from "./names.ts"
import { repair } from "./stateFiles.ts"

/** One manifest that is not collected yet. `names`: the objects of its state. */
export interface Kept {
  readonly number: number
  readonly kind: "takeover" | "epoch" | "damaged"
  readonly names: ReadonlyArray<string>
}

/** A manifest as an entry of what is kept. */
export const keptOf = ({ number, kind, state }: Manifest): Kept => ({ number, kind, names: state?.names ?? [] })

/** Pure: which of the kept, oldest first, may be collected; the last of them is the newest, and stays. */
export const dueOf = (kept: ReadonlyArray<Kept>, retained: number): ReadonlyArray<Kept> => {
  const all = kept.filter(({ kind }) => kind === "epoch")
  const epochs = all.slice(Math.max(0, all.length - retained))
  return kept.slice(0, -1).filter((entry) => !epochs.includes(entry))
}

/** Pure: objects of collected manifests that none of those left names. */
export const unnamed = (
  query: string,
  collected: ReadonlyArray<Kept>,
  left: ReadonlyArray<Kept>
): ReadonlyArray<string> => {
  const named = new Set(left.flatMap(({ names }) => names))
  const names = new Set(collected.flatMap((entry) => entry.names))
  return [...names].filter((name) => !named.has(name) && name.startsWith(dataPrefix(query)))
}

/** Puts tombstones over both copies of a number: the primary first, so that no reader finds half a manifest sound. */
export const bury = (objects: ObjectStore, query: string, number: number): Effect.Effect<void, StoreError> => {
  const bytes = encodeTombstone(number)
  const put = (copy: "primary" | "copy") =>
    failpoint(`collect.tombstone.${copy}`, objects.put(manifestName(query, copy, number), bytes))
  return Effect.andThen(put("primary"), put("copy"))
}

/** Tombstones below the oldest manifest that a volatile store keeps. */
const tombstonesKept = 1_000

/**
 * Where to forget tombstones from, for {@link forget}, when the chain that was gone on from kept manifests from `keptFrom`
 * on: a little lower than its owner had come for sure.
 */
export const forgottenTo = (keptFrom: number): number => Math.max(1, keptFrom - tombstonesKept - 100)

/**
 * On a volatile store, deletes the tombstones from `from` on that are far below the oldest manifest, `keptFrom`; gives
 * where to go on. Elsewhere they stay for ever: an attempt that was frozen long ago still must not put its manifest.
 */
export const forget = (
  objects: ObjectStore,
  query: string,
  from: number,
  keptFrom: number
): Effect.Effect<number, StoreError> =>
  Effect.gen(function* () {
    if (objects.volatile !== true) return from
    let number = from
    for (; number < keptFrom - tombstonesKept; number++) {
      for (const copy of ["primary", "copy"] as const) yield* objects.delete(manifestName(query, copy, number))
    }
    return number
  })

const mendOf = (p: Cell, c: Cell): { readonly copy: "primary" | "copy"; readonly bytes: Uint8Array } | undefined =>
  p.tag === "manifest" && c.tag === "damaged"
    ? { copy: "copy", bytes: p.bytes }
    : c.tag === "manifest" && p.tag === "damaged"
      ? { copy: "primary", bytes: c.bytes }
      : undefined

/** What earlier attempts left between two numbers, oldest first, and how to mend what has one damaged copy. */
export const lookThrough = (
  objects: ObjectStore,
  query: string,
  from: number,
  to: number
): Effect.Effect<
  { readonly kept: ReadonlyArray<Kept>; readonly mends: ReadonlyMap<number, Effect.Effect<void>> },
  StoreError
> =>
  Effect.gen(function* () {
    const kept: Array<Kept> = []
    const mends = new Map<number, Effect.Effect<void>>()
    for (let number = from; number <= to; number++) {
      const p = yield* readCell(objects, query, "primary", number)
      const c = yield* readCell(objects, query, "copy", number)
      for (const cell of [p, c]) if (cell.tag === "failed") return yield* Effect.fail(cell.error)
      const isCollected = p.tag === "tombstone" || c.tag === "tombstone"
      // Void, or never there: small, and nobody's to collect.
      if ((p.tag === "tombstone" && c.tag === "tombstone") || c.tag === "void") continue
      if (p.tag === "absent" && c.tag === "absent") continue
      const sound = isCollected ? undefined : p.tag === "manifest" ? p : c.tag === "manifest" ? c : undefined
      kept.push(sound === undefined ? { number, kind: "damaged", names: [] } : keptOf(sound.manifest))
      const mend = isCollected ? undefined : mendOf(p, c)
      if (mend !== undefined) {
        mends.set(number, repair(objects, query, [manifestName(query, mend.copy, number)], mend.bytes))
      }
    }
    return { kept, mends }
  })

/** Names listed at a time. */
const pageNames = 1_000

/** Deletes all names below a prefix for which `isGarbage` holds, page by page. */
const deleteWhere = (
  objects: ObjectStore,
  prefix: string,
  isGarbage: (name: string) => boolean
): Effect.Effect<void, StoreError> =>
  Effect.gen(function* () {
    for (let limit = pageNames; ;) {
      const names = yield* patiently(objects.list(prefix, limit))
      const garbage = names.filter(isGarbage)
      for (const name of garbage) yield* failpoint("sweep", objects.delete(name))
      if (names.length < limit) return
      // The page is full of names that stay: look beyond it.
      if (garbage.length === 0) limit *= 2
    }
  })

/** Deletes the data, and the heartbeats, of attempts before `attempt` that none of the kept manifests names. */
export const deleteLower = (
  objects: ObjectStore,
  query: string,
  attempt: number,
  kept: ReadonlyArray<Kept>
): Effect.Effect<void, StoreError> => {
  const named = new Set(kept.flatMap(({ names }) => names))
  const isLower = (number: number | undefined): boolean => number !== undefined && number < attempt
  return Effect.andThen(
    deleteWhere(objects, dataPrefix(query), (name) => isLower(attemptOfData(name)) && !named.has(name)),
    deleteWhere(objects, heartbeatPrefix(query), (name) => isLower(numberOfName(name)))
  )
}

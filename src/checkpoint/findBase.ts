/**
 * Which manifest a query goes on from (rules C5, C6): the newest number that is not void, from whichever copy is sound.
 *
 * An older number is used only when the newer one surely never happened, which a void at the place of its copy decides
 * for everyone. A collected manifest means that the listing is out of date. Everything else is refused: to pass over a
 * number that may have been committed would lose or double its rows.
 */
import * as Effect from "effect/Effect"
import type { QueryError } from "../model/Errors.ts"
import { failpoint } from "../model/Failpoint.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import { type Cell, highestNumber, patiently, putOnce, readCell } from "./cells.ts"
import type { Manifest } from "./Manifest.ts"
import { encodeVoid } from "./ManifestCodec.ts"
import { chainPrefix, manifestName, numberOfName } from "./names.ts"
import { storeFailed, untrusted } from "./refusals.ts"

/** Listings made because a manifest was collected meanwhile, before the chain counts as torn. */
const listingsMax = 100

/** What was found. `highest` is the highest number listed; `base` is absent when nothing ever happened. */
export interface Found {
  readonly highest: number
  readonly base: Manifest | undefined
}

/** Lists and reads; `voids`: may put a void, as only an attempt that is about to take over does. */
interface Chain {
  readonly objects: ObjectStore
  readonly query: string
  readonly voids: boolean
}

/** What the two copies of a number say together; `below`: it never happened. */
export type Verdict =
  | { readonly tag: "base"; readonly manifest: Manifest }
  | { readonly tag: "below" | "collected" | "again" | "absent" }
  | { readonly tag: "refuse"; readonly error: QueryError }

const shown = (copy: string, cell: Cell): string => {
  switch (cell.tag) {
    case "damaged":
    case "refused":
      return `its ${copy} ${cell.why}`
    case "failed":
      return `its ${copy} cannot be read: ${cell.error.message}`
    default:
      return `its ${copy} is ${cell.tag}`
  }
}

const restore = "Restore the checkpoint from a backup, or begin anew with tidemark reset"

/** Pure: what the two copies of a number say together. `orphan`: the primary is unreadable and there is no copy. */
export const verdictOf = (query: string, number: number, p: Cell, c: Cell): Verdict | { readonly tag: "orphan" } => {
  const both = `${shown("primary", p)}; ${shown("copy", c)}`
  for (const cell of [p, c]) {
    if (cell.tag === "refused") {
      return { tag: "refuse", error: untrusted(query, `manifest ${number} ${cell.why}`) }
    }
  }
  if (p.tag === "tombstone" || c.tag === "tombstone") return { tag: "collected" }
  // A void beats its primary: whoever put it goes on from an older number.
  if (c.tag === "void") return { tag: "below" }
  if (p.tag === "manifest") return { tag: "base", manifest: p.manifest }
  if (c.tag === "manifest") return { tag: "base", manifest: c.manifest }
  // What the store does not show may be sound, or a void: nothing is decided without it.
  const failed = p.tag === "failed" ? p : c.tag === "failed" ? c : undefined
  if (failed !== undefined) {
    return { tag: "refuse", error: storeFailed(query, `read manifest ${number}`, failed.error) }
  }
  if (p.tag === "absent" && c.tag === "absent") return { tag: "absent" }
  if (c.tag === "absent") return { tag: "orphan" }
  return { tag: "refuse", error: untrusted(query, `manifest ${number} is lost: ${both}. ${restore}`) }
}

const judge = (chain: Chain, number: number): Effect.Effect<Verdict, QueryError> =>
  Effect.gen(function* () {
    const { objects, query } = chain
    const p = yield* readCell(objects, query, "primary", number)
    const c = yield* readCell(objects, query, "copy", number)
    const verdict = verdictOf(query, number, p, c)
    if (verdict.tag !== "orphan") return verdict
    if (!chain.voids) return { tag: "below" }
    const put = putOnce(objects, manifestName(query, "copy", number), encodeVoid(number))
    const outcome = yield* Effect.mapError(failpoint("void.put", put), (e) =>
      storeFailed(query, `void manifest ${number}, whose only copy is damaged`, e)
    )
    // Its owner, or another attempt, was faster: look again at what stands there now.
    return { tag: outcome === "put" ? "below" : "again" }
  })

/** Whether a chain that has no manifest `number` never had one: then nothing lower is listed either. */
const beginsAbove = (chain: Chain, highest: number, number: number): Effect.Effect<boolean, QueryError> => {
  const { objects, query } = chain
  const listed = patiently(objects.list(chainPrefix(query, "primary"), highest - number + 1))
  return Effect.map(
    Effect.mapError(listed, (e) => storeFailed(query, "list its manifests", e)),
    (names) => names.every((name) => (numberOfName(name) ?? 0) > number)
  )
}

/** Finds what to go on from. Changes nothing, except for a void where the rules ask for one. */
export const findBase = (chain: Chain): Effect.Effect<Found, QueryError> =>
  Effect.gen(function* () {
    const { objects, query } = chain
    const list = failpoint("list", highestNumber(objects, query))
    const listed = Effect.mapError(list, (e) => storeFailed(query, "list its manifests", e))
    let highest = yield* listed
    for (let listings = 1, number = highest; number > 0;) {
      const verdict: Verdict = yield* failpoint("base.read", judge(chain, number))
      if (verdict.tag === "refuse") return yield* Effect.fail(verdict.error)
      if (verdict.tag === "base") return { highest, base: verdict.manifest }
      if (verdict.tag === "below") number--
      if (verdict.tag === "absent") {
        if (yield* beginsAbove(chain, highest, number)) return { highest, base: undefined }
        return yield* Effect.fail(
          untrusted(query, `manifest ${number} is missing, and older ones are there. ${restore}`)
        )
      }
      if (verdict.tag !== "collected") continue
      const now = yield* listed
      if (now === highest || ++listings > listingsMax) {
        return yield* Effect.fail(
          untrusted(query, `manifest ${number} is collected, and no newer one is there. ${restore}`)
        )
      }
      highest = now
      number = now
    }
    return { highest, base: undefined }
  })

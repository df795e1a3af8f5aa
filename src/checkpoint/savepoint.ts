/**
 * Savepoints (rule C10): a checkpoint that the user owns. It lies beside the queries, names its own copy of the state,
 * and is never collected; a query without a chain, this one or another, may begin with it.
 */
import * as Effect from "effect/Effect"
import type { QueryError, StoreError } from "../model/Errors.ts"
import { isObjectName, type ObjectStore } from "../model/ObjectStore.ts"
import { type Cell, putOnce, readObject } from "./cells.ts"
import type { Beginning } from "./claim.ts"
import type { Manifest } from "./Manifest.ts"
import { encodeManifest } from "./ManifestCodec.ts"
import { savepointManifest, savepointState } from "./names.ts"
import { storeFailed, untrusted } from "./refusals.ts"
import { putState, readSoundState } from "./stateFiles.ts"

/** Whether a savepoint can have this name. */
export const isSavepointLabel = (label: string): boolean => isObjectName(label) && !label.includes("/")

/** What such a name is. */
export const savepointLabelRule = "a name is 1 to 200 of A-Z a-z 0-9 . _ = -, not starting with a dot"

/** `QUERY/LABEL`, or `LABEL` of the query itself. */
const placeOf = (query: string, savepoint: string): { readonly of: string; readonly label: string } => {
  const slash = savepoint.indexOf("/")
  return slash === -1
    ? { of: query, label: savepoint }
    : { of: savepoint.slice(0, slash), label: savepoint.slice(slash + 1) }
}

/** The copies of a savepoint's manifest. */
const cellsOf = (objects: ObjectStore, of: string, label: string): Effect.Effect<ReadonlyArray<Cell>> =>
  Effect.forEach(["primary", "copy"] as const, (copy) =>
    readObject(objects, of, savepointManifest(of, label, copy), undefined)
  )

const noSavepoint = (query: string, label: string, why: string): QueryError =>
  untrusted(query, `no savepoint ${JSON.stringify(label)}: ${why}`)

/**
 * Whether a query can make a savepoint of this name: fails with reason `Checkpoint` when it cannot be a name, or has been
 * given. To be asked before the query is stopped for it; `makeSavepoint` asks again.
 */
export const checkSavepoint = (objects: ObjectStore, query: string, label: string): Effect.Effect<void, QueryError> =>
  Effect.gen(function* () {
    if (!isSavepointLabel(label)) return yield* Effect.fail(noSavepoint(query, label, savepointLabelRule))
    for (const cell of yield* cellsOf(objects, query, label)) {
      if (cell.tag === "failed")
        return yield* Effect.fail(storeFailed(query, `see whether there is a savepoint ${label}`, cell.error))
      if (cell.tag !== "absent")
        return yield* Effect.fail(noSavepoint(query, label, "there is one already; choose another name"))
    }
  })

/** Copies the epoch of a manifest to a savepoint. Fails when there is one of that name, and when there is nothing to save. */
export const makeSavepoint = (
  objects: ObjectStore,
  latest: Manifest,
  label: string
): Effect.Effect<void, StoreError | QueryError> =>
  Effect.gen(function* () {
    const { query } = latest
    const refuse = (why: string) => Effect.fail(noSavepoint(query, label, why))
    yield* checkSavepoint(objects, query, label)
    if (latest.state === undefined) return yield* refuse("there is no epoch yet that could be saved")
    const { bytes } = yield* readSoundState(objects, query, latest.state)
    const copies = objects.replicated === true ? (["a"] as const) : (["a", "b"] as const)
    const names = copies.map((copy) => savepointState(query, label, latest.attempt, latest.number, copy))
    yield* putState(objects, names, bytes)
    // What was prepared is this query's to commit, never that of whoever begins with the savepoint.
    const manifest = encodeManifest({ ...latest, state: { ...latest.state, names }, prepared: [] })
    for (const copy of ["primary", "copy"] as const) {
      if ((yield* putOnce(objects, savepointManifest(query, label, copy), manifest)) !== "put") {
        return yield* refuse("another process has just made one; choose another name")
      }
    }
  })

/**
 * What a query goes on from that was told to begin with a savepoint; undefined: with what its chain says. A chain that
 * has epochs, and did not begin with this savepoint, is not thrown away for it.
 */
export const beginningOf = (
  objects: ObjectStore,
  query: string,
  savepoint: string | undefined,
  base: Manifest | undefined
): Effect.Effect<Beginning | undefined, QueryError> =>
  Effect.gen(function* () {
    if (savepoint === undefined) return undefined
    const { of, label } = placeOf(query, savepoint)
    const origin = `${of}/${label}`
    if (base?.origin === origin) return undefined
    const refuse = (why: string) => Effect.fail(untrusted(query, `cannot begin with savepoint ${origin}: ${why}`))
    if (base !== undefined && (base.epoch > 0 || base.state !== undefined)) {
      return yield* refuse(
        `the query stands at epoch ${base.epoch} already. Begin anew with tidemark reset ${query}, or give it another name`
      )
    }
    if (!isObjectName(of) || of.includes("/") || !isSavepointLabel(label))
      return yield* refuse("write QUERY/LABEL, or LABEL")
    const cells = yield* cellsOf(objects, of, label)
    for (const cell of cells) {
      if (cell.tag !== "manifest") continue
      const { state, readers, ledger, plan, parallelism } = cell.manifest
      return { ...(state === undefined ? {} : { state }), readers, ledger, plan, parallelism, origin }
    }
    const [cell] = cells
    if (cell.tag === "failed") return yield* Effect.fail(storeFailed(query, `read savepoint ${origin}`, cell.error))
    return yield* refuse(
      cell.tag === "absent" ? "there is none of that name" : `it ${"why" in cell ? cell.why : "is no savepoint"}`
    )
  })

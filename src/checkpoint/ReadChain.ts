/**
 * Reading checkpoints without owning them: for `tidemark state`, `plan` and lists of queries. Changes nothing.
 *
 * An owner may collect what is being read; then the read fails, and says so.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { StoreError } from "../model/Errors.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import { readCell } from "./cells.ts"
import type { ReadChain, TaskStates } from "./Chain.ts"
import { findBase, verdictOf } from "./findBase.ts"
import type { Manifest } from "./Manifest.ts"
import { registryPrefix } from "./names.ts"
import { readSoundState } from "./stateFiles.ts"

/** The newest sound manifest, or that of a data epoch that is still retained; none where there is no such. */
export const readChain: ReadChain = (objects, query, epoch) =>
  Effect.gen(function* () {
    const withStates = (manifest: Manifest) =>
      Option.some({
        manifest,
        states:
          manifest.state === undefined
            ? Effect.succeed<TaskStates>(new Map())
            : Effect.map(readSoundState(objects, query, manifest.state), ({ states }) => states)
      })
    if (epoch === undefined) {
      const { base } = yield* findBase({ objects, query, voids: false })
      return base === undefined ? Option.none() : withStates(base)
    }
    if (!Number.isSafeInteger(epoch) || epoch < 1) return Option.none()
    const p = yield* readCell(objects, query, "primary", epoch)
    const c = yield* readCell(objects, query, "copy", epoch)
    const verdict = verdictOf(query, epoch, p, c)
    if (verdict.tag === "refuse") return yield* Effect.fail(verdict.error)
    return verdict.tag === "base" && verdict.manifest.kind === "epoch" ? withStates(verdict.manifest) : Option.none()
  })

/** Names of queries asked for at a time. */
const pageNames = 1_000

/** The names of all queries that were ever taken over on this store, sorted. */
export const listQueries = (objects: ObjectStore): Effect.Effect<ReadonlyArray<string>, StoreError> =>
  Effect.gen(function* () {
    for (let limit = pageNames; ; limit *= 4) {
      const names = yield* objects.list(registryPrefix, limit)
      if (names.length < limit) return names.map((name) => name.slice(registryPrefix.length))
    }
  })

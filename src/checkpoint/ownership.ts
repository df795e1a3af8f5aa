/**
 * A query, owned: what an attempt may do after its takeover (rules C3, C5, C9, C10). See `Ownership` in `Chain.ts`.
 *
 * The newest manifest with both copies is `latest`. A publication that has begun and is not resolved, or a fence, ends
 * everything: whatever is called afterwards fails with the same error.
 */
import * as Effect from "effect/Effect"
import type { QueryError, StoreError } from "../model/Errors.ts"
import { failpoint } from "../model/Failpoint.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import { highestNumber, isPassed, putOnce, readCell } from "./cells.ts"
import type { Ownership } from "./Chain.ts"
import { type Claimed, fenced } from "./claim.ts"
import { bury, deleteLower, dueOf, forget, forgottenTo, type Kept, keptOf, lookThrough, unnamed } from "./leftovers.ts"
import { manifestFormat, type EpochRecord, type Manifest, type StateFile } from "./Manifest.ts"
import { encodeManifest } from "./ManifestCodec.ts"
import { dataName, manifestName } from "./names.ts"
import { storeFailed, untrusted } from "./refusals.ts"
import { requestsPerEpochMax, requestsToPublish } from "./requests.ts"
import { makeSavepoint } from "./savepoint.ts"
import { readSoundState, repair, writeStates } from "./stateFiles.ts"

/** What an ownership is made of. */
export interface OwnershipOptions {
  readonly objects: ObjectStore
  readonly query: string
  readonly claimed: Claimed
  readonly retained: number
}

/** An ownership, and what its heartbeat has to know of it. */
export interface Owned {
  readonly ownership: Ownership
  /** Whether another attempt has the query, so that nobody needs to be told that this one leaves. */
  readonly isLost: () => boolean
}

type Failure = StoreError | QueryError

/** The calls of an owner, made when the takeover has both copies. */
export const makeOwnership = (o: OwnershipOptions): Owned => {
  const { objects, query, claimed } = o
  const { base } = claimed
  const { attempt, queryId, owner } = base
  /** Names of state per epoch: two copies, or one where the store replicates (C6). */
  const copies: ReadonlyArray<"a" | "b"> = objects.replicated === true ? ["a"] : ["a", "b"]

  let latest = base
  let over: QueryError | undefined
  /** A number whose publication has begun, and was not seen to its end (C9). */
  let unresolved: number | undefined
  let isSwept = false
  /** Not yet collected, oldest first; the last is `latest`. */
  let kept: ReadonlyArray<Kept> = [keptOf(base)]
  /** States written for a number that was then given up. */
  let abandoned: ReadonlyArray<string> = []
  let written: ReadonlyArray<string> = []
  let goes = 0
  /** Tombstones below are forgotten, where the store is volatile. */
  let forgotten = forgottenTo(base.keptFrom)

  const end = (error: QueryError): Effect.Effect<never, QueryError> =>
    Effect.suspend(() => {
      over ??= error
      return Effect.fail(over)
    })
  const lost = Effect.catchTag(fenced(objects, query, attempt), "QueryError", end)
  const guarded = <A, E>(step: Effect.Effect<A, E>): Effect.Effect<A, E | QueryError> =>
    Effect.suspend((): Effect.Effect<A, E | QueryError> => {
      if (over !== undefined) return Effect.fail(over)
      if (unresolved === undefined) return step
      return end(untrusted(query, `manifest ${unresolved} was begun and never resolved, so its attempt is over`))
    })

  /** What cannot be read may have been collected by whoever came later: then that is what there is to say. */
  const orLost = <A>(read: Effect.Effect<A, QueryError>): Effect.Effect<A, QueryError> =>
    Effect.catchTag(read, "QueryError", (error) =>
      Effect.flatMap(
        Effect.orElseSucceed(isPassed(objects, query, latest.number), () => false),
        (passed) => (passed ? lost : Effect.fail(error))
      )
    )

  const readState = guarded(
    Effect.gen(function* () {
      if (base.state === undefined) return new Map<string, never>()
      const { states, bytes, unsound } = yield* orLost(readSoundState(objects, query, base.state))
      if (unsound.length > 0) yield* repair(objects, query, unsound, bytes)
      return states
    })
  )

  const writeState: Ownership["writeState"] = (states) =>
    guarded(
      Effect.suspend(() => {
        abandoned = [...abandoned, ...written]
        written = copies.map((copy) => dataName(query, attempt, latest.number + 1, goes, copy))
        goes++
        return writeStates(objects, query, written, states)
      })
    )

  const open = (number: number, error: StoreError): Effect.Effect<never, QueryError> =>
    end(storeFailed(query, `resolve whether manifest ${number} was written`, error))

  const troubled = (number: number, error: StoreError): Effect.Effect<void> =>
    Effect.logWarning(`query ${query}: manifest ${number} cannot be written now, and is tried again: ${error.message}`)

  const putManifest = (copy: "primary" | "copy", number: number, bytes: Uint8Array): Effect.Effect<void, QueryError> =>
    Effect.gen(function* () {
      const name = manifestName(query, copy, number)
      const put = failpoint(
        `manifest.${copy}`,
        putOnce(objects, name, bytes, (e) => troubled(number, e))
      )
      const outcome = yield* Effect.catchTag(put, "StoreError", (e) => open(number, e))
      if (outcome === "damaged")
        return yield* end(untrusted(query, `${name} is damaged before it could be relied upon`))
      if (outcome === "taken") return yield* lost
      const listed = copy === "primary" ? "manifest.listed" : "manifest.copy.listed"
      const look = failpoint(listed, isPassed(objects, query, number))
      if (yield* Effect.catchTag(look, "StoreError", (e) => open(number, e))) return yield* lost
    })

  const manifestOf = (record: EpochRecord, state: StateFile, number: number): Manifest => ({
    ...record,
    format: manifestFormat,
    kind: "epoch",
    number,
    attempt,
    query,
    queryId,
    owner,
    state,
    keptFrom: isSwept ? kept[0].number : base.keptFrom,
    ...(base.origin === undefined ? {} : { origin: base.origin })
  })

  const publish: Ownership["publish"] = (record, state) =>
    guarded(
      Effect.gen(function* () {
        const number = latest.number + 1
        if (record.epoch !== number) {
          return yield* Effect.die(new Error(`epoch ${record.epoch} was to be published where ${number} comes next`))
        }
        const manifest = manifestOf(record, state, number)
        const bytes = yield* Effect.try({
          try: () => encodeManifest(manifest),
          catch: (e) => untrusted(query, `cannot keep what a sink or the plan says of epoch ${number}: ${String(e)}`, e)
        })
        unresolved = number
        yield* putManifest("primary", number, bytes)
        yield* putManifest("copy", number, bytes)
        unresolved = undefined
        latest = manifest
        kept = [...kept, keptOf(manifest)]
        abandoned = [...abandoned, ...written.filter((name) => !state.names.includes(name))]
        written = []
        return manifest
      })
    )

  const collectOne = (entry: Kept): Effect.Effect<void, StoreError> =>
    Effect.gen(function* () {
      yield* bury(objects, query, entry.number)
      const left = kept.filter((other) => other !== entry)
      for (const name of unnamed(query, [entry], left)) yield* failpoint("collect.data", objects.delete(name))
      kept = left
    })

  const sweep: Effect.Effect<void, Failure> = guarded(
    Effect.gen(function* () {
      const { kept: before, mends } = yield* lookThrough(objects, query, base.keptFrom, claimed.found.highest)
      const all = [...before, ...kept]
      const due = dueOf(all, o.retained)
      for (const { number } of due) yield* bury(objects, query, number)
      kept = all.filter((entry) => !due.includes(entry))
      isSwept = true
      for (const { number } of kept) yield* mends.get(number) ?? Effect.void
      yield* deleteLower(objects, query, attempt, kept)
    })
  )

  const collect: Effect.Effect<void, Failure> = guarded(
    Effect.gen(function* () {
      if (!isSwept) yield* sweep
      forgotten = yield* forget(objects, query, forgotten, kept[0].number)
      let left = requestsPerEpochMax - requestsToPublish - copies.length
      for (const entry of dueOf(kept, o.retained)) {
        const requests = 2 + entry.names.length
        if (requests > left) return
        left -= requests
        yield* collectOne(entry)
      }
      while (left-- > 0 && abandoned.length > 0) {
        yield* failpoint("collect.data", objects.delete(abandoned[0]))
        abandoned = abandoned.slice(1)
      }
    })
  )

  const confirm = Effect.gen(function* () {
    if (over?.reason === "Fenced") return yield* Effect.fail(over)
    const highest = yield* Effect.orElseSucceed(highestNumber(objects, query), () => 0)
    if (highest <= latest.number) return
    for (const copy of ["primary", "copy"] as const) {
      const cell = yield* readCell(objects, query, copy, highest)
      if (cell.tag === "manifest" && cell.manifest.attempt > attempt) return yield* lost
    }
  })

  return {
    ownership: {
      attempt,
      queryId,
      base,
      readState,
      writeState,
      publish,
      collect,
      sweep,
      savepoint: (name) => guarded(Effect.suspend(() => makeSavepoint(objects, latest, name))),
      confirm
    },
    isLost: () => over?.reason === "Fenced"
  }
}

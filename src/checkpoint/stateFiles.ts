/**
 * The objects that hold the snapshots of epochs: written before their manifest, read from whichever copy is sound.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { QueryError, StoreError } from "../model/Errors.ts"
import { failpoint } from "../model/Failpoint.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import { patiently } from "./cells.ts"
import type { TaskStates } from "./Chain.ts"
import type { StateFile } from "./Manifest.ts"
import { storeFailed, untrusted } from "./refusals.ts"
import { decodeSnapshot, encodeSnapshot } from "./SnapshotCodec.ts"

/** Puts the bytes under each name, side by side. */
export const putState = (
  objects: ObjectStore,
  names: ReadonlyArray<string>,
  bytes: Uint8Array
): Effect.Effect<void, StoreError> =>
  Effect.forEach(names, (name) => failpoint("snapshot.write", objects.put(name, bytes)), {
    concurrency: "unbounded",
    discard: true
  })

/** Encodes the snapshots and puts them durably under each name. */
export const writeStates = (
  objects: ObjectStore,
  query: string,
  names: ReadonlyArray<string>,
  states: TaskStates
): Effect.Effect<StateFile, StoreError | QueryError> =>
  Effect.gen(function* () {
    const encoded = encodeSnapshot(states)
    const { bytes, crc } = yield* Effect.mapError(encoded, (e) => untrusted(query, `cannot keep ${e.message}`, e))
    yield* putState(objects, names, bytes)
    return { names, bytes: bytes.length, crc }
  })

/** A sound copy of a state, and the names under which the others stand that were found to be unsound. */
export interface SoundState {
  readonly states: TaskStates
  readonly bytes: Uint8Array
  readonly unsound: ReadonlyArray<string>
}

/** Reads a state from its first sound copy. */
export const readSoundState = (
  objects: ObjectStore,
  query: string,
  state: StateFile
): Effect.Effect<SoundState, QueryError> =>
  Effect.gen(function* () {
    const unsound: Array<string> = []
    const faults: Array<string> = []
    let failed: StoreError | undefined
    for (const name of state.names) {
      const got = yield* Effect.result(patiently(objects.get(name)))
      if (Result.isFailure(got)) {
        failed = got.failure
        continue
      }
      const bytes = Option.getOrUndefined(got.success)
      if (bytes === undefined) faults.push(`${name} is missing`)
      else {
        const read = yield* Effect.result(decodeSnapshot(bytes, state.crc))
        if (Result.isSuccess(read)) return { states: read.success, bytes, unsound }
        faults.push(`${name} ${read.failure.why}`)
        if (read.failure.tag === "newer") return yield* Effect.fail(untrusted(query, faults.join("; ")))
      }
      unsound.push(name)
    }
    if (failed !== undefined) return yield* Effect.fail(storeFailed(query, "read its state", failed))
    const lost = `its state is lost: ${faults.join("; ") || "no copy is named"}`
    return yield* Effect.fail(
      untrusted(query, `${lost}. Restore the checkpoint from a backup, or begin anew with tidemark reset`)
    )
  })

/** Puts sound bytes over copies that were found to be unsound (rule C6); that it fails harms nothing now. */
export const repair = (
  objects: ObjectStore,
  query: string,
  names: ReadonlyArray<string>,
  bytes: Uint8Array
): Effect.Effect<void> =>
  Effect.forEach(
    names,
    (name) =>
      Effect.matchEffect(failpoint("repair.write", objects.put(name, bytes)), {
        onSuccess: () =>
          Effect.logWarning(`checkpoint of query ${query}: ${name} was damaged, and is repaired from its other copy`),
        onFailure: (e) =>
          Effect.logWarning(`checkpoint of query ${query}: ${name} is damaged, and could not be repaired: ${e.message}`)
      }),
    { discard: true }
  )

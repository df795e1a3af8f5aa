/**
 * Reading and putting single manifests of a chain: what stands at a number, and puts that are known to have happened.
 *
 * A read that fails is never taken for an absent or a damaged object. A put whose reply is lost is resolved by reading
 * back (rule C9); every loop here ends after a bounded number of tries.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { StoreError } from "../model/Errors.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import type { Manifest } from "./Manifest.ts"
import { decodeChainBytes } from "./ManifestCodec.ts"
import { unframe } from "./Frame.ts"
import { chainPrefix, type Copy, manifestName, numberOfName } from "./names.ts"

/** Tries of a read before its failure counts; the pause doubles from the first on. */
const readTries = 4
const firstPauseMs = 50
/** Tries of a put whose outcome is open: with its pauses, about half a minute, or ten where a query runs on meanwhile. */
const putTries = { short: 14, long: 160 }
const pauseMaxMs = 4_000
/** Tries after which trouble is told again: about a minute. */
const toldEvery = 15
/** One call to the store may take this long while the outcome of a put is open. */
const callTimeoutMs = 60_000

const pauseOf = (go: number): number => Math.min(pauseMaxMs, firstPauseMs * 2 ** go)

/** A read of the store, tried again for a moment when it fails. */
export const patiently = <A>(read: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> => {
  const go = (n: number): Effect.Effect<A, StoreError> =>
    Effect.catchTag(read, "StoreError", (error) =>
      n + 1 >= readTries ? Effect.fail(error) : Effect.andThen(Effect.sleep(pauseOf(n)), go(n + 1))
    )
  return go(0)
}

/** What stands at one place of a chain. `failed`: the store would not say. */
export type Cell =
  | { readonly tag: "absent" | "tombstone" | "void" }
  | { readonly tag: "manifest"; readonly manifest: Manifest; readonly bytes: Uint8Array }
  | { readonly tag: "damaged"; readonly why: string }
  /** Sound, but not for this release or not of this query: nothing to be passed over. */
  | { readonly tag: "refused"; readonly why: string }
  | { readonly tag: "failed"; readonly error: StoreError }

const cellOf = (query: string, number: number | undefined, bytes: Uint8Array): Cell => {
  const read = decodeChainBytes(bytes)
  if (read.tag === "newer") return { tag: "refused", why: read.why }
  if (read.tag !== "manifest") return read
  const { manifest } = read
  if (number === undefined) return { ...read, bytes }
  if (manifest.query !== query) return { tag: "refused", why: `is of query ${manifest.query}, copied here` }
  if (manifest.number !== number) return { tag: "damaged", why: `is manifest ${manifest.number}` }
  return { ...read, bytes }
}

/** Reads an object as a manifest; `number` undefined: whatever number and query it is of (a savepoint). */
export const readObject = (
  objects: ObjectStore,
  query: string,
  name: string,
  number: number | undefined
): Effect.Effect<Cell> =>
  Effect.match(patiently(objects.get(name)), {
    onFailure: (error): Cell => ({ tag: "failed", error }),
    onSuccess: (bytes): Cell => (Option.isNone(bytes) ? { tag: "absent" } : cellOf(query, number, bytes.value))
  })

/** Reads one copy of a number's manifest. */
export const readCell = (objects: ObjectStore, query: string, copy: Copy, number: number): Effect.Effect<Cell> =>
  readObject(objects, query, manifestName(query, copy, number), number)

/** The highest number of one copy of a chain; 0: none. */
const highestOf = (objects: ObjectStore, query: string, copy: Copy): Effect.Effect<number, StoreError> =>
  Effect.gen(function* () {
    const prefix = chainPrefix(query, copy)
    for (const limit of [1, 1_000]) {
      const names = yield* patiently(objects.list(prefix, limit))
      // What someone else laid there is no manifest.
      const number = names.map(numberOfName).find((n) => n !== undefined)
      if (number !== undefined) return number
      if (names.length < limit) return 0
    }
    return yield* Effect.fail(
      new StoreError({
        store: objects.name,
        name: prefix,
        operation: "list",
        message: `${objects.name}: ${prefix} is full of objects that are no manifests: take them away`
      })
    )
  })

/** The highest number that anybody has put; 0: the chain is empty. */
export const highestNumber = (objects: ObjectStore, query: string): Effect.Effect<number, StoreError> =>
  Effect.map(
    Effect.all([highestOf(objects, query, "primary"), highestOf(objects, query, "copy")], { concurrency: 2 }),
    (numbers) => Math.max(...numbers)
  )

/** Whether a number higher than `number` exists. Numbers are dense, so that the next one tells (ADR 6). */
export const isPassed = (objects: ObjectStore, query: string, number: number): Effect.Effect<boolean, StoreError> =>
  Effect.map(patiently(objects.get(manifestName(query, "primary", number + 1))), Option.isSome)

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])

/** What became of a put: the bytes stand there, something else does, or something damaged, which may have been these. */
export type Outcome = "put" | "taken" | "damaged"

/**
 * Puts the bytes where nothing stands, however often it takes. The bytes must be of this attempt alone, or mean the same
 * whoever puts them. Fails when the store lets the outcome open for too long; then it may still take effect, at any time.
 * `onTrouble` is told now and then while it tries for long.
 */
export const putOnce = (
  objects: ObjectStore,
  name: string,
  bytes: Uint8Array,
  onTrouble?: (error: StoreError) => Effect.Effect<void>
): Effect.Effect<Outcome, StoreError> => {
  const putError = (why: string): StoreError =>
    new StoreError({ store: objects.name, name, operation: "putIfAbsent", message: `${objects.name}: ${name}: ${why}` })
  const tries = onTrouble === undefined ? putTries.short : putTries.long
  const inTime = <A>(call: Effect.Effect<A, StoreError>) =>
    Effect.timeoutOrElse(call, {
      duration: callTimeoutMs,
      orElse: () => Effect.fail(putError(`no reply within ${callTimeoutMs} ms`))
    })
  const go = (n: number): Effect.Effect<Outcome, StoreError> =>
    Effect.gen(function* () {
      const put = yield* Effect.result(inTime(objects.putIfAbsent(name, bytes)))
      if (Result.isSuccess(put) && put.success) return "put"
      // Taken, or no reply: what stands there says whose it is. A store that tries again by itself finds its own bytes.
      const seen = yield* Effect.result(inTime(objects.get(name)))
      if (Result.isSuccess(seen) && Option.isSome(seen.success)) {
        if (same(seen.success.value, bytes)) return "put"
        return unframe(seen.success.value).tag === "damaged" ? "damaged" : "taken"
      }
      if (n + 1 >= tries) {
        if (Result.isFailure(put)) return yield* Effect.fail(put.failure)
        return yield* Effect.fail(Result.isFailure(seen) ? seen.failure : putError("is taken, and not there"))
      }
      if (onTrouble !== undefined && Result.isFailure(put) && n % toldEvery === 2) yield* onTrouble(put.failure)
      yield* Effect.sleep(pauseOf(n))
      return yield* go(n + 1)
    })
  return go(0)
}

/**
 * The owner's sign of life (rule C5a): an object that it puts again at each interval, and marks when it leaves.
 *
 * Others compare what they read with what they read before, by their own clocks: no time stands in it. A heartbeat that
 * cannot be written stops nothing; at worst another process takes over, which is always safe.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { StoreError } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import { frame, unframe } from "./Frame.ts"
import { heartbeatName } from "./names.ts"

/** How often an owner renews its heartbeat on this store, ms. */
export const heartbeatMsOf = (objects: ObjectStore): number => objects.heartbeatMs ?? Limits.heartbeatMs

/** How long the last heartbeat, which says that the owner leaves, may hold up the end of a query. */
const releaseTimeoutMs = 2_000

const utf8 = new TextEncoder()

const bytesOf = (attemptId: string, beat: number, released: boolean): Uint8Array =>
  frame("heartbeat", utf8.encode(JSON.stringify({ attemptId, beat, released })))

/** What an attempt's heartbeat says: text that changes with each beat, and whether the owner has left. */
export interface Beat {
  readonly shown: string
  readonly released: boolean
}

/** Reads an attempt's heartbeat; undefined: none yet. One that is damaged is no sign that the owner left. */
export const readBeat = (
  objects: ObjectStore,
  query: string,
  attempt: number
): Effect.Effect<Beat | undefined, StoreError> =>
  Effect.map(objects.get(heartbeatName(query, attempt)), (found) => {
    if (Option.isNone(found)) return undefined
    const framed = unframe(found.value)
    if (framed.tag !== "sound") return { shown: `${framed.tag} ${found.value.length}`, released: false }
    const shown = new TextDecoder().decode(framed.payload)
    try {
      const value: unknown = JSON.parse(shown)
      const released = typeof value === "object" && value !== null && "released" in value && value.released === true
      return { shown, released }
    } catch {
      return { shown, released: false }
    }
  })

/** Whose heartbeat it is. `leaves` is asked at the end: whether others need to be told that the owner is gone. */
export interface HeartbeatOptions {
  readonly objects: ObjectStore
  readonly query: string
  readonly attempt: number
  readonly attemptId: string
  readonly leaves: () => boolean
}

/** Renews the heartbeat in the present scope, the first time at once; marks it as released when the scope closes. */
export const keepHeartbeat = (o: HeartbeatOptions): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { objects, query, attempt, attemptId } = o
    const name = heartbeatName(query, attempt)
    let beat = 0
    let isFailing = false
    const failed = (error: StoreError): Effect.Effect<void> => {
      if (isFailing) return Effect.void
      isFailing = true
      return Effect.logWarning(
        `query ${query}: its heartbeat could not be written (${error.message}); another process may take it over`
      )
    }
    const put = Effect.suspend(() => objects.put(name, bytesOf(attemptId, ++beat, false)))
    const broken = (cause: unknown) =>
      new StoreError({
        store: objects.name,
        name,
        operation: "put",
        message: `${objects.name}: ${String(cause)}`,
        cause
      })
    const once = Effect.matchEffect(
      Effect.catchDefect(put, (defect) => Effect.fail(broken(defect))),
      {
        onFailure: failed,
        onSuccess: () =>
          Effect.sync(() => {
            isFailing = false
          })
      }
    )
    const release = Effect.suspend(() =>
      o.leaves()
        ? Effect.ignore(Effect.timeout(objects.put(name, bytesOf(attemptId, ++beat, true)), releaseTimeoutMs))
        : Effect.void
    )
    yield* Effect.addFinalizer(() => release)
    // Forked after the finalizer was added, so it is stopped before the release is written.
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(once, Effect.sleep(heartbeatMsOf(objects)))))
  })

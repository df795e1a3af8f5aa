/**
 * An object store in memory: the contract of `model/ObjectStore.ts` with a `Map`.
 *
 * Guarantees: every operation is one step; bytes are copied in and out. Durable only as long as the process.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { StoreError } from "../../model/Errors.ts"
import { isObjectName, type ObjectStore } from "../../model/ObjectStore.ts"

/** A new, empty store; `name` is for errors, default `memory`. Refuses bad names with `StoreError`, nothing else fails. */
export const make = (name = "memory"): ObjectStore => {
  const objects = new Map<string, Uint8Array>()
  const step = <A>(operation: StoreError["operation"], object: string, f: () => A): Effect.Effect<A, StoreError> =>
    Effect.suspend(() =>
      isObjectName(object)
        ? Effect.succeed(f())
        : Effect.fail(
            new StoreError({
              store: name,
              name: object,
              operation,
              message: `${name}: ${JSON.stringify(object)} is not a name: segments of [A-Za-z0-9._=-] with "/" between, none starting with a dot`
            })
          )
    )
  return {
    name,
    get: (object) =>
      step("get", object, () => Option.map(Option.fromUndefinedOr(objects.get(object)), (bytes) => bytes.slice())),
    put: (object, bytes) =>
      step("put", object, () => {
        objects.set(object, bytes.slice())
      }),
    putIfAbsent: (object, bytes) =>
      step("putIfAbsent", object, () => {
        if (objects.has(object)) return false
        objects.set(object, bytes.slice())
        return true
      }),
    list: (prefix, limit) =>
      Effect.sync(() => {
        const names = [...objects.keys()].filter((n) => n.startsWith(prefix))
        // The default order of `sort` is by code unit, which is what the contract says.
        return names.sort().slice(0, Math.max(0, limit))
      }),
    delete: (object) =>
      step("delete", object, () => {
        objects.delete(object)
      })
  }
}

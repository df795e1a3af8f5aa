/**
 * The contract of an object store: named bytes, with put-if-absent. Checkpoints and tables live on it.
 *
 * Names are `/`-separated segments of `[A-Za-z0-9._=-]`, no segment starting with a dot. `put` and `putIfAbsent`
 * return when the bytes are durable. `list` is sorted by name in code-unit order and sees every completed put.
 * Conformance: `test/conformance/store.ts`.
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { StoreError } from "./Errors.ts"

/** Named bytes; every operation is atomic, and may fail with a `StoreError`. */
export interface ObjectStore {
  /** For errors: `memory`, `files ./.tidemark`. */
  readonly name: string
  /** Keeps copies of its own, so that one of each object is enough (rule C6). Default false. */
  readonly replicated?: boolean
  /** Requests cost money here: a query says when it starts how many it will make (rule C5b). Default false. */
  readonly billed?: boolean
  /**
   * It dies with its process, so no other process that was frozen can come back to it: tombstones that nobody reads any
   * more need not stay (rule C5). Default false.
   */
  readonly volatile?: boolean
  /** How often an owner renews its heartbeat here, ms (rule C5a). Default `Limits.heartbeatMs`. */
  readonly heartbeatMs?: number
  /** Pace of epochs where nothing else says so, by what a checkpoint costs here, ms (rule A5); default "at once". */
  readonly epochIntervalMs?: number
  readonly get: (name: string) => Effect.Effect<Option.Option<Uint8Array>, StoreError>
  readonly put: (name: string, bytes: Uint8Array) => Effect.Effect<void, StoreError>
  /** True when this call created the object, false when the name was taken; never overwrites. */
  readonly putIfAbsent: (name: string, bytes: Uint8Array) => Effect.Effect<boolean, StoreError>
  /** The first `limit` names that start with `prefix`, sorted. */
  readonly list: (prefix: string, limit: number) => Effect.Effect<ReadonlyArray<string>, StoreError>
  /** Deleting a name that does not exist succeeds. */
  readonly delete: (name: string) => Effect.Effect<void, StoreError>
}

const segment = /^[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,199}$/

/** Whether a name is one that every store takes; stores refuse the rest with a `StoreError`. */
export const isObjectName = (name: string): boolean =>
  name.length <= 800 && name.split("/").every((s) => segment.test(s))

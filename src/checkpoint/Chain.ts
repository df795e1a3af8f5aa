/**
 * The contract of the chain of manifests of one query on an object store: taking it over, adding epochs, and cleaning up
 * after them (rules C3, C5, C5a, C6, C9, C10).
 *
 * Made of: `TakeOver.ts` (whole), `awaitTurn.ts` (whose turn it is), `claim.ts` (the takeover's own steps), `findBase.ts`
 * (what to go on from), `ownership.ts` (epochs), `leftovers.ts` (what goes away), `Heartbeat.ts`, `savepoint.ts`. What
 * makes a recovery right is the order of their steps; `property-tests/chain.test.ts` explores it.
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { QueryError, StoreError } from "../model/Errors.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import type { SnapshotValue } from "../model/Snapshot.ts"
import type { EpochRecord, Manifest, StateFile } from "./Manifest.ts"

/** Snapshots by task: `by-category[0]` to what it held. */
export type TaskStates = ReadonlyMap<string, SnapshotValue>

/** How a query is taken over. */
export interface TakeOverOptions {
  readonly objects: ObjectStore
  readonly query: string
  /** With a live owner: wait until it is gone, or fail with reason `Owned`. */
  readonly ifOwned: "wait" | "fail"
  /**
   * Take over from this attempt at once, dead or alive. Where another is the latest: taken over when its process is
   * surely gone, else fails with reason `Owned`.
   */
  readonly takeOver: number | undefined
  /** Epochs whose manifests and state stay readable; at least 1. */
  readonly retained: number
  /** Called once when a live owner makes this process a standby, with a sentence about it. */
  readonly onStandby: (owner: string) => Effect.Effect<void>
  /** Where a query without a chain starts from: a savepoint's manifest and state (rule C10). */
  readonly savepoint: string | undefined
}

/** A query, owned. Its calls fail with reason `Fenced` once another attempt has taken over, which is final (C5). */
export interface Ownership {
  /** Number of the takeover. */
  readonly attempt: number
  readonly queryId: string
  /** What the attempt goes on from: the takeover, which carries the last data epoch verbatim. `epoch` is 0 when new. */
  readonly base: Manifest
  /** The tasks' snapshots of the base; fails with reason `Checkpoint` when no copy is sound. */
  readonly readState: Effect.Effect<TaskStates, QueryError>
  /** Writes the state of the next epoch durably. May be given up (C9): nothing refers to it yet. */
  readonly writeState: (states: TaskStates) => Effect.Effect<StateFile, StoreError | QueryError>
  /**
   * Puts the manifest of the next number and its copy, each followed by a look for a higher number. Once begun it is
   * resolved: by reading back what an ambiguous reply left open, or by failing (C9).
   */
  readonly publish: (record: EpochRecord, state: StateFile) => Effect.Effect<Manifest, QueryError>
  /** After every sink has committed the last epoch: tombstones for manifests, and removal of state, no longer retained. */
  readonly collect: Effect.Effect<void, StoreError | QueryError>
  /** After a takeover, once the pending epoch is committed: removes what earlier attempts left and no manifest names. */
  readonly sweep: Effect.Effect<void, StoreError | QueryError>
  /** Copies the last published epoch to where it is never collected (rule C10). */
  readonly savepoint: (name: string) => Effect.Effect<void, StoreError | QueryError>
  /**
   * Fails with reason `Fenced`, and the name of who it was, if another attempt has taken over: asked when something failed,
   * which may be why. A store that does not answer says nothing.
   */
  readonly confirm: Effect.Effect<void, QueryError>
}

/** Takes a query over: see rule C5. The heartbeat runs in the scope. */
export type TakeOver = (options: TakeOverOptions) => Effect.Effect<Ownership, QueryError, Scope.Scope>

/** Reads a chain without owning it: the newest sound manifest, or that of an epoch still retained. */
export type ReadChain = (
  objects: ObjectStore,
  query: string,
  epoch?: number
) => Effect.Effect<
  Option.Option<{ readonly manifest: Manifest; readonly states: Effect.Effect<TaskStates, QueryError> }>,
  QueryError
>

/**
 * A query that was started, in one shape for everybody: `Query.start`, `Query.startJob`, `Query.Queries`, `Query.list`
 * and `Query.get` give the same object.
 *
 * A handle may outlive its query: it then says how that ended. The engine's mutable facts stay behind `factsOf`.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { QueryError } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import type { EpochProgress } from "./EpochProgress.ts"
import { progressNow, type QueryProgress, recentProgressNow } from "./Progress.ts"
import { type QueryStatus, statusOf } from "./QueryStatus.ts"
import type { QueryState } from "./QueryState.ts"
import type { QuerySummary } from "./Supervisor.ts"

/** A query that was started. `E`: what it may fail with, beside a `QueryError`; unknown when asked of the registry. */
export interface QueryHandle<out E = never> {
  readonly name: string
  /** Of this start; restarts within it share it. */
  readonly runId: string
  /** ms since the epoch. */
  readonly startedMs: number
  /** Stable across starts, kept in the checkpoint; none before the query is owned. */
  readonly id: Effect.Effect<string | undefined>
  /** Whether it has not ended. */
  readonly isActive: Effect.Effect<boolean>
  readonly status: Effect.Effect<QueryStatus>
  /** Where it stands now. */
  readonly progress: Effect.Effect<QueryProgress>
  /** What the last epoch was; none before the first of this run. */
  readonly lastProgress: Effect.Effect<EpochProgress | undefined>
  /** What the last epochs were, oldest first: those since the start, at most `Limits.epochsRemembered`. */
  readonly recentProgress: Effect.Effect<ReadonlyArray<EpochProgress>>
  /** Waits for the end: a summary, or what the query failed with. */
  readonly await: Effect.Effect<QuerySummary, E | QueryError>
  /**
   * Stops reading, finishes what is in flight, commits and ends; then as `await`. Bounded by `drainTimeout`. It is what
   * `tidemark queries stop` asks for.
   */
  readonly drain: Effect.Effect<QuerySummary, E | QueryError>
  /** The same, and keeps the last epoch as a savepoint under this label, which is never collected (C10). */
  readonly stopWithSavepoint: (label: string) => Effect.Effect<QuerySummary, E | QueryError>
  /** What it failed with, once it has. */
  readonly exception: Effect.Effect<Cause.Cause<E | QueryError> | undefined>
}

/** What a start of a query knows of it. */
export interface StartedQuery<out E> {
  readonly state: QueryState
  readonly fiber: Fiber.Fiber<QuerySummary, E | QueryError>
  readonly drain: Effect.Effect<QuerySummary, E | QueryError>
  readonly stopWithSavepoint: (label: string) => Effect.Effect<QuerySummary, E | QueryError>
}

const Facts: unique symbol = Symbol("tidemark/QueryHandle/facts")

/** The handle of a query. */
export const makeHandle = <E>({ state, fiber, drain, stopWithSavepoint }: StartedQuery<E>): QueryHandle<E> => {
  const handle: QueryHandle<E> & { readonly [Facts]: QueryState } = {
    [Facts]: state,
    name: state.name,
    runId: state.runId,
    startedMs: state.startedMs,
    id: Effect.sync(() => state.id),
    isActive: Effect.sync(() => fiber.pollUnsafe() === undefined),
    status: Effect.sync(() => statusOf(state)),
    progress: progressNow(state),
    lastProgress: Effect.map(recentProgressNow(state, 1), ([last]) => last),
    recentProgress: recentProgressNow(state, Limits.epochsRemembered),
    await: Fiber.join(fiber),
    drain,
    stopWithSavepoint,
    exception: Effect.sync(() => {
      const exit = fiber.pollUnsafe()
      return exit === undefined || Exit.isSuccess(exit) ? undefined : exit.cause
    })
  }
  return handle
}

/** The live facts behind a handle: for the engine's own tools and tests, not for users. */
export const factsOf = (handle: QueryHandle<unknown>): QueryState =>
  (handle as QueryHandle<unknown> & { readonly [Facts]: QueryState })[Facts]

/** Running one pipeline: to its end, or started with a handle. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { CheckpointStore } from "../checkpoint/CheckpointStore.ts"
import { deadLettersOf } from "../checkpoint/DeadLetters.ts"
import type { DeadLetter } from "../model/DeadLetter.ts"
import { QueryError, type StoreError } from "../model/Errors.ts"
import type { Pipeline } from "../streams/Pipeline.ts"
import { progressNow, type QueryProgress } from "./Progress.ts"
import { type QueryOptions, settingsOf } from "./QueryOptions.ts"
import type { QueryState } from "./QueryState.ts"
import { register } from "./Registry.ts"
import { type QuerySummary, supervise } from "./Supervisor.ts"

/** A running query. */
export interface QueryHandle<out E = never> {
  readonly name: string
  /** Waits for the end: a summary, or what the query failed with. */
  readonly await: Effect.Effect<QuerySummary, E | QueryError>
  /** Stops reading, finishes what is in flight, commits and ends; then as `await`. Bounded by `drainTimeout`. */
  readonly drain: Effect.Effect<QuerySummary, E | QueryError>
  /** The same, and keeps the last epoch as a savepoint of this name, which is never collected (C10). */
  readonly stopWithSavepoint: (name: string) => Effect.Effect<QuerySummary, E | QueryError>
  /** Its live facts. For the engine's own tools; the shape may change between releases. */
  readonly state: QueryState
  /** Where it stands now. */
  readonly progress: Effect.Effect<QueryProgress>
}

/** Runs a pipeline until its input is exhausted, it fails for good, or it is interrupted. */
export const run = <E, R, SR = never>(
  pipeline: Pipeline<E, R>,
  options: QueryOptions<NoInfer<E>, SR>
): Effect.Effect<QuerySummary, E | QueryError, R | SR | CheckpointStore> =>
  Effect.scoped(Effect.flatMap(start(pipeline, options), (handle) => handle.await)) as Effect.Effect<
    QuerySummary,
    E | QueryError,
    R | SR | CheckpointStore
  >

/** Starts a pipeline in the present scope, which ends it when it closes. */
export const start = <E, R, SR = never>(
  pipeline: Pipeline<E, R>,
  options: QueryOptions<NoInfer<E>, SR>
): Effect.Effect<QueryHandle<E>, QueryError, R | SR | CheckpointStore | Scope.Scope> =>
  Effect.gen(function* () {
    const { objects } = yield* CheckpointStore
    const anyOptions = options as unknown as QueryOptions<never, unknown>
    const query = yield* supervise(pipeline.plan, anyOptions, objects)
    const { drainTimeoutMs } = settingsOf(anyOptions, [])
    const fiber = yield* Effect.forkScoped(query.run as Effect.Effect<QuerySummary, E | QueryError>)
    const result = Fiber.join(fiber)
    const drain = (savepoint?: string) =>
      Effect.gen(function* () {
        yield* query.drain(savepoint)
        const exit = yield* Effect.timeoutOption(Fiber.await(fiber), Duration.millis(drainTimeoutMs))
        if (Option.isSome(exit)) return yield* result
        yield* Effect.forkDetach(Fiber.interrupt(fiber))
        const message = `query ${options.name} had not drained after ${drainTimeoutMs} ms and was interrupted; what its last epoch did not commit is lost to its sinks`
        return yield* Effect.fail(new QueryError({ reason: "DrainTimeout", query: options.name, message }))
      })
    yield* register({ state: query.state, fiber, drain: drain(), stopWithSavepoint: drain })
    return {
      name: options.name,
      await: result,
      drain: drain(),
      stopWithSavepoint: drain,
      state: query.state,
      progress: progressNow(query.state)
    }
  }) as Effect.Effect<QueryHandle<E>, QueryError, R | SR | CheckpointStore | Scope.Scope>

/** The dead letters kept for a query in the checkpoint store, oldest first: those of the first 1,000 epochs. */
export const deadLetters = (name: string): Effect.Effect<ReadonlyArray<DeadLetter>, StoreError, CheckpointStore> =>
  Effect.flatMap(CheckpointStore, ({ objects }) => deadLettersOf(objects, name, 1000))

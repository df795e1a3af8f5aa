/** Running one pipeline: to its end, or started with a handle. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { CheckpointStore } from "../checkpoint/CheckpointStore.ts"
import { deadLettersOf } from "../checkpoint/DeadLetters.ts"
import { checkSavepoint } from "../checkpoint/savepoint.ts"
import type { DeadLetter } from "../model/DeadLetter.ts"
import { QueryError, type StoreError } from "../model/Errors.ts"
import type { Pipeline } from "../streams/Pipeline.ts"
import type { QueryHandle } from "./QueryHandle.ts"
import { type QueryOptions, settingsOf } from "./QueryOptions.ts"
import { register } from "./Registry.ts"
import { type QuerySummary, supervise } from "./Supervisor.ts"

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

/** Starts a pipeline in the present scope, which ends it when it closes. The handle is that of `Query.list`. */
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
    const unsaved = (label: string, why: string) => {
      const message = `query ${options.name} has stopped, and made no savepoint ${JSON.stringify(label)}: ${why}`
      return Effect.fail(new QueryError({ reason: "Checkpoint", query: options.name, message }))
    }
    const drain = (savepoint?: string) =>
      Effect.gen(function* () {
        if (savepoint !== undefined) yield* checkSavepoint(objects, options.name, savepoint)
        const isFirst = yield* query.drain(savepoint)
        const exit = yield* Effect.timeoutOption(Fiber.await(fiber), Duration.millis(drainTimeoutMs))
        if (Option.isSome(exit)) {
          const summary = yield* result
          if (savepoint === undefined || summary.savepoint === savepoint) return summary
          const why = "it owned no epoch: it was standing by, starting, restarting, or had ended"
          return yield* unsaved(savepoint, isFirst ? why : "it had been asked to stop before, without it")
        }
        yield* Effect.forkDetach(Fiber.interrupt(fiber))
        const message = `query ${options.name} had not drained after ${drainTimeoutMs} ms and was interrupted; what its last epoch did not commit is lost to its sinks`
        return yield* Effect.fail(new QueryError({ reason: "DrainTimeout", query: options.name, message }))
      })
    return yield* register({ state: query.state, fiber, drain: drain(), stopWithSavepoint: drain })
  }) as Effect.Effect<QueryHandle<E>, QueryError, R | SR | CheckpointStore | Scope.Scope>

/** The dead letters kept for a query in the checkpoint store, oldest first: those of the first 1,000 epochs. */
export const deadLetters = (name: string): Effect.Effect<ReadonlyArray<DeadLetter>, StoreError, CheckpointStore> =>
  Effect.flatMap(CheckpointStore, ({ objects }) => deadLettersOf(objects, name, 1000))

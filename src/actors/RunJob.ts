/** Running the queries of a job side by side: to their end, started with handles, or as a Layer. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { CheckpointStore } from "../checkpoint/CheckpointStore.ts"
import { QueryError } from "../model/Errors.ts"
import { type Job, JobTypeId } from "./Job.ts"
import { checkSharedOfJob, shareSourcesOfJob } from "./shared/JobPlans.ts"
import type { QueryHandle } from "./QueryHandle.ts"
import type { QueryOptions } from "./QueryOptions.ts"
import { start } from "./Run.ts"
import type { QuerySummary } from "./Supervisor.ts"

/**
 * The queries of a job that was started as a Layer. Their handles are those of `Query.get` and `Query.list`; but these are
 * of this job only, and stay when a query has ended.
 */
export class Queries extends Context.Service<
  Queries,
  {
    readonly get: (name: string) => Effect.Effect<QueryHandle<unknown>, QueryError>
    readonly list: Effect.Effect<ReadonlyArray<QueryHandle<unknown>>>
    /** Fails with the first failure of a query; never succeeds. */
    readonly failure: Effect.Effect<never, unknown>
  }
>()("tidemark/Queries") {}

/** Starts every query of a job in the present scope; a source that several of them read is read once (rule M1). */
export const startJob = <N extends string, E, R>(
  job: Job<N, E, R>
): Effect.Effect<{ readonly [K in N]: QueryHandle<E> }, E | QueryError, R | CheckpointStore | Scope.Scope> =>
  job[JobTypeId].wrap(
    Effect.gen(function* () {
      const { queries, options } = job[JobTypeId]
      yield* checkSharedOfJob(queries)
      const handles: Array<readonly [string, QueryHandle<unknown>]> = []
      for (const { name, pipeline, leave } of yield* shareSourcesOfJob(queries)) {
        const handle = yield* start(pipeline, { ...options, name } as QueryOptions<unknown, unknown>)
        yield* Effect.forkScoped(Effect.andThen(Effect.exit(handle.await), leave))
        handles.push([name, handle])
      }
      return Object.fromEntries(handles)
    })
  ) as Effect.Effect<{ readonly [K in N]: QueryHandle<E> }, E | QueryError, R | CheckpointStore | Scope.Scope>

/** Runs every query of a job to its end; the first that fails ends the others. */
export const runJob = <N extends string, E, R>(
  job: Job<N, E, R>
): Effect.Effect<{ readonly [K in N]: QuerySummary }, E | QueryError, R | CheckpointStore> =>
  Effect.scoped(
    Effect.flatMap(startJob(job), (handles) =>
      Effect.map(
        Effect.forEach(
          Object.entries(handles) as Array<[string, QueryHandle<E>]>,
          ([name, handle]) => Effect.map(handle.await, (summary) => [name, summary] as const),
          { concurrency: "unbounded" }
        ),
        (entries) => Object.fromEntries(entries)
      )
    )
  ) as Effect.Effect<{ readonly [K in N]: QuerySummary }, E | QueryError, R | CheckpointStore>

/**
 * A job as a Layer, to stand beside an HTTP server's. A query that dies is not silent: its cause is logged and the
 * fiber that built the layer (`Layer.launch`) is interrupted; `Queries.failure` gives the error itself.
 */
export const layer = <N extends string, E, R>(
  job: Job<N, E, R>
): Layer.Layer<Queries, E | QueryError, Exclude<R, Scope.Scope> | CheckpointStore> =>
  Layer.effect(
    Queries,
    Effect.gen(function* () {
      const handles = (yield* startJob(job)) as { readonly [name: string]: QueryHandle<unknown> }
      const all = Object.values(handles)
      const failed = yield* Deferred.make<never, unknown>()
      const builder = Fiber.getCurrent()
      for (const handle of all) {
        yield* Effect.forkScoped(
          Effect.flatMap(Effect.exit(handle.await), (exit) => {
            if (Exit.isSuccess(exit)) return Effect.void
            return Effect.gen(function* () {
              yield* Effect.logError(`query ${handle.name} died`, exit.cause)
              yield* Deferred.failCause(failed, exit.cause)
              builder?.interruptUnsafe()
            })
          })
        )
      }
      return Queries.of({
        get: (name) =>
          Object.hasOwn(handles, name)
            ? Effect.succeed(handles[name])
            : Effect.fail(
                new QueryError({
                  reason: "InvalidPipeline",
                  query: name,
                  message: `no query is named ${name}: there are ${Object.keys(handles).join(", ")}`
                })
              ),
        list: Effect.succeed(all),
        failure: Deferred.await(failed)
      })
    })
  ) as Layer.Layer<Queries, E | QueryError, Exclude<R, Scope.Scope> | CheckpointStore>

/**
 * Running pipelines: `Query.run` to the end, `Query.start` with a handle, `Query.layer` beside an application's other
 * layers, `Query.toStream` as an Effect `Stream`; `Query.outputs` and `Query.job` put several together.
 *
 * A query is an Effect in a Scope: interrupting it releases everything. To end it well, drain it.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { CheckpointStore } from "../checkpoint/CheckpointStore.ts"
import { deadLettersOf } from "../checkpoint/DeadLetters.ts"
import type { DeadLetter } from "../model/DeadLetter.ts"
import { QueryError, type StoreError } from "../model/Errors.ts"
import type { ErrorOf, Pipeline, ServicesOf } from "../streams/Pipeline.ts"
import { type Job, JobTypeId } from "./Job.ts"
import { progressOf, type QueryProgress } from "./Progress.ts"
import { type QueryOptions, settingsOf } from "./QueryOptions.ts"
import { type QuerySummary, supervise } from "./Supervisor.ts"

export { outputs } from "../streams/Pipeline.ts"
export { job, provide, type Job, type JobOptions } from "./Job.ts"
export type { QueryProgress } from "./Progress.ts"
export type { QueryOptions } from "./QueryOptions.ts"
export type { QuerySummary } from "./Supervisor.ts"
export { toStream } from "./ToStream.ts"

/** A running query. */
export interface QueryHandle<out E = never> {
  readonly name: string
  /** Waits for the end: a summary, or what the query failed with. */
  readonly await: Effect.Effect<QuerySummary, E | QueryError>
  /** Stops reading, finishes what is in flight, commits and ends; then as `await`. Bounded by `drainTimeout`. */
  readonly drain: Effect.Effect<QuerySummary, E | QueryError>
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
    const drain = Effect.gen(function* () {
      yield* query.drain
      const exit = yield* Effect.timeoutOption(Fiber.await(fiber), Duration.millis(drainTimeoutMs))
      if (exit._tag === "None") yield* Fiber.interrupt(fiber)
      return yield* result
    })
    return { name: options.name, await: result, drain, progress: Effect.sync(() => progressOf(query.state)) }
  }) as Effect.Effect<QueryHandle<E>, QueryError, R | SR | CheckpointStore | Scope.Scope>

/** The queries of a job, running. */
export class Queries extends Context.Service<
  Queries,
  {
    readonly get: (name: string) => Effect.Effect<QueryHandle<unknown>, QueryError>
    readonly list: Effect.Effect<ReadonlyArray<QueryHandle<unknown>>>
    /** Fails with the first failure of a query; never succeeds. */
    readonly failure: Effect.Effect<never, unknown>
  }
>()("tidemark/Queries") {}

/** Starts every query of a job in the present scope. */
export const startJob = <N extends string, E, R>(
  job: Job<N, E, R>
): Effect.Effect<{ readonly [K in N]: QueryHandle<E> }, E | QueryError, R | CheckpointStore | Scope.Scope> =>
  job[JobTypeId].wrap(
    Effect.gen(function* () {
      const handles: Array<readonly [string, QueryHandle<unknown>]> = []
      for (const [name, pipeline] of job[JobTypeId].queries) {
        handles.push([name, yield* start(pipeline, { ...job[JobTypeId].options, name } as QueryOptions<unknown, unknown>)])
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
            : Effect.fail(new QueryError({ reason: "InvalidPipeline", query: name, message: `no query is named ${name}: there are ${Object.keys(handles).join(", ")}` })),
        list: Effect.succeed(all),
        failure: Deferred.await(failed)
      })
    })
  ) as Layer.Layer<Queries, E | QueryError, Exclude<R, Scope.Scope> | CheckpointStore>

/** The dead letters kept for a query in the checkpoint store, oldest first: those of the first 1,000 epochs. */
export const deadLetters = (name: string): Effect.Effect<ReadonlyArray<DeadLetter>, StoreError, CheckpointStore> =>
  Effect.flatMap(CheckpointStore, ({ objects }) => deadLettersOf(objects, name, 1000))

export type { ErrorOf, ServicesOf }

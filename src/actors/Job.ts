/** A job: several queries that run side by side, each with its own ledger and restarts. A description, as a value. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Pipeable from "effect/Pipeable"
import type { ErrorOf, Pipeline, ServicesOf } from "../streams/Pipeline.ts"
import type { QueryOptions } from "./QueryOptions.ts"

/** Marks jobs. */
export const JobTypeId: unique symbol = Symbol.for("tidemark/Job")

/** Options of all queries of a job; see `QueryOptions`. */
export type JobOptions<E = never, SR = never> = Omit<QueryOptions<E, SR>, "name">

/** Queries by name. `E` and `R`: what they may fail with and need. */
export interface Job<out Names extends string, out E = never, out R = never> extends Pipeable.Pipeable {
  readonly [JobTypeId]: {
    readonly names: () => Names
    readonly error: () => E
    readonly services: () => R
    readonly queries: ReadonlyArray<readonly [string, Pipeline<unknown, unknown>]>
    readonly options: JobOptions<never, unknown>
    /** Meets requirements that `provide` added. */
    readonly wrap: (start: Effect.Effect<unknown, unknown, unknown>) => Effect.Effect<unknown, unknown, unknown>
  }
}

/** Whether a value is a job: what `tidemark run` looks for as a file's default export. */
export const isJob = (u: unknown): u is Job<string, unknown, unknown> =>
  typeof u === "object" && u !== null && JobTypeId in u

type JobParts = Pick<Job<string, unknown, unknown>[typeof JobTypeId], "queries" | "options" | "wrap">

const type = (): never => {
  throw new Error("carries a type only")
}

const make = <N extends string, E, R>(parts: JobParts): Job<N, E, R> =>
  Object.assign(Object.create(Pipeable.Prototype) as object, {
    [JobTypeId]: { names: type, error: type, services: type, ...parts }
  }) as unknown as Job<N, E, R>

/** Queries that run side by side. */
export const job = <const Q extends Record<string, Pipeline<unknown, unknown>>, SR = never>(
  queries: Q,
  options?: JobOptions<NoInfer<ErrorOf<Q[keyof Q]>>, SR>
): Job<keyof Q & string, ErrorOf<Q[keyof Q]>, ServicesOf<Q[keyof Q]> | SR> =>
  make({
    queries: Object.entries(queries),
    options: (options ?? {}) as unknown as JobOptions<never, unknown>,
    wrap: (start) => start
  })

/** The same job with some options set over its own: what the program's flags do. */
export const withOptions = <N extends string, E, R>(self: Job<N, E, R>, options: JobOptions): Job<N, E, R> => {
  const parts = self[JobTypeId]
  return make({ ...parts, options: { ...parts.options, ...options } as JobOptions<never, unknown> })
}

/** Gives a job's queries services, so that `tidemark run` can run it: a file's job must need none. */
export const provide =
  <ROut, E2, RIn>(services: Layer.Layer<ROut, E2, RIn>) =>
  <N extends string, E, R>(self: Job<N, E, R>): Job<N, E | E2, RIn | Exclude<R, ROut>> => {
    const { queries, options, wrap } = self[JobTypeId]
    return make({
      queries,
      options,
      // Built in the scope of the queries, which outlives their start.
      wrap: (start) => Effect.flatMap(Layer.build(services), (context) => Effect.provideContext(wrap(start), context))
    })
  }

/** What the engine's examples share: running in memory, waiting for a state of affairs, errors out of exits. */
import { Cause, Effect, Exit, Option, type Scope } from "effect"
import { Checkpoint, EventStream, type Pipeline, Query, Trigger } from "tidemark"
import type { Ledger, OperatorBalance } from "../../src/model/Ledger.ts"

type Store = Checkpoint.CheckpointStore

/** Runs an effect that needs at most a checkpoint store. */
export const run = <A, E>(effect: Effect.Effect<A, E, Store>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, Checkpoint.layerMemory))

/** Runs an effect that needs a scope too. */
export const runScoped = <A, E>(effect: Effect.Effect<A, E, Store | Scope.Scope>): Promise<A> =>
  run(Effect.scoped(effect))

type Options<E> = Omit<Query.QueryOptions<NoInfer<E>>, "name"> & { readonly name?: string }

/** Runs a pipeline to its end, as query `q`. */
export const runQuery = <E>(
  pipeline: Pipeline<E>,
  options?: Options<E>
): Effect.Effect<Query.QuerySummary, E | Error, Store> => Query.run(pipeline, { name: "q", ...options })

/** Starts a pipeline as query `q`; an epoch each millisecond. */
export const startQuery = <E>(
  pipeline: Pipeline<E>,
  options?: Options<E>
): Effect.Effect<Query.QueryHandle<E>, Error, Store | Scope.Scope> =>
  Query.start(pipeline, { name: "q", trigger: Trigger.every("1 millis"), ...options })

/** What an effect failed with; a defect fails the test. */
export const errorOf = <A, E>(effect: Effect.Effect<A, E, Store>): Promise<E> =>
  Effect.runPromiseExit(Effect.provide(effect, Checkpoint.layerMemory)).then((exit) => {
    if (Exit.isSuccess(exit)) throw new Error("succeeded")
    const error = Cause.findErrorOption(exit.cause)
    if (Option.isNone(error)) throw new Error(`a defect: ${Cause.pretty(exit.cause)}`)
    return error.value
  })

/** Looks again each turn of the event loop until something holds; says in vain what it waited for. */
export const until = <E, R>(what: string, holds: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 50_000; turn++) {
      if (yield* holds) return
      yield* Effect.yieldNow
    }
    throw new Error(`waited in vain: ${what}`)
  })

/** Lets everything that can run do so; under a test clock no time passes. */
export const settle = (turns = 60): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
  })

/** One operator of a ledger, its partitions added up. */
export const operatorOf = (ledger: Ledger, name: string): Record<string, number> => {
  const mine = ledger.operators.filter((o) => o.operator === name)
  if (mine.length === 0) throw new Error(`no operator ${name}: ${ledger.operators.map((o) => o.operator).join(", ")}`)
  const counts: Record<string, number> = {}
  for (const balance of mine) {
    for (const [field, value] of Object.entries(
      balance as unknown as Record<string, OperatorBalance[keyof OperatorBalance]>
    )) {
      if (typeof value === "number") counts[field] = (counts[field] ?? 0) + value
    }
  }
  return counts
}

/** Counts of rows, the aggregate of most examples. */
export const counted = EventStream.aggregate(({ count }) => ({ n: count }))

/** What the examples of faults in recovery share: stores and clocks that misbehave on demand, and waiting in real time. */
import { Clock, Effect, References } from "effect"
import { Checkpoint, Memory, type Query, StoreError } from "tidemark"
import { factsOf } from "../../src/actors/QueryHandle.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"

const quietly = Effect.provideService(References.MinimumLogLevel, "None")

/** Effects of one example share a store, as runs of one query do. */
export const onStore = <A, E>(
  effect: Effect.Effect<A, E, Checkpoint.CheckpointStore>,
  objects: ObjectStore = Memory.objectStore()
): Promise<A> => Effect.runPromise(effect.pipe(quietly, Effect.provide(Checkpoint.layer(objects))))

/** Looks every other millisecond until something holds; says in vain what it waited for. */
export const soon = <E, R>(what: string, holds: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 2_000; turn++) {
      if (yield* holds) return
      yield* Effect.sleep(2)
    }
    throw new Error(`waited in vain: ${what}`)
  })

/** Until a sink has so many rows. */
export const soonRows = (sink: { readonly rows: Effect.Effect<ReadonlyArray<unknown>> }, n: number) =>
  soon(
    `${n} rows`,
    Effect.map(sink.rows, (rows) => rows.length >= n)
  )

/** Until a query runs. */
export const soonRunning = (handle: Query.QueryHandle<unknown>) =>
  soon(
    "it runs",
    Effect.sync(() => factsOf(handle).phase === "running")
  )

/** A store that is full for state while `isFull`. */
export const fillable = (): { readonly objects: ObjectStore; isFull: boolean } => {
  const inner = Memory.objectStore()
  const full = (name: string) => new StoreError({ store: "m", name, operation: "put", message: "planted: disk full" })
  const store = {
    isFull: false,
    objects: {
      ...inner,
      put: (name: string, bytes: Uint8Array) =>
        Effect.suspend(() =>
          store.isFull && name.includes("/data/") ? Effect.fail(full(name)) : inner.put(name, bytes)
        )
    }
  }
  return store
}

/** Runs something under a wall clock that can be set; what only passes is left alone. */
export const withWallClock = <A, E, R>(
  program: (set: (offsetMs: number) => void) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const real = yield* Clock.Clock
    let offsetMs = 0
    const now = (): number => real.currentTimeMillisUnsafe() + offsetMs
    const clock = Object.assign(Object.create(real) as Clock.Clock, {
      currentTimeMillisUnsafe: now,
      currentTimeMillis: Effect.sync(now)
    })
    const set = (ms: number): void => {
      offsetMs = ms
    }
    return yield* Effect.provideService(program(set), Clock.Clock, clock)
  })

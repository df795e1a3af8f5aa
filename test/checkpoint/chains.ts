/** Chains for tests: processes that own queries, epochs in a row, and stores that count, fail or keep replies back. */
import { Effect, Fiber, Option, type Scope } from "effect"
import { TestClock } from "effect/testing"
import type { Ownership, TakeOverOptions, TaskStates } from "../../src/checkpoint/Chain.ts"
import { type Attempts, LiveAttempts } from "../../src/checkpoint/LiveAttempts.ts"
import type { EpochRecord, Manifest } from "../../src/checkpoint/Manifest.ts"
import { HostProcess, type Owner } from "../../src/checkpoint/Owner.ts"
import { takeOver } from "../../src/checkpoint/TakeOver.ts"
import { StoreError } from "../../src/model/Errors.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import { record } from "./manifests.ts"

/** A process of its own, as far as owners can tell. */
export interface Process {
  readonly pid: number
  readonly host?: string
  /** What it believes of others: surely gone or not. */
  readonly believes?: (owner: Owner) => boolean
  readonly attempts?: Attempts
}

/** Runs something as that process. */
export const asProcess =
  (process: Process) =>
  <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    program.pipe(
      Effect.provideService(HostProcess, {
        self: Effect.succeed({
          host: process.host ?? "web-1",
          bootId: "b",
          pidNamespace: "n",
          container: "c",
          pid: process.pid,
          startedAt: String(process.pid)
        }),
        isGone: (owner) => Effect.succeed(process.believes?.(owner) ?? false)
      }),
      Effect.provideService(LiveAttempts, process.attempts ?? new Map())
    )

/** A process that takes everybody else for gone: no test has to wait. */
export const impatient = (pid: number): Process => ({ pid, believes: () => true })

/** Takes query `q` over. */
export const own = (
  objects: ObjectStore,
  over: Partial<TakeOverOptions> = {}
): Effect.Effect<Ownership, unknown, Scope.Scope> =>
  takeOver({
    objects,
    query: "q",
    ifOwned: "wait",
    takeOver: undefined,
    retained: 3,
    savepoint: undefined,
    onStandby: () => Effect.void,
    ...over
  })

/** The state that an epoch of {@link epochs} has. */
export const stateOf = (number: number): TaskStates =>
  new Map([["task[0]", { epoch: number, sum: Float64Array.of(number) }]])

/** Makes epochs from `from` to `to`, each written, published and collected. */
export const epochs = (
  owned: Ownership,
  from: number,
  to: number,
  over: Partial<EpochRecord> = {}
): Effect.Effect<Manifest | undefined, unknown> =>
  Effect.gen(function* () {
    let last: Manifest | undefined
    for (let n = from; n <= to; n++) {
      const state = yield* owned.writeState(stateOf(n))
      last = yield* owned.publish(record(n, n === to ? over : {}), state)
      yield* owned.collect
    }
    return last
  })

/** One whole attempt of a process of its own, `count` epochs long; it leaves without a word when `crash` is set. */
export const attempt = (
  objects: ObjectStore,
  pid: number,
  count: number,
  over: Partial<TakeOverOptions> = {}
): Effect.Effect<Ownership, unknown> =>
  asProcess(impatient(pid))(
    Effect.scoped(
      Effect.gen(function* () {
        const owned = yield* own(objects, over)
        yield* owned.sweep
        yield* epochs(owned, owned.base.number + 1, owned.base.number + count)
        return owned
      })
    )
  )

type Operation = StoreError["operation"]

/** What a store is asked for, without heartbeats. */
export const counting = (objects: ObjectStore) => {
  const asked: Array<readonly [operation: Operation, name: string]> = []
  const note = <A extends ReadonlyArray<unknown>, B>(operation: Operation, call: (name: string, ...rest: A) => B) => {
    return (name: string, ...rest: A): B => {
      if (!name.includes("/heartbeat/")) asked.push([operation, name])
      return call(name, ...rest)
    }
  }
  const store: ObjectStore = {
    ...objects,
    get: note("get", objects.get),
    put: note("put", objects.put),
    putIfAbsent: note("putIfAbsent", objects.putIfAbsent),
    list: note("list", objects.list),
    delete: note("delete", objects.delete)
  }
  return { store, asked }
}

/** The failure of a store that has no better one. */
export const storeError = (operation: Operation, name: string, message = "no reply"): StoreError =>
  new StoreError({ store: "test", name, operation, message })

/** A store of which single calls go another way: `step` gets each call and how it would go. */
export const bent = (
  objects: ObjectStore,
  step: <A>(operation: Operation, name: string, call: Effect.Effect<A, StoreError>) => Effect.Effect<A, StoreError>
): ObjectStore => ({
  ...objects,
  get: (name) => Effect.suspend(() => step("get", name, objects.get(name))),
  put: (name, bytes) => Effect.suspend(() => step("put", name, objects.put(name, bytes))),
  putIfAbsent: (name, bytes) => Effect.suspend(() => step("putIfAbsent", name, objects.putIfAbsent(name, bytes))),
  list: (prefix, limit) => Effect.suspend(() => step("list", prefix, objects.list(prefix, limit))),
  delete: (name) => Effect.suspend(() => step("delete", name, objects.delete(name)))
})

/** Flips a bit in the middle of an object. */
export const damage = (objects: ObjectStore, name: string): Effect.Effect<void, StoreError> =>
  Effect.gen(function* () {
    const bytes = Option.getOrThrow(yield* objects.get(name)).slice()
    bytes[bytes.length >> 1] ^= 4
    yield* objects.put(name, bytes)
  })

/** Runs something that waits for others to show life: time goes on until it is over. */
export const inTime = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(program, { startImmediately: true })
    for (let n = 0; n < 500 && fiber.pollUnsafe() === undefined; n++) {
      yield* TestClock.adjust(n < 100 ? "500 millis" : "4 seconds")
    }
    return yield* Fiber.join(fiber)
  })

/** The message of a failure, with its reason in front. */
export const refusal = <A, E>(program: Effect.Effect<A, E>): Effect.Effect<string> =>
  Effect.match(program, {
    onSuccess: () => "succeeded",
    onFailure: (e) => {
      const { reason, _tag: tag, message } = e as { reason?: string; _tag?: string; message?: string }
      return `${reason ?? tag}: ${message}`
    }
  })

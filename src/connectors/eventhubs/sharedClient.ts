/** One client for all partitions of a source: opened when the first needs it, closed when the last is done. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { type ConnectHub, HubConnector } from "./EventHubsClient.ts"

interface Shared<A> {
  readonly opened: A
  readonly scope: Scope.Closeable
  users: number
}

/** Gives what `open` gave to the first, a client and what is to be known of it, for as long as the scope is open. */
export const sharedClient = <A, E>(
  open: (connect: ConnectHub) => Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<A, E, Scope.Scope> => {
  // By how hubs are reached: a simulated process never closes anything, and the next one has its own.
  const byConnector = new WeakMap<ConnectHub, Shared<A>>()
  const one = Semaphore.makeUnsafe(1)
  const acquire = Effect.gen(function* () {
    const connect = yield* HubConnector
    const there = byConnector.get(connect)
    if (there !== undefined) {
      there.users++
      return there
    }
    const scope = yield* Scope.make()
    const opened = yield* Effect.onError(Scope.provide(open(connect), scope), () => Scope.close(scope, Exit.void))
    const shared: Shared<A> = { opened, scope, users: 1 }
    byConnector.set(connect, shared)
    return shared
  })
  const release = (shared: Shared<A>): Effect.Effect<void> =>
    Effect.gen(function* () {
      if (--shared.users > 0) return
      byConnector.delete(yield* HubConnector)
      yield* Scope.close(shared.scope, Exit.void)
    })
  return Effect.map(
    Effect.acquireRelease(one.withPermits(1)(acquire), (shared) => one.withPermits(1)(release(shared))),
    ({ opened }) => opened
  )
}

/** One client for all partitions of a source: connected when the first needs it, closed when the last is done. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { EventHubConnection } from "./connection.ts"
import { type ClientError, type ConnectHub, type EventHubsClient, HubConnector } from "./EventHubsClient.ts"

interface Shared {
  readonly client: EventHubsClient
  readonly scope: Scope.Closeable
  users: number
}

/** Gives the client, in the scope; `resolve` says once where the hub is. */
export const sharedClient = <E>(
  resolve: Effect.Effect<EventHubConnection, E>
): Effect.Effect<EventHubsClient, E | ClientError, Scope.Scope> => {
  // By how hubs are reached: a simulated process never closes anything, and the next one has its own.
  const byConnector = new WeakMap<ConnectHub, Shared>()
  const one = Semaphore.makeUnsafe(1)
  const acquire = Effect.gen(function* () {
    const connect = yield* HubConnector
    const there = byConnector.get(connect)
    if (there !== undefined) {
      there.users++
      return there
    }
    const connection = yield* resolve
    const scope = yield* Scope.make()
    const client = yield* Effect.onError(Scope.provide(connect(connection), scope), () => Scope.close(scope, Exit.void))
    const shared: Shared = { client, scope, users: 1 }
    byConnector.set(connect, shared)
    return shared
  })
  const release = (shared: Shared): Effect.Effect<void> =>
    Effect.gen(function* () {
      if (--shared.users > 0) return
      byConnector.delete(yield* HubConnector)
      yield* Scope.close(shared.scope, Exit.void)
    })
  return Effect.map(
    Effect.acquireRelease(one.withPermits(1)(acquire), (shared) => one.withPermits(1)(release(shared))),
    ({ client }) => client
  )
}

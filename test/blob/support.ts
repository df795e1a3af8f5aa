/** What the tests of Blob storage share: one Azurite for a file of tests, and stores behind a network that goes wrong. */
import { Effect, Exit, Redacted, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import type { BlobStoreOptions } from "../../src/connectors/blob/BlobObjectStore.ts"
import { store } from "../../src/connectors/blob/BlobObjectStore.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import { type Azurite, connectionStringOf, newContainer, startAzurite } from "../azurite.ts"
import { type Proxy, proxyTo } from "./proxy.ts"

/** An Azurite that is there for all tests of a file. */
export const azuriteForFile = (): (() => Azurite) => {
  const scope = Scope.makeUnsafe()
  let azurite: Azurite | undefined
  beforeAll(async () => {
    azurite = await Effect.runPromise(Effect.provideService(startAzurite(), Scope.Scope, scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return () => azurite as Azurite
}

/** A container of its own behind a proxy, and stores on it. */
export interface World {
  readonly proxy: Proxy
  readonly container: string
  readonly open: (options?: BlobStoreOptions) => ObjectStore
  /** The same container, beside the proxy. */
  readonly direct: ObjectStore
}

/** Makes a {@link World}. */
export const worldOn = (azurite: Azurite): Effect.Effect<World, never, Scope.Scope> =>
  Effect.gen(function* () {
    const proxy = yield* proxyTo(azurite.port)
    const container = yield* newContainer(azurite)
    const connectionString = Redacted.make(connectionStringOf(proxy.endpoint))
    const path = `${proxy.endpoint}/${container}/jobs`
    return {
      proxy,
      container,
      open: (options = { connectionString }) => store(path, options),
      direct: store(`${azurite.endpoint}/${container}/jobs`, { connectionString: azurite.connectionString })
    }
  })

/** Runs a test's program. */
export const run = <A, E>(program: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(program))

/** Text as bytes. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

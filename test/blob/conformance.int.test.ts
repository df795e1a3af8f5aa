import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import { store } from "../../src/connectors/blob/BlobObjectStore.ts"
import { type Azurite, newContainer, startAzurite } from "../azurite.ts"
import { storeConformance } from "../conformance/store.ts"

const scope = Scope.makeUnsafe()
let azurite: Azurite
beforeAll(async () => {
  azurite = await Effect.runPromise(Effect.provideService(startAzurite(), Scope.Scope, scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const containerOf = Effect.suspend(() => newContainer(azurite))

storeConformance(
  "Blob, at the top of a container",
  Effect.map(containerOf, (name) => store(`${azurite.endpoint}/${name}`, azurite))
)

storeConformance(
  "Blob, below a folder",
  Effect.gen(function* () {
    const name = yield* containerOf
    // What stands beside the folder is nobody's business.
    yield* Effect.promise(async () => {
      const container = azurite.service.getContainerClient(name)
      for (const beside of ["a", "z", "jobs/a", "jobs/flights.old/a", "jobs/flights-2"])
        await container.getBlockBlobClient(beside).upload("x", 1)
    })
    return store(`${azurite.endpoint}/${name}/jobs/flights/`, azurite)
  })
)

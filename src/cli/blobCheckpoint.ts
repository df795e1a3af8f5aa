/** `--checkpoint https://...` and `abfss://...`: Azure Blob storage, signed in to as Azure's own tools are. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { store } from "../connectors/blob/BlobObjectStore.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"

/**
 * The store at a path. Signs in by the environment variables that `az storage` reads, `AZURE_STORAGE_CONNECTION_STRING`
 * or `AZURE_STORAGE_SAS_TOKEN`, else by `DefaultAzureCredential`.
 */
export const blobCheckpoint = (path: string): Effect.Effect<ObjectStore> => {
  const secret = (name: string) => Effect.orDie(Config.option(Config.Redacted(name)))
  return Effect.gen(function* () {
    const connectionString = yield* secret("AZURE_STORAGE_CONNECTION_STRING")
    if (Option.isSome(connectionString)) return store(path, { connectionString: connectionString.value })
    const sasToken = yield* secret("AZURE_STORAGE_SAS_TOKEN")
    return store(path, Option.isSome(sasToken) ? { sasToken: sasToken.value } : {})
  })
}

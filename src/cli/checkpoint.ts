/**
 * Where `tidemark` keeps what must outlast it: a folder, made when the first thing is kept, or a path in Azure Blob storage.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Checkpoint from "../Checkpoint.ts"
import type { CheckpointStore } from "../checkpoint/CheckpointStore.ts"
import { pathIn } from "../connectors/files/FileSystem.ts"
import { store } from "../connectors/files/FileObjectStore.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import type { DeadSamples } from "./DeadSamples.ts"

/** The store that `--checkpoint` names; what is wrong with it is told by its first call. */
export const checkpointStore = (where: string): Effect.Effect<ObjectStore> =>
  /^[a-z][a-z0-9+.-]*:\/\//.test(where)
    ? Effect.flatMap(
        Effect.promise(() => import("./blobCheckpoint.ts")),
        (module) => module.blobCheckpoint(where)
      )
    : Effect.succeed(store(where))

/** The checkpoint store of a run, whose dead letters are noted on their way. */
export const checkpointLayer = (where: string, samples: DeadSamples): Layer.Layer<CheckpointStore> =>
  Layer.unwrap(Effect.map(checkpointStore(where), (objects) => Checkpoint.layer(samples.watch(objects))))

/** Where the dead letters of a query are, for people. */
export const deadPlace = (where: string, query: string): string => pathIn(where, `dead/${query}`)

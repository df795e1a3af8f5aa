/** Where queries keep their durable things: layers for `Query.run` and its kin. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CheckpointStore } from "./checkpoint/CheckpointStore.ts"
import { store as fileObjectStore } from "./connectors/files/FileObjectStore.ts"
import { make as memoryObjectStore } from "./connectors/memory/MemoryObjectStore.ts"

import type { ObjectStore } from "./model/ObjectStore.ts"

export { CheckpointStore } from "./checkpoint/CheckpointStore.ts"

/** Keeps everything in an object store of your own. */
export const layer = (objects: ObjectStore): Layer.Layer<CheckpointStore> => Layer.succeed(CheckpointStore, { objects })

/** Keeps everything in memory: gone with the process. */
export const layerMemory: Layer.Layer<CheckpointStore> = Layer.effect(
  CheckpointStore,
  Effect.sync(() => ({ objects: memoryObjectStore() }))
)

/** Keeps everything below a directory, which is made when the first thing is kept. */
export const layerFiles = (directory: string): Layer.Layer<CheckpointStore> => layer(fileObjectStore(directory))

/** Where queries keep their durable things: layers for `Query.run` and its kin. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CheckpointStore } from "./checkpoint/CheckpointStore.ts"
import { make as memoryObjectStore } from "./connectors/memory/MemoryObjectStore.ts"

export { CheckpointStore } from "./checkpoint/CheckpointStore.ts"

/** Keeps everything in memory: gone with the process. */
export const layerMemory: Layer.Layer<CheckpointStore> = Layer.effect(
  CheckpointStore,
  Effect.sync(() => ({ objects: memoryObjectStore() }))
)

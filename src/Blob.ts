/**
 * `tidemark/Blob`: what tidemark does with Azure Blob storage. Needs `@azure/storage-blob` beside it, and `@azure/identity`
 * for signing in without a key; both are loaded when the first request is made.
 */
import type * as Layer from "effect/Layer"
import * as Checkpoint from "./Checkpoint.ts"
import type { CheckpointStore } from "./checkpoint/CheckpointStore.ts"
import { type BlobStoreOptions, store } from "./connectors/blob/BlobObjectStore.ts"

export type { BlobAccess } from "./connectors/blob/access.ts"
export type { TokenCredential } from "./model/TokenCredential.ts"
export { type BlobStoreOptions, store } from "./connectors/blob/BlobObjectStore.ts"
export type { HubPosition, PublishedGroup } from "./model/HubPositions.ts"
export { publishPositions } from "./connectors/blob/publishPositions.ts"

/** Keeps everything in Blob storage, below a path; see {@link store} for paths and options. */
export const checkpoint = (path: string, options: BlobStoreOptions = {}): Layer.Layer<CheckpointStore> =>
  Checkpoint.layer(store(path, options))

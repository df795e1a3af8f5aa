/**
 * The service a query keeps its durable things in: an object store, given once per application. Today these are the
 * dead letters of queries that name no dead-letter sink of their own.
 */
import * as Context from "effect/Context"
import type { ObjectStore } from "../model/ObjectStore.ts"

/** Provide it with `Checkpoint.layerFiles(directory)` or `Checkpoint.layerMemory`. */
export class CheckpointStore extends Context.Service<CheckpointStore, { readonly objects: ObjectStore }>()(
  "tidemark/CheckpointStore"
) {}

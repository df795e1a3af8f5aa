/** Where `tidemark run` keeps what must outlast it: a folder, made when the first thing is kept. */
import type * as Layer from "effect/Layer"
import * as Checkpoint from "../Checkpoint.ts"
import type { CheckpointStore } from "../checkpoint/CheckpointStore.ts"
import { pathIn } from "../connectors/files/FileSystem.ts"
import { store } from "../connectors/files/FileObjectStore.ts"
import type { DeadSamples } from "./DeadSamples.ts"

/** The checkpoint store of a run, whose dead letters are noted on their way. */
export const checkpointLayer = (folder: string, samples: DeadSamples): Layer.Layer<CheckpointStore> =>
  Checkpoint.layer(samples.watch(store(folder)))

/** Where the dead letters of a query are, for people. */
export const deadPlace = (folder: string, query: string): string => pathIn(folder, `dead/${query}`)

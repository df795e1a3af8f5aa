/** What processes of a history run on, and what it is made of that they do not know of. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { QueryHandle } from "../actors/QueryHandle.ts"
import type { CheckpointStore } from "../checkpoint/CheckpointStore.ts"
import type { FaultKind } from "./Fault.ts"
import type { SimulatedDisk } from "./SimulatedDisk.ts"
import type { SimulatedObjects } from "./SimulatedStore.ts"
import type { Simulator } from "./Simulator.ts"

/** Where a history keeps its checkpoints: in files on the simulated disk, or in a remote store. */
export type Store = "files" | "remote"

/** What differs from one process of a history to the next. */
export interface Life {
  readonly parallelism: number
  readonly chunkRows: number
  /** Of another machine: nobody can see whether it still runs. */
  readonly elsewhere: boolean
}

/** Where the processes of a history run. */
export interface World {
  readonly simulator: Simulator
  readonly disk: SimulatedDisk
  /** The objects of the checkpoint store, wherever it keeps them. */
  readonly objects: StoredObjects
  /** Counts a fault of the world that struck. */
  readonly struck: (kind: FaultKind) => void
}

/** A look at a store from outside: no process makes it. */
export interface StoredObjects {
  readonly names: (prefix: string) => ReadonlyArray<string>
  readonly get: (name: string) => Uint8Array | undefined
  /** A bit goes bad. */
  readonly rot: (name: string, at: number, bit: number) => void
}

/**
 * What is simulated: starts the query in a process, from nothing but what is outside of it. A source that never ends calls
 * `exhausted` when all there will ever be has been read: the process then drains, and the history is over with it.
 */
export type Subject = (
  world: World,
  life: Life,
  exhausted: () => void
) => Effect.Effect<QueryHandle<unknown>, unknown, CheckpointStore | Scope.Scope>

/** Where the checkpoint stands on the disk. */
export const checkpointFolder = "/checkpoint"

/** The objects of a file store, on the disk. */
export const objectsOn = (disk: SimulatedDisk): StoredObjects => ({
  names: (prefix) =>
    disk
      .files(checkpointFolder)
      .map((path) => path.slice(checkpointFolder.length + 1))
      .filter((name) => name.startsWith(prefix) && !name.includes("/.tmp-")),
  get: (name) => disk.read(`${checkpointFolder}/${name}`),
  rot: (name, at, bit) => disk.rot(`${checkpointFolder}/${name}`, at, bit)
})

/** The objects of a remote store. */
export const objectsIn = (remote: SimulatedObjects): StoredObjects => ({
  names: (prefix) => remote.names(prefix),
  get: (name) => remote.get(name),
  rot: (name, at, bit) => {
    const bytes = remote.get(name)?.slice()
    if (bytes === undefined || bytes.length === 0) return
    bytes[at % bytes.length] ^= 1 << (bit % 8)
    remote.set(name, bytes)
  }
})

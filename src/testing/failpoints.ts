/**
 * The failpoints of the semantics (`docs/SEMANTICS.md`, "Failpoints"), and which of them a query passes: that depends on
 * where it keeps its checkpoints and its results, and on whether a file has gone bad.
 */

import type { Store } from "./World.ts"

/** All of them by name; `sink[i]` stands for any number. */
export const failpointNames: ReadonlyArray<string> = [
  "list",
  "base.read",
  "takeover.primary",
  "takeover.listed",
  "takeover.copy",
  "snapshot.write",
  "snapshot.fsync",
  "stage.write",
  "stage.fsync",
  "dir.fsync.data",
  "dir.fsync.stage",
  "dir.fsync.primary",
  "dir.fsync.copy",
  "dir.fsync.out",
  "dir.fsync.parent",
  "manifest.primary",
  "manifest.listed",
  "manifest.copy",
  "manifest.copy.listed",
  "sink[i].commit.sent",
  "sink[i].commit.replied",
  "file.link",
  "file.unlink",
  "collect.tombstone.primary",
  "collect.tombstone.copy",
  "collect.data",
  "sweep",
  "void.put",
  "repair.write"
]

/** The name in {@link failpointNames}: `sink[3].commit.sent` counts as `sink[i].commit.sent`. */
export const unnumbered = (failpoint: string): string => failpoint.replace(/\[\d+\]/, "[i]")

/** Those of them that are come to only after a file has gone bad. */
export const failpointsAfterRot: ReadonlyArray<string> = ["void.put", "repair.write"]

const ofFileStore: ReadonlySet<string> = new Set([
  "snapshot.fsync",
  "dir.fsync.data",
  "dir.fsync.primary",
  "dir.fsync.copy",
  "dir.fsync.parent"
])
const ofFileSink: ReadonlySet<string> = new Set([
  "stage.write",
  "stage.fsync",
  "dir.fsync.stage",
  "dir.fsync.out",
  "file.link",
  "file.unlink"
])

/** Whether it stands at a call to a file, of the store or of a sink. */
export const isOfFiles = (name: string): boolean => ofFileStore.has(name) || ofFileSink.has(name)

/** Those that a query passes while nothing goes bad, by where its checkpoints are kept and whether a sink writes files. */
export const failpointsOf = (store: Store, toFiles: boolean): ReadonlyArray<string> =>
  failpointNames.filter((name) => {
    if (failpointsAfterRot.includes(name)) return false
    if (ofFileStore.has(name)) return store === "files"
    return !ofFileSink.has(name) || toFiles
  })

/**
 * The failpoints of the semantics that a query on files passes (`docs/SEMANTICS.md`, "Failpoints"); the last two only when
 * a file has gone bad.
 */

/** By name; `sink[i]` stands for any number. */
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

/** Those of them that are come to only after a file has gone bad. */
export const failpointsAfterRot: ReadonlyArray<string> = ["void.put", "repair.write"]

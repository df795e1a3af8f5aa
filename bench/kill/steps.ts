/**
 * The failpoints of the semantics that a query on files passes (`docs/SEMANTICS.md`, "Failpoints"), and those that it
 * only comes to after some other harm: these are not asked to be hit.
 */

/** Each is to be hit before and after. */
export const steps: ReadonlyArray<string> = [
  "list",
  "base.read",
  "takeover.primary",
  "takeover.listed",
  "takeover.copy",
  "sink.fence",
  "marker.read",
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
  "sweep"
]
/** Only where a file is found broken. */
export const afterRot: ReadonlyArray<string> = ["void.put", "repair.write"]

/** Both sides of steps. */
export const sidesOf = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.flatMap((name) => [`${name}:before`, `${name}:after`])

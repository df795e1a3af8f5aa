/**
 * The failpoints of the semantics that a query on files passes (`docs/SEMANTICS.md`, "Failpoints"); the last two only when
 * a file has gone bad (`rot.ts`).
 */

/** Each is to be hit before and after. */
export const steps: ReadonlyArray<string> = [
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
/** Come to after a rot only: not aimed at otherwise. */
export const afterRot: ReadonlyArray<string> = ["void.put", "repair.write"]

/** Both sides of steps. */
export const sidesOf = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.flatMap((name) => [`${name}:before`, `${name}:after`])

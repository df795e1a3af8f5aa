/**
 * The contract of a file system: the few calls that files, staged output and checkpoints are made of.
 *
 * Narrow on purpose, so that a simulator can stand in for it and break each call. Nothing here is durable by itself:
 * bytes are after `sync` of the file, names after `syncDirectory` of the folder they stand in (rule C3). Reads are
 * positioned and may be repeated; an interrupted call may still take effect.
 */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"

/** What went wrong, as far as a caller acts on it. */
export type FileErrorCode =
  | "NotFound"
  | "Exists"
  | "NotDirectory"
  | "IsDirectory"
  | "NotEmpty"
  | "Denied"
  | "NoSpace"
  | "Other"

/** A call to the file system failed. The message names the call, the path and the system's own code. */
export class FileError extends Data.TaggedError("FileError")<{
  readonly code: FileErrorCode
  readonly operation: string
  readonly path: string
  readonly message: string
  readonly cause?: unknown
}> {}

/** What stands under a name. */
export interface FileInfo {
  readonly kind: "file" | "directory" | "other"
  /** Bytes. */
  readonly size: number
  /** Last change of the content, ms since the epoch. */
  readonly modifiedMs: number
  /** The same for two names exactly when they are links to one file. */
  readonly id: string
}

/** One name in a folder. Links to files count as `file`, links to folders as `other`. */
export interface FolderEntry {
  readonly name: string
  readonly kind: "file" | "directory" | "other"
}

/** One open file, to read or to write as it was opened. */
export interface OpenFile {
  /** The bytes from `offset`, at most `length`, fewer only at the end; the array is the caller's. Empty: the end. */
  readonly read: (offset: number, length: number) => Effect.Effect<Uint8Array, FileError>
  /** Writes all the bytes after those written before. */
  readonly append: (bytes: Uint8Array) => Effect.Effect<void, FileError>
  /** Makes what was written durable. */
  readonly sync: Effect.Effect<void, FileError>
  readonly info: Effect.Effect<FileInfo, FileError>
  /** May be called again. */
  readonly close: Effect.Effect<void, FileError>
}

/** The calls; each may fail with a `FileError`. Paths are as the system takes them, with `/` between segments. */
export interface FileSystem {
  /** `read`: of what exists. `create`: to write, from empty. The caller closes it; open uninterruptibly. */
  readonly open: (path: string, mode: "read" | "create") => Effect.Effect<OpenFile, FileError>
  readonly info: (path: string) => Effect.Effect<FileInfo, FileError>
  /** What stands in a folder, in no order. */
  readonly readDirectory: (path: string) => Effect.Effect<ReadonlyArray<FolderEntry>, FileError>
  /** Makes one folder, in one that exists; `Exists` when there is something. */
  readonly makeDirectory: (path: string) => Effect.Effect<void, FileError>
  /** Takes a folder away that is empty; `NotEmpty` when it is not. */
  readonly removeDirectory: (path: string) => Effect.Effect<void, FileError>
  /** Makes the names in a folder durable. */
  readonly syncDirectory: (path: string) => Effect.Effect<void, FileError>
  /** A second name for a file; `Exists` when the name is taken. */
  readonly link: (existing: string, name: string) => Effect.Effect<void, FileError>
  /** Replaces what stands under the new name. */
  readonly rename: (from: string, to: string) => Effect.Effect<void, FileError>
  readonly unlink: (path: string) => Effect.Effect<void, FileError>
}

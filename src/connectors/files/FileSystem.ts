/**
 * The file system that sources, sinks and stores use: the machine's own, unless a program or a simulator provides
 * another with `Effect.provideService(FileSystem, other)`. Being a reference, it never shows in `R`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { FileError, FileSystem as Contract } from "../../model/FileSystem.ts"
import { nodeFileSystem } from "./nodeFileSystem.ts"

/** The service; `yield* FileSystem` gives it. */
export const FileSystem: Context.Reference<Contract> = Context.Reference<Contract>("tidemark/FileSystem", {
  defaultValue: () => nodeFileSystem
})

/** The folder that a path stands in. */
export const folderOf = (path: string): string => {
  const slash = path.lastIndexOf("/")
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash)
}

/** A name in a folder, as a path. */
export const pathIn = (folder: string, name: string): string =>
  folder.endsWith("/") ? folder + name : `${folder}/${name}`

const makeOne = (fs: Contract, path: string): Effect.Effect<void, FileError> =>
  Effect.catchIf(
    fs.makeDirectory(path),
    (error) => error.code === "Exists",
    () => Effect.void
  )

/**
 * Makes a folder and those above it, each durably: a folder's parent is synced (rule C3), also when another writer made
 * the folder just now. A parent that this process may not open was not made by it, and is left.
 */
export const makeFolder = (fs: Contract, path: string): Effect.Effect<void, FileError> =>
  makeOne(fs, path).pipe(
    Effect.catchIf(
      (error) => error.code === "NotFound" && folderOf(path) !== path,
      () => Effect.flatMap(makeFolder(fs, folderOf(path)), () => makeOne(fs, path))
    ),
    Effect.flatMap(() => fs.syncDirectory(folderOf(path))),
    Effect.catchIf(
      (error) => error.code === "Denied" && error.operation === "fsync",
      () => Effect.void
    )
  )

/** Unlinks a name; that it is gone already is no error. */
export const unlinkIfThere = (fs: Contract, path: string): Effect.Effect<void, FileError> =>
  Effect.catchIf(
    fs.unlink(path),
    (error) => error.code === "NotFound",
    () => Effect.void
  )

/**
 * The file system that sources, sinks and stores use: the machine's own, unless a program or a simulator provides
 * another with `Effect.provideService(FileSystem, other)`. Being a reference, it never shows in `R`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { failpoint } from "../../model/Failpoint.ts"
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

/** Makes the names in a folder durable; `what` is the last part of the failpoint's name: `dir.fsync.out`. */
export const syncFolder = (fs: Contract, path: string, what: string): Effect.Effect<void, FileError> =>
  failpoint(`dir.fsync.${what}`, fs.syncDirectory(path))

const makeAll = (fs: Contract, path: string): Effect.Effect<void, FileError> =>
  Effect.catchIf(
    makeOne(fs, path),
    (error) => error.code === "NotFound" && folderOf(path) !== path,
    () => Effect.flatMap(makeAll(fs, folderOf(path)), () => makeOne(fs, path))
  )

/**
 * Makes a folder and those above it, each durably: every folder above is synced (rule C3), also where it was there, since
 * whoever made it may not have lived to do so. One that this process may not open was not made by it, and is left.
 */
export const makeFolder = (fs: Contract, path: string): Effect.Effect<void, FileError> =>
  Effect.gen(function* () {
    yield* makeAll(fs, path)
    for (let at = path, up = folderOf(at); up !== at; at = up, up = folderOf(at)) {
      yield* Effect.catchIf(
        syncFolder(fs, up, "parent"),
        (error) => error.code === "Denied",
        () => Effect.void
      )
    }
  })

/** Unlinks a name; that it is gone already is no error. */
export const unlinkIfThere = (fs: Contract, path: string): Effect.Effect<void, FileError> =>
  Effect.catchIf(
    fs.unlink(path),
    (error) => error.code === "NotFound",
    () => Effect.void
  )

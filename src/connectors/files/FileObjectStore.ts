/**
 * An object store in a folder: every object is a file, its name the path below the folder.
 *
 * Durable when a call returns: bytes are synced under a temporary name, which is renamed (`put`) or linked
 * (`putIfAbsent`) within its folder, which is synced, and so are the folders above it. A listing gives only names that are
 * durable: whoever made one may have been killed before he synced it (rule C3). Temporary names begin with a dot, which
 * no object's name does, so a crash leaves nothing that could be taken for an object; what it leaves is removed by a later
 * put into the folder, when it is older than any checkpoint may take. An object and a folder cannot have one name: `a` and
 * `a/b` do not stand together.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { StoreError } from "../../model/Errors.ts"
import { failpoint } from "../../model/Failpoint.ts"
import type { FileError, FileSystem as FileSystemContract } from "../../model/FileSystem.ts"
import { Limits } from "../../model/Limits.ts"
import { isObjectName, type ObjectStore } from "../../model/ObjectStore.ts"
import { FileSystem, folderOf, makeFolder, pathIn, syncFolder, unlinkIfThere } from "./FileSystem.ts"

/** A name that stands for no object: nothing is there, or a folder. */
const isAbsent = (error: FileError): boolean =>
  error.code === "NotFound" || error.code === "NotDirectory" || error.code === "IsDirectory"

/** Whether some object's name could begin with it; keeps a listing within the store's folder. */
const canPrefix = (prefix: string): boolean =>
  !prefix.includes("\0") &&
  prefix
    .split("/")
    .slice(0, -1)
    .every((s) => isObjectName(s))

type Operation = StoreError["operation"]

const readAll = (fs: FileSystemContract, path: string): Effect.Effect<Uint8Array, FileError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* Effect.acquireRelease(fs.open(path, "read"), (f) => Effect.ignore(f.close))
      return yield* file.read(0, (yield* file.info).size)
    })
  )

const temporaryPrefix = ".tmp-"

/** Folders that this store knows to be durable; forgets them all rather than grow. */
const knownFoldersMax = 256

/** Where a store stands, and the folders that it has seen to. */
interface Place {
  readonly root: string
  readonly known: Set<string>
}

/** Which of a checkpoint's folders an object stands in, for the names of failpoints. */
const segmentOf = (name: string): string | undefined =>
  name.split("/").findLast((s, i, all) => i < all.length - 1 && (s === "data" || s === "primary" || s === "copy"))

/** Removes temporary files that are older, by the file system's own clock, than any put that is still waited for. */
const removeStale = (fs: FileSystemContract, folder: string, nowMs: number): Effect.Effect<void, FileError> =>
  Effect.gen(function* () {
    for (const { name } of yield* fs.readDirectory(folder)) {
      if (!name.startsWith(temporaryPrefix)) continue
      const path = pathIn(folder, name)
      if ((yield* fs.info(path)).modifiedMs < nowMs - Limits.checkpointTimeoutMs) yield* unlinkIfThere(fs, path)
    }
  })

/** Writes bytes durably under a temporary name beside `path`, hands the name on, and takes it away afterwards. */
const withTemporary = <A>(
  fs: FileSystemContract,
  { known }: Place,
  name: string,
  path: string,
  bytes: Uint8Array,
  use: (temporary: string) => Effect.Effect<A, FileError>
): Effect.Effect<A, FileError> =>
  Effect.gen(function* () {
    const folder = folderOf(path)
    const segment = segmentOf(name)
    const token = `${((yield* Random.nextInt) >>> 0).toString(36)}${((yield* Random.nextInt) >>> 0).toString(36)}`
    const temporary = pathIn(folder, `${temporaryPrefix}${token}`)
    const isNew = !known.has(folder)
    const opened = Effect.suspend(() =>
      known.has(folder)
        ? fs.open(temporary, "create")
        : Effect.andThen(makeFolder(fs, folder), fs.open(temporary, "create"))
    ).pipe(
      Effect.tapError(() => Effect.sync(() => known.delete(folder))),
      // Whoever deletes the last object of a folder takes the folder away, maybe between two of these steps.
      Effect.retry({ times: 3, while: (e) => e.code === "NotFound" })
    )
    return yield* Effect.scoped(
      Effect.gen(function* () {
        yield* Effect.addFinalizer(() => Effect.ignore(unlinkIfThere(fs, temporary)))
        const file = yield* Effect.acquireRelease(opened, (f) => Effect.ignore(f.close))
        yield* file.append(bytes)
        yield* segment === "data" ? failpoint("snapshot.fsync", file.sync) : file.sync
        if (isNew) yield* Effect.ignore(removeStale(fs, folder, (yield* file.info).modifiedMs))
        const result = yield* use(temporary)
        yield* segment === undefined ? fs.syncDirectory(folder) : syncFolder(fs, folder, segment)
        if (known.size >= knownFoldersMax) known.clear()
        known.add(folder)
        return result
      })
    )
  })

/** What stands in a folder, durably; nothing when it is not there: it goes with its last object. */
const entriesOf = (fs: FileSystemContract, folder: string): Effect.Effect<ReadonlyArray<string>, FileError> =>
  Effect.gen(function* () {
    const entries = yield* fs.readDirectory(folder)
    const names = entries
      .filter((e) => !e.name.startsWith(".") && e.kind !== "other")
      .map((e) => `${e.name}${e.kind === "directory" ? "/" : ""}`)
    if (names.length > 0) {
      yield* Effect.catchIf(
        fs.syncDirectory(folder),
        // Who may only read has nothing to make durable.
        (e) => e.code === "Denied",
        () => Effect.void
      )
    }
    return names
  }).pipe(
    Effect.catchIf(
      (e) => e.code === "NotFound" || e.code === "NotDirectory",
      () => Effect.succeed([])
    )
  )

/**
 * Names in code-unit order, depth first; a folder sorts as if its name ended with the slash that its objects have. Reads
 * no folder beyond the one in which the limit is reached.
 */
const walk = (
  fs: FileSystemContract,
  root: string,
  prefix: string,
  limit: number
): Effect.Effect<ReadonlyArray<string>, FileError> =>
  Effect.gen(function* () {
    const out: Array<string> = []
    const visit = (folder: string): Effect.Effect<void, FileError> =>
      Effect.gen(function* () {
        const entries = yield* entriesOf(fs, folder === "" ? root : pathIn(root, folder.slice(0, -1)))
        const names = entries
          .map((name) => `${folder}${name}`)
          .filter((name) => name.startsWith(prefix) || (name.endsWith("/") && prefix.startsWith(name)))
          .sort((a, b) => (a < b ? -1 : 1))
        for (const name of names) {
          if (out.length >= limit) return
          if (name.endsWith("/")) yield* visit(name)
          else if (isObjectName(name)) out.push(name)
        }
      })
    if (limit > 0) yield* visit(prefix.slice(0, prefix.lastIndexOf("/") + 1))
    return out
  })

/** Deletes a file, and the folders that it was the last in. */
const remove = (fs: FileSystemContract, { root, known }: Place, path: string): Effect.Effect<void, FileError> =>
  Effect.gen(function* () {
    yield* Effect.catchIf(fs.unlink(path), isAbsent, () => Effect.void)
    for (let folder = folderOf(path); folder.length > root.length; folder = folderOf(folder)) {
      known.delete(folder)
      const removed = yield* Effect.result(fs.removeDirectory(folder))
      if (removed._tag === "Failure") break
    }
  })

/** What to do about a failed call, after what failed. */
const advice = (error: FileError, root: string): string => {
  if (error.code === "NoSpace") return `${error.message}: the disk is full: make room for ${root}`
  if (error.code === "Denied")
    return `${error.message}: the user of this process needs the right to read and write in ${root}`
  return error.message
}

/** Options of {@link store}. */
export interface FileObjectStoreOptions {
  /** For errors; default `files FOLDER`. */
  readonly name?: string
}

/** An object store in a folder, which is made when something is put. */
export const store = (folder: string, options: FileObjectStoreOptions = {}): ObjectStore => {
  const root = folder.length > 1 ? folder.replace(/\/+$/, "") || "/" : folder
  const place: Place = { root, known: new Set() }
  const store = options.name ?? `files ${root}`
  const failed = (operation: Operation, name: string, why: string, cause?: unknown): StoreError =>
    new StoreError({ store, name, operation, message: `${store}: ${operation} ${JSON.stringify(name)}: ${why}`, cause })

  const run = <A>(
    operation: Operation,
    name: string,
    use: (fs: FileSystemContract, path: string) => Effect.Effect<A, FileError>
  ): Effect.Effect<A, StoreError> =>
    isObjectName(name)
      ? Effect.flatMap(FileSystem, (fs) =>
          Effect.mapError(use(fs, pathIn(root, name)), (error) => failed(operation, name, advice(error, root), error))
        )
      : Effect.fail(
          failed(operation, name, "not a name for an object (segments of A-Z a-z 0-9 . _ = - with slashes between)")
        )

  return {
    name: store,
    heartbeatMs: Limits.heartbeatMs,
    epochIntervalMs: Limits.filesEpochIntervalMs,
    get: (name) =>
      run("get", name, (fs, path) =>
        Effect.catchIf(Effect.map(readAll(fs, path), Option.some), isAbsent, () => Effect.succeedNone)
      ),
    put: (name, bytes) =>
      run("put", name, (fs, path) =>
        withTemporary(fs, place, name, path, bytes, (temporary) => fs.rename(temporary, path))
      ),
    putIfAbsent: (name, bytes) =>
      run("putIfAbsent", name, (fs, path) =>
        withTemporary(fs, place, name, path, bytes, (temporary) =>
          Effect.catchIf(
            Effect.as(fs.link(temporary, path), true),
            (e: FileError) => e.code === "Exists",
            () => Effect.succeed(false)
          )
        )
      ),
    list: (prefix, limit) =>
      Effect.flatMap(FileSystem, (fs) =>
        canPrefix(prefix)
          ? Effect.mapError(walk(fs, root, prefix, limit), (error) =>
              failed("list", prefix, advice(error, root), error)
            )
          : Effect.succeed([])
      ),
    delete: (name) => run("delete", name, (fs, path) => remove(fs, place, path))
  }
}

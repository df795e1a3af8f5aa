/**
 * An object store in a folder: every object is a file, its name the path below the folder.
 *
 * Durable when a call returns: bytes are synced under a temporary name, which is renamed (`put`) or linked
 * (`putIfAbsent`) within its folder, which is synced. Temporary names begin with a dot, which no object's name does, so a
 * crash leaves nothing that could be taken for an object. An object and a folder cannot have one name: `a` and `a/b` do
 * not stand together.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { StoreError } from "../../model/Errors.ts"
import type { FileError, FileSystem as FileSystemContract } from "../../model/FileSystem.ts"
import { isObjectName, type ObjectStore } from "../../model/ObjectStore.ts"
import { FileSystem, folderOf, makeFolder, pathIn, unlinkIfThere } from "./FileSystem.ts"

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

/** Writes bytes durably under a temporary name beside `path`, hands the name on, and takes it away afterwards. */
const withTemporary = <A>(
  fs: FileSystemContract,
  path: string,
  bytes: Uint8Array,
  use: (temporary: string) => Effect.Effect<A, FileError>
): Effect.Effect<A, FileError> =>
  Effect.gen(function* () {
    const folder = folderOf(path)
    const token = `${((yield* Random.nextInt) >>> 0).toString(36)}${((yield* Random.nextInt) >>> 0).toString(36)}`
    const temporary = pathIn(folder, `.tmp-${token}`)
    const opened = Effect.catchIf(
      fs.open(temporary, "create"),
      (e) => e.code === "NotFound",
      () => Effect.flatMap(makeFolder(fs, folder), () => fs.open(temporary, "create"))
    )
    return yield* Effect.scoped(
      Effect.gen(function* () {
        yield* Effect.addFinalizer(() => Effect.ignore(unlinkIfThere(fs, temporary)))
        const file = yield* Effect.acquireRelease(opened, (f) => Effect.ignore(f.close))
        yield* file.append(bytes)
        yield* file.sync
        const result = yield* use(temporary)
        yield* fs.syncDirectory(folder)
        return result
      })
    )
  })

/** Names in code-unit order, depth first; a folder sorts as if its name ended with the slash that its objects have. */
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
        const listed = fs.readDirectory(folder === "" ? root : pathIn(root, folder))
        // Nothing was put there yet, or the last object of a folder went together with it.
        const entries = yield* Effect.catchIf(
          listed,
          (e) => e.code === "NotFound" || e.code === "NotDirectory",
          () => Effect.succeed([])
        )
        const names = entries
          .filter((e) => !e.name.startsWith(".") && e.kind !== "other")
          .map((e) => `${folder}${e.name}${e.kind === "directory" ? "/" : ""}`)
          .filter((name) => name.startsWith(prefix) || (name.endsWith("/") && prefix.startsWith(name)))
          .sort((a, b) => (a < b ? -1 : 1))
        for (const name of names) {
          if (out.length >= limit) return
          if (name.endsWith("/")) yield* visit(name)
          else if (isObjectName(name)) out.push(name)
        }
      })
    yield* visit(prefix.slice(0, prefix.lastIndexOf("/") + 1))
    return out
  })

/** Options of {@link store}. */
export interface FileObjectStoreOptions {
  /** For errors; default `files FOLDER`. */
  readonly name?: string
}

/** An object store in a folder, which is made when something is put. */
export const store = (folder: string, options: FileObjectStoreOptions = {}): ObjectStore => {
  const root = folder.length > 1 ? folder.replace(/\/+$/, "") || "/" : folder
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
          Effect.mapError(use(fs, pathIn(root, name)), (error) => failed(operation, name, error.message, error))
        )
      : Effect.fail(
          failed(operation, name, "not a name for an object (segments of A-Z a-z 0-9 . _ = - with slashes between)")
        )

  return {
    name: store,
    get: (name) =>
      run("get", name, (fs, path) =>
        Effect.catchIf(Effect.map(readAll(fs, path), Option.some), isAbsent, () => Effect.succeedNone)
      ),
    put: (name, bytes) =>
      run("put", name, (fs, path) => withTemporary(fs, path, bytes.slice(), (temporary) => fs.rename(temporary, path))),
    putIfAbsent: (name, bytes) =>
      run("putIfAbsent", name, (fs, path) =>
        withTemporary(fs, path, bytes.slice(), (temporary) =>
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
          ? Effect.mapError(walk(fs, root, prefix, limit), (error) => failed("list", prefix, error.message, error))
          : Effect.succeed([])
      ),
    delete: (name) => run("delete", name, (fs, path) => Effect.catchIf(fs.unlink(path), isAbsent, () => Effect.void))
  }
}

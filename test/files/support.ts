/** What the tests of the files connector share: a real file system that counts what is open, and a folder for a while. */
import { Cause, Effect, Exit, Option, type Scope } from "effect"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import type { FileMeta } from "../../src/connectors/files/Files.ts"
import { nodeFileSystem } from "../../src/connectors/files/nodeFileSystem.ts"
import type { DeadRow } from "../../src/model/DeadLetter.ts"
import type { SourceError } from "../../src/model/Errors.ts"
import { FileError, type FileSystem } from "../../src/model/FileSystem.ts"
import type { Position } from "../../src/model/Position.ts"
import type { Source, SourceChunk } from "../../src/model/Source.ts"

/** The real file system, and how many of its files are open. */
export const countingFileSystem = (): { readonly fs: FileSystem; readonly open: () => number } => {
  let open = 0
  const fs: FileSystem = {
    ...nodeFileSystem,
    open: (path, mode) =>
      Effect.map(nodeFileSystem.open(path, mode), (file) => {
        open++
        let closed = false
        return {
          ...file,
          close: Effect.andThen(
            file.close,
            Effect.sync(() => {
              if (!closed) open--
              closed = true
            })
          )
        }
      })
  }
  return { fs, open: () => open }
}

/** A folder for as long as the scope lasts. */
export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "tidemark-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

/** The real file system, of which the call number `failing` (from 0), and with `onwards` all after it, do not happen. */
export const failingFileSystem = (
  failing: number,
  onwards = true
): { readonly fs: FileSystem; readonly calls: () => number } => {
  let calls = 0
  const guarded = <A>(name: string, path: string, effect: Effect.Effect<A, FileError>): Effect.Effect<A, FileError> =>
    Effect.suspend(() => {
      const n = calls++
      const fails = onwards ? n >= failing : n === failing
      return fails
        ? Effect.fail(new FileError({ code: "Other", operation: name, path, message: `${name} ${path}: planted` }))
        : effect
    })
  const real = nodeFileSystem
  const fs: FileSystem = {
    open: (path, mode) =>
      Effect.map(guarded("open", path, real.open(path, mode)), (file) => ({
        read: (offset, length) => guarded("read", path, file.read(offset, length)),
        append: (bytes) => guarded("write", path, file.append(bytes)),
        sync: guarded("fsync", path, file.sync),
        info: guarded("stat", path, file.info),
        close: file.close
      })),
    info: (path) => guarded("stat", path, real.info(path)),
    readDirectory: (path) => guarded("list", path, real.readDirectory(path)),
    makeDirectory: (path) => guarded("mkdir", path, real.makeDirectory(path)),
    removeDirectory: (path) => guarded("rmdir", path, real.removeDirectory(path)),
    syncDirectory: (path) => guarded("fsync", path, real.syncDirectory(path)),
    link: (existing, name) => guarded("link", name, real.link(existing, name)),
    rename: (from, to) => guarded("rename", to, real.rename(from, to)),
    unlink: (path) => guarded("unlink", path, real.unlink(path))
  }
  return { fs, calls: () => calls }
}

/** The real file system, with something that happens before each of its calls. */
export const interrupted = (before: Effect.Effect<void>): FileSystem => {
  const real = nodeFileSystem
  const after = <A>(effect: Effect.Effect<A, FileError>): Effect.Effect<A, FileError> => Effect.andThen(before, effect)
  return {
    open: (path, mode) =>
      Effect.map(after(real.open(path, mode)), (file) => ({
        ...file,
        append: (bytes) => after(file.append(bytes)),
        sync: after(file.sync)
      })),
    info: (path) => after(real.info(path)),
    readDirectory: (path) => after(real.readDirectory(path)),
    makeDirectory: (path) => after(real.makeDirectory(path)),
    removeDirectory: (path) => after(real.removeDirectory(path)),
    syncDirectory: (path) => after(real.syncDirectory(path)),
    link: (existing, name) => after(real.link(existing, name)),
    rename: (from, to) => after(real.rename(from, to)),
    unlink: (path) => after(real.unlink(path))
  }
}

/** Everything that a lane gives, and its positions after each chunk. */
export interface Reading<A> {
  readonly rows: ReadonlyArray<A>
  readonly lines: ReadonlyArray<string>
  readonly dead: ReadonlyArray<DeadRow>
  readonly positions: ReadonlyArray<Position>
}

/** The rows of a chunk, from its columns where it has only these. */
const rowsOf = <A>(chunk: SourceChunk<A>): ReadonlyArray<A> =>
  chunk.rows ??
  Array.from(
    { length: chunk.length },
    (_, i) => Object.fromEntries(Object.entries(chunk.columns ?? {}).map(([name, column]) => [name, column[i]])) as A
  )

/** Reads a lane to its end, or until `enough` items came. */
export const readLane = <A>(
  source: Source<A, FileMeta, SourceError>,
  options: { readonly lane?: string; readonly from?: Position; readonly rows?: number; readonly enough?: number } = {}
): Effect.Effect<Reading<A>, SourceError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const cursor = yield* source.open(options.lane ?? "lane-0", Option.fromUndefinedOr(options.from))
      const out = {
        rows: [] as Array<A>,
        lines: [] as Array<string>,
        dead: [] as Array<DeadRow>,
        positions: [] as Array<Position>
      }
      while (out.rows.length + out.dead.length < (options.enough ?? Number.POSITIVE_INFINITY)) {
        const pulled = yield* Effect.result(cursor.pull({ rows: options.rows ?? 1024, bytes: 1 << 20 }))
        if (pulled._tag === "Failure") {
          if (Cause.isDone(pulled.failure)) break
          return yield* Effect.fail(pulled.failure)
        }
        const chunk = pulled.success
        for (const d of chunk.dead ?? []) out.dead.push({ ...d, before: out.rows.length + d.before })
        for (let i = 0; i < chunk.length; i++) {
          const meta = chunk.meta?.(i)
          out.lines.push(`${basename(meta?.file ?? "")}:${meta?.line}`)
        }
        out.rows.push(...rowsOf(chunk))
        out.positions.push(chunk.next)
      }
      return out
    })
  )

/** Runs an effect with a scope of its own. */
export const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(effect))

/** A promise as an effect that does not fail. */
export const promise = <A>(f: () => Promise<A>): Effect.Effect<A> => Effect.promise(f)

/** A new folder with these files. */
export const folderWith = (files: {
  readonly [name: string]: string | Uint8Array
}): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function* () {
    const path = yield* temporaryFolder
    for (const [name, content] of Object.entries(files)) {
      yield* promise(() => mkdir(join(path, name, ".."), { recursive: true }))
      yield* promise(() => writeFile(join(path, name), content))
    }
    return path
  })

/** JSON lines of the numbers from `from` to before `to`. */
export const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `{"n":${from + i}}\n`).join("")

/** What stands in `n`, or in `value`, of each row. */
export const values = (rows: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  rows.map((r) => (r as { n?: unknown }).n ?? (r as { value?: unknown }).value)

/** The error that an effect failed with. */
export const failure = <E>(exit: Exit.Exit<unknown, E>): E => Option.getOrThrow(Exit.findErrorOption(exit))

/**
 * Which files a path means: one file, the files of a folder, or those that a glob matches, in order of their names.
 *
 * Names that begin with a dot or an underscore, and `*.tmp`, are work in progress of other programs and are left out;
 * so are folders of such names. A folder means the files right in it: `in/**` means those below it too. Links to files are
 * followed, links to folders are not.
 */
import * as Effect from "effect/Effect"
import * as Glob from "effect/Glob"
import { Limits } from "../../model/Limits.ts"
import type { FileError, FileSystem } from "../../model/FileSystem.ts"
import { pathIn } from "./FileSystem.ts"

/** One file to read. */
export interface FileEntry {
  /** Relative to the folder, or to the part of the glob without wildcards: what positions name. */
  readonly name: string
  readonly path: string
  /** It was to be read on, and is not there any more. */
  readonly gone?: boolean
}

const hasWildcard = (segment: string): boolean => /[*?[\]{}\\]/.test(segment)

const isIgnored = (name: string): boolean => name.startsWith(".") || name.startsWith("_") || name.endsWith(".tmp")

const byName = (a: FileEntry, b: FileEntry): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

/** The files of a folder and, down to `depth`, of those in it. */
const filesBelow = (
  fs: FileSystem,
  base: string,
  prefix: string,
  depth: number
): Effect.Effect<ReadonlyArray<FileEntry>, FileError> =>
  Effect.gen(function* () {
    const out: Array<FileEntry> = []
    for (const { name, kind } of yield* fs.readDirectory(prefix === "" ? base : pathIn(base, prefix))) {
      if (isIgnored(name)) continue
      const relative = prefix === "" ? name : `${prefix}/${name}`
      if (kind === "file") out.push({ name: relative, path: pathIn(base, relative) })
      else if (kind === "directory" && depth > 1) {
        // A folder may go while its parent is listed.
        const below = filesBelow(fs, base, relative, depth - 1)
        for (const file of yield* Effect.catchIf(
          below,
          (e) => e.code === "NotFound",
          () => Effect.succeed([])
        ))
          out.push(file)
      }
    }
    return out
  })

/** The folder that a glob begins in, and what it matches below it. */
const splitGlob = (path: string): { readonly base: string; readonly pattern: string } => {
  const segments = path.split("/")
  const first = segments.findIndex(hasWildcard)
  const base = segments.slice(0, first).join("/")
  return { base: base === "" ? (path.startsWith("/") ? "/" : ".") : base, pattern: segments.slice(first).join("/") }
}

const globbed = (fs: FileSystem, path: string): Effect.Effect<ReadonlyArray<FileEntry>, FileError> => {
  const { base, pattern } = splitGlob(path)
  const glob = Glob.make(pattern)
  const depth = pattern.includes("**") ? Limits.globDepthMax : pattern.split("/").length
  return Effect.map(filesBelow(fs, base, "", depth), (files) => files.filter((f) => Glob.match(glob, f.name)))
}

/** The files that a path means now, sorted by name. Fails with `NotFound` where the path, or a glob's folder, is not there. */
export const listFiles = (fs: FileSystem, path: string): Effect.Effect<ReadonlyArray<FileEntry>, FileError> =>
  Effect.gen(function* () {
    const info = yield* Effect.catchIf(
      fs.info(path),
      (error) => error.code === "NotFound" && hasWildcard(path),
      () => Effect.succeed(undefined)
    )
    if (info === undefined) return [...(yield* globbed(fs, path))].sort(byName)
    if (info.kind === "directory") return [...(yield* filesBelow(fs, path, "", 1))].sort(byName)
    return [{ name: path.slice(path.lastIndexOf("/") + 1), path }]
  })

/**
 * The file system of the machine, by node:fs/promises. An edge: the only file of this connector that does real I/O.
 */
import * as Effect from "effect/Effect"
import { constants, type Stats } from "node:fs"
import * as fs from "node:fs/promises"
import {
  FileError,
  type FileErrorCode,
  type FileInfo,
  type FileSystem,
  type FolderEntry,
  type OpenFile
} from "../../model/FileSystem.ts"

const codes: { readonly [code: string]: FileErrorCode } = {
  ENOENT: "NotFound",
  EEXIST: "Exists",
  ENOTDIR: "NotDirectory",
  EISDIR: "IsDirectory",
  ENOTEMPTY: "NotEmpty",
  EACCES: "Denied",
  EPERM: "Denied",
  EROFS: "Denied",
  ENOSPC: "NoSpace",
  EDQUOT: "NoSpace"
}

const asFileError = (operation: string, path: string, cause: unknown): FileError => {
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined
  const what = code ?? (cause instanceof Error ? cause.message : String(cause))
  return new FileError({
    code: code !== undefined && Object.hasOwn(codes, code) ? codes[code] : "Other",
    operation,
    path,
    message: `${operation} ${path}: ${what}`,
    cause
  })
}

const attempt = <A>(operation: string, path: string, run: () => Promise<A>): Effect.Effect<A, FileError> =>
  Effect.tryPromise({ try: run, catch: (cause) => asFileError(operation, path, cause) })

const infoOf = (stats: Stats): FileInfo => ({
  kind: stats.isFile() ? "file" : stats.isDirectory() ? "directory" : "other",
  size: stats.size,
  modifiedMs: stats.mtimeMs,
  id: `${stats.dev}:${stats.ino}`
})

const readFully = async (handle: fs.FileHandle, offset: number, length: number): Promise<Uint8Array> => {
  const buffer = new Uint8Array(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled === length ? buffer : buffer.subarray(0, filled)
}

const writeFully = async (handle: fs.FileHandle, bytes: Uint8Array): Promise<void> => {
  let written = 0
  while (written < bytes.length) written += (await handle.write(bytes, written)).bytesWritten
}

const openFile = (handle: fs.FileHandle, path: string): OpenFile => {
  let closed = false
  return {
    read: (offset, length) => attempt("read", path, () => readFully(handle, offset, length)),
    append: (bytes) => attempt("write", path, () => writeFully(handle, bytes)),
    sync: attempt("fsync", path, () => handle.sync()),
    info: Effect.map(
      attempt("stat", path, () => handle.stat()),
      infoOf
    ),
    close: attempt("close", path, async () => {
      if (closed) return
      closed = true
      await handle.close()
    })
  }
}

const kindOf = (entry: { isFile(): boolean; isDirectory(): boolean }): FolderEntry["kind"] =>
  entry.isFile() ? "file" : entry.isDirectory() ? "directory" : "other"

const readFolder = async (folder: string): Promise<ReadonlyArray<FolderEntry>> => {
  const entries = await fs.readdir(folder, { withFileTypes: true })
  const out = entries.map((entry): FolderEntry => ({ name: entry.name, kind: kindOf(entry) }))
  for (let i = 0; i < entries.length; i++) {
    if (!entries[i].isSymbolicLink()) continue
    const target = await fs.stat(`${folder}/${entries[i].name}`).catch(() => undefined)
    // Links to folders are not followed: they can go round in circles.
    out[i] = { name: entries[i].name, kind: target?.isFile() === true ? "file" : "other" }
  }
  return out
}

const syncDirectory = async (path: string): Promise<void> => {
  const handle = await fs.open(path, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The real file system. */
export const nodeFileSystem: FileSystem = {
  open: (path, mode) =>
    Effect.map(
      attempt("open", path, () => fs.open(path, mode === "read" ? "r" : "w")),
      (handle) => openFile(handle, path)
    ),
  info: (path) =>
    Effect.map(
      attempt("stat", path, () => fs.stat(path)),
      infoOf
    ),
  readDirectory: (path) => attempt("list", path, () => readFolder(path)),
  makeDirectory: (path) => attempt("mkdir", path, () => fs.mkdir(path)),
  removeDirectory: (path) => attempt("rmdir", path, () => fs.rmdir(path)),
  syncDirectory: (path) => attempt("fsync", path, () => syncDirectory(path)),
  link: (existing, name) => attempt("link", name, () => fs.link(existing, name)),
  rename: (from, to) => attempt("rename", to, () => fs.rename(from, to)),
  unlink: (path) => attempt("unlink", path, () => fs.unlink(path))
}

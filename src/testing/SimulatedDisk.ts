/**
 * A disk that exists twice: as processes see it, and as it would be after a loss of power.
 *
 * Bytes become durable by `sync` of their file, names by `syncDirectory` of their folder; a loss of power keeps any subset
 * of the rest: each change of a folder that was not synced is there or not, each file that was not synced is torn. A
 * rename within a folder is one change of it; across folders it is two, which part (as journalling file systems do).
 * A sync of a file that fails is final, as on Linux, which takes the pages for clean then: a later one succeeds, and makes
 * nothing durable until the file is written anew.
 * A process that is killed leaves everything as it was seen. Deterministic: what is kept is asked of the caller.
 */
import * as Effect from "effect/Effect"
import {
  type Change,
  copyAfter,
  type FileNode,
  filesBelow,
  type FolderNode,
  lines,
  type Node,
  type PowerLoss,
  settleIn,
  unsyncedFiles
} from "./diskNodes.ts"
import { FileError, type FileErrorCode, type FileInfo, type FileSystem, type OpenFile } from "../model/FileSystem.ts"

/** What a test may plant in a disk. */
export interface DiskFaults {
  /** Folders whose sync does nothing, though it says so. */
  readonly folderNotSynced?: (path: string) => boolean
  /** Files whose sync does nothing, though it says so. */
  readonly fileNotSynced?: (path: string) => boolean
  /** A rename within a folder counts as one across folders: a new name, and the loss of the old one. */
  readonly renameParts?: boolean
  /** A rename to such a name is a link, and then, in a call of its own, an unlink. */
  readonly renameLinks?: (to: string) => boolean
}

/** A process on the disk. */
export interface DiskProcess {
  readonly fs: FileSystem
  /** Calls made so far. */
  readonly calls: () => number
}

/** The disk. */
export interface SimulatedDisk {
  /**
   * A process. `before` happens before each call, with its number. Where it fails the call has no effect; once it fails
   * with {@link killed}, no call has any effect any more.
   */
  readonly process: (before?: (call: number, what: string) => Effect.Effect<void, FileError>) => DiskProcess
  /** Power is lost: `chance` gives numbers from 0 to below 1, which decide what stays. */
  readonly losePower: (chance: () => number) => void
  /** How many changes of folders, oldest first, and how many files a loss of power may undo. */
  readonly atStake: () => { readonly changes: number; readonly files: number }
  /** A disk of its own: this one as such a loss of power would leave it. */
  readonly after: (loss: PowerLoss) => SimulatedDisk
  /** Equal for disks on which processes see the same names and bytes, but for temporary names. */
  readonly contents: () => string
  /** The bytes of a file as processes see it. */
  readonly read: (path: string) => Uint8Array | undefined
  /** Names of the files in a folder as processes see it. */
  readonly list: (path: string) => ReadonlyArray<string>
  /** Paths of all files below a folder as processes see it, in order. */
  readonly files: (folder: string) => ReadonlyArray<string>
  /** A bit of a file goes bad, on the disk itself: `at` counts bytes from the start, round and round. */
  readonly rot: (path: string, at: number, bit: number) => void
}

const fail = (code: FileErrorCode, operation: string, path: string): FileError =>
  new FileError({ code, operation, path, message: `${operation} ${path}: simulated ${code}` })

/** What a process is told by every call after it was killed. */
export const killed = fail("Other", "any call", "of a process that was killed")

const segments = (path: string): ReadonlyArray<string> => path.split("/").filter((s) => s !== "" && s !== ".")

/** An empty disk. */
export const makeSimulatedDisk = (faults: DiskFaults = {}): SimulatedDisk =>
  diskOn({ kind: "directory", id: 0, seen: new Map(), durable: new Map() }, faults, 1, 0)

const diskOn = (root: FolderNode, faults: DiskFaults, firstId: number, startMs: number): SimulatedDisk => {
  let ids = firstId
  let nowMs = startMs
  const folder = (): FolderNode => ({ kind: "directory", id: ids++, seen: new Map(), durable: new Map() })
  let changes: Array<Change> = []

  const find = (path: string): Node | undefined => {
    let node: Node | undefined = root
    for (const name of segments(path)) node = node?.kind === "directory" ? node.seen.get(name) : undefined
    return node
  }
  const folderAt = (operation: string, path: string): FolderNode => {
    const node = find(path)
    if (node === undefined) throw fail("NotFound", operation, path)
    if (node.kind !== "directory") throw fail("NotDirectory", operation, path)
    return node
  }
  const parentOf = (operation: string, path: string): readonly [FolderNode, string] => {
    const names = segments(path)
    return [folderAt(operation, names.slice(0, -1).join("/")), names[names.length - 1] ?? ""]
  }
  const fileAt = (operation: string, path: string): FileNode => {
    const node = find(path)
    if (node === undefined) throw fail("NotFound", operation, path)
    if (node.kind !== "file") throw fail("IsDirectory", operation, path)
    return node
  }
  const change = (...all: ReadonlyArray<Change>): void => {
    for (const one of all) {
      changes.push(one)
      for (const [name, node] of one.names) {
        if (node === undefined) one.folder.seen.delete(name)
        else one.folder.seen.set(name, node)
      }
    }
  }
  const settle = (one: Change): void => settleIn(one.folder.durable, one)
  const infoOf = (node: Node): FileInfo => ({
    kind: node.kind,
    size: node.kind === "file" ? node.seen.length : 0,
    modifiedMs: node.kind === "file" ? node.modifiedMs : 0,
    id: String(node.id)
  })
  const syncFolder = (path: string): void => {
    const at = folderAt("fsync", path)
    if (faults.folderNotSynced?.(path) === true) return
    for (const one of changes) if (one.folder === at) settle(one)
    changes = changes.filter((one) => one.folder !== at)
  }
  const rename = (from: string, to: string): void => {
    const [a, before] = parentOf("rename", from)
    const [b, after] = parentOf("rename", to)
    const node = a.seen.get(before)
    if (node === undefined) throw fail("NotFound", "rename", from)
    if (a === b && faults.renameParts !== true)
      change({ folder: a, names: [[before, undefined] as const, [after, node] as const] })
    else change({ folder: b, names: [[after, node]] }, { folder: a, names: [[before, undefined]] })
  }
  const link = (existing: string, path: string): void => {
    const node = fileAt("link", existing)
    const [at, name] = parentOf("link", path)
    if (at.seen.has(name)) throw fail("Exists", "link", path)
    change({ folder: at, names: [[name, node]] })
  }
  const unlink = (path: string): void => {
    const [at, name] = parentOf("unlink", path)
    fileAt("unlink", path)
    change({ folder: at, names: [[name, undefined]] })
  }
  const makeDirectory = (path: string): void => {
    const [at, name] = parentOf("mkdir", path)
    if (name === "" || at.seen.has(name)) throw fail("Exists", "mkdir", path)
    change({ folder: at, names: [[name, folder()]] })
  }
  const removeDirectory = (path: string): void => {
    const [at, name] = parentOf("rmdir", path)
    if (folderAt("rmdir", path).seen.size > 0) throw fail("NotEmpty", "rmdir", path)
    change({ folder: at, names: [[name, undefined]] })
  }
  const openNode = (path: string, mode: "read" | "create"): FileNode => {
    if (mode === "read") return fileAt("open", path)
    const [at, name] = parentOf("open", path)
    const there = at.seen.get(name)
    if (there?.kind === "directory") throw fail("IsDirectory", "open", path)
    if (there !== undefined) {
      there.seen = new Uint8Array(0)
      there.isWrittenOff = false
      return there
    }
    const made: FileNode = {
      kind: "file",
      id: ids++,
      seen: new Uint8Array(0),
      durable: new Uint8Array(0),
      modifiedMs: ++nowMs,
      isWrittenOff: false
    }
    change({ folder: at, names: [[name, made]] })
    return made
  }
  const append = (node: FileNode, bytes: Uint8Array): void => {
    const seen = new Uint8Array(node.seen.length + bytes.length)
    seen.set(node.seen)
    seen.set(bytes, node.seen.length)
    node.seen = seen
    node.modifiedMs = ++nowMs
  }

  const process: SimulatedDisk["process"] = (before = () => Effect.void) => {
    let calls = 0
    let isDead = false
    const call = <A>(what: string, run: () => A, failed: () => void = () => undefined): Effect.Effect<A, FileError> =>
      Effect.suspend(() => {
        if (isDead) return Effect.fail(killed)
        return Effect.tapError(before(calls++, what), (error) =>
          Effect.sync(() => {
            if (error === killed) isDead = true
            else failed()
          })
        )
      }).pipe(
        Effect.andThen(
          Effect.try({ try: run, catch: (e) => (e instanceof FileError ? e : fail("Other", what, String(e))) })
        )
      )
    const opened = (node: FileNode, path: string): OpenFile => ({
      read: (offset, length) => call(`read ${path}`, () => node.seen.slice(offset, offset + length)),
      append: (bytes) => {
        // A process may be killed in the middle of a write.
        const half = bytes.length >> 1
        const writes = [bytes.slice(0, half), bytes.slice(half)]
        return Effect.forEach(writes, (part) => call(`write ${path}`, () => append(node, part)), { discard: true })
      },
      sync: call(
        `fsync ${path}`,
        () => {
          if (faults.fileNotSynced?.(path) !== true && !node.isWrittenOff) node.durable = node.seen
        },
        () => {
          if (node.durable !== node.seen) node.isWrittenOff = true
        }
      ),
      info: call(`stat ${path}`, () => infoOf(node)),
      close: Effect.void
    })
    const fs: FileSystem = {
      open: (path, mode) =>
        Effect.map(
          call(`open ${path}`, () => openNode(path, mode)),
          (node) => opened(node, path)
        ),
      info: (path) =>
        call(`stat ${path}`, () => {
          const node = find(path)
          if (node === undefined) throw fail("NotFound", "stat", path)
          return infoOf(node)
        }),
      readDirectory: (path) =>
        call(`list ${path}`, () => [...folderAt("list", path).seen].map(([name, { kind }]) => ({ name, kind }))),
      makeDirectory: (path) => call(`mkdir ${path}`, () => makeDirectory(path)),
      removeDirectory: (path) => call(`rmdir ${path}`, () => removeDirectory(path)),
      syncDirectory: (path) => call(`fsync of folder ${path}`, () => syncFolder(path)),
      link: (existing, name) => call(`link ${name}`, () => link(existing, name)),
      rename: (from, to) =>
        faults.renameLinks?.(to) === true
          ? Effect.andThen(
              call(`link ${to}`, () => link(from, to)),
              call(`unlink ${from}`, () => unlink(from))
            )
          : call(`rename ${to}`, () => rename(from, to)),
      unlink: (path) => call(`unlink ${path}`, () => unlink(path))
    }
    return { fs, calls: () => calls }
  }

  return {
    process,
    losePower: (chance) => {
      for (const one of changes) if (chance() < 0.5) settle(one)
      changes = []
      const restart = (at: FolderNode): void => {
        at.seen.clear()
        for (const [name, node] of at.durable) {
          at.seen.set(name, node)
          if (node.kind === "directory") restart(node)
          else if (node.durable !== node.seen) {
            // Not synced: what was, or a part of what is, or zeros.
            const kept = node.seen.slice(0, Math.floor(chance() * (node.seen.length + 1)))
            if (chance() < 0.3) kept.fill(0)
            node.durable = chance() < 0.3 ? node.durable : kept
            node.seen = node.durable
            node.isWrittenOff = false
          }
        }
      }
      restart(root)
    },
    atStake: () => ({ changes: changes.length, files: unsyncedFiles(root).length }),
    after: (loss) => diskOn(copyAfter(root, changes, loss), faults, ids, nowMs),
    contents: () => lines("", root).sort().join("\n"),
    read: (path) => {
      const node = find(path)
      return node?.kind === "file" ? node.seen : undefined
    },
    list: (path) => {
      const node = find(path)
      return node?.kind === "directory"
        ? [...node.seen].flatMap(([name, { kind }]) => (kind === "file" ? [name] : []))
        : []
    },
    files: (path) => filesBelow(path, find(path)),
    rot: (path, at, bit) => {
      const node = fileAt("rot", path)
      if (node.seen.length === 0) return
      const isDurable = node.durable === node.seen
      node.seen = node.seen.slice()
      node.seen[at % node.seen.length] ^= 1 << (bit % 8)
      if (isDurable) node.durable = node.seen
    }
  }
}

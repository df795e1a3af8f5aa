/**
 * What a simulated disk is made of: files and folders that exist twice, as they are seen and as they are durable; and what a
 * loss of power leaves of them.
 */

/** A file. Bytes are never changed in place. */
export interface FileNode {
  readonly kind: "file"
  readonly id: number
  seen: Uint8Array
  durable: Uint8Array
  modifiedMs: number
  /** A sync of it failed: what was not durable then never will be, however many later syncs say that it is. */
  isWrittenOff: boolean
}

/** A folder. */
export interface FolderNode {
  readonly kind: "directory"
  readonly id: number
  readonly seen: Map<string, Node>
  readonly durable: Map<string, Node>
}

/** Either. */
export type Node = FileNode | FolderNode

/** One change of one folder that was not synced: names and what they stand for now; undefined: they are gone. */
export interface Change {
  readonly folder: FolderNode
  readonly names: ReadonlyArray<readonly [name: string, node: Node | undefined]>
}

/** What a loss of power leaves, said of each change and file at stake, by its index. */
export interface PowerLoss {
  /** Whether a change of a folder stays. */
  readonly stays: (change: number) => boolean
  /** What becomes of the bytes of a file: they are there, cut off in the middle, or as they were when last synced. */
  readonly bytes: (file: number) => "whole" | "torn" | "before"
}

const hashes = new WeakMap<Uint8Array, string>()

/** Tells bytes apart (FNV-1a, and how many there are). */
const hashOf = (bytes: Uint8Array): string => {
  const known = hashes.get(bytes)
  if (known !== undefined) return known
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  const made = `${bytes.length}:${hash >>> 0}`
  hashes.set(bytes, made)
  return made
}

/** A line for each file below a folder. */
export const lines = (path: string, node: FolderNode, into: Array<string> = []): Array<string> => {
  for (const [name, child] of node.seen) {
    if (child.kind === "directory") lines(`${path}/${name}`, child, into)
    else into.push(`${path}/${name.startsWith(".tmp-") ? ".tmp" : name} ${hashOf(child.seen)}`)
  }
  return into
}

/** Paths of all files below a node, in order. */
export const filesBelow = (path: string, node: Node | undefined): ReadonlyArray<string> => {
  if (node === undefined) return []
  if (node.kind === "file") return [path]
  return [...node.seen].flatMap(([name, child]) => filesBelow(`${path}/${name}`, child)).sort()
}

/** Files that are reached from a folder, by durable names or others, and are not durable as they are seen. */
export const unsyncedFiles = (folder: FolderNode, found = new Set<Node>()): ReadonlyArray<FileNode> => {
  for (const node of [...folder.durable.values(), ...folder.seen.values()]) {
    if (found.has(node)) continue
    found.add(node)
    if (node.kind === "directory") unsyncedFiles(node, found)
  }
  return [...found].filter((node): node is FileNode => node.kind === "file" && node.durable !== node.seen)
}

/** Makes a change durable. */
export const settleIn = (durable: Map<string, Node>, { names }: Pick<Change, "names">): void => {
  for (const [name, node] of names) {
    if (node === undefined) durable.delete(name)
    else durable.set(name, node)
  }
}

/** A copy of what a loss of power leaves below a folder: whatever is seen there is durable. */
export const copyAfter = (root: FolderNode, changes: ReadonlyArray<Change>, loss: PowerLoss): FolderNode => {
  const files = unsyncedFiles(root)
  const copies = new Map<Node, Node>()
  const bytesOf = (file: FileNode): Uint8Array => {
    const at = files.indexOf(file)
    const what = at < 0 ? "whole" : loss.bytes(at)
    if (what === "before") return file.durable
    return what === "whole" ? file.seen : file.seen.slice(0, file.seen.length >> 1)
  }
  const copyOf = (node: Node): Node => {
    const known = copies.get(node)
    if (known !== undefined) return known
    if (node.kind === "file") {
      const bytes = bytesOf(node)
      const copy: FileNode = { ...node, seen: bytes, durable: bytes, isWrittenOff: false }
      copies.set(node, copy)
      return copy
    }
    const names = new Map(node.durable)
    for (const [i, one] of changes.entries()) if (one.folder === node && loss.stays(i)) settleIn(names, one)
    const durable = new Map<string, Node>()
    const copy: FolderNode = { ...node, durable, seen: new Map() }
    copies.set(node, copy)
    for (const [name, child] of names) durable.set(name, copyOf(child))
    for (const [name, child] of durable) copy.seen.set(name, child)
    return copy
  }
  return copyOf(root) as FolderNode
}

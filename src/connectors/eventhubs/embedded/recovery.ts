/**
 * Hubs that are kept on disk: made there, and found again at the next start.
 *
 * A folder per hub, with `hub.json` and a folder per partition. A record that was not written to its end, as the last
 * one may be after a crash, is cut off: its sender was never told that it was accepted. Damage anywhere else is an
 * error, since events that were accepted would be missing.
 */
import type { Disk } from "./disk.ts"
import type { Partition, Retention } from "./Hub.ts"
import { lengthOf, PartitionLog, recordHeadBytes } from "./PartitionLog.ts"
import { checksumOf, parseFileName, PartitionStore, trimFile } from "./PartitionStore.ts"

/** What `hub.json` holds. */
export interface HubFile {
  readonly name: string
  readonly partitions: number
  readonly groups: ReadonlyArray<string>
  readonly retention: Retention
  readonly createdMs: number
}

const hubFile = "hub.json"

/** The folder of a hub: names of hubs are made of characters that files may have. */
const folderOf = (root: string, hub: string): string => `${root}/${hub.toLowerCase()}`

/** Begins of the records in a file, up to the first that is not sound, and where that is. */
const recordsIn = (bytes: Buffer): { readonly starts: ReadonlyArray<number>; readonly end: number } => {
  const starts: Array<number> = []
  let at = 0
  while (at + recordHeadBytes <= bytes.length) {
    const length = lengthOf({ bytes }, at)
    if (length < recordHeadBytes || at + length > bytes.length) break
    if (bytes.readUInt32BE(at + 4) !== checksumOf({ bytes }, at, length)) break
    starts.push(at)
    at += length
  }
  return { starts, end: at }
}

/** Reads a partition; makes its folder where it has none. */
const openPartition = async (disk: Disk, folder: string, id: number): Promise<Partition> => {
  const path = `${folder}/${id}`
  await disk.makeFolder(path)
  const names = await disk.list(path)
  const files = names
    .flatMap((name) => {
      const said = parseFileName(name)
      return said === undefined ? [] : [{ name, ...said }]
    })
    .toSorted((a, b) => a.sequence - b.sequence)
  const kept: typeof files = []
  const log = new PartitionLog(String(id))
  for (const [i, file] of files.entries()) {
    const at = `${path}/${file.name}`
    const bytes = await disk.read(at)
    const { starts, end } = recordsIn(bytes)
    const isLast = i === files.length - 1
    if (kept.length > 0 && file.sequence !== log.nextSequence)
      throw new Error(`${at} begins with event ${file.sequence} where ${log.nextSequence} was expected`)
    if ((end < bytes.length || end === 0) && !isLast) throw new Error(`${at} is damaged at byte ${end}`)
    if (end < bytes.length) await disk.cut(at, end)
    if (starts.length === 0) {
      await disk.remove(at)
      continue
    }
    kept.push(file)
    log.restore(bytes.subarray(0, end), starts, file.sequence, file.offset)
  }
  if (names.includes(trimFile)) log.trim(Number((await disk.read(`${path}/${trimFile}`)).toString()))
  return { log, readers: new Set(), store: new PartitionStore(disk.records(path), kept) }
}

/** Writes down what a hub is. */
export const saveHub = async (disk: Disk, root: string, hub: HubFile): Promise<void> => {
  await disk.makeFolder(folderOf(root, hub.name))
  await disk.replace(`${folderOf(root, hub.name)}/${hubFile}`, JSON.stringify(hub))
}

/** Opens partitions `from` to `to` of a hub: with what they hold, or new. */
export const openPartitions = async (
  disk: Disk,
  root: string,
  hub: string,
  from: number,
  to: number
): Promise<ReadonlyArray<Partition>> => {
  const partitions: Array<Partition> = []
  for (let id = from; id < to; id++) partitions.push(await openPartition(disk, folderOf(root, hub), id))
  return partitions
}

/** Removes a hub with all that it holds. */
export const removeHub = (disk: Disk, root: string, hub: string): Promise<void> =>
  disk.removeFolder(folderOf(root, hub))

/** The hubs that a folder holds. */
export const hubsIn = async (disk: Disk, root: string): Promise<ReadonlyArray<HubFile>> => {
  await disk.makeFolder(root)
  const hubs: Array<HubFile> = []
  for (const name of await disk.list(root)) {
    const inside = await disk.list(`${root}/${name}`).catch((): ReadonlyArray<string> => [])
    if (!inside.includes(hubFile)) continue
    hubs.push(JSON.parse((await disk.read(`${root}/${name}/${hubFile}`)).toString()) as HubFile)
  }
  return hubs
}

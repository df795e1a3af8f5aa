/** The folder of the service on disk: the one file of it that knows `node:fs`. */
import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import type { RecordFile, RecordFolder } from "./PartitionStore.ts"

/** What the service needs of a disk. Everything may fail with the system's error. */
export interface Disk {
  /** Makes a folder and those above it, where they are not. */
  readonly makeFolder: (path: string) => Promise<void>
  /** Names in a folder. */
  readonly list: (path: string) => Promise<ReadonlyArray<string>>
  readonly read: (path: string) => Promise<Buffer>
  /** Cuts a file off, durably. */
  readonly cut: (path: string, bytes: number) => Promise<void>
  /** Writes a small file in one step, durably. */
  readonly replace: (path: string, text: string) => Promise<void>
  readonly remove: (path: string) => Promise<void>
  /** Removes a folder with all that is in it. */
  readonly removeFolder: (path: string) => Promise<void>
  readonly records: (folder: string) => RecordFolder
}

const syncFolder = async (path: string): Promise<void> => {
  const folder = await Fs.open(path, "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

const writeSynced = async (path: string, text: string): Promise<void> => {
  const file = await Fs.open(path, "w")
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

const replace = async (path: string, text: string): Promise<void> => {
  await writeSynced(`${path}.new`, text)
  await Fs.rename(`${path}.new`, path)
  await syncFolder(dirname(path))
}

const create = async (path: string): Promise<RecordFile> => {
  const file = await Fs.open(path, "w")
  await syncFolder(dirname(path))
  return {
    append: async (parts) => {
      for (const part of parts) {
        for (let at = 0; at < part.length;) at += (await file.write(part, at, part.length - at)).bytesWritten
      }
      await file.datasync()
    },
    close: () => file.close()
  }
}

/** The disk of the machine. */
export const nodeDisk: Disk = {
  makeFolder: async (path) => {
    await Fs.mkdir(path, { recursive: true })
    await syncFolder(dirname(path))
  },
  list: (path) => Fs.readdir(path),
  read: (path) => Fs.readFile(path),
  cut: async (path, bytes) => {
    const file = await Fs.open(path, "r+")
    try {
      await file.truncate(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
  },
  replace,
  remove: (path) => Fs.unlink(path),
  removeFolder: (path) => Fs.rm(path, { recursive: true, force: true }),
  records: (folder) => ({
    create: (name) => create(join(folder, name)),
    remove: (name) => Fs.unlink(join(folder, name)),
    replace: (name, text) => replace(join(folder, name), text)
  })
}

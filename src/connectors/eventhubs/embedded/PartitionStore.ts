/**
 * A partition's records on disk: what is published there is durable before its sender hears that it was accepted.
 *
 * Sends that come while the disk is busy wait together and share the next sync. Files hold the records as they lie in
 * memory, one after the other, and are named by the sequence number and the offset of their first; a file that has
 * grown large is followed by another, and goes when all of it has expired.
 */
import { crc32 } from "../../../model/crc32.ts"
import { lengthOf, type Segment, type Stretch } from "./PartitionLog.ts"

/** An append-only file. */
export interface RecordFile {
  /** Writes the bytes behind those that are there, and makes them durable. */
  readonly append: (bytes: ReadonlyArray<Uint8Array>) => Promise<void>
  readonly close: () => Promise<void>
}

/** Where a partition's files are. */
export interface RecordFolder {
  /** Makes a file, durably. */
  readonly create: (name: string) => Promise<RecordFile>
  readonly remove: (name: string) => Promise<void>
  /** Replaces a small file, durably. */
  readonly replace: (name: string, text: string) => Promise<void>
}

/** Bytes after which a file is followed by another. */
export const fileBytes = 16 << 20

/** The file that says which event is the first, when a test has trimmed the log. */
export const trimFile = "trimmed"

const digits = 16
const namePattern = /^([0-9]{16})-([0-9]{16})\.log$/

/** The name of the file that begins with this record. */
export const fileName = (sequence: number, offset: number): string =>
  `${String(sequence).padStart(digits, "0")}-${String(offset).padStart(digits, "0")}.log`

/** What the name of a file says; undefined: it is no such file. */
export const parseFileName = (name: string): { readonly sequence: number; readonly offset: number } | undefined => {
  const match = namePattern.exec(name)
  return match === null ? undefined : { sequence: Number(match[1]), offset: Number(match[2]) }
}

/** The checksum of the record at `at`: of all its bytes but the checksum's own. */
export const checksumOf = ({ bytes }: Pick<Segment, "bytes">, at: number, length: number): number =>
  crc32(bytes.subarray(at + 8, at + length), crc32(bytes.subarray(at, at + 4)))

/** Puts their checksums into the records of a stretch. */
const sign = ({ segment, from, to }: Stretch): void => {
  for (let at = from; at < to;) {
    const length = lengthOf(segment, at)
    segment.bytes.writeUInt32BE(checksumOf(segment, at, length), at + 4)
    at += length
  }
}

interface Kept {
  readonly name: string
  readonly sequence: number
}

/** See above. */
export class PartitionStore {
  readonly #folder: RecordFolder
  readonly #files: Array<Kept>
  #file: RecordFile | undefined
  #fileSize = 0
  #waiting: Array<Stretch> = []
  #work: Promise<void> = Promise.resolve()
  #flush: Promise<void> | undefined
  #failure: Error | undefined

  constructor(folder: RecordFolder, files: ReadonlyArray<Kept>) {
    this.#folder = folder
    this.#files = [...files]
  }

  /** Keeps records that were appended; resolves when they are durable. Fails for good once the disk has failed. */
  keep(stretches: ReadonlyArray<Stretch>): Promise<void> {
    stretches.forEach(sign)
    this.#waiting.push(...stretches)
    this.#flush ??= this.#queue(() => {
      this.#flush = undefined
      const batch = this.#waiting
      this.#waiting = []
      return this.#write(batch)
    })
    return this.#flush
  }

  /** Removes the files that hold only events before this sequence number. */
  release(sequence: number): void {
    while (this.#files.length > 1 && this.#files[1].sequence <= sequence) {
      const [{ name }] = this.#files.splice(0, 1)
      // A file too many does no harm: its events expire again at the next start.
      this.#queue(() => this.#folder.remove(name).catch(() => undefined)).catch(() => undefined)
    }
  }

  /** Remembers that the log begins with this sequence number. */
  trim(sequence: number): Promise<void> {
    return this.#queue(() => this.#folder.replace(trimFile, String(sequence)))
  }

  /** Waits for what is under way. */
  close(): Promise<void> {
    return this.#queue(async () => {
      await this.#file?.close()
      this.#file = undefined
    }).catch(() => undefined)
  }

  #queue(task: () => Promise<void>): Promise<void> {
    const done = this.#work.then(() => {
      if (this.#failure !== undefined) throw this.#failure
      return task()
    })
    this.#work = done.catch((error: Error) => {
      this.#failure = error
    })
    return done
  }

  async #write(batch: ReadonlyArray<Stretch>): Promise<void> {
    if (batch.length === 0) return
    if (this.#file === undefined || this.#fileSize >= fileBytes) await this.#begin(batch[0])
    const bytes = batch.map(({ segment, from, to }) => segment.bytes.subarray(from, to))
    await this.#file?.append(bytes)
    this.#fileSize += bytes.reduce((sum, part) => sum + part.length, 0)
  }

  async #begin({ segment, from }: Stretch): Promise<void> {
    await this.#file?.close()
    const index = segment.at.subarray(0, segment.count).indexOf(from)
    const sequence = segment.firstSequence + index
    const name = fileName(sequence, segment.firstOffset + from)
    this.#file = await this.#folder.create(name)
    this.#fileSize = 0
    this.#files.push({ name, sequence })
  }
}

/**
 * A lane: files one after the other, as one partition (rule T12), and its positions.
 *
 * Bounded: files are dealt to lanes in the order of their names, the first to the first lane and so on; a position names
 * the file, how many the lane had before it, and a hash of their names, so that reading goes on only where the files are
 * still those that were read. Files may be added as long as their names sort last.
 *
 * Watched: a file belongs to the lane that the hash of its name says, and is read once, when its size and time have not
 * changed for one interval; an empty one waits for content. Of those that are ready together the first by name is first.
 * A position names every file of the folder that was read; one that is no longer there is forgotten.
 */
import * as Effect from "effect/Effect"
import { SourceError } from "../../model/Errors.ts"
import type { FileError, FileSystem } from "../../model/FileSystem.ts"
import { hashValue } from "../../model/Hash.ts"
import { Limits } from "../../model/Limits.ts"
import { position, type Position } from "../../model/Position.ts"
import { type Mark, startMark } from "../../formats/Format.ts"
import type { FileEntry } from "./listing.ts"

/** The files of a lane, the current one first. */
export interface Lane {
  /** The file to read now; waits in a watched folder; none at the end. The same until `finish`. */
  readonly current: Effect.Effect<FileEntry | undefined, SourceError>
  /** Where in the current file to begin. */
  readonly mark: () => Mark
  /** The current file was read. */
  readonly finish: () => void
  /** The place in the current file; without a mark, the place behind everything that was read. */
  readonly position: (mark?: Mark) => Position
}

/** What a stored position says. */
interface Stored {
  readonly lanes: number
  readonly index: number
  readonly hash: number
  readonly done: ReadonlyArray<string>
  readonly file: string | undefined
  readonly mark: Mark
}

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0

/** Reads a position; `undefined` when it is not one of these. */
const parse = (text: string): Stored | undefined => {
  let value: unknown
  try {
    value = JSON.parse(text) as unknown
  } catch {
    return undefined
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined
  const { lanes, index = 0, hash = 0, done = [], file, at } = value as { readonly [key: string]: unknown }
  if (
    !isCount(lanes) ||
    !isCount(index) ||
    !isCount(hash) ||
    !Array.isArray(done) ||
    !done.every((d) => typeof d === "string")
  )
    return undefined
  if (file === undefined) return { lanes, index, hash, done, file, mark: startMark }
  if (typeof file !== "string" || !Array.isArray(at) || at.length !== 3 || !at.every(isCount)) return undefined
  return { lanes, index, hash, done, file, mark: { offset: at[0], line: at[1], state: at[2] } }
}

const unusable = (connector: string, partition: string, stored: string, message: string): SourceError =>
  new SourceError({ connector, partition, position: stored.slice(0, 200), retryable: false, message })

/** What is common to the positions of one lane. */
export interface LaneIdentity {
  readonly connector: string
  readonly partition: string
  readonly lane: number
  readonly lanes: number
}

const storedIn = (id: LaneIdentity, from: string | undefined): Effect.Effect<Stored | undefined, SourceError> => {
  if (from === undefined) return Effect.succeed(undefined)
  const stored = parse(from)
  if (stored === undefined)
    return Effect.fail(
      unusable(id.connector, id.partition, from, `${id.connector}: the stored position is not one of a file source`)
    )
  if (stored.lanes !== id.lanes) {
    const message = `${id.connector}: the position was stored with lanes: ${stored.lanes}, now it is ${id.lanes}: set it back, or start from the beginning with a new checkpoint`
    return Effect.fail(unusable(id.connector, id.partition, from, message))
  }
  return Effect.succeed(stored)
}

const markText = (mark: Mark): string => `[${mark.offset},${mark.line},${mark.state}]`

/** A lane of files that are all there. */
export const boundedLane = (
  id: LaneIdentity,
  all: ReadonlyArray<FileEntry>,
  from: string | undefined
): Effect.Effect<Lane, SourceError> =>
  Effect.flatMap(storedIn(id, from), (stored) => {
    const files = all.filter((_, i) => i % id.lanes === id.lane)
    let index = 0
    let hash = 0
    const pass = (): void => {
      hash = hashValue(files[index].name, hash)
      index++
    }
    if (stored !== undefined) {
      while (index < stored.index && index < files.length) pass()
      const there = index < files.length ? files[index].name : undefined
      if (index < stored.index || hash !== stored.hash || (stored.file !== undefined && stored.file !== there)) {
        const what = stored.file === undefined ? "" : ` while ${stored.file} was being read`
        const message = `${id.connector}: the files are not those that were there when this position was stored${what}: put them back, or start from the beginning with a new checkpoint`
        return Effect.fail(unusable(id.connector, id.partition, from ?? "", message))
      }
    }
    let mark = stored?.mark ?? startMark
    const prefixOf = (): string => `{"lanes":${id.lanes},"index":${index},"hash":${hash}`
    let prefix = prefixOf()
    let suffix = ""
    const renew = (): void => {
      prefix = prefixOf()
      suffix = index < files.length ? `,"file":${JSON.stringify(files[index].name)},"at":` : ""
    }
    renew()
    return Effect.succeed({
      current: Effect.sync(() => (index < files.length ? files[index] : undefined)),
      mark: () => mark,
      finish: () => {
        pass()
        mark = startMark
        renew()
      },
      position: (m) => position(suffix === "" ? `${prefix}}` : `${prefix}${suffix}${markText(m ?? mark)}}`)
    })
  })

/** The position behind the last file of a bounded lane. */
export const endOf = (id: LaneIdentity, all: ReadonlyArray<FileEntry>): Position => {
  const files = all.filter((_, i) => i % id.lanes === id.lane)
  const hash = files.reduce((h, f) => hashValue(f.name, h), 0)
  return position(`{"lanes":${id.lanes},"index":${files.length},"hash":${hash}}`)
}

/** How a watched lane looks at its folder. */
export interface Watch {
  readonly fs: FileSystem
  readonly list: Effect.Effect<ReadonlyArray<FileEntry>, SourceError>
  readonly intervalMs: number
  readonly failed: (error: FileError) => SourceError
}

/** A lane of a watched folder: its files are those that come. */
export const watchedLane = (
  id: LaneIdentity,
  watch: Watch,
  from: string | undefined
): Effect.Effect<Lane, SourceError> =>
  Effect.map(storedIn(id, from), (stored) => {
    const done = new Set(stored?.done ?? [])
    let resumed = stored?.file
    let mark = stored?.mark ?? startMark
    let current: FileEntry | undefined
    let ready: Array<FileEntry> = []
    let seen = new Map<string, string>()
    // Texts that only grow, so that a position costs little however many files were read.
    const listOf = (): string => [...done].map((name) => JSON.stringify(name)).join(",")
    let doneText = listOf()

    const mine = (name: string): boolean => hashValue(name) % id.lanes === id.lane

    /** One look at the folder: what did not change since the last one is ready. */
    const look = Effect.gen(function* () {
      const files = (yield* watch.list).filter((f) => mine(f.name))
      const there = new Set(files.map((f) => f.name))
      const before = done.size
      for (const name of done) if (!there.has(name)) done.delete(name)
      if (done.size < before) doneText = listOf()
      if (done.size > Limits.watchedFilesMax) {
        const message = `${id.connector}: ${done.size} files were read and still lie there, at most ${Limits.watchedFilesMax} a lane can be remembered: move those that were read away`
        return yield* Effect.fail(
          new SourceError({ connector: id.connector, partition: id.partition, retryable: false, message })
        )
      }
      const looked = new Map<string, string>()
      const settled: Array<FileEntry> = []
      for (const file of files) {
        if (done.has(file.name)) continue
        const info = yield* Effect.catchIf(
          watch.fs.info(file.path),
          (e) => e.code === "NotFound",
          () => Effect.succeed(undefined)
        )
        if (info === undefined || info.size === 0) continue
        const state = `${info.size} ${info.modifiedMs}`
        if (seen.get(file.name) === state) settled.push(file)
        looked.set(file.name, state)
      }
      seen = looked
      ready = settled
    }).pipe(Effect.catchTag("FileError", (error) => Effect.fail(watch.failed(error))))

    /** The file that was being read when the position was stored is complete: it is read on at once. */
    const resume = Effect.gen(function* () {
      const name = resumed
      if (name === undefined) return
      const file = (yield* watch.list).find((f) => f.name === name)
      current = file ?? { name, path: name, gone: true }
      resumed = undefined
    })

    return {
      current: Effect.gen(function* () {
        if (current === undefined) yield* resume
        while (current === undefined) {
          if (ready.length === 0) yield* look
          current = ready.shift()
          if (current === undefined) yield* Effect.sleep(watch.intervalMs)
        }
        return current
      }),
      mark: () => mark,
      finish: () => {
        if (current === undefined) return
        done.add(current.name)
        doneText += `${doneText === "" ? "" : ","}${JSON.stringify(current.name)}`
        seen.delete(current.name)
        current = undefined
        mark = startMark
      },
      position: (m) => {
        const prefix = `{"lanes":${id.lanes},"done":[${doneText}]`
        const file = current?.name ?? resumed
        return position(
          file === undefined ? `${prefix}}` : `${prefix},"file":${JSON.stringify(file)},"at":${markText(m ?? mark)}}`
        )
      }
    }
  })

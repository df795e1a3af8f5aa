/**
 * Files as a source: JSON, CSV, text and Parquet; plain, gzip, zstd; one file, a folder, a glob, a watched folder.
 *
 * Order and partitions: files stand in ordered lanes, and a lane is a partition (rule T12): `lane-0`, `lane-1`, ... Within
 * a lane rows come in the order of the files' names, and of the rows in each file. Replayable: a position names file and
 * byte (Parquet: row). Bounded unless watched. Reads only what is asked for. Bad input is a dead row that names file and
 * line; a file that is cut off gives the rows before that, one dead row, and then the next file is read.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Scope } from "effect/Scope"
import { type OptionProblem, SourceError } from "../../model/Errors.ts"
import { Limits } from "../../model/Limits.ts"
import type { PartitionId, Position } from "../../model/Position.ts"
import { badInput, durationMs, has, integer, optionsOf, path as pathOption, show, text } from "../../model/Options.ts"
import type { BadInputOptions, PartitionCursor, Source } from "../../model/Source.ts"
import type { FileSystem as FileSystemContract } from "../../model/FileSystem.ts"
import type { Format, RowLimits } from "../../formats/Format.ts"
import type { Compression } from "./byteStream.ts"
import { fileCursor, type FileMeta, readFailed } from "./fileCursor.ts"
import { readers } from "./fileReader.ts"
import { FileSystem } from "./FileSystem.ts"
import { boundedLane, endOf, type LaneIdentity, watchedLane } from "./lane.ts"
import { type FileEntry, listFiles } from "./listing.ts"

/** Options of {@link source}. */
export interface FilesSourceOptions<A> extends BadInputOptions {
  /** A file, a folder (the files right in it), or a glob: `in/*.jsonl`, `in/**\/part-*`. */
  readonly path: string
  /** `Json.lines(Schema)`, `Json.array(Schema)`, `Csv.rows(Schema)`, `Text.lines()`, `Parquet.rows(Schema)`. */
  readonly format: Format<A>
  /** How many lanes read in parallel. Default 1. Files are dealt to them in the order of their names. */
  readonly lanes?: number
  /** Default `auto`: by the first bytes of each file, and by `.gz` and `.zst`. */
  readonly compression?: Compression
  /**
   * Look for new files for ever, at this pace (`true`: every second). Each is read once, when its size has not changed
   * for one interval. Write under a name that begins with a dot or ends with `.tmp` and rename it, and it is never read
   * too early. Names must not be used again, files that were read may be moved away.
   */
  readonly watch?: boolean | Duration.Input
  /** Longer lines, records and rows are dead. Default `Limits.lineBytesMax`. */
  readonly lineBytesMax?: number
  /** JSON that nests deeper is dead. Default `Limits.jsonDepthMax`. */
  readonly jsonDepthMax?: number
  /** For errors and progress; default `files PATH`. */
  readonly name?: string
}

const compressions: ReadonlyArray<unknown> = ["auto", "none", "gzip", "zstd"]

/** The interval of `watch`, if files are watched. */
const intervalOf = (
  watch: boolean | Duration.Input | undefined,
  problems: Array<OptionProblem>
): number | undefined => {
  if (watch === undefined || watch === false) return undefined
  if (watch === true) return Limits.watchIntervalMs
  return durationMs("Files.source.watch", watch, problems, { min: 1, max: 86_400_000 })
}

/** A format, or a problem and a stand-in. */
const formatOf = <A>(format: Format<A>, problems: Array<OptionProblem>): Format<A> => {
  if (has(format, "kind", "problems", "load")) {
    problems.push(...format.problems)
    return format
  }
  problems.push({
    option: "Files.source.format",
    value: show(format),
    fix: "must be a format (try Json.lines(Schema))"
  })
  return { kind: "table", name: "invalid", problems: [], load: Effect.die("never read") }
}

interface Settings<A> {
  readonly name: string
  readonly path: string
  readonly format: Format<A>
  readonly lanes: number
  readonly compression: Compression
  readonly intervalMs: number | undefined
  readonly limits: RowLimits
  readonly badInput: BadInputOptions
  readonly problems: ReadonlyArray<OptionProblem>
}

const settingsOf = <A>(given: FilesSourceOptions<A>): Settings<A> => {
  const options = optionsOf(given)
  const problems: Array<OptionProblem> = []
  const format = formatOf(options.format, problems)
  const { lanes = 1, compression = "auto" } = options
  const int = (option: string, value: number, max: number): number =>
    integer(`Files.source.${option}`, value, problems, { min: 1, max })
  const limits: RowLimits = {
    lineBytesMax: int("lineBytesMax", options.lineBytesMax ?? Limits.lineBytesMax, 1 << 29),
    jsonDepthMax: int("jsonDepthMax", options.jsonDepthMax ?? Limits.jsonDepthMax, Limits.jsonDepthMax)
  }
  const path = pathOption(
    "Files.source.path",
    options.path,
    problems,
    "must be the path of a file or folder, or a glob"
  )
  if (!compressions.includes(compression)) {
    problems.push({
      option: "Files.source.compression",
      value: show(compression),
      fix: 'must be "auto", "none", "gzip" or "zstd"'
    })
  }
  if (format.kind === "table" && compression !== "auto" && compression !== "none") {
    problems.push({
      option: "Files.source.compression",
      value: show(compression),
      fix: `is not for ${format.name}, which compresses its own pages: leave it out`
    })
  }
  const name = options.name === undefined ? `files ${path}` : text("Files.source.name", options.name, problems)
  const trimmed = path.length > 1 && path.endsWith("/") ? path.replace(/\/+$/, "") || "/" : path
  return {
    name,
    path: trimmed,
    format,
    lanes: int("lanes", lanes, Limits.fileLanesMax),
    compression,
    intervalMs: intervalOf(options.watch, problems),
    limits,
    badInput: badInput("Files.source", options, problems),
    problems
  }
}

const listFailed =
  (name: string, path: string) =>
  (error: { readonly code: string; readonly message: string }): SourceError =>
    new SourceError({
      connector: name,
      retryable: error.code === "Other",
      message:
        error.code === "NotFound"
          ? `${name}: there is no ${path}: create it, or correct the path`
          : `${name}: ${error.message}`,
      cause: error
    })

/** A format that cannot be loaded: its schema asks for what it cannot carry. */
const unloadable = (name: string, format: string, defect: unknown): SourceError =>
  new SourceError({
    connector: name,
    retryable: false,
    message: `${name}: ${format} cannot be read: ${defect instanceof Error ? defect.message : String(defect)}`,
    cause: defect
  })

const laneNames = (lanes: number): ReadonlyArray<PartitionId> => Array.from({ length: lanes }, (_, i) => `lane-${i}`)

/** Files as a source. A bounded one whose path has no files fails: a misspelt glob should not look like no data. */
export const source = <A>(options: FilesSourceOptions<A>): Source<A, FileMeta, SourceError> => {
  const settings = settingsOf(options)
  const { name, path, format, lanes, compression, intervalMs, limits, problems } = settings
  const watched = intervalMs !== undefined
  const ids = problems.length === 0 ? laneNames(lanes) : []
  // All lanes of an attempt share one listing, lest a file that comes between two of them shift the others.
  let listed: ReadonlyArray<FileEntry> | undefined

  const list = (fs: FileSystemContract): Effect.Effect<ReadonlyArray<FileEntry>, SourceError> =>
    Effect.mapError(listFiles(fs, path), listFailed(name, path))

  const listAll = (fs: FileSystemContract): Effect.Effect<ReadonlyArray<FileEntry>, SourceError> =>
    Effect.flatMap(list(fs), (files) =>
      files.length > 0
        ? Effect.succeed(files)
        : Effect.fail(
            new SourceError({
              connector: name,
              retryable: false,
              message: `${name}: no file to read: correct the path, or wait for files with watch: true`
            })
          )
    )

  const open = (
    partition: PartitionId,
    from: Option.Option<Position>
  ): Effect.Effect<PartitionCursor<A, FileMeta, SourceError>, SourceError, Scope> =>
    Effect.gen(function* () {
      const lane = ids.indexOf(partition)
      if (lane < 0) {
        return yield* Effect.fail(
          new SourceError({
            connector: name,
            partition,
            retryable: false,
            message: `${name}: there is no ${partition}, its lanes are ${ids.join(", ")}`
          })
        )
      }
      const fs = yield* FileSystem
      const id: LaneIdentity = { connector: name, partition, lane, lanes }
      const stored = Option.getOrUndefined(from)
      const openReader = yield* Effect.catchDefect(readers(format, limits, compression), (defect) =>
        Effect.fail(unloadable(name, format.name, defect))
      )
      if (intervalMs !== undefined) {
        const files = yield* watchedLane(id, { fs, list: list(fs), intervalMs, failed: readFailed(id) }, stored)
        return yield* fileCursor(fs, id, files, openReader, Option.none())
      }
      const all = listed ?? (yield* listAll(fs))
      return yield* fileCursor(fs, id, yield* boundedLane(id, all, stored), openReader, Option.some(endOf(id, all)))
    })

  return {
    name,
    features: {
      bounded: !watched,
      appendTime: false,
      endPosition: !watched,
      replayable: true,
      dynamicPartitions: false
    },
    problems,
    ...settings.badInput,
    partitions: (known) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem
        if (watched) yield* list(fs)
        else if (known.size === 0 || listed === undefined) listed = yield* listAll(fs)
        return ids.filter((id) => !known.has(id))
      }),
    open
  }
}

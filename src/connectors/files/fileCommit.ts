/**
 * The commit of a file sink: staged files get their final names, once, whoever does it and however often (rules C2, C3).
 *
 * Steps, in order: link each staged file to its part's name; fsync the folder; write the marker (another name, fsync,
 * rename, fsync of the staging folder); unlink the staged files and older markers. It may stop after any of them: the next
 * commit of the same `Prepared` value goes on from what it finds.
 */
import * as Effect from "effect/Effect"
import { SinkError } from "../../model/Errors.ts"
import type { FileError, FileSystem } from "../../model/FileSystem.ts"
import { fieldOf } from "../../model/RowChunk.ts"
import type { Prepared } from "../../model/Sink.ts"
import { textOf, utf8 } from "../../formats/bytes.ts"
import { makeFolder, pathIn, unlinkIfThere } from "./FileSystem.ts"
import { markedEpoch, markerName, stagedName } from "./sinkNames.ts"

/** A staged file as its writer left it. */
export interface StagedFile {
  readonly staged: string
  readonly bytes: number
  readonly rows: number
}

interface PreparedFile extends StagedFile {
  readonly part: string
}

interface Place {
  readonly name: string
  readonly folder: string
  readonly staging: string
}

const isName = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && !value.includes("/") && value !== "." && value !== ".."

const filesOf = (place: Place, prepared: Prepared): Effect.Effect<ReadonlyArray<PreparedFile>, SinkError> => {
  const files = fieldOf(prepared.data, "files")
  const sound = Array.isArray(files) && files.every((f) => isName(fieldOf(f, "staged")) && isName(fieldOf(f, "part")))
  if (sound) return Effect.succeed(files as ReadonlyArray<PreparedFile>)
  return Effect.fail(
    new SinkError({
      connector: place.name,
      retryable: false,
      message: `${place.name}: the record of epoch ${prepared.epoch} was not made by a file sink`
    })
  )
}

const markers = (
  fs: FileSystem,
  staging: string,
  query: string,
  writer: string
): Effect.Effect<ReadonlyArray<{ readonly name: string; readonly epoch: number }>, FileError> =>
  Effect.map(
    Effect.catchIf(
      fs.readDirectory(staging),
      (e) => e.code === "NotFound",
      () => Effect.succeed([])
    ),
    (entries) =>
      entries.flatMap(({ name }) => {
        const epoch = markedEpoch(name, query, writer)
        return epoch === undefined ? [] : [{ name, epoch }]
      })
  )

/** The last epoch of a writer that has a marker. */
export const committedEpoch = (
  fs: FileSystem,
  staging: string,
  query: string,
  writer: string
): Effect.Effect<number | undefined, FileError> =>
  Effect.map(markers(fs, staging, query, writer), (found) =>
    found.length === 0 ? undefined : Math.max(...found.map((m) => m.epoch))
  )

const infoOf = (fs: FileSystem, path: string) =>
  Effect.catchIf(
    fs.info(path),
    (e) => e.code === "NotFound",
    () => Effect.succeed(undefined)
  )

/** The staged files that a marker says were committed with its epoch. */
const markedFiles = (
  fs: FileSystem,
  staging: string,
  marker: string
): Effect.Effect<ReadonlyArray<string>, FileError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* Effect.acquireRelease(fs.open(pathIn(staging, marker), "read"), (f) => Effect.ignore(f.close))
      const text = textOf(yield* file.read(0, (yield* file.info).size)) ?? ""
      return text.split("\n")
    })
  )

const otherRun = (place: Place, prepared: Prepared, what: string): SinkError =>
  new SinkError({
    connector: place.name,
    retryable: false,
    message: `${place.name}: ${what} was written by an earlier run, which this one does not continue (epoch ${prepared.epoch} of ${prepared.query}): start it with the checkpoint of that run, or choose another folder, or remove this one`
  })

/** Links one file to its part's name; true when the folder changed. Every case of a commit that was cut off ends here. */
const link = (
  fs: FileSystem,
  place: Place,
  prepared: Prepared,
  file: PreparedFile
): Effect.Effect<boolean, FileError | SinkError> =>
  Effect.gen(function* () {
    const staged = pathIn(place.staging, file.staged)
    const part = pathIn(place.folder, file.part)
    const linked = yield* Effect.result(fs.link(staged, part))
    if (linked._tag === "Success") return true
    if (linked.failure.code === "Exists") {
      const [a, b] = [yield* infoOf(fs, staged), yield* infoOf(fs, part)]
      if (a !== undefined && b !== undefined && a.id === b.id) return true
      return yield* Effect.fail(otherRun(place, prepared, part))
    }
    if (linked.failure.code !== "NotFound") return yield* Effect.fail(linked.failure)
    const there = yield* infoOf(fs, part)
    if (there?.size === file.bytes) return true
    const message = `${place.name}: the staged file ${staged} of epoch ${prepared.epoch} is gone before it was committed: was ${place.staging} cleaned? Its ${file.rows} rows are lost; start from an older checkpoint, or from the beginning`
    return yield* Effect.fail(new SinkError({ connector: place.name, retryable: false, message }))
  })

const writeMarker = (
  fs: FileSystem,
  place: Place,
  prepared: Prepared,
  files: ReadonlyArray<PreparedFile>
): Effect.Effect<void, FileError> =>
  Effect.gen(function* () {
    const name = markerName(prepared.query, prepared.writer, prepared.epoch)
    // Whoever else commits this epoch writes the same bytes to a name of his own.
    const token =
      files.length > 0 ? files[0].staged : stagedName(prepared.query, prepared.writer, "empty", prepared.epoch)
    const temporary = pathIn(place.staging, `${token}.marker`)
    yield* Effect.scoped(
      Effect.gen(function* () {
        const file = yield* Effect.acquireRelease(fs.open(temporary, "create"), (f) => Effect.ignore(f.close))
        yield* file.append(utf8(files.map((f) => f.staged).join("\n")))
        yield* file.sync
      })
    )
    yield* fs.rename(temporary, pathIn(place.staging, name))
    yield* fs.syncDirectory(place.staging)
  })

/** Commits an epoch. Fails with `SinkError` when the place is not that of this run, or its staged files are gone. */
export const commitFiles = (
  fs: FileSystem,
  place: Place,
  prepared: Prepared
): Effect.Effect<void, FileError | SinkError> =>
  Effect.gen(function* () {
    const files = yield* filesOf(place, prepared)
    const { query, writer, epoch } = prepared
    const found = yield* markers(fs, place.staging, query, writer)
    const last = found.reduce<{ readonly name: string; readonly epoch: number } | undefined>(
      (a, m) => (a === undefined || m.epoch > a.epoch ? m : a),
      undefined
    )
    if (last !== undefined && last.epoch >= epoch) {
      const committed = last.epoch === epoch ? yield* markedFiles(fs, place.staging, last.name) : []
      for (const { staged, part } of files) {
        const path = pathIn(place.staging, staged)
        if (!committed.includes(staged) && (yield* infoOf(fs, path)) !== undefined)
          return yield* Effect.fail(otherRun(place, prepared, pathIn(place.folder, part)))
      }
    } else {
      yield* makeFolder(fs, place.staging)
      for (const file of files) yield* link(fs, place, prepared, file)
      if (files.length > 0) yield* fs.syncDirectory(place.folder)
      yield* writeMarker(fs, place, prepared, files)
    }
    for (const { staged } of files) yield* unlinkIfThere(fs, pathIn(place.staging, staged))
    for (const m of found) if (m.epoch < epoch) yield* unlinkIfThere(fs, pathIn(place.staging, m.name))
  })

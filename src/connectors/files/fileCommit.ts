/**
 * The commit of a file sink: staged files become parts, once, whoever does it and however often (rules C2, C3).
 *
 * Steps, in order: the epoch's marker, durable (another name, fsync, rename, fsync of its folder); one rename for each
 * staged file, to its part's name in the same folder; fsync of that folder; older markers go. It may stop after any of
 * them, and the next commit of the same `Prepared` value goes on from what it finds: with the epoch's marker there, a
 * staged file that is gone has been shown; without it, it is lost. So a part that its reader took away is never made
 * again, wherever a commit was cut off and whoever repeats it. A rename in one folder is one change of that folder: the
 * file is staged or shown, never both and never neither, also after a loss of power.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { SinkError } from "../../model/Errors.ts"
import { failpoint } from "../../model/Failpoint.ts"
import type { FileError, FileSystem } from "../../model/FileSystem.ts"
import { fieldOf } from "../../model/RowChunk.ts"
import type { Prepared } from "../../model/Sink.ts"
import { textOf, utf8 } from "../../formats/bytes.ts"
import { makeFolder, pathIn, syncFolder, unlinkIfThere } from "./FileSystem.ts"
import { markedEpoch, markerName, unmarkedName } from "./sinkNames.ts"

/** A staged file as its writer left it. */
export interface StagedFile {
  readonly staged: string
  readonly part: string
  readonly bytes: number
  readonly rows: number
}

/** What a file sink's `Prepared` carries. */
export interface FilesRecord {
  /** The takeover under which it was prepared. */
  readonly attempt: number
  /** Of the chain of checkpoints. */
  readonly tag: string
  readonly files: ReadonlyArray<StagedFile>
}

/** Where a sink stands: its name for errors, the folder of its parts, and that of its markers within it. */
export interface Place {
  readonly name: string
  readonly folder: string
  readonly staging: string
}

/** A marker that was found. */
export interface Marker {
  readonly name: string
  readonly epoch: number
  readonly tag: string
}

const isName = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && !value.includes("/") && value !== "." && value !== ".."

/** The record in a `Prepared`; fails when another kind of sink made it. */
export const recordOf = (place: Place, prepared: Prepared): Effect.Effect<FilesRecord, SinkError> => {
  const { data, epoch } = prepared
  const files = fieldOf(data, "files")
  const sound =
    Array.isArray(files) &&
    files.every((f) => isName(fieldOf(f, "staged")) && isName(fieldOf(f, "part"))) &&
    Number.isSafeInteger(fieldOf(data, "attempt")) &&
    /^[0-9a-f]{8}$/.test(String(fieldOf(data, "tag")))
  if (sound) return Effect.succeed(data as FilesRecord)
  return Effect.fail(
    new SinkError({
      connector: place.name,
      retryable: false,
      message: `${place.name}: the record of epoch ${epoch} was not made by a file sink: the output named ${prepared.writer} has changed; start with a new checkpoint`
    })
  )
}

/** The markers of a writer, newest first. */
export const markersOf = (
  fs: FileSystem,
  staging: string,
  query: string,
  writer: string
): Effect.Effect<ReadonlyArray<Marker>, FileError> =>
  Effect.map(
    Effect.catchIf(
      fs.readDirectory(staging),
      (e) => e.code === "NotFound",
      () => Effect.succeed([])
    ),
    (entries) =>
      entries
        .flatMap(({ name }): ReadonlyArray<Marker> => {
          const marked = markedEpoch(name, query, writer)
          return marked === undefined ? [] : [{ name, ...marked }]
        })
        .sort((a, b) => b.epoch - a.epoch)
  )

const isThere = (fs: FileSystem, path: string): Effect.Effect<boolean, FileError> =>
  Effect.catchIf(
    Effect.as(fs.info(path), true),
    (e: FileError) => e.code === "NotFound",
    () => Effect.succeed(false)
  )

/** The first of the names that stands in a folder. */
const firstThere = (
  fs: FileSystem,
  folder: string,
  names: ReadonlyArray<string>
): Effect.Effect<string | undefined, FileError> =>
  Effect.gen(function* () {
    for (const name of names) if (yield* isThere(fs, pathIn(folder, name))) return name
    return undefined
  })

/** The staged files that a marker says belong to its epoch; `undefined` when it went away meanwhile. */
const markedFiles = (
  fs: FileSystem,
  staging: string,
  { name }: Marker
): Effect.Effect<ReadonlyArray<string> | undefined, FileError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* Effect.acquireRelease(fs.open(pathIn(staging, name), "read"), (f) => Effect.ignore(f.close))
      const text = textOf(yield* file.read(0, (yield* file.info).size)) ?? ""
      return text === "" ? [] : text.split("\n")
    })
  ).pipe(
    Effect.catchIf(
      (e) => e.code === "NotFound",
      () => Effect.succeed(undefined)
    )
  )

/** The last epoch of a writer that is committed: marked, and all its files shown. */
export const committedEpoch = (
  fs: FileSystem,
  place: Place,
  query: string,
  writer: string
): Effect.Effect<number | undefined, FileError> =>
  Effect.gen(function* () {
    const found = yield* markersOf(fs, place.staging, query, writer)
    if (found.length === 0) return undefined
    // Names are trusted once they are durable: who made them may not have lived to see to that.
    yield* syncFolder(fs, place.staging, "stage")
    for (const marker of found) {
      const files = yield* markedFiles(fs, place.staging, marker)
      if (files !== undefined && (yield* firstThere(fs, place.folder, files)) === undefined) return marker.epoch
    }
    return undefined
  })

const failure = (place: Place, message: string): SinkError =>
  new SinkError({ connector: place.name, retryable: false, message: `${place.name}: ${message}` })

const otherRun = (place: Place, { query, epoch }: Prepared, what: string): SinkError =>
  failure(
    place,
    `epoch ${epoch} of ${query} is there already, with other content (${what}), written by a run that this one does not go on from: start it with the checkpoint of that run, or choose another folder, or remove this one`
  )

const lost = (place: Place, { query, epoch }: Prepared, { staged, rows }: StagedFile): SinkError =>
  failure(
    place,
    `the staged file ${pathIn(place.folder, staged)} of epoch ${epoch} of ${query} is gone before it was committed: was the folder, or ${place.staging}, cleaned or removed? Its ${rows} rows are lost; put the folder back, or start from the beginning with a new checkpoint`
  )

/** Writes the epoch's marker, durably. Others may do the same at the same time: each has a name of his own for it. */
const writeMarker = (
  fs: FileSystem,
  place: Place,
  prepared: Prepared,
  record: FilesRecord
): Effect.Effect<void, FileError> =>
  Effect.gen(function* () {
    const { query, writer, epoch } = prepared
    const token = ((yield* Random.nextInt) >>> 0).toString(36)
    const temporary = pathIn(place.staging, unmarkedName({ query, writer, ...record }, token))
    const opened = Effect.catchIf(
      fs.open(temporary, "create"),
      (e) => e.code === "NotFound",
      () => Effect.andThen(makeFolder(fs, place.staging), fs.open(temporary, "create"))
    )
    yield* Effect.scoped(
      Effect.gen(function* () {
        const file = yield* Effect.acquireRelease(opened, (f) => Effect.ignore(f.close))
        yield* file.append(utf8(record.files.map((f) => f.staged).join("\n")))
        yield* file.sync
      })
    ).pipe(
      Effect.andThen(fs.rename(temporary, pathIn(place.staging, markerName(query, writer, epoch, record.tag)))),
      Effect.onError(() => Effect.ignore(unlinkIfThere(fs, temporary)))
    )
    yield* syncFolder(fs, place.staging, "stage")
  })

/** An attempt that sweeps may take the temporary name away under a commit of the epoch that it goes on from. */
const markAgain = 3

/** Shows one file under its part's name; that it was shown already is no error. */
const show = (
  fs: FileSystem,
  place: Place,
  prepared: Prepared,
  file: StagedFile
): Effect.Effect<void, FileError | SinkError> =>
  Effect.gen(function* () {
    const [staged, part] = [pathIn(place.folder, file.staged), pathIn(place.folder, file.part)]
    if ((yield* isThere(fs, part)) && (yield* isThere(fs, staged)))
      return yield* Effect.fail(otherRun(place, prepared, part))
    yield* failpoint(
      "file.link",
      Effect.catchIf(
        fs.rename(staged, part),
        (e) => e.code === "NotFound",
        () => Effect.void
      )
    )
  })

/** Whether the epoch was marked before; fails when what is there is another run's. */
const isMarked = (
  fs: FileSystem,
  place: Place,
  prepared: Prepared,
  record: FilesRecord,
  last: Marker | undefined
): Effect.Effect<"not yet" | "now" | "long ago", FileError | SinkError> =>
  Effect.gen(function* () {
    if (last === undefined || last.epoch < prepared.epoch) return "not yet"
    const staged = record.files.map((f) => f.staged)
    if (last.epoch > prepared.epoch) {
      const left = yield* firstThere(fs, place.folder, staged)
      return left === undefined ? "long ago" : yield* Effect.fail(otherRun(place, prepared, left))
    }
    yield* syncFolder(fs, place.staging, "stage")
    const marked = yield* markedFiles(fs, place.staging, last)
    const other = staged.find((name) => marked !== undefined && !marked.includes(name))
    return other === undefined ? "now" : yield* Effect.fail(otherRun(place, prepared, other))
  })

/** Commits an epoch. Fails with `SinkError` when the place is not that of this run, or its staged files are gone. */
export const commitFiles = (
  fs: FileSystem,
  place: Place,
  prepared: Prepared
): Effect.Effect<void, FileError | SinkError> =>
  Effect.gen(function* () {
    const record = yield* recordOf(place, prepared)
    const { query, writer, epoch } = prepared
    const markers = markersOf(fs, place.staging, query, writer)
    let found = yield* markers
    let marked = yield* isMarked(fs, place, prepared, record, found.at(0))
    if (marked === "not yet") {
      for (const file of record.files) {
        if (yield* isThere(fs, pathIn(place.folder, file.staged))) continue
        // Somebody else may have committed it since the markers were read.
        found = yield* markers
        marked = yield* isMarked(fs, place, prepared, record, found.at(0))
        if (marked === "not yet") return yield* Effect.fail(lost(place, prepared, file))
        break
      }
    }
    if (marked === "long ago") return
    if (marked === "not yet") {
      yield* Effect.retry(writeMarker(fs, place, prepared, record), {
        times: markAgain,
        while: (e) => e.code === "NotFound"
      })
    }
    for (const file of record.files) yield* show(fs, place, prepared, file)
    if (record.files.length > 0) yield* syncFolder(fs, place.folder, "out")
    for (const marker of found) {
      if (marker.epoch < epoch) yield* failpoint("file.unlink", unlinkIfThere(fs, pathIn(place.staging, marker.name)))
    }
  })

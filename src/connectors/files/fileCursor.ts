/**
 * The cursor of a lane: opens its files one after the other and hands out their rows by demand.
 *
 * A file that vanished before it was opened is one dead row; the next one is read. One file is open at a time, and one
 * block of it (for Parquet one row group) in memory.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { SourceError } from "../../model/Errors.ts"
import type { FileError, FileSystem } from "../../model/FileSystem.ts"
import type { Position } from "../../model/Position.ts"
import type { Demand, PartitionCursor, SourceChunk } from "../../model/Source.ts"
import { deadRow } from "../../formats/Format.ts"
import type { FilePart, FileReader, OpenReader } from "./fileReader.ts"
import type { Lane, LaneIdentity } from "./lane.ts"
import type { FileEntry } from "./listing.ts"

/** What the source knows of a row. */
export interface FileMeta {
  /** Path of the file. */
  readonly file: string
  /** Line in it, from 1; in JSON arrays and Parquet the row. */
  readonly line: number
}

interface Current<A> {
  readonly file: FileEntry
  readonly reader: FileReader<A>
  readonly scope: Scope.Closeable
}

const noLine = (): number => 0

const gone = (file: FileEntry): FilePart<never> => ({
  length: 0,
  rows: [],
  lineAt: noLine,
  dead: [
    deadRow(
      0,
      { reason: "malformed", detail: "the file is gone: it was there when its folder was listed" },
      file.path,
      new Uint8Array(0)
    )
  ],
  bytes: 0,
  mark: { offset: 0, line: 1, state: 0 },
  last: true
})

/** A file could not be read: what to do about it depends on why. */
export const readFailed =
  (id: Pick<LaneIdentity, "connector" | "partition">) =>
  (error: FileError): SourceError =>
    new SourceError({
      connector: id.connector,
      partition: id.partition,
      retryable: error.code === "Other" || error.code === "NotFound",
      message: `${id.connector}: ${error.message}${error.code === "Denied" ? ": give this process the right to read it" : ""}`,
      cause: error
    })

/** A cursor in a scope, which closes the file that is open. */
export const fileCursor = <A>(
  fs: FileSystem,
  id: LaneIdentity,
  lane: Lane,
  openReader: OpenReader<A>,
  end: Option.Option<Position>
): Effect.Effect<PartitionCursor<A, FileMeta, SourceError>, never, Scope.Scope> =>
  Effect.gen(function* () {
    let current: Current<A> | undefined
    const failed = readFailed(id)

    const close = Effect.suspend(() => {
      const scope = current?.scope
      current = undefined
      return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
    }).pipe(Effect.uninterruptible)
    yield* Effect.addFinalizer(() => close)

    /** Opens a file, or says that it is gone. Never leaves a handle behind. */
    const open = (file: FileEntry): Effect.Effect<Current<A> | undefined, FileError> =>
      Effect.uninterruptible(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const opening = Effect.gen(function* () {
            if (file.gone === true) return undefined
            const handle = yield* Effect.catchIf(
              fs.open(file.path, "read"),
              (e) => e.code === "NotFound",
              () => Effect.succeed(undefined)
            )
            if (handle === undefined) return undefined
            yield* Effect.addFinalizer(() => Effect.ignore(handle.close))
            current = { file, reader: yield* openReader(handle, file.path, lane.mark()), scope }
            return current
          })
          const exit = yield* Effect.exit(Scope.provide(opening, scope))
          if (Exit.isFailure(exit) || exit.value === undefined) yield* Scope.close(scope, Exit.void)
          return yield* exit
        })
      )

    const chunkOf = (file: FileEntry, part: FilePart<A>): SourceChunk<A, FileMeta> => {
      if (part.last) lane.finish()
      const { length, rows, columns, lineAt, dead, bytes } = part
      return {
        length,
        ...(rows === undefined ? {} : { rows }),
        ...(columns === undefined ? {} : { columns }),
        meta: (i) => ({ file: file.path, line: lineAt(i) }),
        place: (i) => `${file.path}:${lineAt(i)}`,
        dead,
        next: lane.position(part.last ? undefined : part.mark),
        bytes
      }
    }

    /** Reads until there is something to hand over; what of: a reader, or a file that is gone. */
    const ready = (demand: Demand): Effect.Effect<Current<A> | FileEntry, SourceError | Cause.Done> =>
      Effect.gen(function* () {
        for (;;) {
          const file = yield* lane.current
          // The file before this one was finished with its last rows; its handle is closed here.
          if (current !== undefined && current.file !== file) yield* close
          if (file === undefined) return yield* Cause.done()
          const opened = current ?? (yield* Effect.mapError(open(file), failed))
          if (opened === undefined) return file
          if (yield* Effect.mapError(opened.reader.ready(demand), failed)) return opened
          lane.finish()
        }
      })

    const taken = (from: Current<A> | FileEntry, demand: Demand): SourceChunk<A, FileMeta> =>
      "reader" in from ? chunkOf(from.file, from.reader.take(demand)) : chunkOf(from, gone(from))

    // The last step is one `sync`: its value goes to the caller without a chance to interrupt, so that nothing that was
    // taken is lost.
    const pull = (demand: Demand): Effect.Effect<SourceChunk<A, FileMeta>, SourceError | Cause.Done> =>
      Effect.flatMap(ready(demand), (from) => Effect.sync(() => taken(from, demand)))

    return { pull, end: Effect.succeed(end) }
  })

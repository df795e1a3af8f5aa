/**
 * The writer of a file sink: rows go to staged files beside the parts, under names that begin with a dot and the number
 * of the attempt's takeover. `prepare` makes them durable, name and bytes. What was not prepared when the writer's scope
 * closes is taken away; what an attempt that was killed left, the next one sweeps (`fileAttempts.ts`).
 *
 * A writer that failed once fails always: bytes that could not be synced may be gone without another word.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Scope } from "effect/Scope"
import type { DeadRow } from "../../model/DeadLetter.ts"
import { SinkError } from "../../model/Errors.ts"
import { failpoint } from "../../model/Failpoint.ts"
import type { FileError, FileSystem, OpenFile } from "../../model/FileSystem.ts"
import type { CountedPrepared, SinkWriter, WriterContext } from "../../model/Sink.ts"
import { utf8 } from "../../formats/bytes.ts"
import type { RowEncoding } from "../../formats/encode.ts"
import { deadRow } from "../../formats/Format.ts"
import { shown } from "../../formats/shown.ts"
import { syncFolder, pathIn, unlinkIfThere } from "./FileSystem.ts"
import type { FilesRecord, Place, StagedFile } from "./fileCommit.ts"
import { partName, stagedName, tagOf } from "./sinkNames.ts"

/** What a file sink writes, where, and in parts of which size. */
export interface Target extends Place {
  readonly encoding: RowEncoding
  readonly rollBytes: number
  readonly startOver: boolean
}

interface OpenPart {
  readonly file: OpenFile
  readonly staged: string
  readonly encode: (row: unknown) => ReturnType<ReturnType<Effect.Success<RowEncoding["load"]>>>
  bytes: number
  rows: number
}

/** A failed call as the sink's error, with what to do about it. */
export const sinkError =
  (name: string) =>
  (error: FileError): SinkError => {
    const what = {
      NoSpace: ": the disk is full: make room there",
      Denied: ": the user of this process needs the right to read and write there",
      NotFound: ": was the folder moved or removed while the query ran?"
    }
    const advice = (what as { readonly [code: string]: string | undefined })[error.code] ?? ""
    return new SinkError({
      connector: name,
      retryable: error.code === "Other" || error.code === "NoSpace",
      message: `${name}: ${error.message}${advice}`,
      cause: error
    })
  }

/** A schema that asks for what the format cannot carry. */
const unloadable = (name: string, defect: unknown): SinkError =>
  new SinkError({
    connector: name,
    retryable: false,
    message: `${name}: ${defect instanceof Error ? defect.message : String(defect)}`,
    cause: defect
  })

/** Opens a writer in a folder that is there. */
export const makeWriter = (
  target: Target,
  fs: FileSystem,
  context: WriterContext
): Effect.Effect<SinkWriter<unknown, SinkError>, SinkError, Scope> =>
  Effect.gen(function* () {
    const { folder, encoding, rollBytes } = target
    const { query, writer, attempt } = context
    const tag = tagOf(context.queryId)
    const encoder = yield* Effect.catchDefect(encoding.load, (defect) => Effect.fail(unloadable(target.name, defect)))
    const token = `${((yield* Random.nextInt) >>> 0).toString(36)}${((yield* Random.nextInt) >>> 0).toString(36)}`
    let count = 0
    let open: OpenPart | undefined
    let closed: Array<Omit<StagedFile, "part">> = []
    let last: { readonly epoch: number; readonly files: ReadonlyArray<StagedFile> } = { epoch: -1, files: [] }

    const begin = Effect.gen(function* () {
      const staged = stagedName({ query, writer, attempt, tag }, token, count++)
      const file = yield* fs.open(pathIn(folder, staged), "create")
      open = { file, staged, encode: encoder(), bytes: 0, rows: 0 }
      return open
    })

    const finish = Effect.gen(function* () {
      if (open === undefined) return
      const { file, staged, bytes, rows } = open
      yield* failpoint("stage.fsync", file.sync)
      yield* file.close
      open = undefined
      closed.push({ staged, bytes, rows })
    })

    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        if (open !== undefined) {
          yield* Effect.ignore(open.file.close)
          yield* Effect.ignore(unlinkIfThere(fs, pathIn(folder, open.staged)))
        }
        for (const { staged } of closed) yield* Effect.ignore(unlinkIfThere(fs, pathIn(folder, staged)))
      })
    )

    const write = (rows: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<DeadRow>, FileError> =>
      Effect.gen(function* () {
        const dead: Array<DeadRow> = []
        if (rows.length === 0) return dead
        const part = open ?? (yield* begin)
        let text = ""
        for (let i = 0; i < rows.length; i++) {
          const encoded = part.encode(rows[i])
          if (typeof encoded === "string") {
            text += encoded
            part.rows++
          } else dead.push(deadRow(i, encoded, folder, shown(rows[i])))
        }
        if (text !== "") {
          const bytes = utf8(text)
          yield* failpoint("stage.write", part.file.append(bytes))
          part.bytes += bytes.length
        }
        if (part.bytes >= rollBytes) yield* finish
        return dead
      })

    const prepare = (epoch: number): Effect.Effect<CountedPrepared, FileError> =>
      Effect.gen(function* () {
        if (open?.rows === 0) {
          // Every row of it was refused.
          yield* open.file.close
          yield* unlinkIfThere(fs, pathIn(folder, open.staged))
          open = undefined
        }
        yield* finish
        // A checkpoint that was given up left its files to the next one of the same number (rule C9).
        const before = last.epoch === epoch ? last.files : []
        const files = [...before]
        for (const file of closed) {
          files.push({ ...file, part: partName(writer, epoch, files.length, tag, encoding.extension) })
        }
        if (closed.length > 0) yield* syncFolder(fs, folder, "stage")
        closed = []
        last = { epoch, files }
        const data: FilesRecord = { attempt, tag, files }
        const rows = files.reduce((n, file) => n + file.rows, 0)
        return { query, writer, epoch, data, rows }
      })

    let failed: SinkError | undefined
    const wrap = <A>(effect: Effect.Effect<A, FileError>): Effect.Effect<A, SinkError> =>
      Effect.suspend(() => {
        if (failed !== undefined) return Effect.fail(failed)
        const mapped = Effect.mapError(effect, (error) => (failed = sinkError(target.name)(error)))
        return Effect.uninterruptible(mapped)
      })
    return { write: (batch) => wrap(write(batch.rows)), prepare: (epoch) => wrap(prepare(epoch)) }
  })

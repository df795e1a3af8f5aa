/**
 * Part files in a folder, exactly once: JSON lines and CSV (rules C2-C4).
 *
 * Rows are written to a staged file under `.staged`; `prepare` makes it durable; `commit` gives it its final name by a
 * link, makes that durable, writes the epoch's marker, and only then unlinks the staged one. A commit needs nothing but
 * the `Prepared` value, may be done by any process, any number of times, and may have been cut off anywhere. A part file
 * never changes once it is there, and may be moved or deleted by whoever reads it. An epoch without rows makes no file.
 *
 * What it refuses: an epoch that was committed before with other content, by an earlier run that this one does not
 * continue. Writing again what is there, or dropping what is new, would both be wrong in silence.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type { Scope } from "effect/Scope"
import type { DeadRow } from "../../model/DeadLetter.ts"
import { type OptionProblem, SinkError } from "../../model/Errors.ts"
import type { FileError, FileSystem as FileSystemContract, OpenFile } from "../../model/FileSystem.ts"
import { Limits } from "../../model/Limits.ts"
import { flag, integer, path as pathOption, text } from "../../model/Options.ts"
import type { Prepared, Sink, SinkWriter, WriterContext } from "../../model/Sink.ts"
import { deadRow } from "../../formats/Format.ts"
import {
  type CsvEncodeOptions,
  csv as csvEncoding,
  jsonLines as jsonEncoding,
  type RowEncoding
} from "../../formats/encode.ts"
import type { RowCodec } from "../../formats/RowSchema.ts"
import { shown } from "../../formats/shown.ts"
import { utf8 } from "../../formats/bytes.ts"
import { committedEpoch, commitFiles, type StagedFile } from "./fileCommit.ts"
import { FileSystem, makeFolder, pathIn, unlinkIfThere } from "./FileSystem.ts"
import { isPartOf, markedEpoch, partName, stagedFolder, stagedName } from "./sinkNames.ts"

/** Options of both sinks. */
export interface FilesSinkOptions {
  /** A part file is closed, and the next one begun, when it has this many bytes. Default `Limits.rollBytes`. */
  readonly rollBytes?: number
  /**
   * Removes what earlier attempts and runs of this writer left, when a writer opens. Only for queries that always begin
   * at the start of their input: without it, such a query is refused when it commits an epoch for the second time.
   */
  readonly startOver?: boolean
  /** For errors and progress; default `files FOLDER`. */
  readonly name?: string
}

interface OpenPart {
  readonly file: OpenFile
  readonly staged: string
  readonly encode: (row: unknown) => ReturnType<ReturnType<Effect.Success<RowEncoding["load"]>>>
  bytes: number
  rows: number
}

interface Target {
  readonly name: string
  readonly folder: string
  readonly staging: string
  readonly encoding: RowEncoding
  readonly rollBytes: number
  readonly startOver: boolean
}

const failed =
  (name: string) =>
  (error: FileError): SinkError =>
    new SinkError({
      connector: name,
      retryable: error.code === "Other" || error.code === "NoSpace",
      message: `${name}: ${error.message}${error.code === "NoSpace" ? ": the disk is full" : error.code === "Denied" ? ": give this process the right to write there" : ""}`,
      cause: error
    })

/** A schema that asks for what the format cannot carry. */
const unloadable = (name: string, defect: unknown): SinkError =>
  new SinkError({
    connector: name,
    retryable: false,
    message: `${name}: ${defect instanceof Error ? defect.message : String(defect)}`,
    cause: defect
  })

/** Takes away the parts of a writer, and then the markers that would say they are there. */
const removeOutput = (
  fs: FileSystemContract,
  target: Target,
  { query, writer }: WriterContext
): Effect.Effect<void, FileError> =>
  Effect.gen(function* () {
    for (const { name } of yield* fs.readDirectory(target.folder)) {
      if (isPartOf(name, writer, target.encoding.extension)) yield* unlinkIfThere(fs, pathIn(target.folder, name))
    }
    yield* fs.syncDirectory(target.folder)
    for (const { name } of yield* fs.readDirectory(target.staging)) {
      if (markedEpoch(name, query, writer) !== undefined) yield* unlinkIfThere(fs, pathIn(target.staging, name))
    }
    yield* fs.syncDirectory(target.staging)
  })

const makeWriter = (
  target: Target,
  fs: FileSystemContract,
  context: WriterContext
): Effect.Effect<SinkWriter<unknown, SinkError>, FileError | SinkError, Scope> =>
  Effect.gen(function* () {
    const { folder, staging, encoding, rollBytes } = target
    const encoder = yield* Effect.catchDefect(encoding.load, (defect) => Effect.fail(unloadable(target.name, defect)))
    yield* makeFolder(fs, staging)
    if (target.startOver) yield* removeOutput(fs, target, context)
    const token = `${((yield* Random.nextInt) >>> 0).toString(36)}${((yield* Random.nextInt) >>> 0).toString(36)}`
    let count = 0
    let open: OpenPart | undefined
    let closed: Array<StagedFile> = []

    const begin = Effect.gen(function* () {
      const staged = stagedName(context.query, context.writer, token, count++)
      const file = yield* fs.open(pathIn(staging, staged), "create")
      open = { file, staged, encode: encoder(), bytes: 0, rows: 0 }
      return open
    })

    const finish = Effect.gen(function* () {
      if (open === undefined) return
      const { file, staged, bytes, rows } = open
      yield* file.sync
      yield* file.close
      open = undefined
      closed.push({ staged, bytes, rows })
    })

    // What was not prepared is nobody's: an attempt that ends takes it away.
    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        if (open !== undefined) {
          yield* Effect.ignore(open.file.close)
          yield* Effect.ignore(unlinkIfThere(fs, pathIn(staging, open.staged)))
        }
        for (const { staged } of closed) yield* Effect.ignore(unlinkIfThere(fs, pathIn(staging, staged)))
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
          yield* part.file.append(bytes)
          part.bytes += bytes.length
        }
        if (part.bytes >= rollBytes) yield* finish
        return dead
      })

    const prepare = (epoch: number): Effect.Effect<Prepared, FileError> =>
      Effect.gen(function* () {
        if (open?.rows === 0) {
          // Every row of it was refused.
          yield* open.file.close
          yield* unlinkIfThere(fs, pathIn(staging, open.staged))
          open = undefined
        }
        yield* finish
        if (closed.length > 0) yield* fs.syncDirectory(staging)
        const files = closed.map((file, i) => ({
          ...file,
          part: partName(context.writer, epoch, i, encoding.extension)
        }))
        closed = []
        return { query: context.query, writer: context.writer, epoch, data: { files } }
      })

    const wrap = <A>(effect: Effect.Effect<A, FileError>): Effect.Effect<A, SinkError> =>
      Effect.uninterruptible(Effect.mapError(effect, failed(target.name)))
    return { write: (batch) => wrap(write(batch.rows)), prepare: (epoch) => wrap(prepare(epoch)) }
  })

const sinkOf = (
  folder: string,
  encoding: RowEncoding,
  options: FilesSinkOptions,
  columns: ReadonlyArray<string> | undefined
): Sink<unknown, "append", SinkError> => {
  const problems: Array<OptionProblem> = [...encoding.problems]
  const rollBytes = integer("Files.rollBytes", options.rollBytes ?? Limits.rollBytes, problems, { min: 1 })
  const startOver = options.startOver === undefined ? false : flag("Files.startOver", options.startOver, problems)
  const given = pathOption("Files.folder", folder, problems, "must be the path of a folder")
  const path = given.length > 1 ? given.replace(/\/+$/, "") || "/" : given
  const name = options.name === undefined ? `files ${path}` : text("Files.name", options.name, problems)
  const staging = pathIn(path, stagedFolder)
  const target: Target = { name, folder: path, staging, encoding, rollBytes, startOver }
  const using = <A, R>(
    run: (fs: FileSystemContract) => Effect.Effect<A, FileError | SinkError, R>
  ): Effect.Effect<A, SinkError, R> =>
    Effect.flatMap(FileSystem, (fs) =>
      Effect.catchTag(run(fs), "FileError", (error) => Effect.fail(failed(name)(error)))
    )
  return {
    name,
    features: { modes: ["append"], guarantee: "exactly-once", multiWriter: false, deletes: false },
    problems,
    ...(columns === undefined ? {} : { columns }),
    writer: (context) => using((fs) => makeWriter(target, fs, context)),
    commit: (prepared) => using((fs) => commitFiles(fs, { name, folder: path, staging }, prepared)),
    committed: (query, writer) =>
      using((fs) => Effect.map(committedEpoch(fs, staging, query, writer), Option.fromUndefinedOr))
  }
}

/** Names of the fields that a schema writes, when it is a struct. */
const columnsOf = (schema: RowCodec<unknown> | undefined): ReadonlyArray<string> | undefined => {
  const ast = schema?.ast
  if (ast?._tag !== "Objects" || ast.encoding !== undefined || ast.indexSignatures.length > 0) return undefined
  return ast.propertySignatures.map((p) => String(p.name))
}

/**
 * JSON lines in part files of a folder: `part-0-00000001.jsonl`. What becomes of values that JSON has no form for is told
 * in `formats/encode.ts`: written exactly, or refused as dead rows. With a schema, rows are encoded by it.
 */
export const jsonLines: {
  (folder: string, options?: FilesSinkOptions & { readonly schema?: undefined }): Sink<unknown, "append", SinkError>
  <A>(folder: string, options: FilesSinkOptions & { readonly schema: RowCodec<A> }): Sink<A, "append", SinkError>
} = (
  folder: string,
  options: FilesSinkOptions & { readonly schema?: RowCodec<unknown> | undefined } = {}
): Sink<unknown, "append", SinkError> =>
  sinkOf(folder, jsonEncoding(options.schema), options, columnsOf(options.schema))

/**
 * CSV in part files of a folder, each with a header. The columns are those of `columns`, of the schema, or of the first
 * row of each file; rows with other fields are refused as dead rows.
 */
export const csv: {
  (
    folder: string,
    options?: FilesSinkOptions & CsvEncodeOptions & { readonly schema?: undefined }
  ): Sink<unknown, "append", SinkError>
  <A>(
    folder: string,
    options: FilesSinkOptions & CsvEncodeOptions & { readonly schema: RowCodec<A> }
  ): Sink<A, "append", SinkError>
} = (
  folder: string,
  options: FilesSinkOptions & CsvEncodeOptions & { readonly schema?: RowCodec<unknown> | undefined } = {}
): Sink<unknown, "append", SinkError> =>
  sinkOf(folder, csvEncoding(options.schema, options), options, options.columns ?? columnsOf(options.schema))

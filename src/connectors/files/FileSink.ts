/**
 * Part files in a folder, exactly once: JSON lines and CSV (rules C2-C5).
 *
 * Rows are written to staged files, whose names begin with a dot; `prepare` makes them durable; `commit` gives each its
 * final name by a rename within the folder. A commit needs nothing but the `Prepared` value, may be done by any process,
 * any number of times, and may have been cut off anywhere. A part file is whole when it appears, never changes, and may be
 * moved or deleted by whoever reads it. An epoch without rows makes no file.
 *
 * What it refuses, when a writer opens: a folder with epochs of the query that its checkpoint does not go on from, left by
 * an earlier run or by a newer checkpoint. Writing again what is there, or dropping what is new, would both be wrong in
 * silence. A folder that has no such epochs is taken as it is, so that an output may be added, or its parts archived.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { OptionProblem, SinkError } from "../../model/Errors.ts"
import type { FileError, FileSystem as FileSystemContract } from "../../model/FileSystem.ts"
import { Limits } from "../../model/Limits.ts"
import { flag, integer, path as pathOption, text } from "../../model/Options.ts"
import type { Sink } from "../../model/Sink.ts"
import {
  type CsvEncodeOptions,
  csv as csvEncoding,
  jsonLines as jsonEncoding,
  type RowEncoding
} from "../../formats/encode.ts"
import type { RowCodec } from "../../formats/RowSchema.ts"
import { committedEpoch, commitFiles } from "./fileCommit.ts"
import { openFolder, sweepFiles } from "./fileAttempts.ts"
import { FileSystem, pathIn } from "./FileSystem.ts"
import { makeWriter, sinkError, type Target } from "./fileWriter.ts"
import { stagedFolder } from "./sinkNames.ts"

/** Options of both sinks. */
export interface FilesSinkOptions {
  /** A part file is closed, and the next one begun, when it has this many bytes. Default `Limits.rollBytes`. */
  readonly rollBytes?: number
  /**
   * When the query begins anew, without a checkpoint: removes the output of earlier runs of the same query, which is
   * refused otherwise. Does nothing when the query goes on from a checkpoint, or begins with a
   * savepoint, which covers that output.
   */
  readonly startOver?: boolean
  /** For errors and progress; default `files FOLDER`. */
  readonly name?: string
}

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
      Effect.catchTag(run(fs), "FileError", (error) => Effect.fail(sinkError(name)(error)))
    )
  return {
    name,
    features: {
      modes: ["append"],
      guarantee: "exactly-once",
      epochIntervalMs: Limits.filesEpochIntervalMs,
      multiWriter: false,
      deletes: false
    },
    problems,
    ...(columns === undefined ? {} : { columns }),
    writer: (context) =>
      using((fs) => Effect.andThen(openFolder(fs, target, context), makeWriter(target, fs, context))),
    commit: (prepared) => using((fs) => commitFiles(fs, target, prepared)),
    committed: (query, writer) =>
      using((fs) => Effect.map(committedEpoch(fs, target, query, writer), Option.fromUndefinedOr)),
    sweep: (context) => using((fs) => sweepFiles(fs, target, context))
  }
}

/** Names of the fields that a schema writes, when it is a struct. */
const columnsOf = (schema: RowCodec<unknown> | undefined): ReadonlyArray<string> | undefined => {
  const ast = schema?.ast
  if (ast?._tag !== "Objects" || ast.encoding !== undefined || ast.indexSignatures.length > 0) return undefined
  return ast.propertySignatures.map((p) => String(p.name))
}

/**
 * JSON lines in part files of a folder: `part-0-00000001-9f3c01ab.jsonl`. What becomes of values that JSON has no form for is told
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

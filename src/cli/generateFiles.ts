/**
 * Where `tidemark generate` writes files of JSON lines: one per partition, or, without a count, one per partition and ten
 * seconds.
 *
 * A file gets its name when it is complete, so that a source that watches the folder never takes half of one. Files of
 * an earlier run are refused, or replaced when asked to.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { FileSystem, makeFolder, pathIn, unlinkIfThere } from "../connectors/files/FileSystem.ts"
import type { FileError, FileSystem as Files, OpenFile } from "../model/FileSystem.ts"
import { type CliFailure, failed } from "./failure.ts"
import type { GenerateOptions, Target } from "./generateTarget.ts"
import { bytes as size, many } from "./words.ts"

/** How long a file of an endless run takes lines before the next begins. */
const rollMs = 10_000
const newline = 0x0a

/** What has been written, over all partitions. */
interface Written {
  lines: number
  bytes: number
  files: number
}

const join = (rows: ReadonlyArray<Uint8Array>): Uint8Array => {
  const joined = new Uint8Array(rows.reduce((sum, row) => sum + row.length + 1, 0))
  let at = 0
  for (const row of rows) {
    joined.set(row, at)
    joined[at + row.length] = newline
    at += row.length + 1
  }
  return joined
}

/** Files of one partition, one after the other. */
class Roll {
  readonly #fs: Files
  readonly #nameOf: (number: number) => string
  readonly #folder: string
  readonly #written: Written
  #number = 0
  #open: { readonly file: OpenFile; readonly name: string; readonly sinceMs: number } | undefined

  constructor(fs: Files, folder: string, nameOf: (number: number) => string, written: Written) {
    this.#fs = fs
    this.#folder = folder
    this.#nameOf = nameOf
    this.#written = written
  }

  /** Adds lines, in a new file when there is none. */
  append(rows: ReadonlyArray<Uint8Array>): Effect.Effect<void, FileError> {
    return Effect.gen({ self: this }, function* () {
      const sinceMs = yield* Clock.currentTimeMillis
      const name = this.#open?.name ?? this.#nameOf(this.#number++)
      this.#open ??= { file: yield* this.#fs.open(this.#hidden(name), "create"), name, sinceMs }
      const bytes = join(rows)
      yield* this.#open.file.append(bytes)
      this.#written.lines += rows.length
      this.#written.bytes += bytes.length
    }).pipe(Effect.uninterruptible)
  }

  /** Ends the file when it is old enough, and gives it its name. */
  roll(ageMs: number): Effect.Effect<void, FileError> {
    return Effect.gen({ self: this }, function* () {
      const open = this.#open
      if (open === undefined || (yield* Clock.currentTimeMillis) - open.sinceMs < ageMs) return
      this.#open = undefined
      yield* open.file.sync
      yield* open.file.close
      yield* this.#fs.rename(this.#hidden(open.name), pathIn(this.#folder, open.name))
      this.#written.files++
    }).pipe(Effect.uninterruptible)
  }

  #hidden(name: string): string {
    return pathIn(this.#folder, `.${name}.part`)
  }
}

const earlier = ({ what }: GenerateOptions): RegExp => new RegExp(`^\\.?${what}-[0-9]+(-[0-9]+)?\\.jsonl(\\.part)?$`)

/** Makes the folder, without files of an earlier run. */
const prepareFolder = (fs: Files, out: string, o: GenerateOptions): Effect.Effect<void, FileError | CliFailure> =>
  Effect.gen(function* () {
    yield* makeFolder(fs, out)
    const pattern = earlier(o)
    const listed = Effect.catchIf(
      fs.readDirectory(out),
      (error) => error.code === "NotDirectory",
      () => Effect.fail(failed(`${out} is a file, not a folder: choose another --out`))
    )
    const names = (yield* listed).map(({ name }) => name).filter((name) => pattern.test(name))
    if (names.length > 0 && !o.overwrite) {
      const what = `${pathIn(out, names.toSorted()[0])} is there already`
      return yield* Effect.fail(
        failed(`${what}: choose another --out, or replace ${many(names.length, "file")} with --overwrite`)
      )
    }
    for (const name of names) yield* unlinkIfThere(fs, pathIn(out, name))
  })

const nameOf =
  (o: GenerateOptions, partition: string) =>
  (number: number): string =>
    o.count !== undefined
      ? `${o.what}-${partition}.jsonl`
      : `${o.what}-${partition}-${String(number).padStart(6, "0")}.jsonl`

/** Partitions unless said otherwise: so many files side by side. */
const partitionsDefault = 4

/** Files in a folder. */
export const toFiles = (o: GenerateOptions, out: string): Effect.Effect<Target> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem
    const written: Written = { lines: 0, bytes: 0, files: 0 }
    const isEndless = o.count === undefined
    return {
      partitions: o.partitions ?? partitionsDefault,
      pace: `${out}, a file per partition and ${rollMs / 1000} s`,
      prepare: prepareFolder(fs, out, o),
      open: (partition) =>
        Effect.map(
          Effect.acquireRelease(
            Effect.sync(() => new Roll(fs, out, nameOf(o, partition), written)),
            (roll) => Effect.ignore(roll.roll(0))
          ),
          (roll) => (lines) => Effect.andThen(roll.append(lines), isEndless ? roll.roll(rollMs) : Effect.void)
        ),
      said: () => `${many(written.lines, "event")} (${size(written.bytes)}) in ${many(written.files, "file")} in ${out}`
    }
  })

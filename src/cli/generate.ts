/**
 * `tidemark generate`: seeded events as files of JSON lines, one file per partition, or, without a count, one per
 * partition and ten seconds.
 *
 * A file gets its name when it is complete, so that a source that watches the folder never takes half of one. Files of
 * an earlier run are refused, or replaced when asked to.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { FileSystem, makeFolder, pathIn, unlinkIfThere } from "../connectors/files/FileSystem.ts"
import { type Fraction, lines } from "../connectors/generate/Generate.ts"
import type { OptionProblem } from "../model/Errors.ts"
import type { FileError, FileSystem as Files, OpenFile } from "../model/FileSystem.ts"
import { Limits } from "../model/Limits.ts"
import type { PartitionCursor, Source } from "../model/Source.ts"
import { type CliFailure, describeError, ExitCode, failed } from "./failure.ts"
import { Host, stopRequested } from "./Host.ts"
import { bytes as size, many } from "./words.ts"

/** What the command line said; shares as they were written. */
export interface GenerateOptions {
  readonly what: "transactions" | "iot"
  readonly out: string
  readonly count: number | undefined
  readonly rate: number
  readonly partitions: number
  readonly duplicates: string
  readonly late: string
  readonly poison: string
  readonly future: string
  readonly disorderMs: number
  readonly seed: number
  readonly start: string | undefined
  readonly overwrite: boolean
}

/** When the first of a counted number of events arrives, unless said otherwise: fixed, so that files do not depend on the day. */
const startDefault = "2026-01-01T00:00:00Z"
/** How long a file of an endless run takes lines before the next begins. */
const rollMs = 10_000
const newline = 0x0a

const flags: { readonly [option: string]: string } = {
  futureDated: "future",
  outOfOrderness: "disorder",
  startAt: "start"
}

const asFlag = (problem: OptionProblem): string => {
  const option = problem.option.replace(/^Generate\.[a-z]+\./, "")
  const flag = Object.hasOwn(flags, option) ? flags[option] : option
  return `--${flag.replace("futureDated", "future").replaceAll(" + ", " + --")}: ${problem.value}: ${problem.fix}`
}

const share = (text: string): Fraction => (/^[0-9]*\.?[0-9]+$/.test(text.trim()) ? Number(text) : (text as Fraction))

type Lines = Source<Uint8Array, unknown, unknown>

const sourceOf = (o: GenerateOptions): Lines =>
  lines(o.what, {
    seed: o.seed,
    rate: o.rate,
    partitions: o.partitions,
    duplicates: share(o.duplicates),
    late: share(o.late),
    poison: share(o.poison),
    futureDated: share(o.future),
    outOfOrderness: o.disorderMs,
    paced: o.count === undefined,
    ...(o.count === undefined ? {} : { count: o.count }),
    ...(o.start !== undefined ? { startAt: o.start } : o.count !== undefined ? { startAt: startDefault } : {})
  })

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

/** Writes what one partition has, until its end. */
const copy = (
  cursor: PartitionCursor<Uint8Array, unknown, unknown>,
  roll: Roll,
  endless: boolean
): Effect.Effect<void, unknown> => {
  const demand = { rows: Limits.chunkRowsMax, bytes: Limits.chunkBytesTarget }
  const pulls = Effect.gen(function* () {
    for (;;) {
      const chunk = yield* cursor.pull(demand)
      yield* roll.append(chunk.rows ?? [])
      if (endless) yield* roll.roll(rollMs)
      // Files of any length take turns with signals.
      yield* Effect.yieldNow
    }
  })
  return Effect.catchIf(pulls, Cause.isDone, () => Effect.void)
}

const earlier = (o: GenerateOptions): RegExp => new RegExp(`^\\.?${o.what}-[0-9]+(-[0-9]+)?\\.jsonl(\\.part)?$`)

/** Makes the folder, without files of an earlier run. */
const prepareFolder = (fs: Files, o: GenerateOptions): Effect.Effect<void, FileError | CliFailure> =>
  Effect.gen(function* () {
    yield* makeFolder(fs, o.out)
    const pattern = earlier(o)
    const listed = Effect.catchIf(
      fs.readDirectory(o.out),
      (error) => error.code === "NotDirectory",
      () => Effect.fail(failed(`${o.out} is a file, not a folder: choose another --out`))
    )
    const names = (yield* listed).map(({ name }) => name).filter((name) => pattern.test(name))
    if (names.length > 0 && !o.overwrite) {
      const what = `${pathIn(o.out, names.toSorted()[0])} is there already`
      return yield* Effect.fail(
        failed(`${what}: choose another --out, or replace ${many(names.length, "file")} with --overwrite`)
      )
    }
    for (const name of names) yield* unlinkIfThere(fs, pathIn(o.out, name))
  })

const nameOf =
  (o: GenerateOptions, partition: string) =>
  (number: number): string =>
    o.count !== undefined
      ? `${o.what}-${partition}.jsonl`
      : `${o.what}-${partition}-${String(number).padStart(6, "0")}.jsonl`

const write = (
  fs: Files,
  o: GenerateOptions,
  source: Lines,
  written: Written
): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const partitions = yield* source.partitions(new Set()) as Effect.Effect<ReadonlyArray<string>, unknown>
    const one = (partition: string): Effect.Effect<void, unknown, Scope.Scope> =>
      Effect.gen(function* () {
        const cursor = yield* source.open(partition, Option.none()) as Effect.Effect<
          PartitionCursor<Uint8Array>,
          unknown,
          Scope.Scope
        >
        const roll = new Roll(fs, o.out, nameOf(o, partition), written)
        yield* Effect.ensuring(copy(cursor, roll, o.count === undefined), Effect.ignore(roll.roll(0)))
      })
    yield* Effect.forEach(partitions, one, { concurrency: "unbounded", discard: true })
  })

const isFailure = (error: unknown): error is CliFailure =>
  typeof error === "object" && error !== null && (error as { readonly _tag?: unknown })._tag === "CliFailure"

/** Writes the files, and says on the screen what it wrote. */
export const generate = (o: GenerateOptions): Effect.Effect<void, CliFailure, Host> =>
  Effect.gen(function* () {
    const host = yield* Host
    const fs = yield* FileSystem
    const source = sourceOf(o)
    const problems = source.problems ?? []
    if (problems.length > 0) {
      return yield* Effect.fail(failed(problems.map(asFlag).join("\ntidemark: "), ExitCode.usage))
    }
    const written: Written = { lines: 0, bytes: 0, files: 0 }
    const stop = yield* Deferred.make<string>()
    const listener = yield* Effect.forkChild(
      Effect.flatMap(stopRequested(host), (signal) => Deferred.succeed(stop, signal))
    )
    if (o.count === undefined) {
      host.screen.write(
        `tidemark: ${o.rate} events a second to ${o.out}, a file per partition and ${rollMs / 1000} s, until Ctrl-C\n`
      )
    }
    const all = Effect.andThen(prepareFolder(fs, o), Effect.scoped(write(fs, o, source, written)))
    const stopped = yield* Effect.raceFirst(Effect.as(all, undefined), Deferred.await(stop)).pipe(
      Effect.mapError((error) => (isFailure(error) ? error : failed(describeError(error))))
    )
    yield* Fiber.interrupt(listener)
    host.screen.write(
      `tidemark: ${many(written.lines, "event")} (${size(written.bytes)}) in ${many(written.files, "file")} in ${o.out}\n`
    )
    if (stopped !== undefined && o.count !== undefined) {
      return yield* Effect.fail(failed(`stopped before ${many(o.count, "event")} were written`, ExitCode.interrupted))
    }
  })

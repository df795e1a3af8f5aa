/**
 * Recorded, time-ordered rows as they would have come in: several partitions, out of order within a bound, some late,
 * some twice.
 *
 * `outOfOrder` is a source made of another: bounded, as replayable as that one, every row in exactly one partition, the
 * same on every run. Each partition reads the whole inner source through a cursor of its own, its partitions one after
 * the other in the order of their names, and keeps its share; in memory are only the rows within the bound. A position
 * is a number of rows: opening at one reads from the start and skips.
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { type OptionProblem, SourceError } from "../../model/Errors.ts"
import { eventTimeMs } from "../../model/EventTime.ts"
import { Limits } from "../../model/Limits.ts"
import { durationMs, has, integer, show } from "../../model/Options.ts"
import { type PartitionId, position, type Position } from "../../model/Position.ts"
import { fieldOf } from "../../model/RowChunk.ts"
import type { Column, Demand, PartitionCursor, Source, SourceChunk } from "../../model/Source.ts"
import { type Fraction, fraction, partitionsMax } from "./options.ts"
import { makeShuffle, type Shuffle, type ShuffleRules, type Taken, type TimeReader } from "./Shuffle.ts"

/** Options of {@link outOfOrder}. */
export interface OutOfOrderOptions<in A> {
  /** How many partitions the rows are dealt to. */
  readonly partitions: number
  /** Within its partition a row comes at most this much event time after a newer one. */
  readonly within: Duration.Input
  /** Same seed, same order; a whole number, default 1. */
  readonly seed?: number
  /** The time of a row: a field (read from a column where there is one), or a function giving what `withEventTime` takes. */
  readonly time: (keyof A & string) | ((row: A) => unknown)
  /** Plants late rows: a share of them comes `by` or more behind the watermark that `within` gives (default 1 minute). */
  readonly late?: { readonly fraction: Fraction; readonly by?: Duration.Input }
  /** Share of the rows that come twice, both within the bound; default 0. */
  readonly duplicates?: Fraction
}

const numberColumn =
  (column: Column): TimeReader =>
  (i) =>
    eventTimeMs(column[i])

/** One row of a chunk that has columns only. */
const rowAt = (columns: { readonly [field: string]: Column }, names: ReadonlyArray<string>, i: number): unknown => {
  const row: { [field: string]: unknown } = {}
  for (const name of names) {
    if (name === "__proto__")
      Object.defineProperty(row, name, {
        value: columns[name][i],
        enumerable: true,
        configurable: true,
        writable: true
      })
    else row[name] = columns[name][i]
  }
  return row
}

const timeReader = <A>(chunk: SourceChunk<A>, time: string | ((row: A) => unknown)): TimeReader => {
  const { rows, columns } = chunk
  if (typeof time === "string") {
    if (columns !== undefined && Object.hasOwn(columns, time)) return numberColumn(columns[time])
    return rows === undefined ? () => Number.NaN : (i) => eventTimeMs(fieldOf(rows[i], time))
  }
  if (rows !== undefined) return (i) => eventTimeMs(time(rows[i]))
  const given = columns ?? {}
  const names = Object.keys(given)
  return (i) => eventTimeMs(time(rowAt(given, names, i) as A))
}

const sameNames = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean =>
  a.length === b.length && a.every((name, i) => name === b[i])

/** The columns of rows that come from several chunks, when all of these have columns of the same names and no rows. */
const gather = <A>({ chunks, indices }: Taken<A, unknown>): { readonly [field: string]: Column } | undefined => {
  const sources = [...new Set(chunks)]
  const first = sources[0]
  if (first?.columns === undefined || sources.some((c) => c.rows !== undefined || c.columns === undefined))
    return undefined
  const names = Object.keys(first.columns)
  if (names.includes("__proto__") || !sources.every((c) => sameNames(Object.keys(c.columns ?? {}), names)))
    return undefined
  const n = chunks.length
  const out: { [field: string]: Column } = {}
  for (const name of names) {
    const columns = new Map(sources.map((c) => [c, (c.columns ?? {})[name]]))
    const all = [...columns.values()]
    const values: Float64Array | Int32Array | Array<unknown> = all.every((c) => c instanceof Float64Array)
      ? new Float64Array(n)
      : all.every((c) => c instanceof Int32Array)
        ? new Int32Array(n)
        : new Array<unknown>(n)
    let last: SourceChunk<A> | undefined
    let column: Column = all[0]
    for (let i = 0; i < n; i++) {
      if (chunks[i] !== last) {
        last = chunks[i]
        column = columns.get(last) ?? column
      }
      values[i] = column[indices[i]]
    }
    out[name] = values
  }
  return out
}

const chunkOf = <A, M>(taken: Taken<A, M>, count: number): SourceChunk<A, M> => {
  const { chunks, indices, dead } = taken
  const length = chunks.length
  const columns = gather(taken)
  const row = (c: SourceChunk<A, M>, i: number): A =>
    c.rows === undefined ? (rowAt(c.columns ?? {}, Object.keys(c.columns ?? {}), i) as A) : c.rows[i]
  let bytes = 0
  for (const c of chunks) bytes += c.length === 0 ? 0 : c.bytes / c.length
  return {
    length,
    ...(columns === undefined ? { rows: chunks.map((c, i) => row(c, indices[i])) } : { columns }),
    ...(chunks.some((c) => c.meta === undefined)
      ? {}
      : { meta: (i: number) => (chunks[i].meta as (i: number) => M)(indices[i]) }),
    ...(dead.length === 0 ? {} : { dead }),
    next: position(String(count)),
    bytes: Math.ceil(bytes)
  }
}

/** Reads all partitions of a source one after the other. */
interface Concatenation<A, M, E> {
  /** The next chunk; fails with Done after the last partition. */
  readonly pull: Effect.Effect<SourceChunk<A, M>, E | Cause.Done>
}

const demand: Demand = { rows: Limits.chunkRowsMax, bytes: Limits.chunkBytesTarget }

const concatenated = <A, M, E, R>(
  source: Source<A, M, E, R>
): Effect.Effect<Concatenation<A, M, E>, E, R | Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const services = yield* Effect.context<R>()
    const partitions = [...(yield* source.partitions(new Set()))].sort()
    let current: { readonly cursor: PartitionCursor<A, M, E>; readonly scope: Scope.Closeable } | undefined
    let next = 0
    const open = Effect.uninterruptible(
      Effect.gen(function* () {
        const own = yield* Scope.fork(scope)
        const opened = yield* Effect.exit(Scope.provide(source.open(partitions[next], Option.none()), own))
        if (Exit.isFailure(opened)) {
          yield* Scope.close(own, opened)
          return yield* opened
        }
        next++
        current = { cursor: opened.value, scope: own }
      })
    ).pipe(Effect.provideContext(services))
    const pull: Effect.Effect<SourceChunk<A, M>, E | Cause.Done> = Effect.suspend(() => {
      if (current === undefined) return next === partitions.length ? Cause.done() : Effect.andThen(open, pull)
      const { cursor, scope: own } = current
      return Effect.catchIf(cursor.pull(demand), Cause.isDone, () => {
        current = undefined
        return Effect.andThen(Scope.close(own, Exit.void), pull)
      })
    })
    return { pull }
  })

const cursorOf = <A, M, E>(
  inner: Concatenation<A, M, E>,
  shuffle: Shuffle<A, M>,
  time: string | ((row: A) => unknown),
  start: number,
  beyond: SourceError
): PartitionCursor<A, M, E | SourceError> => {
  let count = 0
  let chunk: SourceChunk<A, M> | undefined
  let timeOf: TimeReader = () => Number.NaN
  let done = false
  const enough = Limits.chunkRowsMax
  /** Works until an item after `start` is out. All state is kept here, so that it may be interrupted between chunks. */
  const available: Effect.Effect<void, E | SourceError | Cause.Done> = Effect.suspend(() => {
    for (;;) {
      const skipped = Math.min(shuffle.ready(), start - count)
      if (skipped > 0) {
        shuffle.skip(skipped)
        count += skipped
      }
      if (shuffle.ready() > 0) return Effect.void
      if (chunk !== undefined) {
        if (shuffle.feed(chunk, timeOf, enough)) chunk = undefined
      } else if (done) {
        shuffle.flush(enough)
        if (shuffle.ready() === 0) return count < start ? Effect.fail(beyond) : Cause.done()
      } else return Effect.andThen(fetch, available)
    }
  })
  const fetch: Effect.Effect<void, E> = inner.pull.pipe(
    Effect.map((pulled) => {
      chunk = pulled
      timeOf = timeReader(pulled, time)
    }),
    Effect.catchIf(Cause.isDone, () =>
      Effect.sync(() => {
        done = true
      })
    )
  ) as Effect.Effect<void, E>
  return {
    pull: (demand) =>
      Effect.flatMap(available, () =>
        Effect.sync(() => {
          const n = Math.min(shuffle.ready(), Math.max(1, demand.rows))
          count += n
          return chunkOf(shuffle.take(n), count)
        })
      ),
    end: Effect.succeed(Option.none())
  }
}

const startOf = (from: Option.Option<Position>): number | undefined => {
  if (Option.isNone(from)) return 0
  return /^(0|[1-9][0-9]{0,15})$/.test(from.value) ? Number(from.value) : undefined
}

const readRules = <A>(
  options: OutOfOrderOptions<A>,
  bounded: boolean,
  problems: Array<OptionProblem>
): ShuffleRules => {
  const at = "Replay.outOfOrder"
  const { late, time } = options
  if (late !== undefined && !has(late, "fraction"))
    problems.push({ option: `${at}.late`, value: show(late), fix: 'must be like { fraction: "1%", by: "2 minutes" }' })
  if (typeof time !== "function" && (typeof time !== "string" || time === ""))
    problems.push({ option: `${at}.time`, value: show(time), fix: "must be a field name or a function of a row" })
  const rules: ShuffleRules = {
    seed: integer(`${at}.seed`, options.seed ?? 1, problems, {
      min: -Number.MAX_SAFE_INTEGER,
      max: Number.MAX_SAFE_INTEGER
    }),
    partitions: integer(`${at}.partitions`, options.partitions, problems, { min: 1, max: partitionsMax }),
    withinMs: durationMs(`${at}.within`, options.within, problems, { min: 0 }),
    late: fraction(`${at}.late.fraction`, late?.fraction, problems),
    lateByMs: durationMs(`${at}.late.by`, late?.by ?? "1 minute", problems, { min: 0 }),
    duplicates: fraction(`${at}.duplicates`, options.duplicates, problems)
  }
  if (rules.late + rules.duplicates > 1)
    problems.push({
      option: `${at}.late.fraction + duplicates`,
      value: "more than 1",
      fix: "must be at most 1 together"
    })
  if (!bounded)
    problems.push({ option: `${at}.source`, value: "unbounded", fix: "must be a bounded source: a recording" })
  return rules
}

/**
 * Deals the rows of a bounded, time-ordered source to `partitions` partitions, out of order within `within`. Rows whose
 * times are not in order come out too, as soon as they can. Fails as the inner source does, and with `SourceError` at a
 * position that is none of its own.
 */
export const outOfOrder = <A, M, E, R>(
  source: Source<A, M, E, R>,
  options: OutOfOrderOptions<A>
): Source<A, M, E | SourceError, R> => {
  const problems: Array<OptionProblem> = [...(source.problems ?? [])]
  const rules = readRules(options, source.features.bounded, problems)
  const partitions: ReadonlyArray<PartitionId> = Array.from({ length: rules.partitions }, (_, p) => String(p))
  const name = `${source.name}, out of order`
  const refusal = (partition: PartitionId, message: string): SourceError =>
    new SourceError({ connector: name, partition, retryable: false, message })
  return {
    name,
    features: {
      bounded: true,
      appendTime: false,
      endPosition: false,
      replayable: source.features.replayable,
      dynamicPartitions: false
    },
    problems,
    ...(source.deadLetters === undefined ? {} : { deadLetters: source.deadLetters }),
    ...(source.onBadInput === undefined ? {} : { onBadInput: source.onBadInput }),
    partitions: (known) => Effect.succeed(partitions.filter((p) => !known.has(p))),
    open: (partition, from) =>
      Effect.gen(function* () {
        const number = partitions.indexOf(partition)
        if (number < 0)
          return yield* Effect.fail(
            refusal(partition, `${name} has ${partitions.length} partitions, "0" and up, and no "${partition}"`)
          )
        const start = startOf(from)
        const none = refusal(
          partition,
          `${name}: ${Option.getOrElse(from, () => "")} is not a position of partition ${partition}; has the recording changed?`
        )
        if (start === undefined) return yield* Effect.fail(none)
        return cursorOf(yield* concatenated(source), makeShuffle<A, M>(rules, number), options.time, start, none)
      })
  }
}

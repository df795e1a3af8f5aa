/**
 * An Effect `Stream` as a source of one partition, `0`.
 *
 * Order: the stream's. Backpressure: the stream is asked for its next array only while a reader waits and nothing is
 * left of the last one. Not replayable: the stream is run when the partition is opened, from its start, whatever the
 * position; after a failure, rows that were not committed are gone unless the stream gives them again; so is, after a
 * drain, the rest of an array that was handed over in part. The stream's errors and requirements become the source's.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type OptionProblem, SourceError } from "../../model/Errors.ts"
import { flag, show, text } from "../../model/Options.ts"
import { type PartitionId, position, type Position } from "../../model/Position.ts"
import type { Demand, PartitionCursor, Source } from "../../model/Source.ts"

/** Options of {@link source}. */
export interface StreamsOptions {
  /** The stream ends, and the query with it; default false, and then an end is an error. */
  readonly bounded?: boolean
  /** For errors and progress; default `stream`. */
  readonly name?: string
}

/** What a stream source knows of a row: its number since the first start of the query. */
export interface StreamMeta {
  readonly index: number
}

const partitionName: PartitionId = "0"

/** A guess, for the bounds of queues: streams carry anything. */
const rowBytesGuess = 128

/** What the pump has fetched, and whether it may fetch more. */
interface Fetched<A, E> {
  rows: ReadonlyArray<A>
  offset: number
  /** Set once: the stream ended or failed. */
  last: Exit.Exit<never, E | Cause.Done> | undefined
  /** A reader waits. */
  asked: boolean
  /** Open while a reader waits. */
  readonly wanted: Latch.Latch
  /** Open while there is something to take, or nothing will come. */
  readonly ready: Latch.Latch
}

const ask = <A, E>(from: Fetched<A, E>): void => {
  from.asked = true
  from.wanted.openUnsafe()
}

const dismiss = <A, E>(from: Fetched<A, E>): void => {
  from.asked = false
  from.wanted.closeUnsafe()
}

/** Runs the stream in a fiber of its own, so that interrupting a reader does not interrupt the stream half-way. */
const pump = <A, E, R>(
  stream: Stream.Stream<A, E, R>,
  into: Fetched<A, E>
): Effect.Effect<void, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    const pull = yield* Stream.toPull(stream)
    // The reader may have been interrupted while this fiber was being woken.
    const fetch: typeof pull = Effect.flatMap(into.wanted.await, () => (into.asked ? pull : fetch))
    while (into.last === undefined) {
      const exit = yield* Effect.exit(fetch)
      if (Exit.isSuccess(exit)) {
        into.rows = exit.value
        into.offset = 0
      } else into.last = Exit.failCause(exit.cause)
      dismiss(into)
      into.ready.openUnsafe()
    }
  })

const take = <A, E>(from: Fetched<A, E>, demand: Demand): ReadonlyArray<A> => {
  const to = Math.min(from.rows.length, from.offset + Math.max(1, demand.rows))
  const rows = from.offset === 0 && to === from.rows.length ? from.rows : from.rows.slice(from.offset, to)
  from.offset = to
  if (to === from.rows.length) from.rows = []
  if (from.rows.length === 0) {
    from.offset = 0
    if (from.last === undefined) from.ready.closeUnsafe()
  }
  return rows
}

const endedEarly = (name: string): SourceError =>
  new SourceError({
    connector: name,
    partition: partitionName,
    retryable: false,
    message: `${name} ended, but was declared unbounded: give Streams.source { bounded: true } if it is meant to end`
  })

const cursorOf = <A, E>(
  name: string,
  bounded: boolean,
  start: number,
  from: Fetched<A, E>
): PartitionCursor<A, StreamMeta, E | SourceError> => {
  let count = start
  const available: Effect.Effect<void, E | SourceError | Cause.Done> = Effect.suspend(() => {
    if (from.rows.length > 0) return Effect.void
    if (from.last === undefined) {
      ask(from)
      // What the stream is at already is kept for the next pull; nothing new is asked of it for a reader that is gone.
      const ready = Effect.onInterrupt(from.ready.await, () => Effect.sync(() => dismiss(from)))
      return Effect.andThen(ready, available)
    }
    const ended =
      Exit.isFailure(from.last) && from.last.cause.reasons.some((r) => r._tag === "Fail" && Cause.isDone(r.error))
    return ended && !bounded ? Effect.fail(endedEarly(name)) : from.last
  })
  return {
    // Taking is one `sync` step at the very end: an interruption comes before it or not at all.
    pull: (demand) =>
      Effect.flatMap(available, () =>
        Effect.sync(() => {
          const rows = take(from, demand)
          const first = count
          count += rows.length
          return {
            length: rows.length,
            rows,
            meta: (i) => ({ index: first + i }),
            next: position(String(count)),
            bytes: rows.length * rowBytesGuess
          }
        })
      ),
    end: Effect.succeed(Option.none())
  }
}

const startOf = (from: Option.Option<Position>): number | undefined => {
  if (Option.isNone(from)) return 0
  return /^(0|[1-9][0-9]{0,15})$/.test(from.value) ? Number(from.value) : undefined
}

/**
 * A source that runs a stream: `Streams.source(Stream.fromIterable(rows), { bounded: true })`. Fails with the stream's
 * errors, and with `SourceError` when a stream that was not declared bounded ends.
 */
export const source = <A, E, R>(
  stream: Stream.Stream<A, E, R>,
  options?: StreamsOptions
): Source<A, StreamMeta, E | SourceError, R> => {
  const problems: Array<OptionProblem> = []
  const name = text("Streams.source.name", options?.name ?? "stream", problems)
  const bounded = flag("Streams.source.bounded", options?.bounded ?? false, problems)
  if (!Stream.isStream(stream))
    problems.push({ option: "Streams.source", value: show(stream), fix: "must be a Stream of effect" })
  const refuse = (message: string): Effect.Effect<never, SourceError> =>
    Effect.fail(new SourceError({ connector: name, retryable: false, message }))
  return {
    name,
    features: { bounded, appendTime: false, endPosition: false, replayable: false, dynamicPartitions: false },
    problems,
    partitions: (known) => Effect.succeed(known.has(partitionName) ? [] : [partitionName]),
    open: (partition, from) =>
      Effect.gen(function* () {
        const start = startOf(from)
        if (partition !== partitionName) return yield* refuse(`${name} has one partition, "0", and no "${partition}"`)
        if (start === undefined)
          return yield* refuse(`${name}: ${Option.getOrElse(from, () => "")} is not a position of a stream`)
        const fetched: Fetched<A, E> = {
          rows: [],
          offset: 0,
          last: undefined,
          asked: false,
          wanted: Latch.makeUnsafe(false),
          ready: Latch.makeUnsafe(false)
        }
        yield* Effect.forkScoped(pump(stream, fetched))
        return cursorOf(name, bounded, start, fetched)
      })
  }
}

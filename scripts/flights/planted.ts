/**
 * The flights job with late rows planted, run in many ways: any chunk size, parallelism and speed of partitions must give
 * the same results and the same late rows, namely those of the definition (rules T4 to T6, A4).
 */
import { Checkpoint, EventStream, Late, Memory, Query, Replay, type Source } from "tidemark"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { SourceChunk } from "../../src/model/Source.ts"
import { answers, type Flight, type Question } from "../../examples/flights/answers.ts"
import { differences, expected, type Expected } from "./definition.ts"

/** How the partitions are read: as fast as they come, some slower than others, or each after the one before has ended. */
export const speeds = ["together", "uneven", "one after the other"] as const
/** One of {@link speeds}. */
export type Speed = (typeof speeds)[number]

/** One way to run the job. */
export interface Way {
  readonly chunkRows: number
  readonly parallelism: number
  readonly speed: Speed
}

/** All combinations. */
export const waysOf = (
  chunkRows: ReadonlyArray<number>,
  parallelism: ReadonlyArray<number>,
  of = speeds as ReadonlyArray<Speed>
): ReadonlyArray<Way> =>
  of.flatMap((speed) => chunkRows.flatMap((c) => parallelism.map((p) => ({ chunkRows: c, parallelism: p, speed }))))

/** The first flights of a source, as one that is read many times. */
export const firstOf = <M, E, R>(flights: Source<Flight, M, E, R>, count: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const [partition] = yield* flights.partitions(new Set())
      const cursor = yield* flights.open(partition, Option.none())
      const rows: Array<Flight> = []
      while (rows.length < count)
        rows.push(...rowsOf(yield* cursor.pull({ rows: count - rows.length, bytes: 1 << 20 })))
      return Memory.source(rows, { name: "flights" })
    })
  )

/** The rows of a chunk. */
const rowsOf = <A>({ length, rows, columns = {} }: SourceChunk<A>): ReadonlyArray<A> =>
  rows ??
  (Array.from({ length }, (_, i) =>
    Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, column[i]]))
  ) as ReadonlyArray<unknown> as ReadonlyArray<A>)

/** What one run gave. */
export interface Outcome {
  readonly results: { readonly [Q in Question]: ReadonlyArray<object> }
  readonly late: { readonly [Q in Question]: ReadonlyArray<object> }
  readonly ledger: Query.QuerySummary["ledger"]
}

const partitions = ["0", "1", "2", "3"]

/** Flights as the job gets them, and a twentieth of them late: some for all their windows, some for a few. */
export const plantLate = <M, E, R>(flights: Source<Flight, M, E, R>, seed: number) =>
  Replay.outOfOrder(flights, {
    time: "date",
    partitions: partitions.length,
    within: "30 minutes",
    seed,
    late: { fraction: 0.05, by: "90 minutes" }
  })

/** All rows of each partition, in its order: the source itself, without an engine. */
const partitionsOf = <A, M, E, R>(source: Source<A, M, E, R>): Effect.Effect<ReadonlyArray<ReadonlyArray<A>>, E, R> =>
  Effect.forEach(partitions, (partition) =>
    Effect.scoped(
      Effect.gen(function* () {
        const cursor = yield* source.open(partition, Option.none())
        const rows: Array<A> = []
        const pull = Effect.map(cursor.pull({ rows: 1000, bytes: 1 << 20 }), (chunk) => {
          rows.push(...rowsOf(chunk))
        })
        yield* Effect.catchIf(Effect.forever(pull), Cause.isDone, () => Effect.void)
        return rows
      })
    )
  ) as Effect.Effect<ReadonlyArray<ReadonlyArray<A>>, E, R>

/** The same partitions, read at another speed. For one run: it remembers which partitions have ended. */
const atSpeed = <A, M, E, R>(source: Source<A, M, E, R>, speed: Speed): Source<A, M, E, R> => {
  if (speed === "together") return source
  const ended = partitions.map(() => Deferred.makeUnsafe<void>())
  return {
    ...source,
    open: (partition, from) =>
      Effect.map(source.open(partition, from), (cursor) => {
        const number = partitions.indexOf(partition)
        const before = number === 0 ? Effect.void : Deferred.await(ended[number - 1])
        let pulled = 0
        const wait = Effect.suspend(() => {
          if (speed === "one after the other") return before
          const slow = number % 2 === 0 && pulled >= 32 * (number + 1)
          if (slow) pulled = 0
          return slow ? Effect.sleep(1) : Effect.void
        })
        const end = Effect.suspend(() => Effect.andThen(Deferred.succeed(ended[number], undefined), Cause.done()))
        return {
          ...cursor,
          pull: (demand) =>
            Effect.andThen(
              wait,
              Effect.catchIf(
                Effect.map(cursor.pull(demand), (chunk) => {
                  pulled += chunk.length
                  return chunk
                }),
                Cause.isDone,
                () => end
              )
            )
        }
      })
  } as Source<A, M, E, R>
}

/** Runs the job over a source once. */
export const runOnce = <M, E, R>(source: Source<Flight, M, E, R>, way: Way): Effect.Effect<Outcome, unknown, R> =>
  Effect.gen(function* () {
    const sinks = { hourly: Memory.sink<object>(), "three-hours": Memory.sink<object>(), bursts: Memory.sink<object>() }
    const lates = { hourly: Memory.sink<object>(), "three-hours": Memory.sink<object>(), bursts: Memory.sink<object>() }
    const { hourly, threeHours, bursts } = answers(
      EventStream.from(atSpeed(source, way.speed)),
      (question) => Late.to(lates[question]),
      way.speed === "one after the other" ? { alignment: "1000 days", idleAfter: "1 day" } : { idleAfter: "1 day" }
    )
    const pipeline = Query.outputs({
      hourly: hourly.pipe(EventStream.to(sinks.hourly)),
      "three-hours": threeHours.pipe(EventStream.to(sinks["three-hours"])),
      bursts: bursts.pipe(EventStream.to(sinks.bursts))
    })
    const { ledger } = yield* Query.run(pipeline, {
      name: "flights",
      chunkRows: way.chunkRows,
      parallelism: way.parallelism
    })
    return { results: yield* Effect.all(rowsIn(sinks)), late: yield* Effect.all(rowsIn(lates)), ledger }
  }).pipe(Effect.provide(Checkpoint.layerMemory)) as Effect.Effect<Outcome, unknown, R>

const rowsIn = (sinks: { readonly [Q in Question]: Memory.MemorySink<object> }) => ({
  hourly: sinks.hourly.rows,
  "three-hours": sinks["three-hours"].rows,
  bursts: sinks.bursts.rows
})

/** What of an outcome differs from the definition, rows and counts of the ledger, as text. */
export const differencesOf = ({ results, late, ledger }: Outcome, wanted: Expected): ReadonlyArray<string> =>
  (["hourly", "three-hours", "bursts"] as const).flatMap((question) => {
    const counted = ledger.operators.find(({ operator }) => operator === question)
    const partly = question === "three-hours" ? wanted.partlyLate : 0
    return [
      ...differences(results[question], wanted.results[question]).map((d) => `${question}: ${d}`),
      ...differences(late[question], wanted.late[question]).map((d) => `late for ${question}: ${d}`),
      ...(counted?.late === wanted.late[question].length
        ? []
        : [`${question}: the ledger counts ${counted?.late} late`]),
      ...(counted?.partlyLate === partly ? [] : [`${question}: the ledger counts ${counted?.partlyLate} partly late`])
    ]
  })

/** The definition's answer for a source, read without the engine. */
export const expectedOf = <M, E, R>(source: Source<Flight, M, E, R>): Effect.Effect<Expected, E, R> =>
  Effect.map(partitionsOf(source), expected)

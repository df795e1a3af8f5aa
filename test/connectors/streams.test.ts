import { Cause, Context, Data, Effect, Exit, Fiber, Option, Queue, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { Checkpoint, EventStream, Query } from "tidemark"
import * as Streams from "../../src/connectors/stream/Streams.ts"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import type { SourceError } from "../../src/model/Errors.ts"
import type { Source } from "../../src/model/Source.ts"
import { sourceConformance } from "../conformance/source.ts"

const features = { bounded: true, appendTime: false, endPosition: false, replayable: false, dynamicPartitions: false }
const numbers = Array.from({ length: 57 }, (_, n) => ({ n }))

/** A stream in arrays of 8 that counts what was taken from it, and whether it is open. */
const counted = (): {
  readonly stream: Stream.Stream<{ n: number }>
  readonly taken: () => number
  readonly held: () => number
} => {
  let taken = 0
  let held = 0
  const arrays = Array.from({ length: 8 }, (_, i) => numbers.slice(i * 8, i * 8 + 8)).filter((a) => a.length > 0)
  const stream = Stream.unwrap(
    Effect.as(
      Effect.acquireRelease(
        Effect.sync(() => held++),
        () => Effect.sync(() => held--)
      ),
      Stream.fromIterable(arrays).pipe(
        Stream.rechunk(1),
        Stream.mapEffect((a) => Effect.as(Effect.sleep(1), a)),
        Stream.tap((a) => Effect.sync(() => (taken += a.length))),
        Stream.flatMap((a) => Stream.fromArray(a))
      )
    )
  )
  return { stream, taken: () => taken, held: () => held }
}

sourceConformance(
  "stream, bounded",
  features,
  Effect.sync(() => {
    const { stream, taken, held } = counted()
    return {
      source: Streams.source(stream, { bounded: true }),
      contents: new Map([["0", { rows: numbers }]]),
      held: Effect.sync(held),
      taken: () => Effect.sync(taken),
      readAheadRowsMax: 16
    }
  })
)
sourceConformance(
  "stream, unbounded",
  { ...features, bounded: false },
  Effect.gen(function* () {
    const queue = yield* Queue.unbounded<{ n: number }>()
    yield* Queue.offerAll(queue, numbers)
    return {
      source: Streams.source(Stream.fromQueue(queue)),
      contents: new Map([["0", { rows: numbers }]]),
      more: () => Effect.as(Queue.offerAll(queue, [{ n: -1 }, { n: -2 }]), [{ n: -1 }, { n: -2 }])
    }
  })
)

class Broken extends Data.TaggedError("Broken")<{ readonly why: string }> {}
class Feed extends Context.Service<Feed, { readonly rows: ReadonlyArray<number> }>()("test/Feed") {}
const demand = { rows: 10, bytes: 1000 }

describe("Streams.source", () => {
  it("has the stream's errors and requirements, and fails after the rows before", async () => {
    const stream = Stream.unwrap(Effect.map(Feed, (feed) => Stream.fromIterable(feed.rows))).pipe(
      Stream.concat(Stream.fail(new Broken({ why: "gone" })))
    )
    const source: Source<number, Streams.StreamMeta, Broken | SourceError, Feed> = Streams.source(stream)
    const program = Effect.scoped(
      Effect.gen(function* () {
        const cursor = yield* source.open("0", Option.none())
        const chunk = yield* cursor.pull(demand)
        expect(chunk.rows).toEqual([1, 2])
        for (let i = 0; i < 2; i++)
          expect(yield* Effect.flip(cursor.pull(demand))).toMatchObject({ _tag: "Broken", why: "gone" })
      })
    )
    await Effect.runPromise(Effect.provideService(program, Feed, { rows: [1, 2] }))
  })
  it("T11: the end of a stream that was not declared bounded is an error that says what to do", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const cursor = yield* Streams.source(Stream.make(1)).open("0", Option.none())
          yield* cursor.pull(demand)
          const error = yield* Effect.flip(cursor.pull(demand))
          expect(Cause.isDone(error)).toBe(false)
          expect(error).toMatchObject({ _tag: "SourceError", retryable: false })
          expect((error as SourceError).message).toContain("bounded: true")
        })
      )
    ))
  it("a defect of the stream reaches the reader", async () => {
    const program = Effect.scoped(
      Effect.flatMap(Streams.source(Stream.die(new Error("bug"))).open("0", Option.none()), (cursor) =>
        cursor.pull(demand)
      )
    )
    const exit = await Effect.runPromiseExit(program)
    expect(Exit.isFailure(exit) && Cause.hasDies(exit.cause)).toBe(true)
  })
  it("does not run the stream before the first pull", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { stream, taken } = counted()
          const cursor = yield* Streams.source(stream, { bounded: true }).open("0", Option.none())
          yield* Effect.sleep(20)
          expect(taken()).toBe(0)
          const pulling = yield* Effect.forkChild(cursor.pull(demand))
          expect((yield* Fiber.join(pulling)).length).toBe(8)
        })
      )
    ))
  it("a pull that is interrupted before the stream was asked leaves it alone", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { stream, taken } = counted()
          const cursor = yield* Streams.source(stream, { bounded: true }).open("0", Option.none())
          const pulling = yield* Effect.forkChild(cursor.pull(demand), { startImmediately: true })
          yield* Fiber.interrupt(pulling)
          yield* Effect.sleep(30)
          expect(taken()).toBe(0)
          expect((yield* cursor.pull(demand)).length).toBe(8)
        })
      )
    ))
  it("a drain takes nothing more from the stream: what comes meanwhile stays with its owner", async () => {
    const queue = await Effect.runPromise(Queue.unbounded<{ n: number }>())
    const memory = Memory.sink<{ n: number }>()
    const slow = {
      ...memory,
      commit: (...args: Parameters<typeof memory.commit>) => Effect.delay(memory.commit(...args), 100)
    }
    await Effect.gen(function* () {
      const pipeline = EventStream.from(Streams.source(Stream.fromQueue(queue))).pipe(EventStream.to(slow))
      const query = yield* Query.start(pipeline, { name: "drained" })
      yield* Queue.offer(queue, { n: 1 })
      while ((yield* query.progress).rowsIn === 0) yield* Effect.sleep(1)
      yield* Effect.sleep(20)
      const draining = yield* Effect.forkChild(query.drain)
      while ((yield* query.status).message !== "Stopping: finishing what is in flight") yield* Effect.sleep(1)
      yield* Effect.sleep(100)
      yield* Queue.offerAll(queue, [{ n: 2 }, { n: 3 }, { n: 4 }])
      yield* Fiber.join(draining)
      expect(yield* memory.rows).toEqual([{ n: 1 }])
    }).pipe(Effect.scoped, Effect.provide(Checkpoint.layerMemory), Effect.runPromise)
    expect(await Effect.runPromise(Queue.size(queue))).toBe(3)
  })
})

/** M1: laws of a partition that several subscribers read: whatever each does, it gets what it would get alone. */
import { Effect, Exit, Fiber, Option, Scheduler, Scope } from "effect"
import * as fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Memory from "../src/connectors/memory/Memory.ts"
import { SourceError } from "../src/model/Errors.ts"
import type { Position } from "../src/model/Position.ts"
import type { PartitionCursor, SourceChunk } from "../src/model/Source.ts"
import { PartitionHub } from "../src/actors/PartitionHub.ts"
import { SharedPartition } from "../src/actors/SharedPartition.ts"
import type { ReadySource } from "../src/actors/Topology.ts"
import { type Random, randomOf } from "../test/engine/random.ts"

type Cursor = PartitionCursor<unknown, unknown, unknown>

/** A partition of items, of which some are dead, and what was asked of it. */
interface World {
  readonly channel: Memory.Channel<number>
  readonly partition: SharedPartition
  readonly expected: ReadonlyArray<string>
  readonly bounds: Bounds
  /** How often it was opened, and what it gave. */
  readonly asked: Asked
}
type Asked = { opens: number; items: number }
type Bounds = { readonly chunks: number; readonly history: number; readonly bytes: number }

// What a source gives is counted where it arrives: a step around its pull could lose a chunk to an interruption.
let counting: Asked | undefined
const honest = Reflect.get(PartitionHub.prototype, "push")
beforeAll(() => {
  Reflect.set(PartitionHub.prototype, "push", function (this: PartitionHub, ...args: Parameters<typeof honest>) {
    if (counting !== undefined) counting.items += itemsOf(args[0]).length
    honest.apply(this, args)
  })
})
afterAll(() => void Reflect.set(PartitionHub.prototype, "push", honest))

const worldOf = (items: number, deadEvery: number, bounded: boolean, bounds: Bounds): World => {
  const channel = Memory.channel<number>({ bounded })
  const asked = { opens: 0, items: 0 }
  counting = asked
  const inner = channel.source as ReadySource
  const source: ReadySource = {
    ...inner,
    open: (id, from) => Effect.tap(inner.open(id, from), () => Effect.sync(() => asked.opens++))
  }
  return {
    channel,
    partition: new SharedPartition(source, "0", { ...bounds, hubs: 0 }),
    expected: Array.from({ length: items }, (_, n) => (isDead(n, deadEvery) ? `dead ${n}` : `${n}`)),
    bounds,
    asked
  }
}

const isDead = (n: number, every: number): boolean => every > 0 && n % every === every - 1

/** Rows and dead rows of a chunk, in order. */
const itemsOf = (chunk: SourceChunk<unknown>): ReadonlyArray<string> => {
  const items: Array<string> = []
  let at = 0
  for (let i = 0; i <= chunk.length; i++) {
    for (; at < (chunk.dead?.length ?? 0) && chunk.dead?.[at].before === i; at++)
      items.push(`dead ${chunk.dead[at].place}`)
    if (i < chunk.length) items.push(`${String(chunk.rows?.[i])}`)
  }
  return items
}

const checkBounds = ({ partition, bounds }: World): void => {
  let bytes = 0
  for (const hub of partition.hubs) {
    expect(hub.held.chunks).toBeLessThanOrEqual(bounds.chunks)
    if (hub.held.chunks > 1) bytes += hub.held.bytes
  }
  // A hub gives back its part of the bytes at its next chunk after others came.
  expect(bytes).toBeLessThanOrEqual(bounds.bytes * Math.max(1, partition.hubs.size))
}

const turns = (n: number): Effect.Effect<void> => Effect.repeat(Effect.yieldNow, { times: n })

/** Pushes everything in parts, with failures between them, then ends a bounded partition. */
const feed = (w: World, random: Random, deadEvery: number, failures: number, bounded: boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    let left = failures
    for (let n = 0; n < w.expected.length;) {
      const many = Math.min(w.expected.length, n + 1 + random(7))
      for (; n < many; n++) {
        yield* isDead(n, deadEvery)
          ? w.channel.pushDead("0", {
              reason: "malformed",
              detail: "bad",
              place: String(n),
              bytes: new Uint8Array(1),
              truncated: false
            })
          : w.channel.push("0", [n])
      }
      if (left > 0 && random(3) === 0) {
        left--
        yield* w.channel.fail("0", new SourceError({ connector: "c", retryable: true, message: "lost" }))
      }
      if (random(2) === 0) yield* turns(random(9))
    }
    if (bounded) yield* w.channel.end("0")
  })

interface Reader {
  scope: Scope.Closeable | undefined
  cursor: Cursor | undefined
  chunks: Array<SourceChunk<unknown>>
}

const got = (reader: Reader): ReadonlyArray<string> => reader.chunks.flatMap(itemsOf)
const positionOf = (reader: Reader): Option.Option<Position> => Option.fromUndefinedOr(reader.chunks.at(-1)?.next)

const close = (reader: Reader): Effect.Effect<void> =>
  Effect.suspend(() => {
    const scope = reader.scope
    reader.scope = undefined
    reader.cursor = undefined
    return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
  })

const cursorOf = (w: World, reader: Reader): Effect.Effect<Cursor, unknown> =>
  Effect.suspend(() => {
    if (reader.cursor !== undefined) return Effect.succeed(reader.cursor)
    reader.scope = Scope.makeUnsafe()
    return Effect.tap(Scope.provide(w.partition.open(positionOf(reader)), reader.scope), (cursor) =>
      Effect.sync(() => {
        reader.cursor = cursor
      })
    )
  })

/** Reads everything: at its own pace, with interruptions, other demands, and restarts at places where it has been. */
const read = (w: World, reader: Reader, random: Random, rows: () => number, restarts: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    let left = restarts
    while (got(reader).length < w.expected.length) {
      if (random(3) === 0) yield* turns(random(20))
      if (left > 0 && random(6) === 0) {
        left--
        yield* close(reader)
        reader.chunks = reader.chunks.slice(0, random(reader.chunks.length + 1))
      }
      const opened = yield* Effect.exit(cursorOf(w, reader))
      if (Exit.isFailure(opened)) {
        yield* close(reader)
        continue
      }
      const most = rows()
      let pull = opened.value.pull({ rows: most, bytes: 1 << 20 })
      for (let k = random(4); k > 0; k--) pull = Effect.andThen(Effect.void, pull)
      const pulling = yield* Effect.forkChild(pull)
      if (random(3) === 0) {
        yield* turns(random(5))
        yield* Fiber.interrupt(pulling)
      }
      const exit = yield* Fiber.await(pulling)
      checkBounds(w)
      if (Exit.isSuccess(exit)) {
        expect(exit.value.length).toBeLessThanOrEqual(most)
        reader.chunks.push(exit.value)
      } else if (exit.cause.reasons.some((r) => r._tag === "Fail")) yield* close(reader)
    }
  })

const within = <A>(effect: Effect.Effect<A, unknown>): Promise<A> =>
  Effect.runPromise(Effect.timeout(effect, "5 seconds"))

const bounds = fc.record({
  chunks: fc.integer({ min: 1, max: 6 }),
  history: fc.nat(6),
  bytes: fc.constantFrom(1, 100, 1 << 20)
})
const law = (params: { readonly numRuns: number }) => ({ ...params, interruptAfterTimeLimit: 20_000 })

describe("M1: subscribers of one partition", () => {
  it("each sees exactly the partition's items in order, whatever the others do, and nothing stays open", () =>
    fc.assert(
      fc.asyncProperty(
        fc.record({
          seed: fc.integer(),
          items: fc.nat(60),
          deadEvery: fc.constantFrom(0, 1, 5),
          bounded: fc.boolean(),
          failures: fc.constantFrom(0, 0, 3),
          readers: fc.integer({ min: 1, max: 4 }),
          sameRows: fc.boolean(),
          operations: fc.constantFrom(3, 4, 5, 7, 50, 2048),
          bounds
        }),
        async ({ seed, items, deadEvery, bounded, failures, readers, sameRows, operations, bounds }) => {
          const w = worldOf(items, deadEvery, bounded, bounds)
          const readersOf = Array.from({ length: readers }, (): Reader => ({
            scope: undefined,
            cursor: undefined,
            chunks: []
          }))
          const rowsOf = (random: Random) => () => (sameRows ? 3 : 1 + random(5))
          await within(
            Effect.gen(function* () {
              const feeding = yield* Effect.forkChild(feed(w, randomOf(seed), deadEvery, failures, bounded))
              yield* Effect.forEach(
                readersOf,
                (reader, n) => {
                  const random = randomOf(seed + n + 1)
                  return read(w, reader, random, rowsOf(random), 4)
                },
                { concurrency: "unbounded" }
              )
              yield* Fiber.join(feeding)
              for (const reader of readersOf) yield* close(reader)
            }).pipe(Effect.provideService(Scheduler.MaxOpsBeforeYield, operations))
          )
          for (const reader of readersOf) expect(got(reader)).toEqual(w.expected)
          expect(w.partition.hubs.size).toBe(0)
          expect(await Effect.runPromise(w.channel.cursors)).toBe(0)
        }
      ),
      law({ numRuns: 150 })
    ))

  it("is read once when all keep up, even if the CPU makes them wait for each other", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.integer({ min: 1, max: 80 }),
        fc.integer({ min: 2, max: 4 }),
        fc.integer({ min: 2, max: 5 }),
        async (seed, items, readers, chunks) => {
          const w = worldOf(items, 0, false, { chunks, history: 1, bytes: 1 << 20 })
          const readersOf = Array.from({ length: readers }, (): Reader => ({
            scope: undefined,
            cursor: undefined,
            chunks: []
          }))
          await within(
            Effect.gen(function* () {
              for (const reader of readersOf) yield* cursorOf(w, reader)
              const feeding = yield* Effect.forkChild(feed(w, randomOf(seed), 0, 0, false))
              yield* Effect.forEach(
                readersOf,
                (reader, n) =>
                  Effect.gen(function* () {
                    const random = randomOf(seed + n)
                    const cursor = yield* cursorOf(w, reader)
                    while (got(reader).length < items) {
                      if (random(2) === 0) yield* turns(random(4))
                      reader.chunks.push(yield* cursor.pull({ rows: 3, bytes: 1 << 20 }))
                    }
                  }),
                { concurrency: "unbounded" }
              )
              yield* Fiber.join(feeding)
            })
          )
          for (const reader of readersOf) expect(got(reader)).toEqual(w.expected)
          expect(w.asked).toEqual({ opens: 1, items })
        }
      ),
      law({ numRuns: 60 })
    ))

  it("one that is stuck never makes the others wait, and later gets all that it has not had", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.integer({ min: 10, max: 60 }),
        fc.nat(8),
        bounds,
        async (seed, items, before, bounds) => {
          const w = worldOf(items, 0, true, bounds)
          const [stuck, ...others] = Array.from({ length: 3 }, (): Reader => ({
            scope: undefined,
            cursor: undefined,
            chunks: []
          }))
          const demand = { rows: 2, bytes: 1 << 20 }
          const pullAll = (reader: Reader): Effect.Effect<void, unknown> =>
            Effect.gen(function* () {
              const cursor = yield* cursorOf(w, reader)
              while (got(reader).length < items) reader.chunks.push(yield* cursor.pull(demand))
            })
          await within(
            Effect.gen(function* () {
              yield* feed(w, randomOf(seed), 0, 0, true)
              for (const reader of others) yield* cursorOf(w, reader)
              const cursor = yield* cursorOf(w, stuck)
              while (got(stuck).length < Math.min(before, items)) stuck.chunks.push(yield* cursor.pull(demand))
              yield* Effect.forEach(others, pullAll, { concurrency: "unbounded" })
              checkBounds(w)
              for (const reader of others) expect(got(reader)).toEqual(w.expected)
              // Not at the end while it is behind, though it has nothing open to ask.
              if (got(stuck).length < items) {
                const end = yield* cursor.end
                expect(Option.isSome(end) && end.value !== Option.getOrUndefined(positionOf(stuck))).toBe(true)
              }
              yield* pullAll(stuck)
            })
          )
          expect(got(stuck)).toEqual(w.expected)
        }
      ),
      law({ numRuns: 60 })
    ))

  it("readings that have come to the same place become one", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 2, max: 4 }),
        async (seed, items, readers) => {
          const w = worldOf(items, 0, false, { chunks: 1, history: 0, bytes: 1 })
          const readersOf = Array.from({ length: readers }, (): Reader => ({
            scope: undefined,
            cursor: undefined,
            chunks: []
          }))
          await within(
            Effect.gen(function* () {
              yield* feed(w, randomOf(seed), 0, 0, false)
              yield* Effect.forEach(
                readersOf,
                (reader, n) => {
                  const random = randomOf(seed + n)
                  return read(w, reader, random, () => 3, 3)
                },
                { concurrency: "unbounded" }
              )
              // Two rounds of new rows, while all wait for them.
              for (let round = 0; round < 2; round++) {
                const pulling = yield* Effect.forEach(readersOf, (reader) =>
                  Effect.forkChild(Effect.flatMap(cursorOf(w, reader), (c) => c.pull({ rows: 3, bytes: 1 << 20 })))
                )
                yield* turns(20)
                yield* w.channel.push("0", [items + round])
                for (const fiber of pulling) expect(itemsOf(yield* Fiber.join(fiber))).toEqual([`${items + round}`])
              }
              const last = yield* Effect.forEach(readersOf, (reader) =>
                Effect.forkChild(Effect.flatMap(cursorOf(w, reader), (c) => c.pull({ rows: 3, bytes: 1 << 20 })))
              )
              yield* turns(20)
              expect(w.partition.hubs.size).toBe(1)
              expect(yield* w.channel.cursors).toBe(1)
              for (const fiber of last) yield* Fiber.interrupt(fiber)
            })
          )
        }
      ),
      law({ numRuns: 60 })
    ))
})

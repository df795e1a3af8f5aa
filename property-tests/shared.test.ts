/** M1: laws of a partition that several subscribers read: whatever each does, it gets what it would get alone. */
import { Effect, Fiber, Option, Scheduler } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Random, randomOf } from "../test/engine/random.ts"
import {
  checkBounds,
  close,
  countArrivals,
  cursorOf,
  feed,
  got,
  itemsOf,
  positionOf,
  read,
  type Reader,
  readersOf,
  turns,
  within,
  worldOf
} from "./sharedWorld.ts"

countArrivals()

const bounds = fc.record({
  chunks: fc.integer({ min: 1, max: 6 }),
  history: fc.nat(6),
  recent: fc.nat(2),
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
          const w = worldOf({ items, deadEvery, bounded, bounds, readers })
          const all = readersOf(readers)
          const rowsOf = (random: Random) => () => (sameRows ? 3 : 1 + random(5))
          await within(
            Effect.gen(function* () {
              const feeding = yield* Effect.forkChild(feed(w, randomOf(seed), deadEvery, failures, bounded))
              yield* Effect.forEach(
                all,
                (reader, n) => {
                  const random = randomOf(seed + n + 1)
                  return read(w, reader, random, rowsOf(random), 4)
                },
                { concurrency: "unbounded" }
              )
              yield* Fiber.join(feeding)
              for (const reader of all) yield* close(reader)
            }).pipe(Effect.provideService(Scheduler.MaxOpsBeforeYield, operations))
          )
          for (const reader of all) expect(got(reader)).toEqual(w.expected)
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
          const w = worldOf({
            items,
            bounded: false,
            bounds: { chunks, history: 1, recent: 1, bytes: 1 << 20 },
            readers
          })
          const all = readersOf(readers)
          await within(
            Effect.gen(function* () {
              for (const reader of all) yield* cursorOf(w, reader)
              const feeding = yield* Effect.forkChild(feed(w, randomOf(seed), 0, 0, false))
              yield* Effect.forEach(
                all,
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
          for (const reader of all) expect(got(reader)).toEqual(w.expected)
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
          const w = worldOf({ items, bounded: true, bounds, readers: 3 })
          const [stuck, ...others] = readersOf(3)
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

  it("of a source that cannot be read again, all see everything that it gives once, at the pace of the slowest", () =>
    fc.assert(
      fc.asyncProperty(
        fc.record({
          seed: fc.integer(),
          items: fc.nat(60),
          deadEvery: fc.constantFrom(0, 1, 5),
          bounded: fc.boolean(),
          readers: fc.integer({ min: 1, max: 4 }),
          operations: fc.constantFrom(3, 5, 7, 2048),
          bounds
        }),
        async ({ seed, items, deadEvery, bounded, readers, operations, bounds }) => {
          const w = worldOf({ items, deadEvery, bounded, bounds, readers, replayable: false })
          const all = readersOf(readers)
          await within(
            Effect.gen(function* () {
              const feeding = yield* Effect.forkChild(feed(w, randomOf(seed), deadEvery, 0, bounded))
              yield* Effect.forEach(
                all,
                (reader) =>
                  Effect.gen(function* () {
                    const random = randomOf(seed + reader.id + 1)
                    // They begin one after the other.
                    yield* turns(random(200))
                    yield* read(w, reader, random, () => 1 + random(5), 0)
                  }),
                { concurrency: "unbounded" }
              )
              yield* Fiber.join(feeding)
              for (const reader of all) yield* close(reader)
            }).pipe(Effect.provideService(Scheduler.MaxOpsBeforeYield, operations))
          )
          for (const reader of all) expect(got(reader)).toEqual(w.expected)
          expect(w.asked.items).toBe(items)
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
          const w = worldOf({ items, bounded: false, bounds: { chunks: 1, history: 0, recent: 0, bytes: 1 }, readers })
          const all = readersOf(readers)
          await within(
            Effect.gen(function* () {
              yield* feed(w, randomOf(seed), 0, 0, false)
              yield* Effect.forEach(
                all,
                (reader, n) => {
                  const random = randomOf(seed + n)
                  return read(w, reader, random, () => 3, 3)
                },
                { concurrency: "unbounded" }
              )
              // Two rounds of new rows, while all wait for them.
              for (let round = 0; round < 2; round++) {
                const pulling = yield* Effect.forEach(all, (reader) =>
                  Effect.forkChild(Effect.flatMap(cursorOf(w, reader), (c) => c.pull({ rows: 3, bytes: 1 << 20 })))
                )
                yield* turns(20)
                yield* w.channel.push("0", [items + round])
                for (const fiber of pulling) expect(itemsOf(yield* Fiber.join(fiber))).toEqual([`${items + round}`])
              }
              const last = yield* Effect.forEach(all, (reader) =>
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

/**
 * The conformance suite of sources: registers the laws of `src/model/Source.ts` as vitest tests for one implementation.
 *
 * `features` says which laws apply; `make` opens a fresh world with known contents for each of them. A connector's test
 * file calls `sourceConformance("files, JSON lines", features, make)` and adds only what is particular to it.
 */
import { Cause, Clock, Effect, Exit, Fiber, Option, Scheduler, Scope } from "effect"
import { describe, expect, it } from "vitest"
import { Limits } from "../../src/model/Limits.ts"
import { type PartitionId, position } from "../../src/model/Position.ts"
import type { PartitionCursor, Source, SourceChunk, SourceFeatures } from "../../src/model/Source.ts"
import {
  checkChunk,
  type Contents,
  demand,
  essence,
  expectNothing,
  items,
  readAll,
  readFrom,
  reading,
  rowsOf,
  soon,
  total
} from "./reading.ts"

export type { Contents } from "./reading.ts"

/** One implementation in a known state. */
export interface SourceUnderTest<A> {
  readonly source: Source<A, unknown, unknown>
  /** At least one partition with rows; two or more where the connector can have them. */
  readonly contents: ReadonlyMap<PartitionId, Contents<A>>
  /** Required of unbounded sources: appends to a partition, and says which rows. */
  readonly more?: (partition: PartitionId) => Effect.Effect<ReadonlyArray<A>, unknown>
  /** Required with `dynamicPartitions`: adds a partition. */
  readonly addPartition?: Effect.Effect<PartitionId, unknown>
  /** Resources open now: files, sockets, fibers. Zero before anything is opened. */
  readonly held?: Effect.Effect<number>
  /** The clock that the laws run on; default the real one. Sleeps of some milliseconds must end by themselves. */
  readonly clock?: Clock.Clock
  /** Rows that were read from the outside for a partition so far. */
  readonly taken?: (partition: PartitionId) => Effect.Effect<number>
  /** How far `taken` may be ahead of what was asked for; default `Limits.chunkRowsMax`. */
  readonly readAheadRowsMax?: number
}

type Body<A> = (world: SourceUnderTest<A>) => Effect.Effect<void, unknown, Scope.Scope>

const orderLaws = <A>(features: SourceFeatures): Record<string, Body<A>> => ({
  "declares its features, and no problems": ({ source }) =>
    Effect.sync(() => {
      expect(source.features).toEqual(features)
      expect(source.problems ?? []).toEqual([])
      expect(source.name).not.toBe("")
    }),
  "lists each partition once, and only those that are not known": ({ source, contents, addPartition }) =>
    Effect.gen(function* () {
      const all = yield* source.partitions(new Set())
      expect([...all].sort()).toEqual([...contents.keys()].sort())
      if (all.length > 1) expect(yield* source.partitions(new Set([all[0]]))).toEqual(all.slice(1))
      if (!features.dynamicPartitions) return expect(yield* source.partitions(new Set(all))).toEqual([])
      const waiting = yield* Effect.forkScoped(source.partitions(new Set(all)))
      yield* Effect.sleep(soon)
      expect(waiting.pollUnsafe()).toBeUndefined()
      if (addPartition === undefined) throw new Error("a source with dynamicPartitions needs addPartition")
      const added = yield* addPartition
      expect(yield* Fiber.join(waiting)).toEqual([added])
    }),
  "gives each partition's rows in its order": ({ source, contents }) =>
    Effect.gen(function* () {
      for (const [partition, expected] of contents) {
        const got = yield* readFrom(features, source, partition, Option.none(), total(expected))
        expect(got.rows).toEqual(expected.rows)
        expect(got.dead.length).toBe(expected.dead ?? 0)
      }
    }),
  "respects demand: never more rows than asked for, never an empty chunk": ({ source, contents }) =>
    Effect.gen(function* () {
      const asks = [1, 3, 1, 2, 5]
      for (const [partition, expected] of contents) {
        const got = yield* readFrom(
          features,
          source,
          partition,
          Option.none(),
          total(expected),
          (n) => asks[n % asks.length]
        )
        got.chunks.forEach((chunk, n) => checkChunk(features, chunk, asks[n % asks.length]))
        expect(got.rows).toEqual(expected.rows)
      }
    }),
  "makes sound chunks when asked for many rows": ({ source, contents }) =>
    Effect.gen(function* () {
      for (const [partition, expected] of contents) {
        const got = yield* readFrom(features, source, partition, Option.none(), total(expected))
        for (const chunk of got.chunks) checkChunk(features, chunk, Limits.chunkRowsTarget)
      }
    }),
  "reads nothing beyond a bounded buffer while it is not pulled": ({ source, contents, taken, readAheadRowsMax }) =>
    Effect.gen(function* () {
      const ahead = readAheadRowsMax ?? Limits.chunkRowsMax
      for (const [partition, expected] of contents) {
        if (expected.rows.length === 0) continue
        const cursor = yield* source.open(partition, Option.none())
        yield* Effect.sleep(soon / 2)
        if (taken !== undefined) expect(yield* taken(partition)).toBeLessThanOrEqual(ahead)
        const first = yield* cursor.pull(demand(1))
        yield* Effect.sleep(soon / 2)
        if (taken !== undefined) expect(yield* taken(partition)).toBeLessThanOrEqual(1 + ahead)
        const rest = yield* readAll(features, cursor, total(expected) - items(first))
        expect([...rowsOf(first), ...rest.rows]).toEqual(expected.rows)
      }
    }),
  "keeps partitions apart: read in turns, each gives its own": ({ source, contents }) =>
    Effect.gen(function* () {
      const open: Array<{
        cursor: PartitionCursor<A, unknown, unknown>
        expected: Contents<A>
        chunks: Array<SourceChunk<A>>
        seen: number
      }> = []
      for (const [partition, expected] of contents) {
        open.push({ cursor: yield* source.open(partition, Option.none()), expected, chunks: [], seen: 0 })
      }
      while (open.some((o) => o.seen < total(o.expected))) {
        for (const o of open) {
          if (o.seen >= total(o.expected)) continue
          const chunk = yield* o.cursor.pull(demand(2))
          o.chunks.push(chunk)
          o.seen += items(chunk)
        }
      }
      for (const o of open) expect(reading(o.chunks).rows).toEqual(o.expected.rows)
    }),
  "refuses a partition it does not have": ({ source }) =>
    Effect.gen(function* () {
      const opened = yield* Effect.exit(
        Effect.flatMap(source.open("no such partition", Option.none()), (c) => c.pull(demand(1)))
      )
      expect(
        Exit.isFailure(opened) && !opened.cause.reasons.some((r) => r._tag === "Fail" && Cause.isDone(r.error))
      ).toBe(true)
    })
})

/**
 * Interrupts pulls at every step they can be interrupted at: the fiber yields every `operations` operations, and is
 * interrupted after some turns (below 3, Effect's scheduler comes no further). A value that is in hand between two operations when that happens is lost.
 */
const interrupted =
  <A>(operations: number): Body<A> =>
  ({ source, contents }) =>
    Effect.gen(function* () {
      for (const [partition, expected] of contents) {
        const cursor = yield* source.open(partition, Option.none())
        const chunks: Array<SourceChunk<A>> = []
        let seen = 0
        for (let round = 0; seen < total(expected); round++) {
          // Operations before the pull move the yields about within it.
          let pull = cursor.pull(demand(2))
          for (let k = 0; k < (round >> 2) % operations && k < 5; k++) pull = Effect.andThen(Effect.void, pull)
          const pulling = yield* Effect.forkChild(pull)
          for (let k = 0; k < round % 5; k++) yield* Effect.yieldNow
          // Every seventh pull is left alone, so that sources which need real time get somewhere.
          if (round % 7 !== 6) yield* Fiber.interrupt(pulling)
          const exit = yield* Fiber.await(pulling)
          if (Exit.isSuccess(exit)) {
            chunks.push(exit.value)
            seen += items(exit.value)
          } else expect(Cause.hasInterruptsOnly(exit.cause)).toBe(true)
        }
        expect(reading(chunks).rows).toEqual(expected.rows)
      }
    }).pipe(Effect.provideService(Scheduler.MaxOpsBeforeYield, operations))

const interruptionLaws = <A>(features: SourceFeatures): Record<string, Body<A>> => ({
  "loses nothing when pulls are interrupted": interrupted(2048),
  "loses nothing when pulls are interrupted, yielding at every third operation": interrupted(3),
  "loses nothing when pulls are interrupted, yielding at every fourth operation": interrupted(4),
  "loses nothing when pulls are interrupted, yielding at every fifth operation": interrupted(5),
  "closes what it opened with its scope, read to the end or not": ({ source, contents, held }) =>
    Effect.gen(function* () {
      if (held !== undefined) expect(yield* held).toBe(0)
      const [partition, expected] = [...contents].find(([, c]) => c.rows.length > 0) ?? ["", { rows: [] }]
      for (let i = 0; i < (features.replayable ? 5 : 1); i++) {
        const scope = yield* Scope.make()
        const cursor = yield* Scope.provide(source.open(partition, Option.none()), scope)
        expect(items(yield* cursor.pull(demand(1)))).toBeGreaterThan(0)
        if (held !== undefined) expect(yield* held).toBeGreaterThan(0)
        yield* Scope.close(scope, Exit.void)
        if (held !== undefined) expect(yield* held).toBe(0)
      }
      if (!features.replayable) return
      expect((yield* readFrom(features, source, partition, Option.none(), total(expected))).rows).toEqual(expected.rows)
      if (held !== undefined) expect(yield* held).toBe(0)
    })
})

const boundedLaws = <A>(features: SourceFeatures): Record<string, Body<A>> => ({
  "says Done at the end, again and again": ({ source, contents }) =>
    Effect.gen(function* () {
      for (const [partition, expected] of contents) {
        const cursor = yield* source.open(partition, Option.none())
        yield* readAll(features, cursor, total(expected))
        for (let i = 0; i < 3; i++) expect(Cause.isDone(yield* Effect.flip(cursor.pull(demand(10))))).toBe(true)
      }
    })
})

const unboundedLaws = <A>(features: SourceFeatures): Record<string, Body<A>> => ({
  "waits at the end, and goes on when there is more": ({ source, contents, more }) =>
    Effect.gen(function* () {
      if (more === undefined) throw new Error("an unbounded source needs `more`")
      for (const [partition, expected] of contents) {
        const cursor = yield* source.open(partition, Option.none())
        yield* readAll(features, cursor, total(expected))
        yield* expectNothing(features, cursor)
        const waiting = yield* Effect.forkChild(cursor.pull(demand(1)))
        yield* Effect.yieldNow
        const added = yield* more(partition)
        const first = yield* Fiber.join(waiting)
        const rest = yield* readAll(features, cursor, added.length - items(first))
        expect([...rowsOf(first), ...rest.rows]).toEqual(added)
      }
    })
})

const replayLaws = <A>(features: SourceFeatures): Record<string, Body<A>> => ({
  "gives the same again, whatever the sizes of chunks": ({ source, contents }) =>
    Effect.gen(function* () {
      for (const [partition, expected] of contents) {
        const once = yield* readFrom(features, source, partition, Option.none(), total(expected))
        for (const size of [1, 7]) {
          const again = yield* readFrom(features, source, partition, Option.none(), total(expected), () => size)
          expect(essence(again)).toEqual(essence(once))
        }
      }
    }),
  "continues at the position after any chunk with exactly the rest": ({ source, contents }) =>
    Effect.gen(function* () {
      for (const [partition, expected] of contents) {
        const whole = yield* readFrom(features, source, partition, Option.none(), total(expected), (n) => (n % 3) + 1)
        for (let k = 0; k < whole.chunks.length; k++) {
          // Positions are stored as JSON text.
          const from = position(JSON.parse(JSON.stringify(whole.chunks[k].next)) as string)
          const expectedRest = reading(whole.chunks.slice(k + 1))
          const left = expectedRest.rows.length + expectedRest.dead.length
          const rest = yield* readFrom(features, source, partition, Option.some(from), left, (n) => ((n + k) % 4) + 1)
          expect(essence(rest)).toEqual(essence(expectedRest))
        }
      }
    }),
  "lets two cursors read one partition independently": ({ source, contents }) =>
    Effect.gen(function* () {
      const [partition, expected] = [...contents].find(([, c]) => total(c) > 1) ?? ["", { rows: [] }]
      const ahead = yield* source.open(partition, Option.none())
      const behind = yield* source.open(partition, Option.none())
      const first = yield* ahead.pull(demand(1))
      const all = yield* readAll(features, behind, total(expected))
      const rest = yield* readAll(features, ahead, total(expected) - items(first))
      expect(all.rows).toEqual(expected.rows)
      expect([...rowsOf(first), ...rest.rows]).toEqual(expected.rows)
    }),
  "refuses a position that it did not make": ({ source, contents }) =>
    Effect.gen(function* () {
      for (const bad of ["", "no such position", "-1", "1e3", "999999999999", "{}"]) {
        const exit = yield* Effect.exit(
          Effect.flatMap(source.open([...contents.keys()][0], Option.some(position(bad))), (c) =>
            Effect.timeout(c.pull(demand(1)), 500)
          )
        )
        expect(Exit.isFailure(exit), bad).toBe(true)
        const done =
          Exit.isFailure(exit) &&
          exit.cause.reasons.some((r) => r._tag === "Fail" && (Cause.isDone(r.error) || Cause.isTimeoutError(r.error)))
        expect(done, bad).toBe(false)
      }
    })
})

const endLaws = <A>(features: SourceFeatures): Record<string, Body<A>> => ({
  "knows its end: the position after the last row there is now": ({ source, contents, more }) =>
    Effect.gen(function* () {
      for (const [partition, expected] of contents) {
        const cursor = yield* source.open(partition, Option.none())
        const end = Option.getOrThrow(yield* cursor.end)
        const got = yield* readAll(features, cursor, total(expected))
        if (got.chunks.length > 0) expect(got.chunks[got.chunks.length - 1].next).toBe(end)
        if (features.replayable) yield* expectNothing(features, yield* source.open(partition, Option.some(end)))
        if (features.bounded || more === undefined) continue
        const added = yield* more(partition)
        const later = Option.getOrThrow(yield* cursor.end)
        expect(later).not.toBe(end)
        const rest = yield* readAll(features, cursor, added.length)
        expect(rest.chunks[rest.chunks.length - 1].next).toBe(later)
      }
    })
})

const countLaws = <A>(features: SourceFeatures): Record<string, Body<A>> => ({
  "where positions tell how many rows lie between, it is as many as are read": ({ source, contents }) =>
    Effect.gen(function* () {
      const { rowsBetween } = source
      if (rowsBetween === undefined) return
      for (const [partition, expected] of contents) {
        const got = yield* readFrom(features, source, partition, Option.none(), total(expected), (n) => (n % 3) + 1)
        for (let k = 1; k < got.chunks.length; k++) {
          expect(rowsBetween(got.chunks[k - 1].next, got.chunks[k].next)).toBe(items(got.chunks[k]))
          expect(rowsBetween(got.chunks[k].next, got.chunks[0].next)).toBeLessThan(0)
        }
      }
    })
})

const noEndLaws = <A>(): Record<string, Body<A>> => ({
  "does not claim to know its end": ({ source, contents }) =>
    Effect.gen(function* () {
      const cursor = yield* source.open([...contents.keys()][0], Option.none())
      expect(Option.isNone(yield* cursor.end)).toBe(true)
    })
})

/** The laws of a source with these features, by title. */
export const sourceLaws = <A>(features: SourceFeatures): Record<string, Body<A>> => ({
  ...orderLaws<A>(features),
  ...interruptionLaws<A>(features),
  ...(features.bounded ? boundedLaws<A>(features) : unboundedLaws<A>(features)),
  ...(features.replayable ? replayLaws<A>(features) : {}),
  ...countLaws<A>(features),
  ...(features.endPosition ? endLaws<A>(features) : noEndLaws<A>())
})

/** Registers the laws of a source with these features. `make` is run anew for each law, in a scope that ends with it. */
export const sourceConformance = <A>(
  name: string,
  features: SourceFeatures,
  make: Effect.Effect<SourceUnderTest<A>, unknown, Scope.Scope>
): void => {
  describe(`source conformance: ${name}`, () => {
    for (const [title, body] of Object.entries(sourceLaws<A>(features))) {
      const onClock = (world: SourceUnderTest<A>): ReturnType<Body<A>> =>
        world.clock === undefined ? body(world) : Effect.provideService(body(world), Clock.Clock, world.clock)
      it(title, () => Effect.runPromise(Effect.scoped(Effect.flatMap(make, onClock))))
    }
  })
}

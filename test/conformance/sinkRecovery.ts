/** The laws of sinks when attempts end and others go on: what is prepared again, swept, overtaken, or begun anew. */
import { Effect, Exit } from "effect"
import { expect } from "vitest"
import type { Prepared, SinkFeatures, WriterContext } from "../../src/model/Sink.ts"
import {
  type AnyRowSink,
  batch,
  byText,
  committedEpoch,
  context,
  type Law,
  prepareWith,
  rows,
  type SinkUnderTest,
  wire
} from "./sinkWorld.ts"

const append = (more: Partial<WriterContext> = {}): WriterContext => context("append", more)

const sweep = (
  sink: AnyRowSink,
  attempt: number,
  keep?: Prepared,
  more: Partial<WriterContext> = {}
): Effect.Effect<void, unknown> => {
  const { query, queryId, writer } = append(more)
  return sink.sweep?.({ query, queryId, writer, attempt, keep: keep && wire(keep) }) ?? Effect.void
}

const expectStaged = ({ staged }: SinkUnderTest, expected: number): Effect.Effect<void, unknown> =>
  staged === undefined ? Effect.void : Effect.map(staged, (seen) => expect(seen).toBe(expected))

const anyLaws: Record<string, Law> = {
  "C9: a number prepared again covers the rows of both calls": ({ sink, visible, rendered = (r) => r }) =>
    Effect.gen(function* () {
      const writer = yield* sink.writer(append())
      yield* writer.write(batch(rows(0, 3)))
      yield* writer.prepare(2)
      yield* writer.prepare(2)
      yield* writer.write(batch(rows(3, 5)))
      yield* writer.prepare(2)
      yield* writer.write(batch(rows(5, 6)))
      const prepared = yield* writer.prepare(2)
      yield* writer.write(batch(rows(6, 7)))
      yield* sink.commit(wire(prepared))
      yield* sink.commit(wire(yield* writer.prepare(3)))
      expect(yield* visible).toEqual(rows(0, 7).map(rendered))
    }),
  "a query that begins anew where an earlier one wrote is refused, or its rows are written": (world) =>
    Effect.gen(function* () {
      const { sink, again, visible, rendered = (r) => r } = world
      for (const epoch of [2, 3])
        yield* sink.commit(
          yield* prepareWith(sink, append({ continues: epoch === 2 ? 0 : 2 }), epoch, [batch(rows(0, 1))])
        )
      for (const other of [sink, again()]) {
        const anew = append({ queryId: `chain ${other === sink ? 2 : 3}` })
        const before = yield* visible
        const opened = yield* Effect.exit(prepareWith(other, anew, 2, [batch(rows(10, 12))]))
        if (Exit.isFailure(opened)) continue
        yield* other.commit(wire(opened.value))
        const after = [...before, ...rows(10, 12).map(rendered)]
        expect([...(yield* visible)].sort(byText)).toEqual(after.sort(byText))
      }
    })
}

const exactlyOnceLaws: Record<string, Law> = {
  "C6: a checkpoint older than what was committed is refused when its writer opens": ({ sink, again, visible }) =>
    Effect.gen(function* () {
      yield* sink.commit(yield* prepareWith(sink, append(), 2, [batch(rows(0, 2))]))
      yield* sink.commit(yield* prepareWith(sink, append({ continues: 2 }), 3, [batch(rows(2, 3))]))
      const seen = yield* visible
      for (const continues of [0, 2])
        expect(
          Exit.isFailure(yield* Effect.exit(Effect.scoped(again().writer(append({ attempt: 9, continues })))))
        ).toBe(true)
      expect(yield* visible).toEqual(seen)
      yield* Effect.scoped(again().writer(append({ attempt: 9, continues: 3 })))
    }),
  "C5: what an attempt before left is swept; what is kept can still be committed": (world) =>
    Effect.gen(function* () {
      const { sink, again, visible, rendered = (r) => r } = world
      yield* sink.commit(yield* prepareWith(sink, append(), 2, [batch(rows(0, 2))]))
      const pending = yield* prepareWith(sink, append({ continues: 2 }), 3, [batch(rows(2, 4))])
      yield* prepareWith(sink, append({ continues: 2 }), 4, [batch(rows(4, 6))])
      const next = again()
      yield* sweep(next, 5, pending)
      yield* sweep(next, 5, pending)
      yield* expectStaged(world, 1)
      yield* next.commit(wire(pending))
      yield* next.commit(wire(yield* prepareWith(next, append({ attempt: 5, continues: 3 }), 6, [batch(rows(4, 7))])))
      expect(yield* visible).toEqual(rows(0, 7).map(rendered))
      yield* expectStaged(world, 0)
    }),
  "C5: a sweep takes nothing of its own attempt, of a higher one, or of another writer, query or chain": (world) =>
    Effect.gen(function* () {
      const { sink, again, visible, rendered = (r) => r } = world
      const own = yield* prepareWith(sink, append({ attempt: 5 }), 6, [batch(rows(0, 2))])
      const others: Array<Prepared> = []
      for (const more of [{ writer: "w2" }, { query: "q2" }, { query: "q", writer: "w=", queryId: "chain-1" }])
        others.push(yield* prepareWith(sink, append(more), 2, [batch(rows(2, 3))]))
      const chain = yield* prepareWith(sink, append({ queryId: "chain-0" }), 2, [batch(rows(2, 3))])
      for (const attempt of [3, 5]) yield* sweep(again(), attempt)
      yield* expectStaged(world, 5)
      yield* again().commit(wire(own))
      expect(yield* visible).toEqual(rows(0, 2).map(rendered))
      for (const other of others) yield* again().commit(wire(other))
      expect((yield* visible).length).toBe(5)
      yield* sweep(again(), 9, undefined, { queryId: "chain-0" })
      yield* expectStaged(world, 0)
      expect(chain.epoch).toBe(2)
    }),
  "C5: an overtaken attempt that commits what was committed, or prepares more, changes nothing": (world) =>
    Effect.gen(function* () {
      const { sink, again, visible, rendered = (r) => r } = world
      const zombie = yield* sink.writer(append())
      yield* zombie.write(batch(rows(0, 2)))
      const published = yield* zombie.prepare(2)
      yield* zombie.write(batch(rows(2, 4)))
      const next = again()
      yield* next.commit(wire(published))
      yield* sweep(next, 3, published)
      const other = yield* next.writer(append({ attempt: 3, continues: 2 }))
      yield* other.write(batch(rows(2, 5)))
      const more = yield* other.prepare(4)
      yield* sink.commit(published)
      yield* next.commit(wire(more))
      yield* sink.commit(published)
      yield* Effect.exit(zombie.write(batch(rows(4, 5))))
      yield* Effect.exit(zombie.prepare(3))
      yield* sink.commit(published)
      expect(yield* visible).toEqual(rows(0, 5).map(rendered))
      expect(yield* committedEpoch(again())).toBe(4)
      yield* sweep(again(), 5, more)
      yield* expectStaged(world, 0)
      expect(yield* visible).toEqual(rows(0, 5).map(rendered))
    }),
  "what a reader took away after the commit is not made again": (world) =>
    Effect.gen(function* () {
      const { sink, again, visible, take } = world
      if (take === undefined) return
      const prepared = yield* prepareWith(sink, append(), 2, [batch(rows(0, 4))])
      yield* sink.commit(prepared)
      yield* take
      yield* again().commit(wire(prepared))
      yield* sweep(again(), 3, prepared)
      yield* again().commit(wire(prepared))
      expect(yield* visible).toEqual([])
      expect(yield* committedEpoch(again())).toBe(2)
    })
}

/** The laws that a sink with these features has to keep when attempts follow each other. */
export const recoveryLaws = (features: SinkFeatures): Record<string, Law> => ({
  ...anyLaws,
  ...(features.guarantee === "exactly-once" ? exactlyOnceLaws : {})
})

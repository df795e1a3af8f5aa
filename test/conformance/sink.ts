/**
 * The conformance suite of sinks: registers the laws of `src/model/Sink.ts` as vitest tests for one implementation.
 *
 * The laws that apply follow from `features`. The suite writes rows of its own, {@link SinkRow}; `make` gives a sink that
 * takes them, and a way to see what stands outside.
 */
import { Effect, Exit, Scope } from "effect"
import { describe, expect, it } from "vitest"
import type { SinkFeatures } from "../../src/model/Sink.ts"
import { recoveryLaws } from "./sinkRecovery.ts"
import {
  batch,
  byText,
  committedEpoch,
  context,
  type Law,
  prepareWith,
  row,
  rows,
  type SinkRow,
  type SinkUnderTest,
  wire
} from "./sinkWorld.ts"

export type { SinkRow, SinkUnderTest } from "./sinkWorld.ts"

/** Values that have broken sinks before. All have the suite's fields, with another type or content. */
const hostile: ReadonlyArray<unknown> = [
  { k: "NaN", n: Number.NaN, text: "x" },
  { k: "infinite", n: Number.NEGATIVE_INFINITY, text: "x" },
  { k: "zero", n: -0, text: "x" },
  { k: "bigint", n: 2n ** 70n, text: "x" },
  { k: "undefined", n: undefined, text: undefined },
  { k: "null", n: null, text: null },
  { k: "missing" },
  { k: "date", n: 1, text: new Date(0) },
  { k: "no date", n: 1, text: new Date(Number.NaN) },
  { k: "surrogate", n: 1, text: "\ud800 alone, and \udc00" },
  { k: "long", n: 1, text: "x".repeat(200_000) },
  { k: "control", n: 1, text: "a\u0000b\u001b[31mred\u001b[0m\r\nnext\tline \u2028\u202e" },
  { k: "quotes", n: 1, text: '",\';--\n"' },
  { k: "nested", n: 1, text: { a: [1, { b: [] }] } },
  JSON.parse('{"k":"proto","n":1,"text":"x","__proto__":{"polluted":true}}'),
  Object.assign(Object.create(null) as object, { k: "no prototype", n: 1, text: "x" })
]

const sound = (features: SinkFeatures): Record<string, Law> => ({
  "declares its features, and no problems": ({ sink }) =>
    Effect.sync(() => {
      expect(sink.features).toEqual(features)
      expect(sink.problems ?? []).toEqual([])
      expect(sink.name).not.toBe("")
    })
})

const appendLaws = (features: SinkFeatures): Record<string, Law> => ({
  "C2: rows come out in order, each once, when their epoch is committed": ({ sink, visible, rendered = (r) => r }) =>
    Effect.gen(function* () {
      const writer = yield* sink.writer(context("append"))
      for (const [from, to] of [
        [0, 3],
        [3, 3],
        [3, 4],
        [4, 40]
      ] as const)
        expect(yield* writer.write(batch(rows(from, to)))).toEqual([])
      const prepared = yield* writer.prepare(1)
      expect(prepared).toMatchObject({ query: "q", writer: "w", epoch: 1 })
      expect(wire(prepared)).toEqual(prepared)
      // L3: a sink that counts what it keeps counts every row.
      expect(prepared.rows ?? 40).toBe(40)
      if (features.guarantee === "exactly-once") expect(yield* visible).toEqual([])
      yield* sink.commit(prepared)
      expect(yield* visible).toEqual(rows(0, 40).map(rendered))
    }),
  "C2: an epoch holds what was written since the last prepare, also when commits come later": ({
    sink,
    visible,
    rendered = (r) => r
  }) =>
    Effect.gen(function* () {
      const writer = yield* sink.writer(context("append"))
      yield* writer.write(batch(rows(0, 2)))
      const first = yield* writer.prepare(1)
      yield* writer.write(batch(rows(2, 5)))
      yield* sink.commit(first)
      if (features.guarantee === "exactly-once") expect(yield* visible).toEqual(rows(0, 2).map(rendered))
      const second = yield* writer.prepare(2)
      yield* writer.write(batch(rows(5, 6)))
      yield* sink.commit(second)
      if (features.guarantee === "exactly-once") expect(yield* visible).toEqual(rows(0, 5).map(rendered))
      yield* sink.commit(yield* writer.prepare(3))
      expect(yield* visible).toEqual(rows(0, 6).map(rendered))
    }),
  "C2: a commit may be repeated any number of times": ({ sink, visible, rendered = (r) => r }) =>
    Effect.gen(function* () {
      const first = yield* prepareWith(sink, context("append"), 1, [batch(rows(0, 3))])
      for (let i = 0; i < 3; i++) yield* sink.commit(wire(first))
      const second = yield* prepareWith(sink, context("append", { continues: 1 }), 2, [batch(rows(3, 5))])
      yield* sink.commit(second)
      yield* sink.commit(wire(first))
      yield* sink.commit(wire(second))
      const seen = yield* visible
      if (features.guarantee === "exactly-once") expect(seen).toEqual(rows(0, 5).map(rendered))
      for (const r of rows(0, 5)) expect(seen).toContainEqual(rendered(r))
      expect(yield* committedEpoch(sink)).toBe(2)
    }),
  "C2: another sink, made anew, commits from the manifest alone": ({ sink, again, visible, rendered = (r) => r }) =>
    Effect.gen(function* () {
      const prepared = wire(yield* prepareWith(sink, context("append"), 1, [batch(rows(0, 3))]))
      yield* again().commit(prepared)
      if (features.guarantee === "exactly-once") expect(yield* visible).toEqual(rows(0, 3).map(rendered))
      for (const r of rows(0, 3)) expect(yield* visible).toContainEqual(rendered(r))
      yield* again().commit(prepared)
      yield* sink.commit(prepared)
      if (features.guarantee === "exactly-once") {
        expect(yield* visible).toEqual(rows(0, 3).map(rendered))
        expect(yield* committedEpoch(again())).toBe(1)
      }
    }),
  "C4: committed tells the last epoch of one writer of one query": ({ sink }) =>
    Effect.gen(function* () {
      expect(yield* committedEpoch(sink)).toBeUndefined()
      const first = yield* prepareWith(sink, context("append"), 4, [batch(rows(0, 1))])
      expect(yield* committedEpoch(sink)).toBeUndefined()
      yield* sink.commit(first)
      expect(yield* committedEpoch(sink)).toBe(4)
      expect(yield* committedEpoch(sink, "other")).toBeUndefined()
      expect(yield* committedEpoch(sink, "w", "other")).toBeUndefined()
      yield* sink.commit(yield* prepareWith(sink, context("append", { continues: 4 }), 11, [batch(rows(1, 2))]))
      expect(yield* committedEpoch(sink)).toBe(11)
      yield* sink.commit(first)
      expect(yield* committedEpoch(sink)).toBe(11)
    }),
  "an epoch without rows brings nothing, and counts": ({ sink, visible }) =>
    Effect.gen(function* () {
      const writer = yield* sink.writer(context("append"))
      yield* sink.commit(wire(yield* writer.prepare(1)))
      expect(yield* writer.write(batch([]))).toEqual([])
      yield* sink.commit(wire(yield* writer.prepare(2)))
      expect(yield* visible).toEqual([])
      expect(yield* committedEpoch(sink)).toBe(2)
    }),
  "L3: received = written + dead, for rows with hostile values too; their neighbours are unharmed": ({
    sink,
    visible,
    rendered = (r) => r
  }) =>
    Effect.gen(function* () {
      const writer = yield* sink.writer(context("append"))
      let received = 0
      let dead = 0
      for (const bad of hostile) {
        const rowsOfBatch = [row(received), bad as SinkRow, row(received + 1)]
        const refused = yield* writer.write(batch(rowsOfBatch))
        for (const d of refused) {
          expect(d.before).toBe(1)
          expect(d.reason).toBe("sink")
          expect(d.detail).not.toBe("")
        }
        received += rowsOfBatch.length
        dead += refused.length
      }
      expect(dead).toBeLessThanOrEqual(hostile.length)
      yield* sink.commit(wire(yield* writer.prepare(1)))
      const seen = yield* visible
      expect(seen.length).toBe(received - dead)
      for (let i = 0; i < hostile.length; i++) {
        expect(seen).toContainEqual(rendered(row(i * 3)))
        expect(seen).toContainEqual(rendered(row(i * 3 + 1)))
      }
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    })
})

const exactlyOnceLaws: Record<string, Law> = {
  "nothing is visible of a writer that ended before its epoch was prepared": ({ sink, visible }) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const writer = yield* Scope.provide(sink.writer(context("append")), scope)
      yield* writer.write(batch(rows(0, 10)))
      yield* Scope.close(scope, Exit.void)
      expect(yield* visible).toEqual([])
    }),
  "an attempt that prepared and died leaves no trace when the next one does its rows again": ({
    sink,
    again,
    visible,
    rendered = (r) => r
  }) =>
    Effect.gen(function* () {
      yield* prepareWith(sink, context("append"), 1, [batch(rows(0, 7))])
      const next = again()
      yield* next.commit(wire(yield* prepareWith(next, context("append", { attempt: 2 }), 3, [batch(rows(0, 5))])))
      expect(yield* visible).toEqual(rows(0, 5).map(rendered))
    }),
  "a commit that was interrupted and repeated brings each row once": ({ sink, visible, rendered = (r) => r }) =>
    Effect.gen(function* () {
      const prepared = yield* prepareWith(sink, context("append"), 1, [batch(rows(0, 20))])
      yield* Effect.timeoutOption(sink.commit(prepared), 0)
      yield* sink.commit(wire(prepared))
      expect(yield* visible).toEqual(rows(0, 20).map(rendered))
    })
}

const multiWriterLaws: Record<string, Law> = {
  "M1: two writers and two queries do not disturb each other": ({ sink, visible, rendered = (r) => r }) =>
    Effect.gen(function* () {
      const writers = [
        context("append", { writer: "w1" }),
        context("append", { writer: "w2" }),
        context("append", { writer: "w1", query: "other query" })
      ]
      for (const [i, c] of writers.entries())
        yield* sink.commit(yield* prepareWith(sink, c, 1, [batch(rows(i * 10, i * 10 + 3))]))
      expect([...(yield* visible)].sort(byText)).toEqual(
        [0, 10, 20].flatMap((n) => rows(n, n + 3).map(rendered)).sort(byText)
      )
      for (const c of writers) expect(yield* committedEpoch(sink, c.writer, c.query)).toBe(1)
    })
}

const expectTable = (
  { table, rendered = (r) => r }: SinkUnderTest,
  expected: ReadonlyArray<SinkRow>
): Effect.Effect<void, unknown> =>
  table === undefined
    ? Effect.void
    : Effect.map(table, (seen) => expect([...seen].sort(byText)).toEqual(expected.map(rendered).sort(byText)))

const updateLaws = (features: SinkFeatures): Record<string, Law> => ({
  "A4: in update mode the last row per identity stands, across epochs": (world) =>
    Effect.gen(function* () {
      const { sink } = world
      const writer = yield* sink.writer(context("update"))
      yield* writer.write(batch([row(1, "a"), row(2, "b")]))
      yield* writer.write(batch([row(3, "a")]))
      yield* sink.commit(wire(yield* writer.prepare(1)))
      yield* expectTable(world, [row(2, "b"), row(3, "a")])
      yield* writer.write(batch([row(4, "b"), row(5, "c")]))
      const second = wire(yield* writer.prepare(2))
      for (let i = 0; i < 2; i++) yield* sink.commit(second)
      yield* expectTable(world, [row(3, "a"), row(4, "b"), row(5, "c")])
      expect(yield* committedEpoch(sink)).toBe(2)
    }),
  "C9: in update mode a number prepared again has the changes of both calls, in order": (world) =>
    Effect.gen(function* () {
      const { sink } = world
      const writer = yield* sink.writer(context("update"))
      yield* writer.write(batch([row(1, "a"), row(2, "b")]))
      yield* writer.prepare(1)
      yield* writer.write(batch([row(3, "a")]))
      yield* sink.commit(wire(yield* writer.prepare(1)))
      yield* expectTable(world, [row(2, "b"), row(3, "a")])
    }),
  ...(features.deletes
    ? {
        "A4: a delete takes away the row with its identity, and nothing else": (world: SinkUnderTest) =>
          Effect.gen(function* () {
            const { sink } = world
            const writer = yield* sink.writer(context("update"))
            yield* writer.write(batch([row(1, "a"), row(2, "b"), row(3, "c")]))
            yield* sink.commit(yield* writer.prepare(1))
            yield* writer.write(
              batch([row(0, "a"), row(9, "none"), row(4, "d"), row(0, "d"), row(5, "d")], [1, 1, 0, 1, 0])
            )
            yield* sink.commit(yield* writer.prepare(2))
            yield* expectTable(world, [row(2, "b"), row(3, "c"), row(5, "d")])
            expect(yield* committedEpoch(sink)).toBe(2)
          })
      }
    : {})
})

const completeLaws: Record<string, Law> = {
  "C9: in complete mode a number prepared again has the last table of either call": (world) =>
    Effect.gen(function* () {
      const { sink } = world
      const writer = yield* sink.writer(context("complete"))
      yield* writer.write(batch([row(1, "a"), row(2, "b")]))
      yield* writer.prepare(1)
      yield* writer.prepare(1)
      yield* writer.write(batch([row(3, "c")]))
      const both = yield* writer.prepare(1)
      yield* sink.commit(wire(yield* writer.prepare(1)))
      yield* expectTable(world, [row(3, "c")])
      yield* sink.commit(wire(both))
      yield* expectTable(world, [row(3, "c")])
    }),
  "A4: in complete mode a batch is the whole table; an epoch without one leaves it": (world) =>
    Effect.gen(function* () {
      const { sink } = world
      const writer = yield* sink.writer(context("complete"))
      const epoch = (n: number, tables: ReadonlyArray<ReadonlyArray<SinkRow>>): Effect.Effect<void, unknown> =>
        Effect.gen(function* () {
          for (const t of tables) yield* writer.write(batch(t))
          yield* sink.commit(wire(yield* writer.prepare(n)))
        })
      yield* epoch(1, [[row(1, "a"), row(2, "b")]])
      yield* expectTable(world, [row(1, "a"), row(2, "b")])
      yield* epoch(2, [[row(9, "z")], [row(3, "b"), row(4, "c")]])
      yield* expectTable(world, [row(3, "b"), row(4, "c")])
      yield* epoch(3, [])
      yield* expectTable(world, [row(3, "b"), row(4, "c")])
      yield* epoch(4, [[]])
      yield* expectTable(world, [])
      expect(yield* committedEpoch(sink)).toBe(4)
    })
}

/** The laws of a sink with these features, by title. */
export const sinkLaws = (features: SinkFeatures): Record<string, Law> => ({
  ...sound(features),
  ...(features.modes.includes("append") ? appendLaws(features) : {}),
  ...(features.modes.includes("append") && features.guarantee === "exactly-once" ? exactlyOnceLaws : {}),
  ...(features.modes.includes("append") && features.multiWriter ? multiWriterLaws : {}),
  ...(features.modes.includes("append") ? recoveryLaws(features) : {}),
  ...(features.modes.includes("update") ? updateLaws(features) : {}),
  ...(features.modes.includes("complete") ? completeLaws : {})
})

/** Registers the laws of a sink with these features. `make` is run anew for each law, in a scope that ends with it. */
export const sinkConformance = (
  name: string,
  features: SinkFeatures,
  make: Effect.Effect<SinkUnderTest, unknown, Scope.Scope>
): void => {
  describe(`sink conformance: ${name}`, () => {
    for (const [title, law] of Object.entries(sinkLaws(features))) {
      it(title, () => Effect.runPromise(Effect.scoped(Effect.flatMap(make, law))))
    }
  })
}

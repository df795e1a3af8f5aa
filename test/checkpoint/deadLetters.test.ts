import { Effect, Option } from "effect"
import { describe, expect, it } from "vitest"
import { deadLetterSink, deadLettersOf } from "../../src/checkpoint/DeadLetters.ts"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import type { DeadLetter } from "../../src/model/DeadLetter.ts"
import { Limits } from "../../src/model/Limits.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import { sinkLaws, type SinkUnderTest } from "../conformance/sink.ts"
import { context, wire } from "../conformance/sinkWorld.ts"

const features = { modes: ["append"], guarantee: "exactly-once", multiWriter: true, deletes: false } as const

/** The suite's rows are as good as letters: both become lines of JSON. */
const world = (objects: ObjectStore, pad = 0): SinkUnderTest => {
  const make = (): SinkUnderTest["sink"] => {
    const sink = deadLetterSink(objects)
    return {
      ...sink,
      writer: (c) =>
        Effect.map(sink.writer(c), (writer) => ({
          ...writer,
          write: ({ rows }) => writer.write({ rows: rows.map((row) => ({ row, pad: "x".repeat(pad) }) as never) })
        }))
    } as SinkUnderTest["sink"]
  }
  const letters = Effect.map(
    Effect.forEach(["q", "q2", "other query"], (query) => deadLettersOf(objects, query.replace(" ", "-"), 1000)),
    (found) => found.flat().map((letter) => (letter as unknown as { readonly row: unknown }).row)
  )
  return {
    sink: make(),
    again: make,
    visible: letters,
    take: Effect.flatMap(objects.list("dead/", 1000), (names) => Effect.forEach(names, objects.delete))
  }
}

/** Queries of this sink have names that object stores take, and its epochs without letters leave no marker. */
const others = new Set([
  "M1: two writers and two queries do not disturb each other",
  "an epoch without rows brings nothing, and counts",
  "L3: received = written + dead, for rows with hostile values too; their neighbours are unharmed"
])

for (const [name, pad] of [
  ["in the record", 0],
  ["staged", Limits.deadLettersInlineMax]
] as const) {
  describe(`sink conformance: dead letters, ${name}`, () => {
    for (const [title, law] of Object.entries(sinkLaws(features))) {
      if (others.has(title)) continue
      it(title, () => Effect.runPromise(Effect.scoped(law(world(Memory.objectStore(), pad)))))
    }
  })
}

const letter = (text: string): DeadLetter => ({
  query: "q",
  operator: "source",
  source: "s",
  partition: "p",
  place: "1",
  reason: "malformed",
  detail: "not JSON",
  text,
  truncated: false
})

describe("C2: dead letters in the checkpoint store", () => {
  const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)
  const epoch = (objects: ObjectStore, c: ReturnType<typeof context>, n: number, texts: ReadonlyArray<string>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const writer = yield* deadLetterSink(objects).writer(c)
        yield* writer.write({ rows: texts.map(letter) })
        return wire(yield* writer.prepare(n))
      })
    )

  it("are one object an epoch, in order; an epoch without letters leaves nothing", () =>
    run(
      Effect.gen(function* () {
        const objects = Memory.objectStore()
        const sink = deadLetterSink(objects)
        yield* sink.commit(yield* epoch(objects, context("append"), 2, ["a", "b"]))
        yield* sink.commit(yield* epoch(objects, context("append", { continues: 2 }), 3, []))
        yield* sink.commit(yield* epoch(objects, context("append", { continues: 3 }), 14, ["c"]))
        expect((yield* deadLettersOf(objects, "q", 9)).map((l) => l.text)).toEqual(["a", "b", "c"])
        expect(yield* deadLettersOf(objects, "q", 1)).toEqual([letter("a"), letter("b")])
        expect((yield* objects.list("dead/", 9)).map((name) => name.slice(0, 18))).toEqual([
          "dead/q/0000000002-",
          "dead/q/0000000014-"
        ])
        expect(yield* sink.committed("q", "w")).toEqual(Option.some(14))
      })
    ))

  it("of a query begun anew stand beside the earlier ones", () =>
    run(
      Effect.gen(function* () {
        const objects = Memory.objectStore()
        const sink = deadLetterSink(objects)
        yield* sink.commit(yield* epoch(objects, context("append"), 2, ["old"]))
        yield* sink.commit(yield* epoch(objects, context("append", { queryId: "anew" }), 2, ["new"]))
        expect(new Set((yield* deadLettersOf(objects, "q", 9)).map((l) => l.text))).toEqual(new Set(["new", "old"]))
      })
    ))

  it("that were staged and are gone are an error, and so is another sink's record", () =>
    run(
      Effect.gen(function* () {
        const objects = Memory.objectStore()
        const sink = deadLetterSink(objects)
        const prepared = yield* epoch(objects, context("append"), 2, ["x".repeat(Limits.deadLettersInlineMax)])
        const [staged] = yield* objects.list("dead-staged/", 9)
        expect(staged).toMatch(/^dead-staged\/q\/0000000001-/)
        yield* objects.delete(staged)
        expect((yield* Effect.flip(sink.commit(prepared))).message).toMatch(/gone before they were committed/)
        for (const data of [null, {}, { tag: "x" }, { tag: "0123456789abcdef", lines: 1 }])
          expect((yield* Effect.flip(sink.commit({ ...prepared, data }))).message).toMatch(/not made by this sink/)
      })
    ))
})

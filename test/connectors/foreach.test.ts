import { Context, Data, DateTime, Effect, Exit } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Foreach from "../../src/connectors/foreach/Foreach.ts"
import { decodeRow, encodeRow } from "../../src/connectors/foreach/plainRow.ts"
import type { Prepared, Sink } from "../../src/model/Sink.ts"
import { sinkConformance, type SinkRow } from "../conformance/sink.ts"
import { context as contextOf } from "../conformance/sinkWorld.ts"

const features = {
  modes: ["append", "update", "complete"],
  guarantee: "at-least-once",
  multiWriter: true,
  deletes: true
} as const

sinkConformance(
  "foreach",
  features,
  Effect.sync(() => {
    const seen: Array<SinkRow> = []
    const make = (): Sink<SinkRow> => Foreach.sink((row: SinkRow) => Effect.sync(() => seen.push(row)))
    return { sink: make(), again: make, visible: Effect.sync(() => [...seen]) }
  })
)
sinkConformance(
  "foreach batch",
  features,
  Effect.sync(() => {
    const seen: Array<SinkRow> = []
    const make = (): Sink<SinkRow, "append" | "update" | "complete", unknown> =>
      Foreach.batch((_epoch, rows: ReadonlyArray<SinkRow>) => Effect.sync(() => seen.push(...rows)))
    return { sink: make(), again: make, visible: Effect.sync(() => [...seen]) }
  })
)

class Full extends Data.TaggedError("Full")<{ readonly at: number }> {}
class Store extends Context.Service<Store, { readonly save: (n: number) => Effect.Effect<void, Full> }>()(
  "test/Store"
) {}

const context = contextOf("append")

describe("Foreach.sink", () => {
  it("has the errors and requirements of its function, and stops at the first failure", async () => {
    const sink: Sink<number, "append" | "update" | "complete", Full, Store> = Foreach.sink((n: number) =>
      Effect.flatMap(Store, (store) => store.save(n))
    )
    const saved: Array<number> = []
    const store = Store.of({
      save: (n) => (n === 3 ? Effect.fail(new Full({ at: n })) : Effect.sync(() => void saved.push(n)))
    })
    const exit = await Effect.runPromiseExit(
      Effect.scoped(Effect.flatMap(sink.writer(context), (w) => w.write({ rows: [1, 2, 3, 4] }))).pipe(
        Effect.provideService(Store, store)
      )
    )
    expect(saved).toEqual([1, 2])
    expect(Exit.isFailure(exit)).toBe(true)
  })
  it("tells deletes from upserts", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const seen: Array<unknown> = []
          const sink = Foreach.sink((n: number, info) => Effect.sync(() => seen.push([n, info.deleted, info.mode])))
          const writer = yield* sink.writer({ ...context, mode: "update" })
          yield* writer.write({ rows: [1, 2], deletes: Uint8Array.of(0, 1) })
          expect(seen).toEqual([
            [1, false, "update"],
            [2, true, "update"]
          ])
        })
      )
    ))
})

describe("Foreach.batch", () => {
  const prepared = (rows: ReadonlyArray<unknown>, epoch: number): Effect.Effect<Prepared> =>
    Effect.scoped(
      Effect.gen(function* () {
        const writer = yield* Foreach.batch(() => Effect.void)
          .writer(context)
          .pipe(Effect.orDie)
        yield* Effect.orDie(writer.write({ rows: rows as ReadonlyArray<never> }))
        return JSON.parse(JSON.stringify(yield* Effect.orDie(writer.prepare(epoch)))) as Prepared
      })
    )
  it("is called once per epoch with its number and rows, again after a failure, not for an empty epoch", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const calls: Array<unknown> = []
        let broken = true
        const sink = Foreach.batch((epoch, rows: ReadonlyArray<unknown>) =>
          Effect.suspend(() => {
            calls.push([epoch, rows])
            return broken ? Effect.fail(new Full({ at: epoch })) : Effect.void
          })
        )
        const first = yield* prepared([{ a: 1n }, { a: undefined }], 7)
        expect((yield* Effect.flip(sink.commit(first)))._tag).toBe("Full")
        broken = false
        yield* sink.commit(first)
        yield* sink.commit(first)
        yield* sink.commit(yield* prepared([], 8))
        expect(calls).toEqual([
          [7, [{ a: 1n }, { a: undefined }]],
          [7, [{ a: 1n }, { a: undefined }]]
        ])
      })
    ))
  it("refuses rows that are not plain data, naming the field", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          class Money {}
          const writer = yield* Foreach.batch(() => Effect.void).writer(context)
          const circular: { self?: unknown } = {}
          circular.self = circular
          const rows = [{ ok: 1 }, { a: { b: [new Money()] } }, { f: () => 1 }, circular] as ReadonlyArray<unknown>
          const dead = yield* writer.write({ rows: rows as ReadonlyArray<never> })
          expect(dead.map((d) => [d.before, d.detail.split(",")[0]])).toEqual([
            [1, "field a.b[0] is an instance of Money"],
            [2, "field f is a function"],
            [3, "field self is a cycle"]
          ])
          expect(new TextDecoder().decode(dead[0].bytes)).toBe('{"a":{"b":[null]}}')
        })
      )
    ))
  it("does not commit what another kind of sink prepared", async () => {
    const error = await Effect.runPromise(
      Effect.flip(Foreach.batch(() => Effect.void).commit({ query: "q", writer: "w", epoch: 1, data: { staged: "x" } }))
    )
    expect(error).toMatchObject({ _tag: "SinkError", retryable: false })
  })
})

describe("plain rows", () => {
  const back = (row: unknown): unknown => {
    const encoded = encodeRow(row)
    return encoded.refused ?? decodeRow(encoded.json)
  }
  it("law: what is encoded comes back equal", () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withNullPrototype: true,
      withSparseArray: false
    })
    fc.assert(
      fc.property(anything, (row) => {
        expect(back(row)).toStrictEqual(row)
      }),
      { numRuns: 300 }
    )
  })
  it("keeps the odd ones: -0, NaN, bytes, DateTime, own $ and __proto__, lone surrogates", () => {
    for (const value of [
      -0,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      undefined,
      new Date(Number.NaN),
      Uint8Array.of(0, 255),
      "\ud800",
      { $: "bigint", v: "1" }
    ]) {
      expect(back({ value })).toStrictEqual({ value })
    }
    const hostile: unknown = JSON.parse('{"__proto__":{"polluted":1},"constructor":2}')
    expect(Object.getOwnPropertyNames(back(hostile))).toEqual(["__proto__", "constructor"])
    const at = DateTime.makeUnsafe(1234)
    expect(DateTime.toEpochMillis((back({ at }) as { at: DateTime.Utc }).at)).toBe(1234)
  })
  it("refuses nesting that would break the stack", () => {
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(encodeRow(deep).refused?.what).toContain("nested deeper")
  })
})

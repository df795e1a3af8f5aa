import { Schema } from "effect"
import { EventStream, Memory, Trigger, Window } from "tidemark"
import { beforeAll, describe, expect, it } from "vitest"
import { CompleteTable } from "../../src/actors/CompleteTable.ts"
import { RowChunk } from "../../src/model/RowChunk.ts"
import type { Later } from "../../src/model/Snapshot.ts"
import type { AggregateSpec } from "../../src/streams/aggregates/Aggregate.ts"
import { aggregatesFor } from "../../src/streams/aggregates/Aggregates.ts"
import { loadSchema } from "../../src/streams/aggregates/Reduce.ts"
import { StatesAtBarrier } from "../../src/streams/aggregates/StatesAtBarrier.ts"
import { SlotStore } from "../../src/streams/state/SlotStore.ts"
import { StateFault, StoringFault } from "../../src/streams/UserCode.ts"
import { add, rowsOf, written } from "../aggregates/feed.ts"
import { errorOf, runQuery } from "./kit.ts"

beforeAll(loadSchema)

class Basket {
  readonly items = 3
}

const { first, distinct, approxDistinct, count, reduce } = aggregatesFor<{
  readonly v: string
  readonly basket: Basket
}>()
const fed = (spec: AggregateSpec, ...values: ReadonlyArray<unknown>) => {
  const a = spec.make()
  a.reserve(4)
  add(spec, a, 0, rowsOf(...values), false)
  return a
}
const valuesOf = (parts: ReadonlyArray<Later>): ReadonlyArray<unknown> => parts.flatMap((part) => part.value() as never)

describe("C1: states that change in place are kept as they were at the barrier", () => {
  const kept = () => {
    let encodings = 0
    const states = new StatesAtBarrier((state: ReadonlyArray<number>) => {
      encodings++
      return state.join()
    })
    const snapshot = (of: ReadonlyArray<ReadonlyArray<number>>) => states.snapshot(of, of.length, 2, (all) => [...all])
    return { states, snapshot, encodings: () => encodings }
  }

  it("each is encoded once, before it changes or when its turn comes; of two snapshots each gives its own", () => {
    const { states, snapshot, encodings } = kept()
    const all = [[1], [2], [3]]
    const one = snapshot(all)
    states.changing(2)
    all[2].push(9)
    states.changing(2)
    const two = snapshot(all)
    states.changing(0)
    all[0].push(8)
    expect(valuesOf(two)).toEqual(["1", "2", "3,9"])
    expect(valuesOf(one)).toEqual(["1", "2", "3"])
    expect(encodings()).toBe(6)
    states.changing(1)
    expect(encodings()).toBe(6)
    expect(() => one[0].value()).toThrow("only once")
  })

  it("a state that cannot be encoded fails its snapshot, not the row that changes it", () => {
    const states = new StatesAtBarrier((state: number): string => {
      if (state < 0) throw new Error("below zero")
      return String(state)
    })
    const parts = states.snapshot([1, -1], 2, 2, (all) => [...all])
    expect(() => states.changing(1)).not.toThrow()
    expect(() => parts[0].value()).toThrow("below zero")
  })

  it("a dense sketch of distinct values does not feel what comes after", () => {
    const spec = approxDistinct("v")
    const before = fed(spec, ...Array.from({ length: 5000 }, (_, i) => i))
    const snapshot = before.snapshot(1)
    const then = before.result(0)
    add(spec, before, 0, rowsOf(...Array.from({ length: 5000 }, (_, i) => `more ${i}`)), false)
    expect(before.result(0)).not.toBe(then)
    const after = spec.make()
    after.reserve(1)
    after.restore(written(snapshot), Int32Array.of(0), 0)
    expect(after.result(0)).toBe(then)
  })
})

describe("what cannot be stored", () => {
  it.each([
    ["first", first("basket"), { basket: new Basket() }, "first(basket) holds", "an instance of Basket"],
    ["rows of a reducer", keeping(), { f: () => 1 }, "reduce(<lambda>) holds", "field f is a function"],
    ["a state that its Schema does not know", texts(), 7, "reduce.state holds 7", "xpected"]
  ])("%s: the Later throws, and names the aggregate and the value", (_, spec, value, label, why) => {
    const snapshot = fed(spec, spec.label.startsWith("first") ? (value as { basket: unknown }).basket : value).snapshot(
      1
    )
    expect(() => written(snapshot)).toThrow(StoringFault)
    expect(() => written(snapshot)).toThrow(label)
    expect(() => written(snapshot)).toThrow(why)
  })

  it("the query fails with an error that says so", async () => {
    const out = Memory.sink()
    const input = Memory.source({ partitions: { p: [{ t: 1, basket: new Basket() }] } })
    const pipeline = EventStream.from(input).pipe(
      EventStream.withEventTime("t", { outOfOrderness: 0 }),
      EventStream.keyBy(),
      EventStream.window(Window.tumbling(10), { late: "drop" }),
      EventStream.aggregate(({ first: f }) => ({ basket: f("basket") })),
      EventStream.to(out)
    )
    const error = await errorOf(runQuery(pipeline, { trigger: Trigger.availableNow() }))
    expect(error).toMatchObject({ _tag: "QueryError", reason: "Checkpoint" })
    expect(String(error)).toContain(
      'window-1",0]: first(basket) holds {"items":3}: it is an instance of Basket, which cannot be kept in a checkpoint'
    )
  })

  it("C8: a state that was written by another Schema is refused", () => {
    const snapshot = written(fed(texts(), "x").snapshot(1))
    const other = reduce({ state: Schema.Number, zero: () => 0, add: (s) => s, merge: (x) => x }).make()
    other.reserve(1)
    expect(() => other.restore(snapshot, Int32Array.of(0), 0)).toThrow(StateFault)
  })
})

function texts(): AggregateSpec {
  return reduce({ state: Schema.String, zero: () => "", add: (_, row) => row as unknown as string, merge: (x) => x })
}
function keeping(): AggregateSpec {
  return reduce({ state: Schema.String, zero: () => "", add: (s) => s })
}

describe("A4: the table of a complete output", () => {
  const chunkOf = (rows: ReadonlyArray<object>, times: ReadonlyArray<number>): RowChunk =>
    new RowChunk(rows.length, rows, undefined, { lane: 0, first: 0 }, 1, Float64Array.from(times))
  const table = () => new CompleteTable(["k"], 100)
  const full = (): CompleteTable => {
    const t = table()
    t.upsert(
      chunkOf([{ k: "a", n: 1n }, { k: -0, n: undefined }, JSON.parse('{"__proto__":1}')], [5, 50, -Infinity]),
      90
    )
    t.upsert(chunkOf([{ k: "a", n: 2n }], [60]), 90)
    return t
  }

  it("goes on from a snapshot as it was, rows added since left out", () => {
    const before = full()
    const snapshot = before.snapshot()
    before.upsert(chunkOf([{ k: "late" }], [70]), 90)
    const [stored, wanted, after] = [written(snapshot), full(), table()]
    after.restore(stored)
    for (const [watermark, now] of [
      [0, 0],
      [155, 0],
      [165, 0],
      [165, 0],
      [500, 0]
    ]) {
      expect(after.take(watermark, now)).toStrictEqual(wanted.take(watermark, now))
    }
  })

  it("C1: one that was written is not changed by being restored", () => {
    const before = full()
    before.take(0, 0)
    const after = table()
    after.restore(written(before.snapshot()))
    expect(after.take(0, 0)).toBeUndefined()
    after.upsert(chunkOf([{ k: "new" }], [1]), 0)
    expect(after.take(0, 0)).toHaveLength(4)
  })

  it("a row that cannot be stored is named", () => {
    const t = table()
    t.upsert(chunkOf([{ k: "a", basket: new Basket() }], [1]), 0)
    expect(() => written(t.snapshot())).toThrow("the table of a complete output holds")
  })
})

describe("A7: the size of state", () => {
  it("is about that of what it holds, and follows it down", () => {
    const few = fed(distinct("v"), 1, 2, 3).bytes()
    const many = fed(distinct("v"), ...Array.from({ length: 10_000 }, (_, i) => i)).bytes()
    expect(many - few).toBeGreaterThan(10_000 * 16)
    expect(many - few).toBeLessThan(10_000 * 200)
    const kept = keeping()
    const a = fed(kept, ...Array.from({ length: 1000 }, () => ({ text: "x".repeat(500) })))
    expect(a.bytes()).toBeGreaterThan(1000 * 500)
    a.clear(0)
    expect(a.bytes()).toBeLessThan(1000)
  })

  it("slots of sessions that are over are used again from the lowest, so that snapshots become small again", () => {
    const store = new SlotStore([count])
    const slots = Array.from({ length: 100 }, () => store.take())
    for (const slot of slots) if (slot !== 90) store.free(slot)
    const sizeOf = (n: number): number => (store.snapshot(n) as unknown as { counts: Float64Array }).counts.length
    expect(sizeOf(91)).toBe(91)
    expect([store.take(), store.take(), store.take()]).toEqual([0, 1, 2])
    store.free(90)
    expect(sizeOf(3)).toBe(3)
  })
})

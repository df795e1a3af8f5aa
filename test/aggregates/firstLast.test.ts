import { describe, expect, it } from "vitest"
import { compareLanes, first, last } from "../../src/streams/aggregates/FirstLast.ts"
import { add, resultOf, type Row, throughCheckpoint } from "./feed.ts"

const value = { field: "v", label: "v" }
const row = (v: unknown, time: number, lane: string | number, ordinal: number, sub = 0): Row => ({
  value: v,
  time,
  lane,
  ordinal,
  sub
})

describe("A1: first and last by (event time, source, partition, position, output index)", () => {
  it.each([
    ["event time before all else", [row("b", 2, 0, 0), row("a", 1, 9, 9)]],
    ["then the lane by number", [row("b", 1, 10, 0), row("a", 1, 9, 5)]],
    ["lanes of numbers before lanes of text", [row("b", 1, "0", 0), row("a", 1, 7, 5)]],
    ["lanes of text by code unit", [row("b", 1, "b", 0), row("a", 1, "B", 5)]],
    ["then the position", [row("b", 1, 0, 2, 0), row("a", 1, 0, 1, 5)]],
    ["then the output index of a flatMap", [row("b", 1, 0, 1, 1), row("a", 1, 0, 1, 0)]],
    ["event times before the epoch", [row("b", -1, 0, 0), row("a", -2, 0, 0)]]
  ])("%s", (_, rows) => {
    for (const order of [rows, [...rows].reverse()]) {
      expect(resultOf(first(value), order)).toBe("a")
      expect(resultOf(last(value), order)).toBe("b")
    }
  })

  it("a missing value of the first row is null; the next row's does not stand in for it", () => {
    expect(resultOf(first(value), [row(undefined, 1, 0, 0), row(5, 2, 0, 1)])).toBe(null)
    expect(resultOf(last(value), [row(null, 1, 0, 0)])).toBe(null)
    expect(resultOf(first(value), [])).toBe(null)
  })

  it("without event times, the order is the rest of it", () => {
    const a = first(value).make()
    a.reserve(1)
    const order = {
      times: new Float64Array(0),
      lanes: [1, 0, 0],
      ordinals: Float64Array.of(0, 3, 2),
      subs: new Float64Array(3)
    }
    a.addBatch(new Int32Array(3), ["x", "y", "z"], 0, 3, order)
    expect(a.result(0)).toBe("z")
  })

  it("an empty slot merged into another changes nothing", () => {
    const [a, b] = [last(value).make(), last(value).make()]
    a.reserve(2)
    b.reserve(2)
    add(last(value), a, 0, [row("x", 1, 0, 0)])
    a.mergeSlot(0, b, 1)
    expect(a.result(0)).toBe("x")
    b.mergeSlot(1, a, 0)
    expect(b.result(1)).toBe("x")
  })

  it("rows of any kind, and empty slots between, go through a checkpoint", () => {
    const a = first(value).make()
    a.reserve(3)
    const kept = { at: new Date(5), n: 2n ** 70n, note: undefined, ["__proto__x"]: -0 }
    add(first(value), a, 2, [row(kept, 3, "lane", 4, 1)])
    const restored = throughCheckpoint(first(value), a, 3)
    expect(restored.result(2)).toStrictEqual(kept)
    add(first(value), restored, 2, [row("later", 3, "lane", 4, 2)])
    expect(restored.result(2)).toStrictEqual(kept)
    add(first(value), restored, 1, [row("only", 3, 0, 0)])
    expect(restored.result(1)).toBe("only")
  })
})

describe("compareLanes", () => {
  it("text is ordered by code unit, as JavaScript compares it, in no locale", () => {
    const lanes = ["ä", "b", "a", "B", "", "\ud83d\ude00", "\uffff", 2, 10, -1]
    expect([...lanes].sort(compareLanes)).toEqual([-1, 2, 10, "", "B", "a", "b", "ä", "\ud83d\ude00", "\uffff"])
  })
})

import * as Schema from "effect/Schema"
import { beforeAll, describe, expect, it } from "vitest"
import { loadSchema } from "../../src/streams/aggregates/Reduce.ts"
import type { AggregateSpec } from "../../src/streams/aggregates/Aggregate.ts"
import { aggregatesFor } from "../../src/streams/aggregates/Aggregates.ts"
import { add, resultOf, type Row, rowsOf, throughCheckpoint } from "./feed.ts"

beforeAll(loadSchema)

const { reduce } = aggregatesFor<string>()

/** Changes its state in place, and hands back `y` from a merge with nothing: allowed, and dangerous to share. */
const letters = reduce({
  state: Schema.mutable(Schema.Array(Schema.String)),
  zero: (): Array<string> => [],
  add: (s, row) => {
    s.push(row)
    return s
  },
  merge: (x, y) => (x.length === 0 ? y : x.concat(y)),
  result: (s) => [...s].sort().join("")
})

const joined = reduce({ state: Schema.String, zero: () => "", add: (s, row) => s + row })

const part = (spec: AggregateSpec, rows: ReadonlyArray<Row>) => {
  const a = spec.make()
  a.reserve(1)
  add(spec, a, 0, rows)
  return a
}

describe("A1: a reducer with merge", () => {
  it("folds and merges", () => {
    expect(resultOf(letters, rowsOf("b", "a"))).toBe("ab")
    expect(resultOf(letters, [])).toBe("")
  })

  it("slots never share a state, though the user's merge hands one back", () => {
    const slice = part(letters, rowsOf("a"))
    const window = part(letters, [])
    window.mergeSlot(0, slice, 0)
    add(letters, window, 0, rowsOf("x"))
    expect([window.result(0), slice.result(0)]).toEqual(["ax", "a"])
  })

  it("its state goes through a checkpoint by its Schema", () => {
    const latest = aggregatesFor<{ readonly at: Date; readonly n: bigint }>().reduce({
      state: Schema.Struct({ at: Schema.Date, n: Schema.BigInt }),
      zero: () => ({ at: new Date(0), n: 0n }),
      add: (s, row) => (row.at > s.at ? row : s),
      merge: (x, y) => (x.at > y.at ? x : y)
    })
    const a = part(latest, rowsOf({ at: new Date(9), n: 2n ** 70n }, { at: new Date(5), n: 1n }))
    const restored = throughCheckpoint(latest, a, 1)
    expect(restored.result(0)).toEqual({ at: new Date(9), n: 2n ** 70n })
    restored.reserve(2)
    expect(restored.result(1)).toEqual({ at: new Date(0), n: 0n })
  })
})

describe("A1: a reducer without merge keeps rows", () => {
  const row = (value: string, lane: string | number, ordinal: number, sub = 0): Row => ({ value, lane, ordinal, sub })

  it("and folds them by (partition, position), as in a session, however they came", () => {
    const a = part(joined, [row("d", 1, 0), row("b", 0, 7)])
    a.mergeSlot(0, part(joined, [row("c", 0, 7, 1), row("a", 0, 2)]), 0)
    expect(a.result(0)).toBe("abcd")
    expect(a.result(0)).toBe("abcd")
  })

  it("and folds them by slice first when slices are merged, in whatever order", () => {
    const early = part(joined, [row("b", 5, 0), row("a", 1, 9)])
    const late = part(joined, [row("d", 1, 1), row("c", 0, 3)])
    const side = part(joined, [row("A", 0, 0)])
    for (const merges of [
      [
        [early, 0],
        [late, 60],
        [side, 0]
      ],
      [
        [side, 0],
        [late, 60],
        [early, 0]
      ]
    ] as const) {
      const window = part(joined, [])
      for (const [slice, start] of merges) window.mergeSlot(0, slice, 0, start)
      expect(throughCheckpoint(joined, window, 1).result(0)).toBe("Aabcd")
      const outer = part(joined, [])
      outer.mergeSlot(0, window, 0)
      expect(outer.result(0)).toBe("Aabcd")
    }
    expect(early.result(0)).toBe("ab")
  })

  it("needs the order of rows; with merge it does not", () => {
    expect([joined.needsOrder, letters.needsOrder]).toEqual([true, false])
  })
})

describe("a reducer that is none", () => {
  it("is a problem, not an exception", () => {
    const wrong = reduce({ state: {}, zero: 0, add: () => 0, merge: "x" } as never)
    expect(wrong.problems?.map((p) => p.option)).toEqual(["reduce.state", "reduce.zero", "reduce.merge"])
    expect(letters.problems).toEqual([])
  })
})

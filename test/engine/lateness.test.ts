import { Window } from "tidemark"
import { describe, expect, it } from "vitest"
import { run } from "./kit.ts"
import { at, windowed } from "./windowed.ts"

describe("T3, T4: whether a row is late is its own partition's matter", () => {
  it("a partition far ahead makes no row of another late", async () => {
    const { windows, late } = await run(
      windowed({ fast: at(1, 1000, 2000), slow: at(5, 6, 7) }, Window.tumbling(10), { chunkRows: 1 })
    )
    expect(windows[0]).toEqual([0, 10, 4])
    expect(late).toEqual([])
  })

  it("a row is late exactly when the end of its window is not above the watermark before it", async () => {
    // After 20 with bound 10 the watermark is 10: [0, 10) is over for a row at 9. After 19 it is 9, and it is not.
    expect((await run(windowed({ p: at(20, 9) }, Window.tumbling(10), { bound: 10 }))).late).toEqual([9])
    expect((await run(windowed({ p: at(19, 9) }, Window.tumbling(10), { bound: 10 }))).late).toEqual([])
  })

  it("in a session, a row is late when it is below the watermark before it", async () => {
    const { late, windows } = await run(windowed({ p: at(20, 10, 9) }, Window.session(5), { bound: 10 }))
    expect(late).toEqual([9])
    expect(windows).toEqual([
      [10, 15, 1],
      [20, 25, 1]
    ])
  })

  it("with an allowed lateness L, when end + L is not above it", async () => {
    const { late, windows } = await run(windowed({ p: at(14, 9, 15, 9) }, Window.tumbling(10), { lateness: 5 }))
    expect(late).toEqual([9])
    expect(windows[0]).toEqual([0, 10, 1])
  })
})

describe("T5: a sliding row that is late for some of its windows counts in the others", () => {
  it("and does not leak through the slice they share", async () => {
    // Windows of 20 every 10. After 30 the watermark is 30: the row at 15 is late for [0, 20) and [10, 30) alike, the
    // row at 25 for [10, 30) only.
    const { windows, late, ledger } = await run(
      windowed({ a: at(22, 30, 25, 15), b: at(5, 23) }, Window.sliding(20, { every: 10 }), { chunkRows: 1 })
    )
    expect(windows).toEqual([
      [-10, 10, 1],
      [0, 20, 1],
      [10, 30, 2],
      [20, 40, 4],
      [30, 50, 1]
    ])
    expect(late).toEqual([15])
    expect(ledger).toMatchObject({ in: 6, contributed: 5, late: 1, partlyLate: 1, settled: 5, held: 0 })
  })
})

describe("T9: sessions", () => {
  it("rows less than the gap apart belong together, exactly the gap apart stay separate", async () => {
    const { windows } = await run(windowed({ p: at(0, 4, 9, 13) }, Window.session(5), { bound: 20 }))
    expect(windows).toEqual([
      [0, 9, 2],
      [9, 18, 2]
    ])
  })

  it("a row joins two sessions that it stands between, in any order", async () => {
    for (const times of [
      [0, 6, 3],
      [6, 0, 3],
      [3, 6, 0]
    ]) {
      const { windows } = await run(windowed({ p: at(...times) }, Window.session(4), { bound: 20 }))
      expect(windows, String(times)).toEqual([[0, 10, 3]])
    }
  })
})

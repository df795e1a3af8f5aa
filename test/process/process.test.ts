/** What `EventStream.process` does with rows and state, on the pure operator. */
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { EventStream } from "tidemark"
import { fault, Instances, row, timedBy, Total, untimedBy } from "./kit.ts"

/** Says the total of a key after each row; a timer, named by what it does, says what it sees. */
const totals = (options: { readonly ttl: number | "never"; readonly late?: "drop" | "process" }) =>
  timedBy(10).pipe(
    EventStream.process({
      state: Total,
      ttl: options.ttl === "never" ? "never" : `${options.ttl} millis`,
      late: options.late ?? "drop",
      onRow: ({ k, v }, { state }) => {
        const total = (state.get()?.total ?? 0) + v
        state.set({ total })
        return [`${k}=${total}`]
      }
    })
  )

describe("rows and state", () => {
  it("a key's state is its own; rows of results have the time of their row and the watermark sent before", async () => {
    const op = await Instances.make(totals({ ttl: "never" }))
    op.rows([row("a", 100, 1), row("b", 101, 5)])
    op.rows([row("a", 105, 2)])
    expect(op.out).toEqual([
      { row: "a=1", time: 100, watermark: -Infinity },
      { row: "b=5", time: 101, watermark: -Infinity },
      { row: "a=3", time: 105, watermark: 91 }
    ])
    expect(op.counters).toMatchObject({ in: 3, forwarded: 3, late: 0 })
    expect([op.operators[0].held(), op.operators[0].keys()]).toEqual([0, 2])
  })

  it("any iterable of rows goes, also none; a generator is run at once", async () => {
    const op = await Instances.make(
      timedBy(0).pipe(
        EventStream.process({
          state: Total,
          ttl: "never",
          late: "drop",
          onRow: function* ({ v }, { state }) {
            for (let i = 0; i < v; i++) {
              state.set({ total: i })
              yield { i, seen: state.get()?.total }
            }
          }
        })
      )
    )
    op.rows([row("a", 1, 2), row("a", 1, 0), row("a", 2, 1)])
    expect(op.results).toEqual([
      { i: 0, seen: 0 },
      { i: 1, seen: 1 },
      { i: 0, seen: 0 }
    ])
  })

  it("the context has the key's columns, times and watermark of the row", async () => {
    const seen: Array<unknown> = []
    const op = await Instances.make(
      timedBy(10).pipe(
        EventStream.process({
          state: Total,
          ttl: "never",
          late: "process",
          onRow: (_, c) => void seen.push([c.key, c.time, c.watermark, c.now, c.late])
        })
      )
    )
    op.tick(7)
    op.rows([row("a", 100), row("b", 130), row("a", 110)])
    expect(seen).toEqual([
      [{ k: "a" }, 100, -Infinity, 7, false],
      [{ k: "b" }, 130, 90, 7, false],
      [{ k: "a" }, 110, 120, 7, true]
    ])
  })

  it("L1: nothing is known of a key whose state is cleared and that has no timer", async () => {
    const op = await Instances.make(
      timedBy(0).pipe(
        EventStream.process({
          state: Total,
          ttl: "never",
          late: "drop",
          onRow: ({ v }, { state }) => {
            const before = state.get()?.total
            if (v === 0) state.clear()
            else state.set({ total: v })
            return [before]
          }
        })
      )
    )
    op.rows([row("a", 1, 1), row("a", 2, 0), row("b", 3, 1), row("a", 4, 2)])
    expect(op.results).toEqual([undefined, 1, undefined, undefined])
    op.rows([row("a", 5, 0), row("b", 5, 0)])
    expect(op.operators[0].keys()).toBe(0)
    expect(op.operators[0].bytes()).toBe(0)
  })

  it("state changed in place is not changed: only set changes it", async () => {
    const op = await Instances.make(
      timedBy(0).pipe(
        EventStream.process({
          state: Schema.Struct({ list: Schema.mutable(Schema.Array(Schema.Number)) }),
          ttl: "never",
          late: "drop",
          onRow: ({ v }, { state }) => {
            const mine = state.get() ?? { list: [] }
            mine.list.push(v)
            if (v < 10) {
              state.set(mine)
              mine.list.push(-1)
            }
            return [state.get()?.list]
          }
        })
      )
    )
    op.rows([row("a", 1, 1), row("a", 2, 2), row("a", 3, 30), row("a", 4, 4)])
    expect(op.results).toEqual([[1], [1, 2], [1, 2], [1, 2, 4]])
  })

  it("state that its Schema takes as it is comes frozen, and is a copy", async () => {
    const op = await Instances.make(
      timedBy(0).pipe(
        EventStream.process({
          state: Schema.Unknown,
          ttl: "never",
          late: "drop",
          onRow: (r, { state }) => {
            const old = state.get() as { v: Array<number> } | undefined
            const mine = { v: [r.v] }
            state.set(mine)
            mine.v.push(9)
            if (old !== undefined) old.v.push(8)
            return [old]
          }
        })
      )
    )
    op.rows([row("a", 1, 1)])
    expect(fault(() => op.rows([row("a", 2, 2)]))).toContain("not extensible")
    expect(op.results).toEqual([undefined])
  })
})

describe("T4: late rows", () => {
  const rows = [row("a", 100, 1), row("a", 89, 10), row("a", 90, 100)]

  it("are dropped and counted; exactly at the watermark is not late", async () => {
    const op = await Instances.make(totals({ ttl: "never" }))
    op.rows(rows)
    expect(op.results).toEqual(["a=1", "a=101"])
    expect(op.counters).toMatchObject({ in: 3, forwarded: 2, late: 1 })
    expect(op.late).toEqual([])
  })

  it("are processed where that was chosen", async () => {
    const op = await Instances.make(totals({ ttl: "never", late: "process" }))
    op.rows(rows)
    expect(op.results).toEqual(["a=1", "a=11", "a=111"])
    expect(op.counters).toMatchObject({ in: 3, forwarded: 3, late: 0 })
  })

  it("count as of their watermark: what may have been freed, they do not see, wherever chunks were cut", async () => {
    for (const cut of [1, 2, 3]) {
      const op = await Instances.make(totals({ ttl: 20, late: "process" }))
      // At the last row, the watermark is 121 and a's state, set at 100, ended at 120; b's has not.
      const all = [row("a", 100, 1), row("b", 131, 2), row("a", 90, 3), row("b", 90, 4)]
      for (let i = 0; i < all.length; i += cut) op.rows(all.slice(i, i + cut))
      expect(op.results).toEqual(["a=1", "b=2", "a=3", "b=6"])
    }
  })
})

describe("A7: state ends", () => {
  it("judged by the row: later than t0 + ttl sees none, exactly then still does", async () => {
    const op = await Instances.make(totals({ ttl: 100 }))
    op.rows([row("a", 0, 1), row("a", 100, 1), row("a", 201, 1), row("a", 301, 1)])
    expect(op.results).toEqual(["a=1", "a=2", "a=1", "a=2"])
  })

  it("by the row, not by W_op: a later row that came first does not end it for an earlier one", async () => {
    const op = await Instances.make(
      timedBy(1000).pipe(
        EventStream.process({
          state: Total,
          ttl: "100 millis",
          late: "drop",
          onRow: ({ v }, { state }) => {
            const before = state.get()?.total
            if (v > 0) state.set({ total: v })
            return [before]
          }
        })
      )
    )
    op.rows([row("a", 0, 1), row("a", 500), row("a", 50), row("a", 40, 2), row("a", 99), row("a", 101)])
    // The row at 40 does not make the state older than the one at 0 had made it, nor keep it from ageing: 40 + 100.
    expect(op.results).toEqual([undefined, undefined, 1, 1, 2, 2])
  })

  it("an earlier row does not shorten it", async () => {
    const op = await Instances.make(totals({ ttl: 100 }))
    op.rows([row("a", 50, 1), row("a", 45, 1), row("a", 150, 1)])
    expect(op.results).toEqual(["a=1", "a=2", "a=3"])
  })

  it("W_op frees: memory goes when nobody can see it any more", async () => {
    const op = await Instances.make(totals({ ttl: 100 }))
    op.rows([row("a", 0, 1), row("b", 50, 1)])
    expect(op.operators[0].keys()).toBe(2)
    op.watermark(100)
    expect(op.operators[0].keys()).toBe(2)
    op.watermark(101)
    expect(op.operators[0].keys()).toBe(1)
    op.rows([row("b", 120, 1)])
    op.watermark(220)
    expect(op.operators[0].keys()).toBe(1)
    op.watermark(221)
    expect(op.operators[0].keys()).toBe(0)
    expect(op.operators[0].bytes()).toBe(0)
  })

  it("a timer sees what its own time sees", async () => {
    const op = await Instances.make(
      timedBy(0).pipe(
        EventStream.process({
          state: Total,
          ttl: "100 millis",
          late: "drop",
          onRow: ({ t, v }, { state, onEventTime }) => {
            state.set({ total: v })
            onEventTime(t + 100, "in time")
            onEventTime(t + 101, "too late")
          },
          onTimer: ({ name }, { state }) => [[name, state.get()?.total]]
        })
      )
    )
    op.rows([row("a", 0, 7), row("b", 10_000)])
    expect(op.results.slice(0, 2)).toEqual([
      ["in time", 7],
      ["too late", undefined]
    ])
  })

  it("without event time it ages by the clock, and the tick frees", async () => {
    const op = await Instances.make(
      untimedBy.pipe(
        EventStream.process({
          state: Total,
          ttl: "100 millis",
          onRow: (r, { state }) => {
            const before = state.get()?.total
            if (r.v > 0) state.set({ total: r.v })
            return [before]
          }
        })
      )
    )
    op.tick(1000)
    op.rows([row("a", 0, 1)])
    op.tick(1100)
    op.rows([row("a", 0)])
    op.tick(1101)
    expect(op.operators[0].keys()).toBe(0)
    op.rows([row("a", 0)])
    expect(op.out.map((o) => [o.row, o.time])).toEqual([
      [undefined, undefined],
      [1, undefined],
      [undefined, undefined]
    ])
  })
})

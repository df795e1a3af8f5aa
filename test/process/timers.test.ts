/** Timers of `EventStream.process`, by the watermark and by the clock, on the pure operator. */
import { describe, expect, it } from "vitest"
import { EventStream } from "tidemark"
import { Instances, type Row, row, timedBy, Total, untimedBy } from "./kit.ts"

/** Rows set timers by their value; everything that happens is said. */
const timers = (act: (r: Row, c: EventStream.TimedContext<{ k: string }, { total: number }>) => void) =>
  timedBy(0).pipe(
    EventStream.process({
      state: Total,
      ttl: "never",
      late: "process",
      onRow: (r, c) => {
        act(r, c)
        return [`row ${r.k}${r.t}`]
      },
      onTimer: (timer, { key, time, watermark }) => [`${timer.name} ${key.k}${timer.at} ${time} ${watermark}`]
    })
  )

describe("event timers", () => {
  it("fire when the watermark reaches their time, in the order of times, then of setting", async () => {
    const op = await Instances.make(
      timers(({ k, v }, c) => {
        if (v === 0) return
        c.onEventTime(50, "x")
        c.onEventTime(k === "a" ? 30 : 30.5, "y")
        c.onEventTime(30, "z")
      })
    )
    op.rows([row("a", 0, 1), row("b", 0, 1)])
    op.watermark(29)
    expect(op.results).toEqual(["row a0", "row b0"])
    op.watermark(60)
    expect(op.out.slice(2)).toEqual(
      [
        ["y a30 30 30", 30],
        ["z a30 30 30", 30],
        ["z b30 30 30", 30],
        ["y b31 31 31", 31],
        ["x a50 50 50", 50],
        ["x b50 50 50", 50]
      ].map(([said, time]) => ({ row: said, time, watermark: 29 }))
    )
  })

  it("fed by one partition, fall between the same rows of their key wherever chunks are cut", async () => {
    const all = [row("a", 10, 1), row("a", 14), row("b", 40), row("a", 41), row("a", 60), row("a", 60)]
    const runs: Array<ReadonlyArray<unknown>> = []
    for (const cut of [1, 2, 3, 6]) {
      const op = await Instances.make(
        timers((r, c) => {
          if (r.v > 0) {
            c.onEventTime(15, "one")
            c.onEventTime(50, "two")
          }
        })
      )
      for (let i = 0; i < all.length; i += cut) op.rows(all.slice(i, i + cut))
      op.end()
      runs.push(op.results.filter((said) => !String(said).includes("b")))
    }
    expect(runs[0]).toEqual(["row a10", "row a14", "one a15 15 15", "row a41", "row a60", "two a50 50 50", "row a60"])
    for (const run of runs) expect(run).toEqual(runs[0])
  })

  it("T3: fed by several partitions, wait for the slowest", async () => {
    const op = await Instances.make(
      timers(({ v }, c) => v > 0 && c.onEventTime(20)),
      { partitions: 2 }
    )
    op.rows([row("a", 10, 1), row("a", 100)], 0)
    expect(op.results).toEqual(["row a10", "row a100"])
    op.rows([row("a", 12), row("a", 19)], 1)
    expect(op.results.slice(2)).toEqual(["row a12", "row a19"])
    op.rows([row("a", 20)], 1)
    expect(op.results.slice(4)).toEqual(["row a20", "timer a20 20 20"])
  })

  it("a name is one timer: setting it again moves it, cancelling takes it back", async () => {
    const op = await Instances.make(
      timers(({ t, v }, c) => {
        if (v === 1) c.onEventTime(t + 20)
        if (v === 2) c.cancel()
        if (v === 3) c.cancel("none of this name")
      })
    )
    op.rows([row("a", 0, 1), row("b", 0, 1), row("c", 0, 1), row("a", 15, 1), row("b", 15, 2), row("c", 16, 3)])
    op.watermark(100)
    expect(op.results.slice(6)).toEqual(["timer c20 20 20", "timer a35 35 35"])
  })

  it("a time that has passed is due at once, and is the watermark's", async () => {
    const op = await Instances.make(timers(({ v }, c) => v > 0 && c.onEventTime(v)))
    op.rows([row("a", 100), row("b", 100, 5), row("a", 100)])
    expect(op.results).toEqual(["row a100", "row b100", "timer b100 100 100", "row a100"])
  })

  it("set each other; a periodic one fires for each period, however far the watermark leaps", async () => {
    const said: Array<number> = []
    const op = await Instances.make(
      timedBy(0).pipe(
        EventStream.process({
          state: Total,
          ttl: "never",
          late: "drop",
          onRow: ({ t }, { onEventTime }) => onEventTime(t + 10),
          onTimer: ({ at }, { onEventTime }) => {
            said.push(at)
            onEventTime(at + 10)
          }
        })
      )
    )
    op.rows([row("a", 0)])
    op.watermark(45)
    expect(said).toEqual([10, 20, 30, 40])
  })

  it("more than a step's worth come in parts", async () => {
    const op = await Instances.make(timers(({ t }, c) => c.onEventTime(t + 1)))
    const keys = 10_000
    op.rows(Array.from({ length: keys }, (_, i) => row(`k${i}`, 0)))
    const chunks: Array<number> = []
    const output = {
      emit: (chunk: { readonly length: number }) => void chunks.push(chunk.length),
      late: () => undefined
    }
    const calls: Array<boolean> = []
    do calls.push(op.operators[0].advance(1, output))
    while (calls.at(-1) === false)
    expect(calls).toEqual([false, false, true])
    expect(chunks.reduce((a, b) => a + b)).toBe(keys)
    expect(Math.max(...chunks)).toBeLessThanOrEqual(1024)
  })

  it("T11: at the end all fire, in order, but not those set meanwhile", async () => {
    const op = await Instances.make(
      timedBy(0).pipe(
        EventStream.process({
          state: Total,
          ttl: "never",
          late: "drop",
          onRow: ({ t }, { onEventTime, onProcessingTime }) => {
            onEventTime(t + 1000)
            onEventTime(t + 500, "moved at the end")
            onProcessingTime(5, "by the clock")
          },
          onTimer: ({ name, at }, { onEventTime }) => {
            onEventTime(at + 1)
            onEventTime(5000, "moved at the end")
            return [[name, at]]
          }
        })
      )
    )
    op.rows([row("b", 10), row("a", 20)])
    op.end()
    expect(op.results).toEqual([
      ["moved at the end", 510],
      ["moved at the end", 520]
    ])
  })

  it("T11: what the last watermark has passed is no end: its timers set others", async () => {
    const op = await Instances.make(
      timedBy(0).pipe(
        EventStream.process({
          state: Total,
          ttl: "never",
          late: "drop",
          onRow: ({ v }, { onEventTime }) => {
            if (v > 0) onEventTime(v)
          },
          onTimer: ({ at }, { onEventTime }) => {
            onEventTime(at + 40)
            return [at]
          }
        })
      )
    )
    op.rows([row("a", 10, 30), row("a", 100)])
    op.end()
    expect(op.results).toEqual([30, 70, 110])
  })
})

describe("processing timers", () => {
  const byClock = (log: Array<unknown>) =>
    timedBy(0).pipe(
      EventStream.process({
        state: Total,
        ttl: "100 millis",
        late: "drop",
        onRow: ({ v }, { state, now, onProcessingTime }) => {
          state.set({ total: v })
          onProcessingTime(now + v)
        },
        onTimer: (timer, { key, time, watermark, now, state }) => {
          log.push([key.k, timer.clock, timer.at, now, state.get()?.total])
          return [[time, watermark]]
        }
      })
    )

  it("fire by the clock, in order; what they give has the watermark's time", async () => {
    const log: Array<unknown> = []
    const op = await Instances.make(byClock(log))
    op.tick(1000)
    op.rows([row("a", 10, 50), row("b", 20, 20)])
    op.tick(1019)
    expect(log).toEqual([])
    op.watermark(30)
    op.tick(1060)
    expect(log).toEqual([
      ["b", "processing", 1020, 1060, 20],
      ["a", "processing", 1050, 1060, 50]
    ])
    expect(op.out).toEqual([
      { row: [30, 30], time: 30, watermark: 30 },
      { row: [30, 30], time: 30, watermark: 30 }
    ])
  })

  it("see no state that event time has ended", async () => {
    const log: Array<unknown> = []
    const op = await Instances.make(byClock(log))
    op.rows([row("a", 10, 1)])
    op.watermark(111)
    op.tick(5)
    expect(log).toEqual([["a", "processing", 1, 5, undefined]])
  })

  it("before there is a watermark, what they give has the time of what set them", async () => {
    const op = await Instances.make(byClock([]), { partitions: 2 })
    op.rows([row("a", 10, 1)], 0)
    op.tick(5)
    expect(op.out).toEqual([{ row: [10, -Infinity], time: 10, watermark: -Infinity }])
  })

  it("without event time, see the state of the time they were due, which goes after them", async () => {
    const seen: Array<unknown> = []
    const op = await Instances.make(
      untimedBy.pipe(
        EventStream.process({
          state: Total,
          ttl: "100 millis",
          onRow: ({ v }, { state, now, onProcessingTime }) => {
            state.set({ total: v })
            onProcessingTime(now + 100)
          },
          onTimer: (_, { state }) => {
            seen.push(state.get()?.total)
          }
        })
      )
    )
    op.tick(1000)
    op.rows([row("a", 0, 3)])
    op.tick(90_000)
    expect(seen).toEqual([3])
    expect(op.operators[0].keys()).toBe(0)
  })

  it("one that sets itself for now again fires once a tick", async () => {
    let fired = 0
    const op = await Instances.make(
      untimedBy.pipe(
        EventStream.process({
          state: Total,
          ttl: "never",
          onRow: (_, { onProcessingTime }) => onProcessingTime(0),
          onTimer: (_, { onProcessingTime }) => {
            fired++
            onProcessingTime(0)
          }
        })
      )
    )
    op.tick(10)
    op.rows([row("a", 0)])
    op.tick(11)
    op.tick(12)
    expect(fired).toBe(2)
  })
})

/** State and timers of `EventStream.process` in checkpoints: snapshots, other widths, other versions of a state. */
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { EventStream } from "tidemark"
import { fault, Instances, row, timedBy, Total } from "./kit.ts"

/** Adds up; says the total when ten milliseconds brought nothing. */
const totals = timedBy(0).pipe(
  EventStream.process({
    state: Total,
    ttl: "1 second",
    late: "drop",
    onRow: ({ t, v }, { state, onEventTime, onProcessingTime }) => {
      state.set({ total: (state.get()?.total ?? 0) + v })
      onEventTime(t + 10)
      onProcessingTime(100, "by the clock")
    },
    onTimer: ({ name, at }, { key, state }) => [`${name} ${key.k} ${at} ${state.get()?.total}`]
  })
)

describe("snapshots", () => {
  it("hold state, its age, timers of both clocks and the watermark", async () => {
    let op = await Instances.make(totals)
    op.rows([row("a", 0, 1), row("b", 5, 2), row("a", 7, 3)])
    op.tick(50)
    op = await op.restarted(op.snapshot(), 1)
    expect(op.operators[0].keys()).toBe(2)
    op.watermark(16)
    op.tick(100)
    op.watermark(20)
    op.rows([row("a", 1006, 5)])
    op.end()
    expect(op.out).toEqual([
      { row: "timer b 15 2", time: 15, watermark: 7 },
      { row: "by the clock a 100 4", time: 16, watermark: 16 },
      { row: "by the clock b 100 2", time: 16, watermark: 16 },
      { row: "timer a 17 4", time: 17, watermark: 16 },
      { row: "timer a 1016 9", time: 1016, watermark: 1006 }
    ])
  })

  it("are of the barrier, however late they are made and whatever came since", async () => {
    const op = await Instances.make(totals)
    op.rows([row("a", 0, 1), row("b", 1, 1)])
    const made = op.snapshot()
    op.rows([row("a", 3, 100), row("c", 4, 1), row("x", 5000, 1)])
    const after = await op.restarted(made, 1)
    expect(after.operators[0].keys()).toBe(2)
    after.end()
    expect(after.results).toEqual(["timer a 10 1", "timer b 11 1"])
  })

  it("C11: at another width each key goes to its instance, with state and timers", async () => {
    let op = await Instances.make(totals, { instances: 3 })
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
    op.rows(keys.map((k, i) => row(k, 0, i)))
    for (const instances of [1, 4, 2]) {
      op = await op.restarted(op.snapshot(), instances)
      expect(op.operators.reduce((n, o) => n + o.keys(), 0)).toBe(100)
      op.rows(keys.map((k) => row(k, 0, 1)))
    }
    op.watermark(10)
    expect(new Set(op.results)).toEqual(new Set(keys.map((k, i) => `timer ${k} 10 ${i + 3}`)))
  })

  it("keep numbers exactly: -0, NaN, the infinities", async () => {
    const seen: Array<unknown> = []
    let op = await Instances.make(
      timedBy(0).pipe(
        EventStream.process({
          state: Schema.Array(Schema.Number),
          ttl: "never",
          late: "drop",
          onRow: (_, { state }) => {
            seen.push(state.get())
            state.set([-0, Number.NaN, Infinity, -Infinity, 1e300, 0.1])
          }
        })
      )
    )
    op.rows([row("a", 0)])
    op = await op.restarted(op.snapshot(), 1)
    op.rows([row("a", 1)])
    expect(seen).toEqual([undefined, [-0, Number.NaN, Infinity, -Infinity, 1e300, 0.1]])
  })

  it("A1: results keep their places in the order of their key", async () => {
    let op = await Instances.make(
      timedBy(0).pipe(EventStream.process({ state: Total, ttl: "never", late: "drop", onRow: ({ v }) => [v, v + 1] })),
      { ordered: true }
    )
    op.rows([row("a", 0, 1), row("b", 0, 3)])
    expect(op.orders).toEqual([
      ["a", 0],
      ["a", 1],
      ["b", 2],
      ["b", 3]
    ])
    op = await op.restarted(op.snapshot(), 1)
    op.rows([row("a", 0, 1)])
    expect(op.orders).toEqual([
      ["a", 4],
      ["a", 5]
    ])
  })
})

describe("C8: other versions of a state", () => {
  const versioned = (version: number, migrate?: { readonly [version: number]: (old: unknown) => { sum: number } }) =>
    timedBy(0).pipe(
      EventStream.process({
        state: Schema.Struct({ sum: Schema.Number }),
        version,
        ...(migrate === undefined ? {} : { migrate }),
        ttl: "never",
        late: "drop",
        onRow: ({ v }, { state }) => {
          const sum = (state.get()?.sum ?? 0) + v
          state.set({ sum })
          return [sum]
        }
      })
    )
  const before = async () => {
    const op = await Instances.make(totals)
    op.rows([row("a", 0, 1), row("b", 0, 2)])
    return op
  }
  const rejected = async (run: () => Promise<unknown>): Promise<string> => {
    try {
      await run()
    } catch (thrown) {
      return (thrown as Error).message
    }
    return "no fault"
  }

  it("are brought up by the function for the version they are of", async () => {
    const op = await before()
    const next = await op.restarted(
      op.snapshot(),
      1,
      versioned(2, { 1: (old) => ({ sum: (old as { readonly total: number }).total * 10 }) })
    )
    next.rows([row("a", 1, 1), row("b", 1, 1)])
    expect(next.results).toEqual([11, 21])
    const again = await next.restarted(next.snapshot(), 1, versioned(2))
    again.rows([row("a", 1, 1)])
    expect(again.results).toEqual([12])
  })

  it("are refused without one, or when it fails, or when it gives no state", async () => {
    const op = await before()
    const states = op.snapshot()
    expect(await rejected(() => op.restarted(states, 1, versioned(2)))).toBe(
      "the checkpoint holds states of version 1, and process says version 2: give it migrate: { 1: (old) => state }"
    )
    const failing = versioned(2, {
      1: () => {
        throw new Error("lost the recipe")
      }
    })
    expect(await rejected(() => op.restarted(states, 1, failing))).toBe(
      'process.migrate.1 of key ["a"]: Error: lost the recipe'
    )
    expect(await rejected(() => op.restarted(states, 1, versioned(2, { 1: () => ({}) as never })))).toContain(
      'process.migrate.1 of key ["a"]: SchemaError(Missing key'
    )
  })

  it("a Schema that changed without its version is refused, not misread", async () => {
    const op = await before()
    const states = op.snapshot()
    expect(await rejected(() => op.restarted(states, 1, versioned(1)))).toContain(
      'the state of key ["a"] in the checkpoint does not fit its Schema: raise version, and give migrate: { 1: (old) => state }'
    )
  })

  it("a state that does not fit, but was not looked at before, stops the query when its key comes", async () => {
    const op = await Instances.make(versioned(1))
    op.rows([...Array.from({ length: 100 }, (_, i) => row(`k${i}`, 0)), row("z", 0)])
    const taken = op.snapshot()
    const states = taken.states() as ReadonlyArray<unknown> as ReadonlyArray<{
      readonly keys: { readonly parts: ReadonlyArray<{ readonly states: Array<unknown> }> }
    }>
    states[0].keys.parts[0].states[100] = [{ sum: "many" }]
    const next = await op.restarted({ ...taken, states: () => states as never }, 1)
    expect(fault(() => next.rows([row("z", 1)]))).toContain(
      "state.get: what the checkpoint holds does not fit the Schema: raise version and give migrate"
    )
  })
})

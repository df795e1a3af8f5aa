/** User code of `EventStream.process` that fails, and keys that are hard to hold. */
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { EventStream, Memory } from "tidemark"
import { fault, Instances, type Row, row, timedBy, Total } from "./kit.ts"

describe("user code that fails", () => {
  const failing = async (onRow: (r: Row, c: EventStream.TimedContext<{ k: string }, { total: number }>) => unknown) => {
    const op = await Instances.make(
      timedBy(0).pipe(
        EventStream.process({
          state: Total,
          ttl: "never",
          late: "drop",
          onRow: onRow as () => ReadonlyArray<unknown>
        })
      )
    )
    return fault(() => op.rows([row("ann", 3, 4)]))
  }

  it("names function, key and row", async () => {
    const op = await Instances.make(
      timedBy(0).pipe(
        EventStream.process({
          state: Total,
          ttl: "never",
          late: "drop",
          onRow: (r, c) => {
            c.onEventTime(r.t + 1, "wake")
            if (r.v === 1) throw new Error("no ones")
          },
          onTimer: () => {
            throw new Error("asleep")
          }
        })
      )
    )
    op.rows([row("ann", 3, 4)])
    expect(fault(() => op.watermark(4))).toBe(
      'process.onTimer (key {"k":"ann"}, timer "wake" at 4) threw: Error: asleep'
    )
    expect(fault(() => op.rows([row("bob", 9, 1)]))).toBe('process.onRow (key {"k":"bob"}) threw: Error: no ones')
  })

  it("rows must be a list, and what is set a state", async () => {
    const key = 'process.onRow (key {"k":"ann"}) threw: Error: '
    expect(await failing(() => "ann")).toBe(`${key}returned "ann": return a list of rows, or nothing`)
    expect(await failing(() => Promise.resolve([]))).toBe(`${key}returned an object: return a list of rows, or nothing`)
    expect(await failing(() => null)).toBe(`${key}returned an object: return a list of rows, or nothing`)
    expect(await failing((_, c) => c.state.set({ total: "4" } as never))).toBe(
      `${key}state.set: the value does not fit the state's Schema: SchemaError(Expected number\n  at ["total"])`
    )
    expect(await failing((_, c) => c.state.set(undefined as never))).toBe(
      `${key}state.set(undefined): call state.clear() to make it absent`
    )
    expect(await failing((_, c) => c.onEventTime(Number.NaN))).toBe(
      `${key}onEventTime(NaN): must be epoch milliseconds`
    )
    expect(await failing((_, c) => c.onProcessingTime(1))).toBe(
      `${key}onProcessingTime: process has no onTimer that it could call`
    )
  })

  it("a context is good for its call only", async () => {
    let kept: EventStream.TimedContext<{ k: string }, { total: number }> | undefined
    expect(await failing((_, c) => void (kept = c))).toBe("no fault")
    const outside = "the context of process is used after its call: read and set state and timers inside of it only"
    expect(() => kept?.state.set({ total: 1 })).toThrow(outside)
    expect(() => kept?.key).toThrow(outside)
    expect(() => kept?.onEventTime(1)).toThrow(outside)
  })

  it("timers that set each other for the same moment without end are stopped", async () => {
    const op = await Instances.make(
      timedBy(0).pipe(
        EventStream.process({
          state: Total,
          ttl: "never",
          late: "drop",
          onRow: ({ t }, { onEventTime }) => onEventTime(t + 1),
          onTimer: ({ at, name }, { onEventTime }) => onEventTime(at - 5, name === "tick" ? "tock" : "tick")
        })
      )
    )
    op.rows([row("a", 1)])
    expect(fault(() => op.watermark(10))).toContain(
      "onEventTime: timers have set each other 1001 times for the moment they fired at, 2"
    )
  })
})

const keyOf = (r: { readonly k: unknown }): string => r.k as string

describe("hostile keys", () => {
  it("are keys like others, before a restart and after", async () => {
    const keys: ReadonlyArray<unknown> = [
      "__proto__",
      "constructor",
      "",
      "1",
      1,
      1n,
      true,
      "true",
      -0,
      Infinity,
      "\u0000"
    ]
    const stream = EventStream.from(Memory.source<{ readonly k: unknown; readonly t: number }>([])).pipe(
      EventStream.withEventTime("t", { outOfOrderness: 0 }),
      EventStream.keyBy({ key: keyOf, toString: keyOf }),
      EventStream.process({
        state: Schema.Record(Schema.String, Schema.Number),
        ttl: "never",
        late: "drop",
        onRow: (_, { key, state, onEventTime }) => {
          const old = state.get() ?? {}
          const [before] = Object.values(old)
          const next = Object.fromEntries([["__proto__", (before ?? 0) + 1]])
          state.set(next)
          onEventTime(1000, "__proto__")
          return [[key.key, key.toString, Object.entries(next)]]
        },
        onTimer: ({ name }, { key }) => [[name, key.key]]
      })
    )
    const rows = keys.map((k) => ({ k, t: 0 }))
    let op = await Instances.make(stream, { instances: 2 })
    op.rows(rows)
    expect(op.results).toHaveLength(keys.length)
    op = await op.restarted(op.snapshot(), 3)
    op.rows(rows)
    const expected = keys.map((k) => (Object.is(k, -0) ? 0 : k))
    expect(new Set(op.results)).toEqual(new Set(expected.map((k) => [k, k, [["__proto__", 2]]])))
    op.watermark(1000)
    expect(new Set(op.results.slice(keys.length))).toEqual(new Set(expected.map((k) => ["__proto__", k])))
  })
})

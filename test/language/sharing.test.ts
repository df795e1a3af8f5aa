/** Streams are values: immutable, and a shared prefix stays one node, so that it is read once. */
import { describe, expect, it } from "vitest"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import { outputs } from "../../src/streams/Pipeline.ts"
import { EventStream, Late, Window } from "tidemark"

const timed = EventStream.from(Memory.source([{ id: "a", at: 1 }])).pipe(
  EventStream.withEventTime("at", { outOfOrderness: 0 }),
  EventStream.dedupe("id", { late: "forward" })
)
const raw = timed.pipe(EventStream.to(Memory.sink()))
const counted = timed.pipe(
  EventStream.keyBy("id"),
  EventStream.window(Window.tumbling("1 minute"), { late: "drop" }),
  EventStream.aggregate(({ count }) => ({ n: count })),
  EventStream.to(Memory.sink())
)

describe("sharing", () => {
  it("a stream used twice is the same node in both plans", () => {
    expect(raw.plan.outputs[0].sink.input).toBe(timed.plan)
    const window = counted.plan.outputs[0].sink.input
    expect(window.kind === "window" && window.input.input).toBe(timed.plan)
  })

  it("outputs joins pipelines under the record's names, and keeps the shared nodes", () => {
    const both = outputs({ raw, "by-id": counted })
    expect(both.plan.outputs.map((o) => o.name)).toEqual(["raw", "by-id"])
    expect(both.plan.outputs[0].sink.input).toBe(timed.plan)
    const window = both.plan.outputs[1].sink.input
    expect(window.kind === "window" && window.input.input).toBe(timed.plan)
  })

  it("a pipeline with several outputs gives name.inner", () => {
    const nested = outputs({ all: outputs({ raw, counted }), last: raw })
    expect(nested.plan.outputs.map((o) => o.name)).toEqual(["all.raw", "all.counted", "last"])
  })

  it("two reads of one source are two nodes", () => {
    const source = Memory.source([1])
    expect(EventStream.from(source).plan).not.toBe(EventStream.from(source).plan)
  })

  it("one function applied to two streams does not mix them", () => {
    const window = EventStream.window(Window.tumbling("1 minute"), { late: "drop" })
    const count = EventStream.aggregate(({ count }) => ({ n: count }))
    const a = timed.pipe(EventStream.keyBy("id"), window, count)
    const b = timed.pipe(EventStream.keyBy("at"), window, count)
    expect(a.plan.kind === "window" && a.plan.input.columns[0].name).toBe("id")
    expect(b.plan.kind === "window" && b.plan.input.columns[0].name).toBe("at")
  })
})

describe("immutability", () => {
  it("streams, nodes, late outputs and pipelines are frozen", () => {
    const late = Late.to(Memory.sink())
    for (const value of [timed, timed.plan, raw, raw.plan, raw.plan.outputs[0].sink, late]) {
      expect(Object.isFrozen(value)).toBe(true)
    }
  })

  it("pipe applies from left to right and returns what the last function returns", () => {
    expect(timed.pipe((s) => s.plan.kind)).toBe("dedupe")
    expect(raw.pipe((p) => p.plan.outputs.length)).toBe(1)
  })
})

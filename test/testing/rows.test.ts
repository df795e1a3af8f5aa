/** Rows of a simulation belong to whoever reads them: nothing that is done to one is seen by another process, or by a law. */
import { Effect } from "effect"
import { EventStream, Foreach, Late, Memory, Window } from "tidemark"
import { Law, Simulation } from "tidemark/testing"
import { describe, expect, it } from "vitest"
import { copyOf } from "../../src/testing/copyOf.ts"
import { failureOf, feed, Payment, plain, run, source } from "./support.ts"

/** A sink that is a list, which is no idempotent one. */
const listSink = () => {
  const held: Array<Payment> = []
  return { held, sink: Foreach.sink((row: Payment) => Effect.sync(() => void held.push(row))) }
}

const clearing = (held: Array<Payment>) => () => void held.splice(0)

describe("rows that are changed in place", () => {
  const changed = (change: (row: { amount: number }) => void) => () =>
    EventStream.from(source).pipe(
      EventStream.map((row) => {
        change(row as { amount: number })
        return { amount: row.amount }
      }),
      EventStream.to(Memory.sink())
    )

  it("by a pure function: every run begins with the rows as they were fed", async () => {
    const plusOne = changed((row) => void row.amount++)
    const model = Law.model("plus one", (rows: ReadonlyArray<Payment>) => rows.map((r) => ({ amount: r.amount + 1 })))
    await run(Simulation.check(plusOne, { feeds: [feed], laws: [...Law.standard, model], histories: 25 }))
  })

  it("by state outside of the engine: the runs that are compared do not share what they wrote", async () => {
    const numbered = () => {
      let n = 0
      return EventStream.from(source).pipe(
        EventStream.map((row) => Object.assign(row, { amount: ++n })),
        EventStream.to(Memory.sink())
      )
    }
    const options = { feeds: [feed], faults: ["crash" as const], laws: [Law.exactlyOnce], histories: 100 }
    expect((await failureOf(Simulation.check(numbered, options))).law).toBe("exactlyOnce")
  })

  it("a copy has all that the row has, and values of classes as they are", () => {
    const url = new URL("http://a/")
    const row = { a: [{ b: 1 }], at: new Date(5), m: new Map([["k", { v: 1 }]]), s: new Set([1]), url, n: null }
    const copied = copyOf(row)
    expect(copied).toEqual(row)
    expect(copied.url).toBe(url)
    for (const field of ["a", "at", "m", "s"] as const) expect(copied[field]).not.toBe(row[field])
    expect(copied.a[0]).not.toBe(row.a[0])
    expect(copied.m.get("k")).not.toBe(row.m.get("k"))
    const hostile = JSON.parse('{ "__proto__": { "a": 1 }, "b": 2 }') as object
    expect(Object.entries(copyOf(hostile))).toEqual(Object.entries(hostile))
    const itself: { me?: unknown } = {}
    itself.me = itself
    expect(copyOf(itself).me).not.toBe(itself)
  })
})

describe("sinks of one's own", () => {
  it("rows that are shown as the sink's own list are looked at as they were when the history ended", async () => {
    const { held, sink } = listSink()
    const sinks = [Simulation.own(sink, { rows: () => held, clear: clearing(held) })]
    const copied = EventStream.from(source).pipe(EventStream.to(sink))
    const options = { feeds: [feed], faults: ["ambiguous-sink" as const], sinks, histories: 100 }
    expect((await failureOf(Simulation.check(copied, options))).law).toBe("exactlyOnce")
  })

  it("run as outputs of late rows and of dead letters too", async () => {
    const late = listSink()
    const dead: Array<unknown> = []
    const buried = Foreach.sink((row: unknown) => Effect.sync(() => void dead.push(row)))
    const bad = { ...source, onBadInput: "deadLetter" as const, deadLetters: buried as never }
    const counted = EventStream.from(bad).pipe(
      EventStream.withEventTime("at", { outOfOrderness: "1 minute" }),
      EventStream.keyBy("category"),
      EventStream.window(Window.tumbling("5 minutes"), { late: Late.to(late.sink) }),
      EventStream.aggregate(({ count }) => ({ n: count })),
      EventStream.to(Memory.sink())
    )
    const sinks = [
      Simulation.own(late.sink, { rows: () => late.held, clear: clearing(late.held) }),
      Simulation.own(buried, { rows: () => dead, clear: () => void dead.splice(0) })
    ]
    const rows = Simulation.feed(bad, Payment, { disorder: "1 hour", poison: 0.2, partitions: 1 })
    let seen = { late: 0, dead: 0 }
    const look = Law.make("look", (outcome) => {
      seen = { late: Math.max(seen.late, outcome.late.length), dead: Math.max(seen.dead, outcome.dead.length) }
      expect([outcome.late.length, outcome.dead.length]).toEqual([late.held.length, dead.length])
    })
    await run(Simulation.check(counted, { feeds: [rows], faults: [], laws: [look], sinks, histories: 20 }))
    expect(seen.late).toBeGreaterThan(0)
    expect(seen.dead).toBeGreaterThan(0)
    const failing = { feeds: [rows], faults: ["ambiguous-sink" as const], sinks, histories: 100 }
    expect((await failureOf(Simulation.check(counted, failing))).law).toBe("exactlyOnce")
  })

  it("one that the topology does not write to is refused", async () => {
    const { held, sink } = listSink()
    const sinks = [Simulation.own(sink, { rows: () => held, clear: clearing(held) })]
    const { reason, message } = await failureOf(Simulation.check(plain, { feeds: [feed], sinks }))
    expect(reason).toBe("InvalidOptions")
    expect(message).toContain("is no sink of the topology")
  })
})

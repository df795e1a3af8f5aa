/** What user code has of the world: services that die with their process, Effect's time, and nothing else. */
import { Context, Effect, Layer } from "effect"
import { EventStream, Foreach, Memory, Query } from "tidemark"
import { Law, Simulation } from "tidemark/testing"
import { describe, expect, it } from "vitest"
import { failureOf, feed, type Payment, run, source } from "./support.ts"

const faults = [] as const

describe("layers of Query.provide", () => {
  class Cache extends Context.Service<Cache, { readonly size: () => number }>()("Cache") {}

  it("are built anew in each process, though the test provides the same layer", async () => {
    let built = 0
    let processes = 0
    const layer = Layer.effect(
      Cache,
      Effect.sync(() => {
        built++
        return { size: () => 0 }
      })
    )
    const cached = EventStream.from(source).pipe(
      EventStream.mapEffect((row) => Effect.as(Cache, row), { concurrency: 1 }),
      EventStream.to(Memory.sink())
    )
    const count = Law.make("count", (outcome) => {
      processes += outcome.processes
    })
    const job = Query.job({ cached }).pipe(Query.provide(layer))
    const options = { feeds: [feed], faults: ["crash" as const], laws: [count], histories: 5 }
    const other = Layer.effectDiscard(Effect.asVoid(Cache)).pipe(Layer.provide(layer))
    await run(Simulation.check(job, options).pipe(Effect.provide([layer, other])))
    expect(processes).toBeGreaterThan(5)
    // And once for the test.
    expect(built).toBe(processes + 1)
  })
})

describe("calls that take long", () => {
  const mapped = (f: (row: Payment) => Effect.Effect<Payment>) =>
    EventStream.from(source).pipe(EventStream.mapEffect(f, { concurrency: 1 }), EventStream.to(Memory.sink()))
  const few = Simulation.feed(source, [[{ id: "a", amount: 1, category: "a", at: {} as never }]])

  it("in virtual time, by Effect, are no promises", async () => {
    const slow = mapped((row) => Effect.as(Effect.sleep("7 minutes"), row))
    await run(Simulation.check(slow, { feeds: [few], faults, laws: [], histories: 10 }))
  })

  it("so long that a history has no end are said to be what they are", async () => {
    const slow = mapped((row) => Effect.as(Effect.sleep("10 days"), row))
    const failure = await failureOf(Simulation.check(slow, { feeds: [few], faults, histories: 3 }))
    expect(failure.reason).toBe("NotSimulated")
    expect(failure.message).toContain("a call of mapEffect sleeps")
  })

  it("a promise in a sink of one's own is said to be one", async () => {
    const held: Array<Payment> = []
    const list = Foreach.sink((row: Payment) =>
      Effect.promise(async () => {
        await Promise.resolve()
        held.push(row)
      })
    )
    const sinks = [Simulation.own(list, { rows: () => [...held], clear: () => void held.splice(0) })]
    const copied = EventStream.from(source).pipe(EventStream.to(list))
    const failure = await failureOf(Simulation.check(copied, { feeds: [few], faults: ["crash"], sinks, histories: 5 }))
    expect(failure.reason).toBe("NotSimulated")
    expect(failure.message).toMatch(/^a call of the sink foreach has not ended/)
  })
})

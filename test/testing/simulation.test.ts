/** `tidemark/testing`: it finds what is planted in a user's topology, shrinks it, and replays it. */
import { Context, Effect, Layer, Schema } from "effect"
import { EventStream, Foreach, Late, Memory, Query, Window } from "tidemark"
import { Law, Simulation } from "tidemark/testing"
import { describe, expect, it } from "vitest"

const Payment = Schema.Struct({
  id: Schema.String,
  amount: Schema.Int,
  category: Schema.String,
  at: Schema.DateTimeUtcFromString
})
type Payment = typeof Payment.Type

const source = Memory.source<Payment>([])
const feed = Simulation.feed(source, Payment, { disorder: "8 minutes", duplicates: 0.2 })

const timed = EventStream.from(source).pipe(EventStream.withEventTime("at", { outOfOrderness: "5 minutes" }))

const sums = timed.pipe(
  EventStream.dedupe("id", { late: "forward" }),
  EventStream.keyBy("category"),
  EventStream.window(Window.tumbling("5 minutes"), { late: Late.to(Memory.sink()) }),
  EventStream.aggregate(({ count, sum }) => ({ payments: count, total: sum("amount") })),
  EventStream.to(Memory.sink())
)

const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)

/** The failure of a check that has to fail. */
const failureOf = (effect: Effect.Effect<unknown, Simulation.SimulationFailed>) => run(Effect.flip(effect))

describe("a topology that is right", () => {
  it("holds every law under every fault, and the report counts what struck", async () => {
    const report = await run(Simulation.check(sums, { feeds: [feed], histories: 100 }))
    expect(report.histories).toBe(100)
    expect(report.eventsMedian).toBeGreaterThan(5)
    expect(report.crashes).toBeGreaterThan(5)
    expect(Object.keys(report.faults).length).toBeGreaterThan(10)
    expect(Object.keys(report.faults).every((name) => Simulation.faultNames.includes(name as "crash"))).toBe(true)
  })

  it("is simulated query by query in a job, with the services that it is provided with", async () => {
    class Rates extends Context.Service<Rates, { readonly rate: Effect.Effect<number> }>()("Rates") {}
    const rates = Layer.succeed(Rates, { rate: Effect.as(Effect.sleep("5 millis"), 2) })
    const converted = EventStream.from(source).pipe(
      EventStream.mapEffect((p) => Effect.flatMap(Rates, ({ rate }) => Effect.map(rate, (by) => p.amount * by)), {
        concurrency: 2
      }),
      EventStream.map((twice) => ({ twice })),
      EventStream.to(Memory.sink())
    )
    const doubled = Law.model("doubled", (rows: ReadonlyArray<Payment>, { query }) =>
      query === "converted" ? rows.map((p) => ({ twice: p.amount * 2 })) : {}
    )
    const job = Query.job({ converted, sums })
    const laws = [Law.exactlyOnce, doubled]
    await run(Simulation.check(job.pipe(Query.provide(rates)), { feeds: [feed], laws, histories: 30 }))
    await run(Simulation.check(job, { feeds: [feed], laws, histories: 10 }).pipe(Effect.provide(rates)))
  })
})

describe("what is planted is found", () => {
  /** Copies are left out by a set outside of the engine, which a new process has lost. */
  const forgetful = () => {
    const seen = new Set<string>()
    return EventStream.from(source).pipe(
      EventStream.filter(({ id }) => {
        const isNew = !seen.has(id)
        seen.add(id)
        return isNew
      }),
      EventStream.to(Memory.sink())
    )
  }
  const ids = Array.from({ length: 12 }, (_, i) => ({ id: `p-${i % 6}`, amount: i, category: "a", at: {} as never }))
  const options: Simulation.SimulationOptions = {
    feeds: [Simulation.feed(source, [ids])],
    faults: ["crash"],
    laws: [Law.exactlyOnce]
  }

  it("state outside of the engine: a crash or two and few rows, and the token replays it, trace and all", async () => {
    const failure = await failureOf(Simulation.check(forgetful, options))
    expect(failure).toMatchObject({ _tag: "SimulationFailed", reason: "LawViolated", law: "exactlyOnce" })
    expect(failure.events).toBeLessThanOrEqual(5)
    expect(failure.faults?.length).toBeLessThanOrEqual(2)
    expect(failure.faults).toContainEqual(expect.stringMatching(/^crash /))
    const { token = "", message } = failure
    expect(message).toMatch(/^exactlyOnce does not hold for query:\n {2}output: 1 (missing|too many)/)
    expect(message).toContain("memory, partition p0:\n    { amount: ")
    expect(message).not.toContain("note:")
    expect(message).toMatch(/process \d: crash[^]*process \d starts/)
    expect(message.split("\n").at(-1)).toBe(`replay: Simulation.replay(topology, options, "${token}")`)
    const again = await Promise.all([1, 2].map(() => run(Simulation.replay(forgetful, options, token))))
    for (const replayed of again) {
      expect(replayed.traceHash).toBe(failure.traceHash)
      expect(replayed.law).toBe("exactlyOnce")
      expect(replayed.timeline.join("\n")).toContain("crash")
    }
  })

  it("a token of a history in which every law holds is said to be one", async () => {
    const { law, problems, text } = await run(Simulation.replay(sums, { feeds: [feed] }, "1.0"))
    expect([law, problems]).toEqual([undefined, []])
    expect(text).toMatch(
      /^no law of finishes, .*queuesStayBounded is broken for query\nwith \d+ rows and \d faults?:\n/
    )
  })

  it("state of a module: what comes to something else when it is run again is said to depend on more than the seed", async () => {
    let total = 0
    const numbered = EventStream.from(source).pipe(
      EventStream.map(() => ({ nth: ++total })),
      EventStream.to(Memory.sink())
    )
    const failure = await failureOf(Simulation.check(numbered, { feeds: [feed], faults: [] }))
    expect([failure.law, failure.events, failure.faults]).toEqual(["exactlyOnce", 1, []])
    expect(failure.message).toContain("note: run again, this history comes to something else")
  })

  it("a sink of one's own that is not idempotent: one row, one lost reply", async () => {
    const held: Array<unknown> = []
    const list = Foreach.sink((row: Payment) => Effect.sync(() => void held.push(row)))
    const copied = EventStream.from(source).pipe(EventStream.to(list))
    const sinks = [Simulation.own(list, { rows: () => [...held], clear: () => void held.splice(0) })]
    const failure = await failureOf(Simulation.check(copied, { feeds: [feed], faults: ["ambiguous-sink"], sinks }))
    expect([failure.law, failure.events, failure.faults?.length]).toEqual(["exactlyOnce", 1, 1])
    expect(failure.problems?.[0]).toMatch(/^output: 1 too many: \{ amount: 0/)
  })

  it("what a plain model says otherwise: an edge of a window that only a row on it shows", async () => {
    const five = 300_000
    const wrong = Law.model("windows that hold their end", (rows: ReadonlyArray<Payment>) => {
      const starts = new Set(rows.map(({ at }) => Math.ceil(at.epochMilliseconds / five - 1) * five))
      return [...starts].map((start) => ({ window_start: start, window_end: start + five }))
    })
    const windows = timed.pipe(
      EventStream.windowAll(Window.tumbling("5 minutes"), { late: "drop" }),
      EventStream.aggregate(({ count }) => ({ n: count })),
      EventStream.map(({ window_start, window_end }) => ({ window_start, window_end })),
      EventStream.to(Memory.sink())
    )
    const inOrder = Simulation.feed(source, Payment)
    const failure = await failureOf(Simulation.check(windows, { feeds: [inOrder], faults: [], laws: [wrong] }))
    expect([failure.law, failure.events, failure.faults]).toEqual(["windows that hold their end", 1, []])
  })

  it("a law of one's own fails by what it throws, returns, or by false", async () => {
    const says = (law: Law.Law) => failureOf(Simulation.check(sums, { feeds: [feed], laws: [law], histories: 30 }))
    const thrown = Law.make("a", ({ rows }) => expect(rows.length).toBeLessThan(2))
    const said = Law.make("b", ({ rows }) => (rows.length < 2 ? [] : [`${rows.length} rows`]))
    const denied = Law.make("c", ({ rows }) => rows.length < 2)
    expect((await says(thrown)).message).toContain("expected 2 to be less than 2")
    expect((await says(said)).problems).toEqual(["2 rows"])
    expect((await says(denied)).problems).toEqual(["it does not hold"])
  })

  it("user code that fails breaks `finishes`, which is always checked", async () => {
    const failing = EventStream.from(source).pipe(
      EventStream.map((p) => {
        if (p.category === "__proto__") throw new Error("no such category")
        return p
      }),
      EventStream.keyBy("category"),
      EventStream.aggregateRunning(({ count }) => ({ n: count })),
      EventStream.to(Memory.sink(), { mode: "update" })
    )
    const failure = await failureOf(Simulation.check(failing, { feeds: [feed], faults: [], laws: [] }))
    expect([failure.law, failure.events]).toEqual(["finishes", 1])
    expect(failure.message).toContain("no such category")
  })
})

describe("what cannot be simulated", () => {
  it("a promise in user code is said to be one, and ends", async () => {
    const promised = EventStream.from(source).pipe(
      EventStream.mapEffect((p) => Effect.promise(() => Promise.resolve(p)), { concurrency: 1 }),
      EventStream.to(Memory.sink())
    )
    const failure = await failureOf(Simulation.check(promised, { feeds: [feed] }))
    expect(failure.reason).toBe("NotSimulated")
    expect(failure.message).toMatch(
      /^a call of mapEffect has not ended after 5 minutes of virtual time, and does not sleep: .*A promise/
    )
  })

  it("wrong options are refused together, with what there is", async () => {
    const other = Memory.source<Payment>([])
    const options = { feeds: [Simulation.feed(other, Payment)], faults: ["krash" as "crash"], histories: 0 }
    const { reason, message } = await failureOf(Simulation.check(sums, options))
    expect(reason).toBe("InvalidOptions")
    expect(message).toContain('faults: "krash": is no fault: there are crash, power-loss, torn-write, bit-rot')
    expect(message).toContain("feeds: memory: of query query has no feed")
    expect(message).toContain("is no source of the topology")
    expect(message).toContain("histories: 0: ")
  })

  it("an event time that is a function, a share that is none, a schema that is no struct, a token of nothing", async () => {
    const byFunction = EventStream.from(source).pipe(
      EventStream.withEventTime((p) => p.at, { outOfOrderness: 0 }),
      EventStream.to(Memory.sink())
    )
    const problemsOf = async (rows: Simulation.Feed) =>
      (await failureOf(Simulation.check(byFunction, { feeds: [rows] }))).message
    expect(await problemsOf(feed)).toContain("feed.eventTime: memory: is told by a function in the plan")
    expect(await problemsOf(Simulation.feed(source, Payment, { eventTime: "at", poison: 2 }))).toContain(
      "feed.poison: 2"
    )
    expect(await problemsOf(Simulation.feed(source, Schema.Never, { eventTime: "at" }))).toContain("must be a Struct")
    const right = { feeds: [Simulation.feed(source, Payment, { eventTime: "at" })], histories: 5 }
    await run(Simulation.check(byFunction, right))
    expect((await failureOf(Simulation.replay(byFunction, right, "1.2.3"))).reason).toBe("InvalidOptions")
  })
})

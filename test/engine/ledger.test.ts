import { Effect, Schedule } from "effect"
import { EventStream, Late, Memory, QueryError, Trigger, Window } from "tidemark"
import { afterEach, describe, expect, it, vi } from "vitest"
import { ledgerOf } from "../../src/actors/Epoch.ts"
import { Edge } from "../../src/actors/Edge.ts"
import { addBalances, dispositions, imbalances, type Ledger, type OperatorBalance } from "../../src/model/Ledger.ts"
import { Counters } from "../../src/streams/Counters.ts"
import { errorOf, operatorOf, run, runQuery, runScoped, startQuery, until } from "./kit.ts"

interface Row {
  readonly t: unknown
  readonly k: unknown
}

afterEach(() => {
  vi.restoreAllMocks()
})

const balance = (operator: string, counts: Partial<OperatorBalance>): OperatorBalance => ({
  ...new Counters().balance(operator, 0),
  ...counts
})
const ledger = (parts: Partial<Ledger>): Ledger => ({ epoch: 1, operators: [], edges: [], sinks: [], ...parts })

describe("L1: every input row of an operator has one disposition", () => {
  it("over a whole query: forwarded, filtered, dead, quarantined, duplicate, late, outside, contributed, dropped", async () => {
    const input = Memory.channel<Row>({ bounded: true, appendTime: true, partitions: ["a", "b"] })
    const out = Memory.sink()
    const late = Memory.sink<Row>()
    const summary = await run(
      Effect.gen(function* () {
        const times: ReadonlyArray<unknown> = [1, 2, 2, "soon", 25, 3, 99_999_999, 26]
        const rows = times.map((t, i) => ({ t, k: i === 7 ? null : "k" }))
        for (const p of ["a", "b"]) {
          yield* input.push(p, rows, { appendTimes: rows.map(() => 100) })
          yield* input.pushDead(p, {
            reason: "malformed",
            detail: "?",
            place: `${p}:9`,
            bytes: new Uint8Array(),
            truncated: false
          })
          yield* input.end(p)
        }
        return yield* runQuery(
          EventStream.from(input.source).pipe(
            EventStream.withEventTime((r: Row) => r.t as number, { outOfOrderness: 0, maxFutureSkew: "1 minute" }),
            EventStream.filter((r) => r.t !== 1),
            EventStream.dedupe((r: Row) => String(r.t), { late: "forward" }),
            EventStream.keyBy({ k: (r: Row) => r.k as string }),
            EventStream.window(Window.sliding(5, { every: 10 }), { late: Late.to(late) }),
            EventStream.aggregate(({ count }) => ({ n: count })),
            EventStream.to(out)
          ),
          { chunkRows: 3, parallelism: 2 }
        )
      })
    )
    const of = (name: string) => operatorOf(summary.ledger, name)
    expect(of("source channel")).toMatchObject({ in: 18, forwarded: 16, dead: 2 })
    expect(of("withEventTime-1")).toMatchObject({ in: 16, forwarded: 12, dead: 2, quarantined: 2 })
    expect(of("filter-1")).toMatchObject({ in: 12, forwarded: 10, filtered: 2 })
    // Of 2, 2, 25, 3 (late, forwarded), 26 in each partition, one each of 2, 25 and 26 stays, and both of 3.
    expect(of("dedupe-1")).toMatchObject({ in: 10, forwarded: 5, duplicate: 5 })
    expect(of("window-1.exchange")).toMatchObject({ in: 5, forwarded: 4, dead: 1 })
    expect(of("window-1")).toMatchObject({ in: 4, contributed: 1, late: 2, outside: 1, held: 0, settled: 1 })
    expect(imbalances(summary.ledger)).toEqual([])
    // L4: one balance per partition at readers.
    // In the order in which they reported.
    const partitions = summary.ledger.operators.filter((o) => o.operator === "filter-1").map((o) => o.partition)
    expect(new Set(partitions)).toEqual(new Set(["a", "b"]))
    expect((await run(late.rows)).length).toBe(2)
  })

  it("rows of a source may be dropped by a name, and are counted under it, whatever the name", async () => {
    for (const dropAs of ["known noise", "__proto__"]) {
      const input = Memory.channel<Row>({ bounded: true })
      const { ledger } = await run(
        Effect.gen(function* () {
          yield* input.pushDead("0", {
            reason: "schema",
            detail: "?",
            place: "1",
            bytes: new Uint8Array(),
            truncated: false
          })
          yield* input.end("0")
          const source: typeof input.source = { ...input.source, onBadInput: { dropAs } }
          return yield* runQuery(EventStream.from(source).pipe(EventStream.to(Memory.sink())))
        })
      )
      expect(Object.entries(ledger.operators[0].dropped)).toEqual([[dropAs, 1]])
      expect(imbalances(ledger)).toEqual([])
    }
  })

  it("balances of several tasks are added up count by count, and names by name, whatever the name", () => {
    const counters = new Counters()
    for (const [i, name] of dispositions.entries()) counters[name] = i + 1
    counters.in = 100
    counters.partlyLate = 30
    counters.settled = 40
    counters.drop("__proto__", 50)
    counters.drop("noise", 60)
    const one = counters.balance("map-1", 70, "p")
    const other = { ...balance("map-1", { partition: "p", in: 1, dead: 2 }), dropped: { noise: 1, more: 2 } }
    const sum = addBalances(one, other)
    const doubled = addBalances(one, one)
    const numbers = Object.entries(one).filter(([, count]) => typeof count === "number")
    expect(numbers.length).toBe(12)
    for (const [name, count] of numbers) expect(doubled[name as "in"], name).toBe(2 * count)
    expect(Object.keys(sum).toSorted()).toEqual(Object.keys(one).toSorted())
    expect(sum).toMatchObject({ operator: "map-1", partition: "p", in: 101, dead: one.dead + 2, held: 70, settled: 40 })
    expect(Object.entries(sum.dropped)).toEqual([
      ["__proto__", 50],
      ["noise", 61],
      ["more", 2]
    ])
    expect(addBalances(one, { ...one, partition: "q" })).not.toHaveProperty("partition")
  })

  it("rows that only a later task dropped are in the ledger too, whatever the name", () => {
    const reports = [0, 2, 2].map((rows, i) => {
      const counters = new Counters()
      counters.in = rows
      if (rows > 0) counters.drop("__proto__", rows)
      return { task: String(i), epoch: 1, operators: [counters.balance("map-1", 0)], edges: [] }
    })
    const { operators } = ledgerOf(1, reports)
    expect(operators.map((o) => Object.entries(o.dropped))).toEqual([[["__proto__", 4]]])
    expect(imbalances(ledger({ operators }))).toEqual([])
  })

  it.each(dispositions)("%s is a disposition: it balances what came in", (name) => {
    expect(
      imbalances(ledger({ operators: [balance("o", { in: 3, [name]: 3, settled: name === "contributed" ? 3 : 0 })] }))
    ).toEqual([])
  })

  it("an equation that does not hold is named, with both sides", () => {
    const found = imbalances(ledger({ operators: [balance("map-1", { partition: "p", in: 3, forwarded: 2 })] }))
    expect(found).toEqual([
      { where: "map-1, partition p", equation: "in = the sum of its dispositions", left: 3, right: 2 }
    ])
    const drops = balance("source", { in: 3, forwarded: 1, dropped: { noise: 2 } })
    expect(imbalances(ledger({ operators: [drops] }))).toEqual([])
  })
})

describe("L2, L3, L4: state, edges and sinks balance at every barrier", () => {
  it("held + settled is what contributed, and sent is what was received", () => {
    expect(
      imbalances(ledger({ operators: [balance("w", { in: 5, contributed: 5, held: 2, settled: 2 })] }))
    ).toHaveLength(1)
    expect(imbalances(ledger({ edges: [{ edge: "a -> b", sent: 5, received: 4 }] }))).toHaveLength(1)
    expect(imbalances(ledger({ sinks: [{ sink: "s", received: 5, written: 3, dead: 1 }] }))).toHaveLength(1)
    expect(imbalances(ledger({ sinks: [{ sink: "s", received: 5, written: 4, dead: 1 }] }))).toEqual([])
  })

  it("instances of an operator are added up, partitions of a reader are not", () => {
    const report = (task: string, operators: ReadonlyArray<OperatorBalance>) => ({
      task,
      epoch: 3,
      operators,
      edges: []
    })
    const sum = ledgerOf(3, [
      report("w[0]", [balance("w", { in: 2, contributed: 2, held: 1, settled: 1, dropped: { x: 1 } })]),
      report("w[1]", [balance("w", { in: 3, contributed: 3, held: 3, dropped: { x: 1, y: 1 } })]),
      report("r/a", [balance("r", { partition: "a", in: 1 })]),
      report("r/b", [balance("r", { partition: "b", in: 1 })])
    ])
    expect(sum.epoch).toBe(3)
    expect(sum.operators.map((o) => [o.operator, o.partition, o.in])).toEqual([
      ["w", undefined, 5],
      ["r", "a", 1],
      ["r", "b", 1]
    ])
    expect(sum.operators[0]).toMatchObject({ contributed: 5, held: 4, settled: 1, dropped: { x: 2, y: 1 } })
  })

  it("held is read from the state: rows of open windows, at an epoch in the middle", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<{ t: number }>()
        const query = yield* startQuery(
          EventStream.from(input.source).pipe(
            EventStream.withEventTime("t", { outOfOrderness: 0 }),
            EventStream.keyBy(),
            EventStream.window(Window.tumbling(10), { late: "drop" }),
            EventStream.aggregate(({ count }) => ({ n: count })),
            EventStream.to(Memory.sink())
          )
        )
        yield* input.push("0", [{ t: 1 }, { t: 2 }, { t: 11 }])
        const window = Effect.map(query.progress, ({ ledger }) =>
          ledger.epoch === 0 ? undefined : operatorOf(ledger, "window-1")
        )
        yield* until(
          "two are settled",
          Effect.map(window, (w) => w?.["settled"] === 2)
        )
        expect(yield* window).toMatchObject({ in: 3, contributed: 3, held: 1, settled: 2 })
        yield* query.drain
      })
    ))
})

describe("L4: an imbalance stops the query before anything of the epoch is committed", () => {
  const rows = Array.from({ length: 30 }, (_, t) => ({ t }))
  const pipeline = () => {
    const out = Memory.sink<{ n: number }>()
    return {
      out,
      query: EventStream.from(Memory.source(rows)).pipe(
        EventStream.withEventTime("t", { outOfOrderness: 0 }),
        EventStream.keyBy(),
        EventStream.window(Window.tumbling(10), { late: "drop" }),
        EventStream.aggregate(({ count }) => ({ n: count })),
        EventStream.to(out)
      )
    }
  }
  const stopped = async (where: string): Promise<void> => {
    const { out, query } = pipeline()
    const error = await errorOf(runQuery(query, { trigger: Trigger.every("1 hour") }))
    expect(error).toBeInstanceOf(QueryError)
    expect(error).toMatchObject({ reason: "LedgerImbalance", query: "q" })
    expect((error as QueryError).message).toContain(`ledger of q at epoch 2: ${where}`)
    expect(await run(out.rows)).toEqual([])
  }

  /** Plants a fault in what one operator reports of itself. */
  const miscount = (name: string, fault: (counts: OperatorBalance) => Partial<OperatorBalance>): void => {
    const honest = Reflect.get(Counters.prototype, "balance")
    vi.spyOn(Counters.prototype, "balance").mockImplementation(function (this: Counters, ...args) {
      const counts = honest.apply(this, args)
      return counts.operator === name ? { ...counts, ...fault(counts) } : counts
    })
  }

  it("an operator that loses a row", async () => {
    miscount("withEventTime-1", (counts) => ({ forwarded: counts.forwarded - 1 }))
    await stopped("withEventTime-1, partition 0: in = the sum of its dispositions does not hold (30, 29)")
  })

  it("a window that drops state without settling it", async () => {
    miscount("window-1", (counts) => ({ settled: counts.settled - 10 }))
    await stopped("window-1: contributed = held + settled does not hold (30, 20)")
  })

  it("an edge that loses a chunk", async () => {
    const honest = Reflect.get(Edge.prototype, "tryOffer")
    let lost = false
    vi.spyOn(Edge.prototype, "tryOffer").mockImplementation(function (this: Edge, message) {
      if (lost || message.tag !== "data" || !this.name.includes("-> window-1")) return honest.call(this, message)
      lost = true
      this.sent += message.payload.length
      return true
    })
    await stopped("source memory/0 -> window-1[0]: sent = received does not hold (30, 0)")
  })

  it("and is not restarted", async () => {
    miscount("window-1", () => ({ in: 1 }))
    const { query } = pipeline()
    const error = await errorOf(runQuery(query, { restart: Schedule.forever }))
    expect(error).toMatchObject({ reason: "LedgerImbalance" })
  })
})

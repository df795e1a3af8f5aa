/**
 * The laws of `EventStream.process`, against plain code: fed by one partition, what it does with a key is a function of
 * that partition, whatever the chunks, the instances, and the restarts.
 */
import { Schema } from "effect"
import * as fc from "fast-check"
import { describe, it, expect } from "vitest"
import { EventStream } from "tidemark"
import { Instances, row, type Row, timedBy } from "../test/process/kit.ts"

/** What a row tells the functions to do with its key. */
type Act = "add" | "clear" | "timer" | "later" | "cancel" | "chain" | "look"
const acts: ReadonlyArray<Act> = ["add", "clear", "timer", "later", "cancel", "chain", "look"]

interface Job {
  readonly rows: ReadonlyArray<Row>
  readonly outOfOrderness: number
  readonly ttl: number
  readonly late: "drop" | "process"
}

const State = Schema.Struct({ sum: Schema.Number, at: Schema.Number })

const said = (k: string, what: string, at: number, sum: number | undefined): string => `${k} ${what} ${at} ${sum}`

const streamOf = (job: Job) =>
  timedBy(job.outOfOrderness).pipe(
    EventStream.process({
      state: State,
      ttl: `${job.ttl} millis`,
      late: job.late,
      onRow: ({ k, t, v }, { state, onEventTime, cancel }) => {
        const before = state.get()?.sum
        const act = acts[v % acts.length]
        if (act === "add") state.set({ sum: (before ?? 0) + v, at: t })
        if (act === "clear") state.clear()
        if (act === "timer") onEventTime(t + (v % 13))
        if (act === "later") onEventTime(t + (v % 29) + 0.5, "b")
        if (act === "cancel") cancel("b")
        if (act === "chain") onEventTime(t + (v % 5), "chain")
        return [said(k, act, t, before)]
      },
      onTimer: ({ name, at }, { key, state, onEventTime }) => {
        const before = state.get()?.sum
        if (name === "chain" && before !== undefined && before < 500) {
          state.set({ sum: before + 100, at })
          onEventTime(at + 7, "chain")
        }
        return [said(key.k, name, at, before)]
      }
    })
  )

/** The definition: one key after the other, row by row, timers before what their time has passed. */
const expected = (job: Job): ReadonlyMap<string, ReadonlyArray<string>> => {
  const byKey = new Map<string, ReadonlyArray<string>>()
  let highest = -Infinity
  const marked = job.rows.map((r) => {
    const mark = highest - job.outOfOrderness
    highest = Math.max(highest, r.t)
    return { r, mark }
  })
  for (const k of new Set(job.rows.map((r) => r.k))) {
    const out: Array<string> = []
    let state: { sum: number; at: number } | undefined
    let timers: Array<{ name: string; at: number }> = []
    let ended = false
    const seen = (at: number): number | undefined =>
      state !== undefined && at <= state.at + job.ttl ? state.sum : undefined
    const put = (sum: number, at: number): void => {
      state = { sum, at: state === undefined ? at : Math.max(state.at, at) }
    }
    const set = (name: string, at: number): void => {
      timers = timers.filter((timer) => timer.name !== name)
      if (!ended) timers.push({ name, at })
    }
    const fire = (upTo: number): void => {
      for (;;) {
        const [first] = timers.filter((timer) => timer.at <= upTo).toSorted((a, b) => a.at - b.at)
        if (first === undefined) return
        const { name, at } = first
        timers = timers.filter((timer) => timer.name !== name)
        const before = seen(at)
        if (name === "chain" && before !== undefined && before < 500) {
          put(before + 100, at)
          set("chain", at + 7)
        }
        out.push(said(k, name, at, before))
      }
    }
    for (const { r, mark } of marked.filter((m) => m.r.k === k)) {
      fire(mark)
      if (r.t < mark && job.late === "drop") continue
      const at = Math.max(r.t, mark)
      const before = seen(at)
      const act = acts[r.v % acts.length]
      if (act === "add") put((before ?? 0) + r.v, at)
      if (act === "clear") state = undefined
      if (act === "timer") set("timer", Math.max(mark, r.t + (r.v % 13)))
      if (act === "later") set("b", Math.max(mark, r.t + (r.v % 29) + 1))
      if (act === "cancel") timers = timers.filter((timer) => timer.name !== "b")
      if (act === "chain") set("chain", Math.max(mark, r.t + (r.v % 5)))
      out.push(said(k, act, r.t, before))
      fire(mark)
    }
    fire(highest - job.outOfOrderness)
    ended = true
    fire(Infinity)
    byKey.set(k, out)
  }
  return byKey
}

const jobs: fc.Arbitrary<Job> = fc.record({
  rows: fc.array(
    fc
      .tuple(fc.constantFrom("a", "b", "c"), fc.integer({ min: 0, max: 120 }), fc.integer({ min: 0, max: 400 }))
      .map(([k, t, v]) => row(k, t, v)),
    { maxLength: 40 }
  ),
  outOfOrderness: fc.constantFrom(0, 5, 60),
  ttl: fc.constantFrom(0, 10, 50, 1000),
  late: fc.constantFrom("drop" as const, "process" as const)
})

const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 })

/** The chunks of `rows`: as many rows as `sizes` say, over and over. */
const chunksOf = (rows: ReadonlyArray<Row>, sizes: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<Row>> => {
  const chunks: Array<ReadonlyArray<Row>> = []
  for (let at = 0, i = 0; at < rows.length; i++) {
    const size = sizes[i % sizes.length]
    chunks.push(rows.slice(at, at + size))
    at += size
  }
  return chunks
}

const byKey = (rows: ReadonlyArray<unknown>): ReadonlyMap<string, ReadonlyArray<string>> => {
  const found = new Map<string, Array<string>>()
  for (const text of rows as ReadonlyArray<string>) {
    const [k] = text.split(" ")
    const own = found.get(k)
    if (own === undefined) found.set(k, [text])
    else own.push(text)
  }
  return found
}

const withoutEmpty = (map: ReadonlyMap<string, ReadonlyArray<string>>): ReadonlyMap<string, ReadonlyArray<string>> =>
  new Map([...map].filter(([, rows]) => rows.length > 0))

describe("process, fed by one partition", () => {
  it("equals plain code, whatever the chunks and the number of instances", async () => {
    await fc.assert(
      fc.asyncProperty(jobs, cuts, fc.integer({ min: 1, max: 3 }), async (job, sizes, instances) => {
        const op = await Instances.make(streamOf(job), { instances })
        for (const chunk of chunksOf(job.rows, sizes)) op.rows(chunk)
        op.end()
        expect(byKey(op.results)).toEqual(withoutEmpty(expected(job)))
        expect(op.counters.in).toBe(job.rows.length)
        expect(op.counters.forwarded + op.counters.late).toBe(job.rows.length)
      }),
      { numRuns: 400 }
    )
  })

  it("C1, C11: restarts at any point, at any width, from snapshots made late, change nothing", async () => {
    const widths = fc.array(fc.option(fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(jobs, cuts, widths, async (job, sizes, restarts) => {
        let op = await Instances.make(streamOf(job))
        const all: Array<unknown> = []
        for (const [i, chunk] of chunksOf(job.rows, sizes).entries()) {
          op.rows(chunk)
          const instances = restarts[i % restarts.length]
          if (instances === null) continue
          all.push(...op.results)
          const made = op.snapshot()
          // What the attempt does after the barrier is lost with it, and is not in the snapshot.
          op.rows([row("a", 500, 0), row("b", 500, 1), row("c", 500, 2)])
          op = await op.restarted(made, instances)
        }
        op.end()
        expect(byKey([...all, ...op.results])).toEqual(withoutEmpty(expected(job)))
      }),
      { numRuns: 300 }
    )
  })

  it("W_op frees all that nobody can see: no key without timers outlives its ttl", async () => {
    await fc.assert(
      fc.asyncProperty(jobs, cuts, async (job, sizes) => {
        const op = await Instances.make(streamOf(job))
        for (const chunk of chunksOf(job.rows, sizes)) op.rows(chunk)
        op.watermark(10_000)
        expect([op.operators[0].keys(), op.operators[0].bytes()]).toEqual([0, 0])
      }),
      { numRuns: 100 }
    )
  })
})

/**
 * Random jobs of `EventStream.process` fed by one partition, and what has to come of them: plain code, one key after the
 * other.
 */
import { Schema } from "effect"
import * as fc from "fast-check"
import { EventStream, Memory } from "tidemark"
import type { Source } from "../src/model/Source.ts"
import { row, type Row } from "../test/process/kit.ts"

/** What a row tells the functions to do with its key. */
type Act = "add" | "clear" | "timer" | "later" | "cancel" | "chain" | "look"
const acts: ReadonlyArray<Act> = ["add", "clear", "timer", "later", "cancel", "chain", "look"]

/** Rows of one partition, and what the operator is told. */
export interface ProcessJob {
  readonly rows: ReadonlyArray<Row>
  readonly outOfOrderness: number
  readonly ttl: number
  readonly late: "drop" | "process"
}

const State = Schema.Struct({ sum: Schema.Number, at: Schema.Number })

const said = (k: string, what: string, at: number, sum: number | undefined): string => `${k} ${what} ${at} ${sum}`

/** The operator of a job, over the rows of a source. */
export const streamOf = (job: ProcessJob, source: Source<Row, unknown, unknown> = Memory.source<Row>([])) =>
  EventStream.from(source).pipe(
    EventStream.withEventTime("t", { outOfOrderness: job.outOfOrderness }),
    EventStream.keyBy("k"),
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

/** What comes of each key, by definition: one key after the other, row by row, timers before what their time has passed. */
export const expected = (job: ProcessJob): ReadonlyMap<string, ReadonlyArray<string>> => {
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
    if (out.length > 0) byKey.set(k, out)
  }
  return byKey
}

/** Jobs. */
export const processJobs: fc.Arbitrary<ProcessJob> = fc.record({
  rows: fc.array(
    fc
      .tuple(fc.constantFrom("a", "b", "c"), fc.integer({ min: 0, max: 120 }), fc.integer({ min: 0, max: 400 }))
      .map(([k, t, v]) => row(k, t, v)),
    { maxLength: 40, size: "max" }
  ),
  outOfOrderness: fc.constantFrom(0, 5, 60),
  ttl: fc.constantFrom(0, 10, 50, 1000),
  late: fc.constantFrom("drop" as const, "process" as const)
})

/** What came out, by the key that each text begins with. */
export const byKey = (rows: ReadonlyArray<unknown>): ReadonlyMap<string, ReadonlyArray<string>> => {
  const found = new Map<string, Array<string>>()
  for (const text of rows as ReadonlyArray<string>) {
    const [k] = text.split(" ")
    const own = found.get(k)
    if (own === undefined) found.set(k, [text])
    else own.push(text)
  }
  return found
}

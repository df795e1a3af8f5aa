/** Metrics in Prometheus' text format: each name, labels, values; what is not known is absent. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { describe, expect, it } from "vitest"
import { metricNames, metricsText } from "../../src/monitor/Metrics.ts"
import { atMs, balance, enter, epoch, look, reader, stateOf, world } from "./support.ts"
import { TestClock } from "effect/testing"

const textAt = async (ms: number, states: ReadonlyArray<ReturnType<typeof stateOf>>, loopLagMs?: number) => {
  const { registry, run } = world()
  for (const state of states) enter(registry, state)
  const effect = Effect.andThen(TestClock.setTime(ms), metricsText(loopLagMs))
  return run(Effect.provide(effect, TestClock.layer()))
}

const values = (text: string, name: string): ReadonlyArray<string> =>
  text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))

describe("metrics", () => {
  it("say lag, delay, rows by disposition, age of the checkpoint, restarts, by query, operator and partition", async () => {
    const text = await textAt(atMs + 30_000, [stateOf("by-category")], 12)
    const labels = 'query="by-category",operator="source orders",partition="0"'
    expect(values(text, "tidemark_source_lag_seconds")).toEqual([`tidemark_source_lag_seconds{${labels}} 33`])
    expect(values(text, "tidemark_source_lag_events")).toEqual([`tidemark_source_lag_events{${labels}} 2000`])
    expect(values(text, "tidemark_watermark_delay_seconds")).toEqual([`tidemark_watermark_delay_seconds{${labels}} 35`])
    expect(values(text, "tidemark_source_rows_total")).toEqual([`tidemark_source_rows_total{${labels}} 100`])
    expect(values(text, "tidemark_rows_total")).toEqual(
      expect.arrayContaining([
        'tidemark_rows_total{query="by-category",operator="source orders",disposition="forwarded"} 98',
        'tidemark_rows_total{query="by-category",operator="source orders",disposition="dead"} 2',
        'tidemark_rows_total{query="by-category",operator="window-1",disposition="late"} 2'
      ])
    )
    expect(values(text, "tidemark_checkpoint_age_seconds")).toEqual([
      'tidemark_checkpoint_age_seconds{query="by-category"} 30'
    ])
    expect(values(text, "tidemark_restarts_total")).toEqual(['tidemark_restarts_total{query="by-category"} 1'])
    expect(values(text, "tidemark_state_rows")).toEqual([
      'tidemark_state_rows{query="by-category",operator="window-1"} 42'
    ])
    expect(values(text, "tidemark_state_bytes")).toEqual(['tidemark_state_bytes{query="by-category"} 4096'])
    expect(values(text, "tidemark_query_phase")).toEqual([
      'tidemark_query_phase{query="by-category",phase="running"} 1'
    ])
    expect(values(text, "tidemark_event_loop_lag_seconds")).toEqual(["tidemark_event_loop_lag_seconds 0.012"])
    expect(text).toContain("# TYPE tidemark_rows_total counter\n")
    expect(text).toContain("# TYPE tidemark_source_lag_seconds gauge\n")
    expect(text.endsWith("\n")).toBe(true)
  })

  it("all of them are there, with help", async () => {
    const text = await textAt(atMs, [stateOf("q")], 0)
    for (const [name, [kind, help]] of Object.entries(metricNames)) {
      expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${name}`)
    }
  })

  it("what is not known is absent: no lag of a source that cannot tell, no watermark before the first row", async () => {
    const silent = reader({ watermark: -Infinity, end: undefined, appendMs: undefined })
    const state = stateOf("q", { epochs: [] })
    if (state.status !== undefined) Object.assign(state.status, { readers: [silent], looks: [], keys: () => [] })
    const text = await textAt(atMs, [state])
    for (const name of [
      "source_lag",
      "catch_up",
      "watermark_delay",
      "epoch_duration",
      "state_bytes",
      "rows_total",
      "event_loop"
    ]) {
      expect(text).not.toContain(`tidemark_${name}`)
    }
  })

  it("say when a query will have caught up, and +Inf where it never will at this rate", async () => {
    const falling = stateOf("q")
    if (falling.status !== undefined) falling.status.looks = [look(0, 0, 500), look(5, 100, 900)]
    const text = await textAt(atMs, [stateOf("p"), falling])
    expect(values(text, "tidemark_catch_up_seconds")).toEqual([
      'tidemark_catch_up_seconds{query="p"} 170',
      'tidemark_catch_up_seconds{query="q"} +Inf'
    ])
  })

  it("the age of a checkpoint that never was counts from the start", async () => {
    const state = stateOf("q", { checkpointAtMs: undefined, startedMs: atMs - 5_000 })
    expect(await textAt(atMs, [state])).toContain('tidemark_checkpoint_age_seconds{query="q"} 5\n')
  })

  it("rows dropped by name, hostile names and quotes are labels like any other", async () => {
    const operators = [
      balance('win"dow\n', { in: 3, dropped: { ["__proto__"]: 2 } }),
      balance('win"dow\n', { in: 1, partition: "1", dropped: { ["__proto__"]: 1 } })
    ]
    const ledger = { epoch: 1, operators, edges: [], sinks: [] }
    const text = await textAt(atMs, [stateOf("q", { ledger, epochs: [epoch(1, { ledger })] })])
    expect(text).toContain('tidemark_rows_total{query="q",operator="win\\"dow\\n",disposition="dropped:__proto__"} 3\n')
  })

  it("queries that ended are gone, several stand side by side, and the application's own are there too", async () => {
    const { registry, run } = world()
    enter(registry, stateOf("a"))
    const b = enter(registry, stateOf("b"))
    const requests = Metric.counter("my_requests_total")
    const looked = Effect.andThen(Metric.update(requests, 3), metricsText(undefined))
    const inOwnRegistry = Effect.provideService(
      Effect.andThen(looked, Effect.all([metricsText(undefined), Metric.MetricRegistry])),
      Metric.MetricRegistry,
      new Map()
    )
    const [text, kept] = await run(inOwnRegistry)
    expect(values(text, "tidemark_epoch")).toEqual(['tidemark_epoch{query="a"} 2', 'tidemark_epoch{query="b"} 2'])
    expect(values(text, "my_requests_total")).toEqual(["my_requests_total 3"])
    expect(kept.size).toBe(1)
    b.end(new Error("x"))
    await run(Effect.exit(b.query.await))
    expect(values(await run(metricsText(undefined)), "tidemark_epoch")).toEqual(['tidemark_epoch{query="a"} 2'])
  })
})

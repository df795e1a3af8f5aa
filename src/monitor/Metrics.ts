/**
 * The metrics of this process's queries in Prometheus' text format, by effect's own module, with whatever metrics the
 * application keeps itself.
 *
 * Nothing is counted twice: each look makes the metrics anew from the live facts of the queries that run, so a query
 * that ended is gone from the next one. What is not known is absent, never 0. Counters are as of the last epoch.
 *
 * Loaded when metrics are first served: effect's module brings an HTTP router with it.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import type { EpochProgress } from "../actors/EpochProgress.ts"
import type { QueryProgress } from "../actors/Progress.ts"
import { list } from "../actors/Registry.ts"
import { dispositions } from "../model/Ledger.ts"

/** Name, kind and help of every metric. */
export const metricNames = {
  tidemark_source_lag_seconds: ["gauge", "Age of the last row read of a partition; 0 at its end, absent when unknown"],
  tidemark_source_lag_events: [
    "gauge",
    "Rows of a partition that wait to be read; absent when the source cannot count"
  ],
  tidemark_catch_up_seconds: [
    "gauge",
    "Until a query will have read what waits; 0 when it keeps up, +Inf for never at this rate, absent when unknown"
  ],
  tidemark_source_rows_total: ["counter", "Rows and bad input read of a partition, as of the last epoch"],
  tidemark_watermark_delay_seconds: ["gauge", "How far the watermark of a partition is behind the clock"],
  tidemark_operator_watermark_delay_seconds: ["gauge", "How far the watermark of an operator is behind the clock"],
  tidemark_rows_total: ["counter", "What became of the input rows of an operator, as of the last epoch"],
  tidemark_sink_rows_total: ["counter", "Rows written by a sink, as of the last epoch"],
  tidemark_state_rows: ["gauge", "Input rows that the state of an operator stands for"],
  tidemark_state_keys: ["gauge", "Keys in the state of an operator"],
  tidemark_state_bytes: ["gauge", "Bytes of the last checkpoint's state"],
  tidemark_checkpoint_age_seconds: ["gauge", "Time since the last durable epoch, else since the start of the query"],
  tidemark_checkpoints_given_up: ["gauge", "Checkpoints given up since the last good one"],
  tidemark_restarts_total: ["counter", "Restarts of a query since it was started"],
  tidemark_epoch: ["gauge", "The last epoch committed"],
  tidemark_epoch_duration_seconds: ["gauge", "What the last epoch took, by step; total is from barrier to commit"],
  tidemark_queue_messages: ["gauge", "Messages that wait for a task"],
  tidemark_query_phase: ["gauge", "1 for the phase that a query is in"],
  tidemark_event_loop_lag_seconds: ["gauge", "How late timers fired at worst in the last ten seconds"]
} as const satisfies { readonly [name: string]: readonly ["gauge" | "counter", string] }

/** The name of a metric of ours. */
export type MetricName = keyof typeof metricNames

type Labels = { readonly [label: string]: string }

/** One value of a metric. */
export interface Sample {
  readonly name: MetricName
  readonly labels: Labels
  readonly value: number
}

const steps = ["alignment", "pause", "state", "manifest", "commit", "total"] as const

/** The samples of one query. `startedMs`: what its checkpoint's age is counted from before there is one. */
export const samplesOf = (
  progress: QueryProgress,
  last: EpochProgress | undefined,
  startedMs: number,
  nowMs: number
): ReadonlyArray<Sample> => {
  const samples: Array<Sample> = []
  const query = progress.name
  const add = (name: MetricName, labels: Labels, value: number | undefined): void => {
    if (value !== undefined && Number.isFinite(value)) samples.push({ name, labels: { query, ...labels }, value })
  }
  for (const { source, operator = `source ${source}`, partition, lag, watermark, ended } of progress.partitions) {
    const of = { operator, partition }
    add("tidemark_source_lag_seconds", of, lag?.ms === undefined ? undefined : lag.ms / 1000)
    add("tidemark_source_lag_events", of, lag?.rows)
    if (!ended && watermark !== undefined) add("tidemark_watermark_delay_seconds", of, (nowMs - watermark) / 1000)
  }
  for (const { operator, keys, watermark } of progress.operators) {
    add("tidemark_state_keys", { operator }, keys)
    if (watermark !== undefined) {
      add("tidemark_operator_watermark_delay_seconds", { operator }, (nowMs - watermark) / 1000)
    }
  }
  if (progress.catchUp !== undefined) {
    const { ms } = progress.catchUp
    const value = ms === "never" ? Infinity : ms / 1000
    samples.push({ name: "tidemark_catch_up_seconds", labels: { query }, value })
  }
  addLedger(progress, add)
  for (const [step, ms] of last === undefined ? [] : steps.map((at) => [at, last.epochTimes[at]] as const)) {
    add("tidemark_epoch_duration_seconds", { step }, ms / 1000)
  }
  add("tidemark_state_bytes", {}, last?.stateBytes)
  add("tidemark_checkpoint_age_seconds", {}, Math.max(0, nowMs - (progress.checkpoint.atMs ?? startedMs)) / 1000)
  add("tidemark_checkpoints_given_up", {}, progress.checkpoint.givenUp)
  add("tidemark_restarts_total", {}, progress.restarts)
  add("tidemark_epoch", {}, progress.epoch)
  for (const { task, waiting } of progress.queues) add("tidemark_queue_messages", { task }, waiting)
  add("tidemark_query_phase", { phase: progress.phase }, 1)
  return samples
}

const addLedger = (
  { ledger, plan }: QueryProgress,
  add: (name: MetricName, labels: Labels, value: number) => void
): void => {
  const sources = new Set(plan.filter(({ kind }) => kind === "source").map(({ operator }) => operator))
  /** By operator, then disposition: partitions are added up. */
  const rows = new Map<string, Map<string, number>>()
  const held = new Map<string, number>()
  for (const balance of ledger.operators) {
    const { operator, partition } = balance
    const sums = rows.get(operator) ?? new Map<string, number>()
    rows.set(operator, sums)
    const count = (disposition: string, n: number): void => void sums.set(disposition, (sums.get(disposition) ?? 0) + n)
    for (const disposition of dispositions) count(disposition, balance[disposition])
    for (const [name, n] of Object.entries(balance.dropped)) count(`dropped:${name}`, n)
    held.set(operator, (held.get(operator) ?? 0) + balance.held)
    if (sources.has(operator) && partition !== undefined) {
      add("tidemark_source_rows_total", { operator, partition }, balance.in)
    }
  }
  for (const [operator, sums] of rows) {
    for (const [disposition, n] of sums) add("tidemark_rows_total", { operator, disposition }, n)
  }
  for (const { operator, kind } of plan) {
    if (kind === "window" || kind === "running" || kind === "dedupe" || kind === "process") {
      add("tidemark_state_rows", { operator }, held.get(operator) ?? 0)
    }
  }
  for (const { sink, written } of ledger.sinks) add("tidemark_sink_rows_total", { sink }, written)
}

/** Samples, and the metrics that the application keeps itself, as Prometheus' text. */
const render = (samples: ReadonlyArray<Sample>): Effect.Effect<string> =>
  Effect.gen(function* () {
    const registry: Metric.MetricRegistry = new Map(yield* Metric.MetricRegistry)
    const context = Context.make(Metric.MetricRegistry, registry)
    for (const { name, labels, value } of samples) {
      const [kind, description] = metricNames[name]
      const options = { description, attributes: labels }
      if (kind === "counter") Metric.counter(name, options).updateUnsafe(value, context)
      else Metric.gauge(name, options).updateUnsafe(value, context)
    }
    return PrometheusMetrics.formatUnsafe(context)
  })

/** All metrics, as text. `loopLagMs`: the worst that was measured lately, if anyone measures it. */
export const metricsText = (loopLagMs: number | undefined): Effect.Effect<string> =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const samples: Array<Sample> = []
    for (const query of yield* list) {
      samples.push(...samplesOf(yield* query.progress, yield* query.lastProgress, query.startedMs, nowMs))
    }
    if (loopLagMs !== undefined) {
      samples.push({ name: "tidemark_event_loop_lag_seconds", labels: {}, value: loopLagMs / 1000 })
    }
    return yield* render(samples)
  })

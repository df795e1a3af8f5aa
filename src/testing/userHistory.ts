/**
 * A history of a user's query: the real runtime on simulated logs, with the user's own operators, effects and services,
 * and tables in the place of sinks. Everything is decided by the case.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { JobOptions } from "../actors/Job.ts"
import { start } from "../actors/Run.ts"
import type { CheckpointStore } from "../checkpoint/CheckpointStore.ts"
import type * as Scope from "effect/Scope"
import type { QueryHandle } from "../actors/QueryHandle.ts"
import { sink as memorySink, type MemorySink } from "../connectors/memory/MemorySink.ts"
import type { AnySink, Mode } from "../model/Sink.ts"
import { pipelineOf } from "../streams/Pipeline.ts"
import type { AnySource, QueryPlan } from "../streams/Plan.ts"
import * as Trigger from "../streams/Trigger.ts"
import type { Fault } from "./Fault.ts"
import { faultySink, type SinkFault, sinkFaultsOf } from "./faultySink.ts"
import type { Feed, FeedPartition } from "./feed.ts"
import { type Arrivals, batchOf, partitionName, streamOf } from "./feedSource.ts"
import { HangingCalls, type ProcessCalls } from "./HangingCalls.ts"
import { type HistoryResult, runHistory } from "./History.ts"
import type { OwnSink } from "./ownSink.ts"
import { Seeded } from "./seeded.ts"
import type { LogFault } from "./SimulatedLog.ts"
import { simulatedPlan } from "./simulatedPlan.ts"
import type { Life, Store, Subject, World } from "./World.ts"

/** A query under test. */
export interface Tested {
  readonly name: string
  /** Its plan in a new process. */
  readonly plan: () => QueryPlan
  readonly options: JobOptions<never, unknown>
  /** Gives it the services of its job. */
  readonly wrap: (start: Effect.Effect<unknown, unknown, unknown>) => Effect.Effect<unknown, unknown, unknown>
  /** Results may depend on how many instances there are, see `seesInstances`. */
  readonly seesInstances: boolean
  /** In the order of the sources of its plan. */
  readonly feeds: ReadonlyArray<Feed>
  readonly own: ReadonlyArray<OwnSink>
  readonly services: Context.Context<never>
}

/** One history as data. */
export interface Case {
  readonly seed: number
  /** Which query of the job. */
  readonly query: number
  /** Partitions of each of its feeds. */
  readonly feeds: ReadonlyArray<ReadonlyArray<FeedPartition>>
  readonly store: Store
  /** Most rows of an epoch; 0: as many as come between two ticks. */
  readonly epochRows: number
  readonly everyMs: number
  readonly paceMs: number
  readonly endPosition: boolean
  /** A query without restarts of its own restarts by itself. */
  readonly restarts: boolean
  readonly lives: ReadonlyArray<Life>
  readonly faults: ReadonlyArray<Fault>
}

/** How a case is run: as it is, or without what may not matter. */
export interface Manner {
  readonly kind: "stream" | "batch"
  readonly lives: ReadonlyArray<Life>
  readonly faults: ReadonlyArray<Fault>
  readonly told?: (atMs: number, what: string) => void
}

/** What an output holds in the end, and the mode it was written in. */
export interface Output {
  readonly mode: Mode
  readonly rows: ReadonlyArray<unknown>
}

/** What came of it. */
export interface UserRun {
  readonly history: HistoryResult
  readonly outputs: { readonly [name: string]: Output }
  readonly late: ReadonlyArray<unknown>
  /** Which rows became dead letters, and why. */
  readonly dead: ReadonlyArray<unknown>
}

const arrivalsOf = (c: Case, faults: ReadonlyArray<Fault>): ReadonlyArray<ReadonlyArray<Arrivals>> => {
  const total = c.feeds.flat().length
  let number = 0
  return c.feeds.map((partitions) =>
    partitions.map(({ rows }) => {
      const mine = number++
      const random = new Seeded(c.seed + mine * 7919)
      const stalls = new Map<number, number>()
      for (const fault of faults)
        if (fault.kind === "stall" && fault.partition % total === mine)
          stalls.set(fault.row, Math.max(fault.ms, stalls.get(fault.row) ?? 0))
      let at = 0
      const arriveMs = rows.map((_, row) => {
        at += (stalls.get(row) ?? 0) + (c.paceMs > 0 ? random.below(c.paceMs + 1) : 0)
        return at
      })
      return { arriveMs, stalledAt: [...stalls.keys()] }
    })
  )
}

const logFaultsOf = (c: Case, faults: ReadonlyArray<Fault>): ReadonlyArray<ReadonlyArray<LogFault>> => {
  const total = c.feeds.flat().length
  let number = 0
  return c.feeds.map((partitions) =>
    partitions.flatMap((_, index) => {
      const mine = number++
      return faults.flatMap((fault): ReadonlyArray<LogFault> => {
        if ((fault.kind !== "read error" && fault.kind !== "expired") || fault.partition % total !== mine) return []
        const at = { partition: partitionName(index), left: 1 }
        return [fault.kind === "expired" ? { kind: "expired", row: 0, ...at } : { kind: "read", row: fault.row, ...at }]
      })
    })
  )
}

/** The outside of one history: tables in the place of sinks, logs in the place of sources; they outlive processes. */
class Outside {
  readonly outputs = new Map<string, { readonly mode: Mode; readonly table: MemorySink<unknown>; own?: OwnSink }>()
  readonly late = new Map<number, MemorySink<unknown>>()
  readonly dead = new Map<number, MemorySink<unknown>>()
  readonly #faults: ReadonlyArray<SinkFault>
  readonly #calls: { calls: number; struck: (kind: SinkFault["kind"]) => void }
  #sources: ReadonlyArray<AnySource> | undefined

  constructor(faults: ReadonlyArray<SinkFault>, struck: (kind: SinkFault["kind"]) => void) {
    this.#faults = faults
    this.#calls = { calls: 0, struck }
  }

  /** The plan of one process. */
  plan(tested: Tested, c: Case, manner: Manner, world: World, calls: ProcessCalls): QueryPlan {
    let lates = 0
    const plan = tested.plan()
    const sources = (this.#sources ??= sourcesFor(tested, c, manner, world))
    const faulty = (sink: unknown): AnySink => faultySink(world.simulator, sink as AnySink, this.#faults, this.#calls)
    const dead = (source: AnySource, at: number): AnySource =>
      source.deadLetters === undefined ? source : { ...source, deadLetters: faulty(tableIn(this.dead, at)) }
    const ready = sources.map(dead)
    return simulatedPlan(plan, {
      source: (source) => ready[tested.feeds.findIndex((feed) => feed.source === source)],
      output: (name, { sink, mode }) => {
        const own = tested.own.find((one) => one.sink === sink)
        const known = this.outputs.get(name)
        const table = known?.table ?? memorySink({ name: sink.name })
        if (known === undefined) this.outputs.set(name, { mode, table, ...(own === undefined ? {} : { own }) })
        if (own !== undefined) return faulty(sink)
        const { modes, deletes, multiWriter } = sink.features
        return { ...faulty(table), features: { modes, deletes, multiWriter, guarantee: "exactly-once" } }
      },
      late: () => faulty(tableIn(this.late, lates++)),
      begins: calls.begins
    })
  }
}

const tableIn = (tables: Map<number, MemorySink<unknown>>, at: number): MemorySink<unknown> => {
  const table = tables.get(at) ?? memorySink()
  tables.set(at, table)
  return table
}

const sourcesFor = (tested: Tested, c: Case, manner: Manner, world: World): ReadonlyArray<AnySource> => {
  if (manner.kind === "batch") return tested.feeds.map((feed, i) => batchOf(feed, c.feeds[i]))
  const arrivals = arrivalsOf(c, manner.faults)
  const faults = logFaultsOf(c, manner.faults)
  return tested.feeds.map((feed, i) =>
    streamOf(feed, world.simulator, {
      partitions: c.feeds[i],
      arrivals: arrivals[i],
      endPosition: c.endPosition,
      faults: faults[i],
      onStruck: world.struck
    })
  )
}

type Started = Effect.Effect<QueryHandle<unknown>, unknown, CheckpointStore | Scope.Scope>

const optionsFor = (tested: Tested, c: Case, manner: Manner, life: Life) => {
  const { restart, restartLimit, drainTimeout, checkpoint, memoryBudgetBytes } = tested.options
  const own = {
    ...(restart === undefined ? {} : { restart }),
    ...(restartLimit === undefined ? {} : { restartLimit }),
    ...(drainTimeout === undefined ? {} : { drainTimeout }),
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(memoryBudgetBytes === undefined ? {} : { memoryBudgetBytes })
  }
  const restarts = {
    restart: Schedule.spaced("50 millis"),
    restartLimit: { restarts: 20, within: "1 minute" }
  } as const
  return {
    ...(c.restarts && restart === undefined ? restarts : {}),
    ...own,
    name: tested.name,
    chunkRows: life.chunkRows,
    parallelism: life.parallelism,
    trigger:
      manner.kind === "batch"
        ? Trigger.every("1 hour")
        : Trigger.every(c.everyMs, c.epochRows === 0 ? {} : { maxEvents: c.epochRows })
  }
}

const subjectOf =
  (
    tested: Tested,
    c: Case,
    manner: Manner,
    outside: Outside,
    seen: { world?: World },
    hanging: HangingCalls
  ): Subject =>
  (world, life) =>
    Effect.suspend(() => {
      seen.world = world
      const calls = hanging.processStarts(world.simulator)
      const ready = calls.begins("Query.provide")
      const started = Effect.suspend(() => {
        ready()
        const plan = outside.plan(tested, c, manner, world, calls)
        return start(pipelineOf<never, never>(plan), optionsFor(tested, c, manner, life))
      })
      const watched = Effect.andThen(Effect.forkScoped(calls.alive), tested.wrap(started))
      // What is simulated comes before what the test itself runs on.
      return Effect.contextWith((inner: Context.Context<CheckpointStore | Scope.Scope>) =>
        Effect.provideContext(watched, Context.merge(tested.services, inner))
      ) as Started
    })

const lettersIn = ({ objects }: World, query: string): ReadonlyArray<unknown> =>
  objects
    .names(`dead/${query}/`)
    .flatMap((name) => new TextDecoder().decode(objects.get(name)).split("\n"))
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown)

/** What of a dead letter does not depend on when it was written. */
const letter = (row: unknown): unknown => {
  const { operator, source, place, reason } = row as { readonly [field: string]: unknown }
  return { operator, source, place, reason }
}

/** Runs a case in a manner. Fails with `NotSimulated` when it waits for something that is not simulated. */
export const runUserHistory = (tested: Tested, c: Case, manner: Manner): UserRun => {
  const seen: { world?: World } = {}
  const outside = new Outside(sinkFaultsOf(manner.faults), (kind) => seen.world?.struck(`sink ${kind}`))
  for (const own of tested.own) own.clear()
  const history = runHistory({
    seed: c.seed,
    faults: manner.faults,
    lives: manner.lives,
    store: manner.kind === "batch" ? "remote" : c.store,
    query: tested.name,
    subject: subjectOf(tested, c, manner, outside, seen, new HangingCalls()),
    ...(manner.told === undefined ? {} : { told: manner.told })
  })
  const rowsOf = (table: MemorySink<unknown>): ReadonlyArray<unknown> => Effect.runSync(table.rows)
  const outputs = [...outside.outputs].map(([name, { mode, table, own }]) => {
    const rows = own === undefined ? (mode === "append" ? rowsOf(table) : Effect.runSync(table.table)) : own.rows()
    return [name, { mode, rows }] as const
  })
  return {
    history,
    outputs: Object.fromEntries(outputs),
    late: [...outside.late.values()].flatMap(rowsOf),
    dead: [
      ...[...outside.dead.values()].flatMap(rowsOf),
      ...(seen.world === undefined ? [] : lettersIn(seen.world, tested.name))
    ].map(letter)
  }
}

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
import { has } from "../model/Options.ts"
import { pipelineOf } from "../streams/Pipeline.ts"
import type { AnySource, QueryPlan } from "../streams/Plan.ts"
import * as Trigger from "../streams/Trigger.ts"
import type { Fault } from "./Fault.ts"
import { sinkFaultsOf } from "./faultySink.ts"
import type { Feed, FeedPartition } from "./feed.ts"
import { type Arrivals, batchOf, partitionName, streamOf } from "./feedSource.ts"
import { HangingCalls } from "./HangingCalls.ts"
import { type HistoryResult, runHistory } from "./History.ts"
import { type Output, Outside } from "./Outside.ts"
import type { OwnSink } from "./ownSink.ts"
import { Seeded } from "./seeded.ts"
import type { LogFault } from "./SimulatedLog.ts"
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

/** What came of it. */
export interface UserRun {
  readonly history: HistoryResult
  readonly outputs: { readonly [name: string]: Output }
  readonly late: ReadonlyArray<unknown>
  /** Which rows became dead letters, and why. */
  readonly dead: ReadonlyArray<unknown>
}

/** A history that takes more steps has no end: the usual one takes a few hundred. */
const stepsMax = 400_000

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

const outsideOf = (tested: Tested, c: Case, manner: Manner, world: World): Outside =>
  new Outside({
    sources: sourcesFor(tested, c, manner, world),
    placeOf: (source) => tested.feeds.findIndex((feed) => feed.source === source),
    own: tested.own,
    faults: sinkFaultsOf(manner.faults),
    struck: (kind) => world.struck(`sink ${kind}`)
  })

interface Seen {
  world?: World
  outside?: Outside
}

const subjectOf =
  (tested: Tested, c: Case, manner: Manner, seen: Seen, hanging: HangingCalls): Subject =>
  (world, life) =>
    Effect.suspend(() => {
      seen.world = world
      const outside = (seen.outside ??= outsideOf(tested, c, manner, world))
      const calls = hanging.processStarts(world.simulator)
      const started = Effect.suspend(() => {
        const plan = outside.plan(tested.plan(), world.simulator, calls)
        return start(pipelineOf<never, never>(plan), optionsFor(tested, c, manner, life))
      })
      const watched = Effect.andThen(
        Effect.forkScoped(calls.alive),
        calls.watchOuter("Query.provide", tested.wrap, started)
      )
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

/** What of a dead letter does not depend on when it was written; a sink of the user's may hold something else. */
const letter = (row: unknown): unknown => {
  if (!has(row, "operator", "source", "place", "reason")) return row
  const { operator, source, place, reason } = row as { readonly [field: string]: unknown }
  return { operator, source, place, reason }
}

/** Runs a case in a manner. Fails with `NotSimulated` when it waits for something that is not simulated. */
export const runUserHistory = (tested: Tested, c: Case, manner: Manner): UserRun => {
  const seen: Seen = {}
  const hanging = new HangingCalls()
  for (const own of tested.own) own.clear()
  const history = runHistory({
    seed: c.seed,
    faults: manner.faults,
    lives: manner.lives,
    store: manner.kind === "batch" ? "remote" : c.store,
    query: tested.name,
    subject: subjectOf(tested, c, manner, seen, hanging),
    stepsMax,
    ...(manner.told === undefined ? {} : { told: manner.told })
  })
  const { world, outside } = seen
  if (history.isCutOff && world !== undefined) hanging.cutOff(world.simulator, stepsMax)
  return {
    history,
    outputs: outside?.outputs ?? {},
    late: outside?.late ?? [],
    dead: [...(outside?.dead ?? []), ...(world === undefined ? [] : lettersIn(world, tested.name))].map(letter)
  }
}

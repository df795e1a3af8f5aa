/**
 * The queries of this process: what is running, where each stands, and how to stop it, for code that did not start it.
 *
 * A query is in the registry from its start to its end. The registry is a `Context.Reference`: one for the process,
 * unless an application or the simulator provides another. It keeps queries alive no longer than they run; of those
 * that ended it remembers the last hundred names and results.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { QueryError } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import { textOf } from "../model/Text.ts"
import type { EpochProgress } from "./EpochProgress.ts"
import { progressNow, type QueryProgress, recentProgressOf } from "./Progress.ts"
import type { QueryPhase, QueryState } from "./QueryState.ts"
import type { QuerySummary } from "./Supervisor.ts"

/** How a query is doing; the first three fields are Spark's. */
export interface QueryStatus {
  /** As people read it. */
  readonly message: string
  /** Rows have been read, or are known to wait, that no epoch covers yet. */
  readonly isDataAvailable: boolean
  /** A barrier is on its way, or its epoch is being written. */
  readonly isTriggerActive: boolean
  readonly phase: QueryPhase
}

/** A query that was started, seen from anywhere. */
export interface ActiveQuery {
  readonly name: string
  readonly runId: string
  readonly startedMs: number
  /** Stable across restarts, kept in the checkpoint; none before the query is owned. */
  readonly id: Effect.Effect<string | undefined>
  readonly isActive: Effect.Effect<boolean>
  readonly status: Effect.Effect<QueryStatus>
  /** Where it stands now. */
  readonly progress: Effect.Effect<QueryProgress>
  /** The last epoch; none before the first of this run. */
  readonly lastProgress: Effect.Effect<EpochProgress | undefined>
  /** The last epochs, oldest first: those since the start, at most `Limits.epochsRemembered`. */
  readonly recentProgress: Effect.Effect<ReadonlyArray<EpochProgress>>
  /** Waits for the end: a summary, or what the query failed with. */
  readonly await: Effect.Effect<QuerySummary, unknown>
  /** Drains: stops reading, finishes what is in flight, commits and ends; then as `await`. */
  readonly stop: Effect.Effect<QuerySummary, unknown>
  /** The same, keeping a copy of its last epoch under a label (rule C10). */
  readonly stopWithSavepoint: (label: string) => Effect.Effect<QuerySummary, unknown>
  /** What it failed with, once it has. */
  readonly exception: Effect.Effect<Cause.Cause<unknown> | undefined>
}

/** What a start of a query hands to the registry. */
export interface Registration {
  readonly state: QueryState
  readonly fiber: Fiber.Fiber<QuerySummary, unknown>
  /** Drains, bounded by the drain timeout, then as the fiber's result. */
  readonly drain: Effect.Effect<QuerySummary, unknown>
  /** Absent: the query cannot make savepoints. */
  readonly stopWithSavepoint?: ((label: string) => Effect.Effect<QuerySummary, unknown>) | undefined
}

/** A query that ended, and how. */
export interface EndedQuery {
  readonly name: string
  readonly runId: string
  readonly exit: Exit.Exit<QuerySummary, unknown>
}

/** The queries of a process. */
export interface Registry {
  readonly add: (registration: Registration) => ActiveQuery
  /** In the order of their starts. */
  readonly active: () => ReadonlyArray<ActiveQuery>
  /** The last that ended, oldest first. */
  readonly ended: () => ReadonlyArray<EndedQuery>
  readonly forget: () => void
  /** Calls back at the next end; returns what takes that back. */
  readonly onEnd: (heard: (ended: EndedQuery) => void) => () => void
}

const endedMax = 100

const messages: { readonly [P in Exclude<QueryPhase, "running" | "failed">]: string } = {
  starting: "Initializing",
  standby: "Standing by: another process runs the query",
  restarting: "Restarting after a failure",
  draining: "Stopping: finishing what is in flight",
  ended: "Stopped"
}

/** The status by the live facts of a query. */
export const statusOf = (state: QueryState): QueryStatus => {
  const { phase, lastFailure, underway, status } = state
  const runs = phase === "running" || phase === "draining"
  const isTriggerActive = runs && underway !== undefined
  const isDataAvailable = runs && status?.active() === true
  const why = lastFailure === undefined ? "" : `: ${lastFailure}`
  const message =
    phase === "failed"
      ? `Terminated with an error${why}`
      : phase === "restarting"
        ? `${messages.restarting}${why}`
        : phase !== "running"
          ? messages[phase]
          : isTriggerActive
            ? "Committing an epoch"
            : isDataAvailable
              ? "Processing new data"
              : "Waiting for data to arrive"
  return { message, isDataAvailable, isTriggerActive, phase }
}

const withoutSavepoints = (query: string): Effect.Effect<never, QueryError> =>
  Effect.fail(
    new QueryError({
      reason: "Checkpoint",
      query,
      message: `query ${query} cannot make a savepoint: it was started without a checkpoint to copy`
    })
  )

const activeQuery = ({ state, fiber, drain, stopWithSavepoint }: Registration): ActiveQuery => ({
  name: state.name,
  runId: state.runId,
  startedMs: state.startedMs,
  id: Effect.sync(() => state.id),
  isActive: Effect.sync(() => fiber.pollUnsafe() === undefined),
  status: Effect.sync(() => statusOf(state)),
  progress: progressNow(state),
  lastProgress: Effect.sync(() => recentProgressOf(state, 1)[0]),
  recentProgress: Effect.sync(() => recentProgressOf(state, Limits.epochsRemembered)),
  await: Fiber.join(fiber),
  stop: drain,
  stopWithSavepoint: stopWithSavepoint ?? (() => withoutSavepoints(state.name)),
  exception: Effect.sync(() => {
    const exit = fiber.pollUnsafe()
    return exit === undefined || Exit.isSuccess(exit) ? undefined : exit.cause
  })
})

/** A registry without queries. */
export const makeRegistry = (): Registry => {
  const running = new Set<ActiveQuery>()
  const ended: Array<EndedQuery> = []
  const listeners = new Set<(ended: EndedQuery) => void>()
  return {
    add: (registration) => {
      const query = activeQuery(registration)
      running.add(query)
      registration.fiber.addObserver((exit) => {
        running.delete(query)
        const end: EndedQuery = { name: query.name, runId: query.runId, exit }
        ended.push(end)
        if (ended.length > endedMax) ended.shift()
        for (const heard of [...listeners]) heard(end)
      })
      return query
    },
    active: () => [...running],
    ended: () => [...ended],
    forget: () => {
      ended.length = 0
    },
    onEnd: (heard) => {
      listeners.add(heard)
      return () => void listeners.delete(heard)
    }
  }
}

/** The registry that queries join when they start. */
export const QueryRegistry: Context.Reference<Registry> = Context.Reference<Registry>("tidemark/QueryRegistry", {
  defaultValue: makeRegistry
})

/** Enters a query that has been started; it leaves by itself when its fiber ends. */
export const register = (registration: Registration): Effect.Effect<ActiveQuery> =>
  Effect.map(QueryRegistry, (registry) => registry.add(registration))

/** The queries that run now, in the order of their starts. */
export const list: Effect.Effect<ReadonlyArray<ActiveQuery>> = Effect.map(QueryRegistry, (registry) =>
  registry.active()
)

/** The queries that a name, an id or a run id means: the name first. */
export const find = (nameOrId: string): Effect.Effect<ReadonlyArray<ActiveQuery>> =>
  Effect.gen(function* () {
    const all = yield* list
    const byName = all.filter(({ name, runId }) => name === nameOrId || runId === nameOrId)
    if (byName.length > 0) return byName
    const ids = yield* Effect.forEach(all, ({ id }) => id)
    return all.filter((_, i) => ids[i] === nameOrId)
  })

const quoted = (queries: ReadonlyArray<ActiveQuery>): string => queries.map(({ name }) => name).join(", ")

/** The query that runs under a name, an id or a run id; fails when there is none, or more than one of that name. */
export const get = (nameOrId: string): Effect.Effect<ActiveQuery, QueryError> =>
  Effect.gen(function* () {
    const found = yield* find(nameOrId)
    if (found.length === 1) return found[0]
    const all = yield* list
    const others = all.length === 0 ? "none is running" : `there are ${quoted(all)}`
    const message =
      found.length === 0
        ? `no query that runs here is named ${nameOrId}: ${others}`
        : `${found.length} queries are named ${nameOrId}: ask by run id (${found.map(({ runId }) => runId).join(", ")})`
    return yield* Effect.fail(new QueryError({ reason: "InvalidPipeline", query: nameOrId, message }))
  })

/**
 * Waits until any query of the process ends, and gives its summary or fails as it did. Returns at once when one has
 * ended already since the start of the process or the last `forgetEnded`.
 */
export const awaitAny: Effect.Effect<QuerySummary, unknown> = Effect.flatMap(QueryRegistry, (registry) =>
  Effect.flatMap(
    Effect.callback<EndedQuery>((resume) => {
      const [before] = registry.ended()
      if (before !== undefined) return resume(Effect.succeed(before))
      const off = registry.onEnd((end) => {
        off()
        resume(Effect.succeed(end))
      })
      return Effect.sync(off)
    }),
    ({ exit }) => exit
  )
)

/** Forgets the queries that have ended, so that `awaitAny` waits for the next one. */
export const forgetEnded: Effect.Effect<void> = Effect.map(QueryRegistry, (registry) => registry.forget())

/** Queries that failed and that no running query of the same name replaces; with the reason, as people read it. */
export const failures: Effect.Effect<ReadonlyArray<{ readonly name: string; readonly why: string }>> = Effect.map(
  QueryRegistry,
  (registry) => {
    const names = new Set(registry.active().map(({ name }) => name))
    const failed = new Map<string, string>()
    for (const { name, exit } of registry.ended()) {
      failed.delete(name)
      if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) || names.has(name)) continue
      failed.set(name, textOf(Cause.squash(exit.cause)))
    }
    return [...failed].map(([name, why]) => ({ name, why }))
  }
)

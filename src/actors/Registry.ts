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
import { QueryError } from "../model/Errors.ts"
import { textOf } from "../model/Text.ts"
import { makeHandle, type QueryHandle, type StartedQuery } from "./QueryHandle.ts"
import type { QuerySummary } from "./Supervisor.ts"

/** A query that ended, and how. */
export interface EndedQuery {
  readonly name: string
  readonly runId: string
  readonly exit: Exit.Exit<QuerySummary, unknown>
}

/** The queries of a process. */
export interface Registry {
  /** Enters a query, and makes the handle that everybody gets. */
  readonly add: <E>(started: StartedQuery<E>) => QueryHandle<E>
  /** In the order of their starts. */
  readonly active: () => ReadonlyArray<QueryHandle<unknown>>
  /** The last that ended, oldest first. */
  readonly ended: () => ReadonlyArray<EndedQuery>
  readonly forget: () => void
  /** Calls back at the next end; returns what takes that back. */
  readonly onEnd: (heard: (ended: EndedQuery) => void) => () => void
}

const endedMax = 100

/** A registry without queries. */
export const makeRegistry = (): Registry => {
  const running = new Set<QueryHandle<unknown>>()
  const ended: Array<EndedQuery> = []
  const listeners = new Set<(ended: EndedQuery) => void>()
  return {
    add: (started) => {
      const query = makeHandle(started)
      running.add(query)
      started.fiber.addObserver((exit) => {
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

/** Enters a query that has been started, and gives its handle; it leaves by itself when its fiber ends. */
export const register = <E>(started: StartedQuery<E>): Effect.Effect<QueryHandle<E>> =>
  Effect.map(QueryRegistry, (registry) => registry.add(started))

/** The queries that run now, in the order of their starts. */
export const list: Effect.Effect<ReadonlyArray<QueryHandle<unknown>>> = Effect.map(QueryRegistry, (registry) =>
  registry.active()
)

/** The queries that a name, an id or a run id means: the name first. */
export const find = (nameOrId: string): Effect.Effect<ReadonlyArray<QueryHandle<unknown>>> =>
  Effect.gen(function* () {
    const all = yield* list
    const byName = all.filter(({ name, runId }) => name === nameOrId || runId === nameOrId)
    if (byName.length > 0) return byName
    const ids = yield* Effect.forEach(all, ({ id }) => id)
    return all.filter((_, i) => ids[i] === nameOrId)
  })

const quoted = (queries: ReadonlyArray<QueryHandle<unknown>>): string => queries.map(({ name }) => name).join(", ")

/** The query that runs under a name, an id or a run id; fails when there is none, or more than one of that name. */
export const get = (nameOrId: string): Effect.Effect<QueryHandle<unknown>, QueryError> =>
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

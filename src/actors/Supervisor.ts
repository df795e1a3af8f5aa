/**
 * Runs a query to its end: one attempt after another, as the user's schedule says, within the limit of restarts.
 *
 * Until checkpoints exist a new attempt reads its input from the start, so sinks may receive rows again. A ledger
 * imbalance, a wrong pipeline and a refused dead letter are never retried.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scheduler from "effect/Scheduler"
import { QueryError, renderProblem, type QueryErrorReason } from "../model/Errors.ts"
import type { Ledger } from "../model/Ledger.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import type { AnySink } from "../model/Sink.ts"
import { deadLetterSink } from "../checkpoint/DeadLetters.ts"
import type { QueryPlan } from "../streams/Plan.ts"
import { makeAttempt, type AttemptStatus } from "./Attempt.ts"
import type { Ended } from "./Coordinator.ts"
import { type QueryOptions, type QuerySettings, settingsOf } from "./QueryOptions.ts"
import { makeTimeSliceScheduler } from "./TimeSliceScheduler.ts"
import { layOut, type Topology } from "./Topology.ts"

/** What a query leaves behind when it ends well. */
export interface QuerySummary {
  readonly name: string
  /** `exhausted`: all input was read to its end. `drained`: stopped on request; open windows were not emitted. */
  readonly ended: Ended
  /** The last epoch committed. */
  readonly epoch: number
  readonly restarts: number
  readonly ledger: Ledger
}

/** A query between its start and its end: mutable facts that progress reads. */
export interface QueryState {
  readonly name: string
  readonly topology: Topology
  status: AttemptStatus | undefined
  ledger: Ledger
  restarts: number
}

/** A query under supervision: run it once; drain it from anywhere. */
export interface SupervisedQuery {
  readonly state: QueryState
  /** Asks the query to stop reading, finish what is in flight, commit and end. */
  readonly drain: Effect.Effect<void>
  readonly run: Effect.Effect<QuerySummary, unknown>
}

const finalReasons: ReadonlySet<QueryErrorReason> = new Set(["InvalidPipeline", "LedgerImbalance", "DeadLetterRefused"])

const invalid = (query: string, topology: Topology): QueryError =>
  new QueryError({
    reason: "InvalidPipeline",
    query,
    message: `query ${query} cannot start: ${topology.problems.map(renderProblem).join("; ")}`,
    problems: topology.problems
  })

/** Checks plan and options, and makes a query that is ready to run. */
export const supervise = (
  plan: QueryPlan,
  options: QueryOptions<never, unknown>,
  objects: ObjectStore
): Effect.Effect<SupervisedQuery, QueryError> =>
  Effect.gen(function* () {
    const problems: Array<Topology["problems"][number]> = []
    const settings = settingsOf(options, problems)
    const laid = layOut(plan, deadLetterSink(objects) as unknown as AnySink)
    const topology: Topology = { ...laid, problems: [...problems, ...laid.problems] }
    if (topology.problems.length > 0) return yield* Effect.fail(invalid(options.name, topology))
    const draining = yield* Deferred.make<void>()
    const state: QueryState = {
      name: options.name,
      topology,
      status: undefined,
      ledger: { epoch: 0, operators: [], edges: [], sinks: [] },
      restarts: 0
    }
    const attempt = Effect.scoped(
      Effect.gen(function* () {
        const making = makeAttempt({
          query: options.name,
          topology,
          parallelism: settings.parallelism,
          chunkRows: settings.chunkRows,
          epochIntervalMs: settings.epochIntervalMs,
          lastEpoch: state.ledger.epoch,
          drain: Deferred.await(draining),
          onEpoch: (ledger) => {
            state.ledger = ledger
          }
        })
        // Sources may take their time to name their partitions; a drain does not wait for them.
        const made = yield* Effect.raceFirst(Effect.asSome(making), Effect.as(Deferred.await(draining), Option.none()))
        if (Option.isNone(made)) return "drained"
        state.status = made.value.status
        return yield* made.value.run
      })
    )
    const run = Effect.map(
      withFairScheduler(restarting(attempt, Deferred.await(draining), options, settings, state)),
      (ended): QuerySummary => ({
        name: options.name,
        ended,
        epoch: state.ledger.epoch,
        restarts: state.restarts,
        ledger: state.ledger
      })
    )
    return { state, drain: Effect.asVoid(Deferred.succeed(draining, undefined)), run }
  })

/** Runs attempts one after another: the user's schedule decides how, the limit how many. */
const restarting = (
  attempt: Effect.Effect<Ended, unknown>,
  draining: Effect.Effect<void>,
  options: QueryOptions<never, unknown>,
  settings: QuerySettings,
  state: QueryState
): Effect.Effect<Ended, unknown> => {
  const schedule = options.restart as Schedule.Schedule<unknown, unknown> | undefined
  if (schedule === undefined) return attempt
  const times: Array<number> = []
  return Effect.gen(function* () {
    const step = yield* Schedule.toStep(schedule)
    for (;;) {
      const exit = yield* Effect.exit(attempt)
      if (exit._tag === "Success") return exit.value
      const error = Cause.findErrorOption(exit.cause)
      // Interruptions and defects of tidemark are not for a schedule to mend.
      if (Option.isNone(error)) return yield* Effect.failCause(exit.cause)
      if (error.value instanceof QueryError && finalReasons.has(error.value.reason))
        return yield* Effect.failCause(exit.cause)
      const now = yield* Clock.currentTimeMillis
      while (times.length > 0 && now - times[0] > settings.restartsWithinMs) times.shift()
      times.push(now)
      if (times.length > settings.restartsMax) return yield* Effect.failCause(exit.cause)
      const next = yield* Effect.exit(step(now, error.value))
      if (next._tag === "Failure") return yield* Effect.failCause(exit.cause)
      state.restarts++
      yield* Effect.logWarning(`query ${state.name} failed and restarts from the start of its input`, exit.cause)
      const pause = Effect.as(Effect.sleep(Duration.fromInputUnsafe(next.value[1])), false)
      if (yield* Effect.raceFirst(pause, Effect.as(draining, true))) return "drained"
    }
  })
}

/** Provides the time-slice scheduler, unless the application (or a simulator) has set one of its own. */
const withFairScheduler = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.flatMap(Effect.context<never>(), (context) =>
    context.mapUnsafe.has(Scheduler.Scheduler.key)
      ? effect
      : Effect.provideService(effect, Scheduler.Scheduler, makeTimeSliceScheduler())
  )

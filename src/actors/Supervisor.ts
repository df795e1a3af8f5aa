/**
 * Runs a query to its end: one attempt after another, each from the last checkpoint, as the user's schedule says, within
 * the limit of restarts.
 *
 * Never retried: a ledger imbalance, a wrong or changed pipeline, a refused dead letter, and being fenced, which is final
 * (C5). A row on which attempts fail again and again is set aside as a dead letter (`Poison.ts`).
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Scheduler from "effect/Scheduler"
import { deadLetterSink } from "../checkpoint/DeadLetters.ts"
import { requestsPerHour } from "../checkpoint/requests.ts"
import { QueryError, renderProblem, type QueryErrorReason } from "../model/Errors.ts"
import type { Ledger } from "../model/Ledger.ts"
import { Limits } from "../model/Limits.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import type { AnySink } from "../model/Sink.ts"
import { textOf } from "../model/Text.ts"
import { fingerprintOf } from "../streams/Fingerprint.ts"
import type { QueryPlan } from "../streams/Plan.ts"
import { makeAttempt } from "./Attempt.ts"
import type { Ended } from "./Coordinator.ts"
import { budgetBytes, watchMemory } from "./MemoryBudget.ts"
import { LogNames } from "./LogNames.ts"
import { monotonicMs } from "../model/monotonic.ts"
import { PoisonRows } from "./Poison.ts"
import { type QueryOptions, type QuerySettings, settingsOf } from "./QueryOptions.ts"
import type { QueryState } from "./QueryState.ts"
import { orFenced, recover } from "./Recovery.ts"
import { makeTimeSliceScheduler } from "./TimeSliceScheduler.ts"
import { layOut, type Topology } from "./Topology.ts"

/** What a query leaves behind when it ends well. */
export interface QuerySummary {
  readonly name: string
  /** `exhausted`: all input was read to its end. `drained`: stopped on request, or all that was available has been read; open windows stay open in the checkpoint. */
  readonly ended: Ended
  /** The last epoch committed. */
  readonly epoch: number
  readonly restarts: number
  readonly ledger: Ledger
  /** The savepoint made of the last epoch, where the query was stopped with one. */
  readonly savepoint?: string
}

/** A query under supervision: run it once; drain it from anywhere. */
export interface SupervisedQuery {
  readonly state: QueryState
  /** Asks the query to stop reading, finish what is in flight, commit and end; keeps a savepoint if one is named. False: it had been asked before. */
  readonly drain: (savepoint?: string) => Effect.Effect<boolean>
  readonly run: Effect.Effect<QuerySummary, unknown>
}

const finalReasons: ReadonlySet<QueryErrorReason> = new Set([
  "InvalidPipeline",
  "LedgerImbalance",
  "DeadLetterRefused",
  "Fenced",
  "Owned",
  "PlanChanged",
  "InputEnded",
  "MemoryBudget"
])

const invalid = (query: string, topology: Topology): QueryError =>
  new QueryError({
    reason: "InvalidPipeline",
    query,
    message: `query ${query} cannot start: ${topology.problems.map(renderProblem).join("; ")}`,
    problems: topology.problems
  })

/** The pace that suits the slowest of sinks and store (A5). */
const paceOf = (topology: Topology, objects: ObjectStore): number =>
  Math.max(
    Limits.epochIntervalMs,
    objects.epochIntervalMs ?? 0,
    ...topology.sinks.filter((s) => s.role === "output").map((s) => s.sink.features.epochIntervalMs ?? 0)
  )

/** Says what the checkpoint costs where requests are billed (C5b), to who is to run for long. */
const sayCost = (query: string, settings: QuerySettings, objects: ObjectStore, everyMs: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (objects.billed !== true || settings.untilAvailable) return Effect.void
    const { all, heartbeats } = requestsPerHour(objects, everyMs)
    return Effect.logInfo(
      `query ${query}: with an epoch every ${everyMs} ms its checkpoint makes about ${all} requests an hour while rows come, ${heartbeats} of them heartbeats (${objects.name}; Trigger.every sets the pace)`
    )
  })

const stateOf = (name: string, topology: Topology): Effect.Effect<QueryState> =>
  Effect.gen(function* () {
    const token = (): Effect.Effect<string> =>
      Effect.map(Random.nextInt, (n) => (n >>> 0).toString(16).padStart(8, "0"))
    const runId = `${yield* token()}${yield* token()}`
    return {
      name,
      topology,
      id: undefined,
      runId,
      phase: "starting",
      startedMs: yield* Clock.currentTimeMillis,
      attempt: 0,
      continued: undefined,
      status: undefined,
      ledger: { epoch: 0, operators: [], edges: [], sinks: [] },
      restarts: 0,
      lastFailure: undefined,
      epochs: [],
      underway: undefined,
      givenUp: 0,
      givenUpWhy: undefined,
      committing: undefined,
      checkpointAtMs: undefined
    } satisfies QueryState
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
    const draining = yield* Deferred.make<string | undefined>()
    const drained = Effect.asVoid(Deferred.await(draining))
    const state = yield* stateOf(options.name, topology)
    const poison = new PoisonRows()
    const fingerprint = fingerprintOf(plan, { nameOf: topology.nameOf, writerOf: (at) => topology.stageOf(at).name })
    const watch = watchMemory(options.name, yield* budgetBytes(settings.memoryBudgetBytes))
    let isCostSaid = false
    let saved: string | undefined
    let unsaved: Cause.Cause<unknown> | undefined
    const attempt = Effect.scoped(
      Effect.gen(function* () {
        const starting = Effect.gen(function* () {
          const epochIntervalMs = settings.epochIntervalMs ?? paceOf(topology, objects)
          const { ownership, recovered } = yield* recover({ objects, topology, plan: fingerprint, settings, state })
          const making = makeAttempt({
            query: options.name,
            topology,
            plan: fingerprint,
            ...settings,
            epochIntervalMs,
            ownership,
            recovered,
            poison,
            drain: drained,
            state,
            watch
          })
          return { ...(yield* orFenced(ownership, making)), ownership, epochIntervalMs }
        })
        // Another owner may live on, and sources may take their time to name their partitions; a drain waits for neither.
        const made = yield* Effect.raceFirst(Effect.asSome(starting), Effect.as(drained, Option.none()))
        if (Option.isNone(made)) return "drained"
        if (!isCostSaid) yield* sayCost(options.name, settings, objects, made.value.epochIntervalMs)
        isCostSaid = true
        state.status = made.value.status
        state.phase = "running"
        const { ownership, run } = made.value
        const ended = yield* Effect.annotateLogs(orFenced(ownership, run), { [LogNames.attempt]: state.attempt })
        const savepoint = (yield* Deferred.isDone(draining)) ? yield* Deferred.await(draining) : undefined
        if (savepoint === undefined) return ended
        const saving = yield* Effect.exit(ownership.savepoint(savepoint))
        // Everything is committed: another attempt would have nothing to do, and no epoch to save.
        if (saving._tag === "Failure") unsaved = saving.cause
        else saved = savepoint
        return ended
      })
    )
    const toTheEnd = Effect.flatMap(
      restarting(attempt, drained, () => Deferred.isDoneUnsafe(draining), options, settings, state, poison),
      (ended) => (unsaved === undefined ? Effect.succeed(ended) : Effect.failCause(unsaved))
    )
    const ending = Effect.onExit(toTheEnd, (exit) =>
      Effect.sync(() => {
        state.phase = exit._tag === "Success" ? "ended" : "failed"
        if (exit._tag === "Failure") state.lastFailure = failureText(exit.cause)
      })
    )
    const annotated = Effect.annotateLogs(ending, { [LogNames.query]: options.name, [LogNames.run]: state.runId })
    const run = Effect.map(withFairScheduler(annotated), (ended): QuerySummary => ({
      name: options.name,
      ended,
      epoch: state.ledger.epoch,
      restarts: state.restarts,
      ledger: state.ledger,
      ...(saved === undefined ? {} : { savepoint: saved })
    }))
    return { state, drain: (savepoint) => Deferred.succeed(draining, savepoint), run }
  })

const failureText = (cause: Cause.Cause<unknown>): string =>
  Option.match(Cause.findErrorOption(cause), { onNone: () => Cause.pretty(cause), onSome: textOf })

/** Runs attempts one after another: the user's schedule decides how, the limit how many. */
const restarting = (
  attempt: Effect.Effect<Ended, unknown>,
  draining: Effect.Effect<void>,
  isDraining: () => boolean,
  options: QueryOptions<never, unknown>,
  settings: QuerySettings,
  state: QueryState,
  poison: PoisonRows
): Effect.Effect<Ended, unknown> => {
  const schedule = options.restart as Schedule.Schedule<unknown, unknown> | undefined
  if (schedule === undefined) return attempt
  const times: Array<number> = []
  return Effect.gen(function* () {
    let step = yield* Schedule.toStep(schedule)
    let since = state.ledger.epoch
    for (;;) {
      // What the last attempt failed on is not what this one does.
      if (state.status !== undefined) state.status.failedRow = undefined
      const exit = yield* Effect.exit(attempt)
      if (exit._tag === "Success") return exit.value
      // A drain that fails has failed: what its last epoch did not commit is for the next run.
      if (isDraining()) return yield* Effect.failCause(exit.cause)
      const error = Cause.findErrorOption(exit.cause)
      // Interruptions and defects of tidemark are not for a schedule to mend.
      if (Option.isNone(error)) return yield* Effect.failCause(exit.cause)
      if (error.value instanceof QueryError && finalReasons.has(error.value.reason))
        return yield* Effect.failCause(exit.cause)
      const now = yield* monotonicMs
      while (times.length > 0 && now - times[0] > settings.restartsWithinMs) times.shift()
      times.push(now)
      if (times.length > settings.restartsMax) return yield* Effect.failCause(exit.cause)
      // An attempt that brought the query on is not counted with those before it.
      if (state.ledger.epoch > since) step = yield* Schedule.toStep(schedule)
      since = state.ledger.epoch
      const next = yield* Effect.exit(step(yield* Clock.currentTimeMillis, error.value))
      if (next._tag === "Failure") return yield* Effect.failCause(exit.cause)
      state.restarts++
      state.phase = "restarting"
      state.lastFailure = textOf(error.value)
      yield* Effect.logWarning(`query ${state.name} failed and restarts from ${placeOf(state)}`, exit.cause)
      const row = state.status?.failedRow
      if (row !== undefined && poison.note(row, textOf(error.value))) {
        const where = `row ${row.ordinal} of partition ${row.partition} of ${row.source}`
        yield* Effect.logWarning(`query ${state.name}: ${where} is set aside as a dead letter`)
      }
      const pause = Effect.as(Effect.sleep(Duration.fromInputUnsafe(next.value[1])), false)
      if (yield* Effect.raceFirst(pause, Effect.as(draining, true))) return "drained"
    }
  })
}

const placeOf = (state: QueryState): string =>
  state.ledger.epoch === 0 ? "the start of its input" : `epoch ${state.ledger.epoch}`

/** Provides the time-slice scheduler, unless the application (or a simulator) has set one of its own. */
const withFairScheduler = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.flatMap(Effect.context<never>(), (context) =>
    context.mapUnsafe.has(Scheduler.Scheduler.key)
      ? effect
      : Effect.provideService(effect, Scheduler.Scheduler, makeTimeSliceScheduler())
  )

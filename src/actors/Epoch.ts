/**
 * One epoch after its barrier (rules C3, C9): the ledger is checked, the state written, the manifest published, every
 * sink committed, and what is no longer needed collected. In this order, since recovery depends on it: ARCHITECTURE, "The
 * life of an epoch".
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Ownership } from "../checkpoint/Chain.ts"
import type { EpochRecord, Manifest, ReaderRecord, StateFile } from "../checkpoint/Manifest.ts"
import { QueryError, SinkError, StoreError } from "../model/Errors.ts"
import { failpoint } from "../model/Failpoint.ts"
import { addBalances, imbalances, type Ledger, type OperatorBalance } from "../model/Ledger.ts"
import { Limits } from "../model/Limits.ts"
import type { PlanFingerprint } from "../model/PlanFingerprint.ts"
import type { Prepared } from "../model/Sink.ts"
import type { SnapshotValue } from "../model/Snapshot.ts"
import { textOf } from "../model/Text.ts"
import { noteEpoch, type Moments } from "./EpochFacts.ts"
import { LogNames } from "./LogNames.ts"
import { monotonicMs, monotonicNow } from "../model/monotonic.ts"
import type { QueryState } from "./QueryState.ts"
import type { Report } from "./Task.ts"
import type { SinkStage } from "./Topology.ts"

/** What epochs are made with. */
export interface EpochsOptions {
  readonly query: string
  readonly ownership: Ownership
  readonly sinks: ReadonlyArray<SinkStage>
  readonly plan: PlanFingerprint
  readonly parallelism: number
  readonly timeoutMs: number
  readonly failuresMax: number
  readonly state: QueryState
  /** Told where the readers stood in an epoch that has been committed. */
  readonly onCommitted: (readers: ReadonlyArray<ReaderRecord>) => void
}

type Align = Effect.Effect<ReadonlyArray<Report>, unknown>

/** Adds up what the tasks of one epoch reported. */
export const ledgerOf = (epoch: number, reports: Iterable<Pick<Report, "operators" | "edges" | "sink">>): Ledger => {
  const operators = new Map<string, OperatorBalance>()
  const edges: Array<Ledger["edges"][number]> = []
  const sinks: Array<Ledger["sinks"][number]> = []
  for (const report of reports) {
    for (const balance of report.operators) {
      const key = `${balance.operator}\u0000${balance.partition ?? ""}`
      const known = operators.get(key)
      operators.set(key, known === undefined ? balance : addBalances(known, balance))
    }
    edges.push(...report.edges)
    if (report.sink !== undefined) sinks.push(report.sink)
  }
  return { epoch, operators: [...operators.values()], edges, sinks }
}

/** The epochs of one attempt, one after the other. */
export class Epochs {
  /** Number of the manifest to come, and so of the epoch. */
  next: number
  /** Before then, in monotonic time, none is due: a checkpoint has just been made, or given up. */
  notBeforeMs = -Infinity
  readonly #o: EpochsOptions
  #readers: ReadonlyArray<ReaderRecord>

  constructor(o: EpochsOptions) {
    this.#o = o
    this.next = o.ownership.base.number + 1
    this.#readers = o.ownership.base.readers
  }

  /** One epoch. A checkpoint that is given up is no failure: its number, and its output, go to the next (C9). */
  run(align: Align): Effect.Effect<void, unknown> {
    return Effect.asVoid(this.#epoch(align, undefined))
  }

  /** The last epoch, tried again until it is made: nothing comes after it that could take its output along. */
  runLast(align: Align, ended: "exhausted" | "drained"): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      while (!(yield* this.#epoch(align, ended))) {
        yield* Effect.sleep(Duration.millis(Math.max(0, this.notBeforeMs - (yield* monotonicMs))))
      }
    })
  }

  #epoch(align: Align, ended: "exhausted" | "drained" | undefined): Effect.Effect<boolean, unknown> {
    const { state } = this.#o
    const over = Effect.sync(() => {
      state.underway = undefined
    })
    return this.#steps(align, ended).pipe(Effect.ensuring(over), Effect.annotateLogs({ [LogNames.epoch]: this.next }))
  }

  #steps(align: Align, ended: "exhausted" | "drained" | undefined): Effect.Effect<boolean, unknown> {
    return Effect.gen({ self: this }, function* () {
      const { state, ownership, query, sinks } = this.#o
      state.underway = this.next
      const clock = yield* Clock.Clock
      const atMs = clock.currentTimeMillisUnsafe()
      const began = monotonicNow(clock)
      const reports = yield* align
      const aligned = monotonicNow(clock)
      const ledger = ledgerOf(this.next, reports)
      yield* checkLedger(query, ledger)
      const written = yield* this.#writeState(reports, aligned - began)
      if (typeof written === "string") {
        yield* this.#giveUp(written)
        return false
      }
      const stateAt = monotonicNow(clock)
      const record = yield* this.#recordOf(reports, ledger, ended)
      const manifest = yield* ownership.publish(record, written)
      const publishedAt = monotonicNow(clock)
      yield* commitAll(state, sinks, record.prepared)
      const committedAt = monotonicNow(clock)
      const nowMs = clock.currentTimeMillisUnsafe()
      const moments: Moments = { atMs, nowMs, began, aligned, stateAt, publishedAt, committedAt }
      this.#o.onCommitted(manifest.readers)
      noteEpoch(state, manifest, reports, this.#readers, moments)
      this.#done(manifest, committedAt - aligned, committedAt)
      yield* Effect.catchIf(
        ownership.collect,
        (error) => !isFinal(error),
        (error) => Effect.logWarning(`query ${query}: old checkpoints stay for now: ${textOf(error)}`)
      )
      return true
    })
  }

  #done(manifest: Manifest, tookMs: number, now: number): void {
    this.next = manifest.number + 1
    this.#readers = manifest.readers
    this.#o.state.givenUp = 0
    this.#o.state.givenUpWhy = undefined
    // However large the state: never more than half of the time goes into writing it.
    this.notBeforeMs = now + Math.min(tookMs, Limits.epochPauseMaxMs)
  }

  #recordOf(
    reports: ReadonlyArray<Report>,
    ledger: Ledger,
    ended: "exhausted" | "drained" | undefined
  ): Effect.Effect<EpochRecord, unknown> {
    return Effect.gen({ self: this }, function* () {
      const { query, sinks, plan, parallelism } = this.#o
      const prepared = new Map<string, Prepared>()
      const readers: Array<ReaderRecord> = []
      for (const report of reports) {
        if (report.prepared !== undefined) prepared.set(report.prepared.writer, report.prepared)
        if (report.reader !== undefined) readers.push(report.reader)
      }
      const missing = sinks.find((stage) => !prepared.has(stage.name))
      if (missing !== undefined) return yield* Effect.fail(unprepared(query, missing))
      return {
        epoch: this.next,
        prepared: sinks.map((stage) => prepared.get(stage.name) as Prepared),
        readers: readers.sort((a, b) => a.lane - b.lane),
        ledger,
        plan,
        parallelism,
        atMs: yield* Clock.currentTimeMillis,
        ...(ended === undefined ? {} : { ended })
      }
    })
  }

  /** The state, durable; or why the checkpoint is given up. */
  #writeState(reports: ReadonlyArray<Report>, alignedMs: number): Effect.Effect<StateFile | string, unknown> {
    const { ownership, timeoutMs } = this.#o
    const late = `it was not done after ${timeoutMs} ms`
    if (alignedMs > timeoutMs) return Effect.succeed(late)
    const states = new Map<string, SnapshotValue>()
    for (const { state } of reports) states.set(state.key, state.value)
    const writing = Effect.timeoutOption(ownership.writeState(states), Duration.millis(timeoutMs - alignedMs))
    return Effect.gen(function* () {
      const written = yield* Effect.result(writing)
      if (Result.isSuccess(written)) return Option.getOrElse(written.success, () => late)
      const { failure } = written
      return failure instanceof QueryError ? yield* Effect.fail(failure) : textOf(failure)
    })
  }

  #giveUp(why: string): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      const { state, query, failuresMax } = this.#o
      state.givenUp++
      state.givenUpWhy = why
      const pauseMs = Math.min(Limits.checkpointRetryMaxMs, Limits.checkpointRetryMinMs * 2 ** (state.givenUp - 1))
      this.notBeforeMs = (yield* monotonicMs) + pauseMs
      const message = `query ${query}: the checkpoint of epoch ${this.next} was given up: ${why}`
      if (state.givenUp >= failuresMax) {
        const fix = `${state.givenUp} in a row; mend the checkpoint store, and start again`
        return yield* Effect.fail(new QueryError({ reason: "Checkpoint", query, message: `${message} (${fix})` }))
      }
      const goesOn =
        state.checkpointAtMs === undefined ? "results wait" : "results wait, and a crash goes back to the last"
      yield* Effect.logWarning(`${message}; the query goes on, ${goesOn}; next try in ${pauseMs / 1000} s`)
    })
  }
}

const isFinal = (error: unknown): boolean => error instanceof QueryError && error.reason === "Fenced"

const checkLedger = (query: string, ledger: Ledger): Effect.Effect<void, QueryError> => {
  const found = imbalances(ledger)
  if (found.length === 0) return Effect.void
  const first = found[0]
  const isOfSink = ledger.sinks.some(({ sink }) => sink === first.where)
  return Effect.fail(
    new QueryError({
      reason: "LedgerImbalance",
      query,
      message:
        `ledger of ${query} at epoch ${ledger.epoch}: ${first.where}: ${first.equation} does not hold (${first.left}, ${first.right}). ` +
        `This is a defect in ${isOfSink ? "the sink, or in what wraps it" : "tidemark"}; stopped before committing`,
      cause: found
    })
  )
}

/**
 * Commits what every sink prepared; safe to repeat (C2). An interruption does not tear a commit that has begun, nor wait
 * for one that never ends: it is left behind, and the next commit of the query waits for it first, for a while.
 */
export const commitAll = (
  state: QueryState,
  sinks: ReadonlyArray<SinkStage>,
  prepared: ReadonlyArray<Prepared>
): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const before = state.committing
    if (before !== undefined) {
      const over = yield* Effect.timeoutOption(Fiber.await(before), Duration.millis(Limits.commitPatienceMs))
      if (Option.isNone(over))
        yield* Effect.logWarning(
          `query ${state.name}: a commit that was cut off still runs; the next one begins beside it`
        )
    }
    const fiber = yield* Effect.forkDetach(commitEach(state.name, sinks, prepared))
    state.committing = fiber
    yield* Fiber.join(fiber)
    state.committing = undefined
  })

const commitEach = (
  query: string,
  sinks: ReadonlyArray<SinkStage>,
  prepared: ReadonlyArray<Prepared>
): Effect.Effect<void, unknown> => {
  const commit = (mine: Prepared): Effect.Effect<void, unknown> => {
    const i = sinks.findIndex((stage) => stage.name === mine.writer)
    if (i < 0) return Effect.fail(gone(query, mine))
    const patient = commitPatiently(query, mine.epoch, sinks[i])(sinks[i].sink.commit(mine))
    const sending = failpoint(`sink[${i}].commit.sent`, patient)
    return Effect.andThen(sending, failpoint(`sink[${i}].commit.replied`, Effect.void))
  }
  return Effect.forEach(prepared, commit, { discard: true })
}

/**
 * The epoch has happened, so a store that has no room for dead letters now is asked again, as for a checkpoint (C9).
 * Failures of other sinks are for the user's restart schedule.
 */
const commitPatiently =
  (query: string, epoch: number, stage: SinkStage) =>
  (commit: Effect.Effect<void, unknown>): Effect.Effect<void, unknown> =>
    Effect.gen(function* () {
      for (let tried = 1; ; tried++) {
        const committed = yield* Effect.result(commit)
        if (Result.isSuccess(committed)) return
        const { failure } = committed
        if (!(failure instanceof StoreError) || tried >= Limits.checkpointFailuresMax)
          return yield* Effect.fail(failure)
        const pauseMs = Math.min(Limits.checkpointRetryMaxMs, Limits.checkpointRetryMinMs * 2 ** (tried - 1))
        const what = `query ${query}: ${stage.name} of epoch ${epoch} cannot be kept now: ${textOf(failure)}`
        yield* Effect.logWarning(`${what}; the query goes on, results wait; next try in ${pauseMs / 1000} s`)
        yield* Effect.sleep(Duration.millis(pauseMs))
      }
    })

const unprepared = (query: string, stage: SinkStage): SinkError =>
  new SinkError({
    connector: stage.sink.name,
    retryable: false,
    message: `prepared nothing in the name of writer ${stage.name} of ${query}, so it could not be committed: mend the connector`
  })

const gone = (query: string, prepared: Prepared): QueryError =>
  new QueryError({
    reason: "PlanChanged",
    query,
    message: `epoch ${prepared.epoch} of ${query} has rows for its output ${prepared.writer}, which the plan no longer has: start once with that output to write them`
  })

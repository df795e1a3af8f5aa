/**
 * `tidemark run FILE`: runs the job of a file until its input is exhausted, it is asked to stop, or a query fails.
 *
 * Asked to stop (Ctrl-C, SIGTERM, `--for`), every query drains; one that has not after the drain timeout is cut off,
 * and the run fails. A query that fails drains the others: a job of which a part is dead does not go on unnoticed.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import { JobTypeId, withOptions } from "../actors/Job.ts"
import * as Query from "../actors/Query.ts"
import { settingsOf } from "../actors/QueryOptions.ts"
import { renderProblem } from "../model/Errors.ts"
import { checkpointLayer, deadPlace } from "./checkpoint.ts"
import { type DeadSamples, makeDeadSamples } from "./DeadSamples.ts"
import { type Display, makeDisplay } from "./Display.ts"
import { type CliFailure, describeCause, describeError, describeFully, failed, problemsOf } from "./failure.ts"
import { Host, type HostShape, stopRequested } from "./Host.ts"
import { type AnyJob, loadJob } from "./loadJob.ts"
import { makeRateWindow, progressLine } from "./progressLine.ts"
import { endedWell, type Outcome, summaryJson, summaryLines } from "./summary.ts"
import { oneLine, span } from "./words.ts"

/** What the command line said. */
export interface RunOptions {
  readonly file: string
  /** Drain after this time. */
  readonly forMs: number | undefined
  readonly checkpoint: string
  /** Absent: what the job says, else the engine's default. */
  readonly drainTimeoutMs: number | undefined
  readonly quiet: boolean
  readonly json: boolean
  readonly verbose: boolean
}

/** Pace of the progress lines. */
const progressTerminalMs = 500
const progressLogMs = 5_000
/** What a query that was cut off has to let go of what it holds. */
const releaseMs = 2_000

type Handle = Query.QueryHandle<unknown>

/** Everything that the parts of one run share. */
interface Session {
  readonly options: RunOptions
  readonly host: HostShape
  readonly display: Display
  readonly job: AnyJob
  readonly samples: DeadSamples
  readonly drainTimeoutMs: number
  readonly startedMs: number
  /** Why the run is to stop. */
  readonly stop: Deferred.Deferred<string>
  handles: ReadonlyArray<Handle>
}

const withDrainTimeout = (job: AnyJob, drainTimeoutMs: number | undefined): AnyJob => {
  if (drainTimeoutMs === undefined) return job
  return withOptions(job, { drainTimeout: Duration.millis(drainTimeoutMs) })
}

/** Says what went wrong, once, at once. */
const complain = (s: Session, subject: string, cause: Cause.Cause<unknown>): string => {
  const why = describeCause(cause, s.options.file)
  s.display.print(`tidemark: ${subject}: ${why}`)
  if (s.options.verbose) s.display.print(describeFully(cause))
  return why
}

/** What a query came to; a failure asks the other queries to stop. */
const outcomeOf = (s: Session, handle: Handle): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(handle.await)
    const elapsedMs = (yield* Clock.currentTimeMillis) - s.startedMs
    const { name } = handle
    const dead = { place: deadPlace(s.options.checkpoint, name), samples: s.samples.of(name) }
    const outcome = { name, progress: yield* handle.progress, elapsedMs, dead }
    if (Exit.isSuccess(exit)) return { ...outcome, ended: exit.value.ended, error: undefined }
    if (Cause.hasInterruptsOnly(exit.cause)) {
      const error = `did not finish within ${span(s.drainTimeoutMs)} of being asked to stop (--drain-timeout)`
      s.display.print(`tidemark: query ${name} ${error}`)
      return { ...outcome, ended: "timeout", error }
    }
    const error = complain(s, `query ${name} failed`, exit.cause)
    const first = yield* Deferred.succeed(s.stop, `query ${name} failed`)
    if (first && s.handles.length > 1) s.display.print("tidemark: stopping the other queries of the job")
    return { ...outcome, ended: "failed", error }
  })

/** Starts the queries, and waits for all of them; none when the run was to stop before they had started. */
const runQueries = (s: Session): Effect.Effect<ReadonlyArray<Outcome>, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const stopped = Effect.as(Deferred.await(s.stop), {})
      s.handles = Object.values(yield* Effect.raceFirst(Query.startJob(s.job), stopped))
      const drains = Effect.andThen(
        Deferred.await(s.stop),
        Effect.forEach(s.handles, (handle) => Effect.exit(handle.drain), { concurrency: "unbounded", discard: true })
      )
      yield* Effect.forkScoped(drains)
      return yield* Effect.forEach(s.handles, (handle) => outcomeOf(s, handle), { concurrency: "unbounded" })
    })
  ).pipe(Effect.provide(checkpointLayer(s.options.checkpoint, s.samples)))

/** Shows progress until interrupted. */
const showProgress = (s: Session): Effect.Effect<never> =>
  Effect.gen(function* () {
    const rates = new Map<string, ReturnType<typeof makeRateWindow>>()
    for (;;) {
      yield* Effect.sleep(Duration.millis(s.host.screen.isTerminal ? progressTerminalMs : progressLogMs))
      const now = yield* Clock.currentTimeMillis
      const width = Math.max(...s.handles.map(({ name }) => name.length))
      const lines: Array<string> = []
      for (const handle of s.handles) {
        const progress = yield* handle.progress
        const window = rates.get(handle.name) ?? makeRateWindow(s.startedMs)
        rates.set(handle.name, window)
        lines.push(progressLine(progress, window.add(now, progress.rowsIn), now, width))
      }
      s.display.show(lines)
    }
  })

/** Turns signals and `--for` into a request to stop, and says so. */
const listen = (s: Session): Effect.Effect<void> => {
  const signal = Effect.map(stopRequested(s.host), (name) => (name === "SIGINT" ? "Ctrl-C" : name))
  const { forMs } = s.options
  const time =
    forMs === undefined ? Effect.never : Effect.as(Effect.sleep(Duration.millis(forMs)), `--for ${span(forMs)}`)
  return Effect.gen(function* () {
    const why = yield* Effect.raceFirst(signal, time)
    if (!(yield* Deferred.succeed(s.stop, why))) return
    const again = why === "Ctrl-C" || why === "SIGTERM" ? "; once more ends it at once" : ""
    s.display.print(`tidemark: ${why}: stopping, finishing what is in flight${again}`)
  })
}

/** Succeeds when even cutting off has taken too long. */
const patienceEnds = (s: Session): Effect.Effect<undefined> =>
  Effect.as(
    Effect.andThen(Deferred.await(s.stop), Effect.sleep(Duration.millis(s.drainTimeoutMs + releaseMs))),
    undefined
  )

const logger = (display: Display, file: string): Logger.Logger<unknown, void> =>
  Logger.make(({ logLevel, message, cause }) => {
    const parts = (Array.isArray(message) ? message : [message]).map(describeError)
    const why = cause.reasons.length === 0 ? "" : `: ${describeCause(cause, file)}`
    display.print(`tidemark: ${logLevel === "Warn" ? "warning" : logLevel.toLowerCase()}: ${parts.join(" ")}${why}`)
  })

const notStarted = (s: Session, cause: Cause.Cause<unknown>): CliFailure => {
  const first = cause.reasons.find(Cause.isFailReason)?.error
  const problems = problemsOf(first)
  if (problems.length < 2) complain(s, s.options.file, cause)
  else {
    s.display.print(`tidemark: ${s.options.file}: a query cannot start, for ${problems.length} reasons`)
    for (const problem of problems) s.display.print(`  ${oneLine(renderProblem(problem))}`)
  }
  return failed("")
}

/** Waits for the queries to end, and reports. */
const conduct = (s: Session): Effect.Effect<void, CliFailure> =>
  Effect.gen(function* () {
    const running = yield* Effect.forkDetach(runQueries(s))
    const listener = yield* Effect.forkChild(listen(s))
    const shower = yield* Effect.forkChild(s.options.quiet ? Effect.void : showProgress(s))
    const exit = yield* Effect.raceFirst(Fiber.await(running), patienceEnds(s))
    yield* Fiber.interrupt(shower)
    // While the summary is written a signal ends the process.
    yield* Fiber.interrupt(listener)
    s.display.show([])
    if (exit === undefined) return yield* Effect.fail(failed("something does not let go, and is left behind"))
    if (Exit.isFailure(exit)) return yield* Effect.fail(notStarted(s, exit.cause))
    if (exit.value.length === 0) s.display.print("tidemark: stopped before a query had started")
    for (const outcome of exit.value) {
      if (s.options.json) s.host.result(summaryJson(outcome))
      else s.host.screen.write(`\n${summaryLines(outcome, s.options.verbose).join("\n")}\n`)
    }
    if (!exit.value.every(endedWell)) return yield* Effect.fail(failed(""))
  })

/** Runs the job of a file. Fails with the exit code when it did not go well; then everything has been said. */
export const run = (options: RunOptions): Effect.Effect<void, CliFailure, Host> =>
  Effect.gen(function* () {
    const host = yield* Host
    const job = withDrainTimeout(yield* loadJob(options.file, options.verbose), options.drainTimeoutMs)
    const display = makeDisplay(host.screen)
    const session: Session = {
      options,
      host,
      display,
      job,
      samples: makeDeadSamples(),
      drainTimeoutMs: settingsOf({ ...job[JobTypeId].options, name: "any" }, []).drainTimeoutMs,
      startedMs: yield* Clock.currentTimeMillis,
      stop: yield* Deferred.make<string>(),
      handles: []
    }
    host.takeTurns(display.clear, (whole) => (whole ? display.redraw() : undefined))
    const loggers = new Set([logger(display, options.file)])
    yield* Effect.provideService(conduct(session), Logger.CurrentLoggers, loggers)
  })

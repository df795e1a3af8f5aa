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
import { JobTypeId } from "../actors/Job.ts"
import * as Query from "../actors/Query.ts"
import { settingsOf } from "../actors/QueryOptions.ts"
import { renderProblem } from "../model/Errors.ts"
import { checkpointLayer, deadPlace } from "./checkpoint.ts"
import { type DeadSamples, makeDeadSamples } from "./DeadSamples.ts"
import { type Display, makeDisplay } from "./Display.ts"
import { CliFailure, describeCause, describeFully, ExitCode, failed, endedFor, problemsOf } from "./failure.ts"
import { headOf } from "./head.ts"
import { Host, type HostShape, stopRequested } from "./Host.ts"
import { type AnyJob, loadJob } from "./loadJob.ts"
import { openControl, openHttp } from "./monitors.ts"
import type { Address } from "../monitor/Address.ts"
import { makeRateWindow, progressLine } from "./progressLine.ts"
import { endedWell, headline, type Outcome, summaryJson, summaryLines } from "./summary.ts"
import { type OptionsOver, withOver } from "./optionsOver.ts"
import { makeVoice, type Voice } from "./voice.ts"
import { oneLine, span } from "./words.ts"

/** What the command line said. */
export interface RunOptions {
  readonly file: string
  /** Drain after this time. */
  readonly forMs: number | undefined
  readonly checkpoint: string
  /** What is said of the job's own options. */
  readonly over: OptionsOver
  readonly quiet: boolean
  readonly json: boolean
  readonly verbose: boolean
  /** Where health and metrics are served, if anywhere. */
  readonly http: Address | undefined
  /** What goes to stderr: text for people, or lines of JSON. */
  readonly log: "text" | "json"
}

/** Pace of the progress lines. */
const progressTerminalMs = 500
const progressLogMs = 5_000
/** What a query that was cut off has to let go of what it holds. */
const releaseMs = 2_000
/** How soon it is said where a query goes on. */
const headMs = 20

type Handle = Query.QueryHandle<unknown>

/** Everything that the parts of one run share. */
interface Session {
  readonly options: RunOptions
  readonly host: HostShape
  readonly display: Display
  readonly voice: Voice
  readonly job: AnyJob
  readonly samples: DeadSamples
  readonly drainTimeoutMs: number
  readonly startedMs: number
  /** Why the run is to stop. */
  readonly stop: Deferred.Deferred<string>
  handles: ReadonlyArray<Handle>
  /** Queries of which the head has been said. */
  readonly announced: Set<string>
}

/** Says what went wrong, once, at once. */
const complain = (s: Session, subject: string, cause: Cause.Cause<unknown>, query?: string): string => {
  const why = describeCause(cause, s.options.file)
  const stacks = s.options.verbose || s.voice.isJson ? { cause: describeFully(cause) } : {}
  s.voice.say(`${subject}: ${why}`, { level: "Error", ...(query === undefined ? {} : { query }), ...stacks })
  return why
}

/** Says once where a query goes on and what it guarantees, when that is known. */
const announce = (s: Session, handle: Handle): Effect.Effect<boolean> =>
  Effect.map(handle.progress, (progress) => {
    const { name, runId, attempt, phase, continued } = progress
    if (s.announced.has(name)) return true
    // Where it goes on is known when its state has been read.
    if (!(attempt > 0) || phase === "starting" || phase === "standby") return false
    s.announced.add(name)
    const about = { query: name, run: runId, ...(continued === undefined ? {} : { epoch: continued.epoch }) }
    if (!s.options.quiet) s.voice.say(headOf(progress), { ...about, more: { guarantee: progress.guarantee.delivery } })
    return true
  })

const announceSoon = (s: Session, handle: Handle): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (!(yield* announce(s, handle))) yield* Effect.sleep(Duration.millis(headMs))
  })

/** What a query came to; a failure asks the other queries to stop. */
const outcomeOf = (s: Session, handle: Handle): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const soon = yield* Effect.forkChild(announceSoon(s, handle))
    const exit = yield* Effect.exit(handle.await)
    yield* Fiber.interrupt(soon)
    yield* announce(s, handle)
    const elapsedMs = (yield* Clock.currentTimeMillis) - s.startedMs
    const { name } = handle
    const dead = { place: deadPlace(s.options.checkpoint, name), samples: s.samples.of(name) }
    const { checkpoint } = s.options
    const outcome = { name, checkpoint, progress: yield* handle.progress, elapsedMs, dead }
    if (Exit.isSuccess(exit)) return { ...outcome, ended: exit.value.ended, error: undefined }
    if (Cause.hasInterruptsOnly(exit.cause)) {
      const error = `did not finish within ${span(s.drainTimeoutMs)} of being asked to stop (--drain-timeout)`
      s.voice.say(`query ${name} ${error}`, { level: "Error", query: name })
      return { ...outcome, ended: "timeout", error }
    }
    const error = complain(s, `query ${name} failed`, exit.cause, name)
    const first = yield* Deferred.succeed(s.stop, `query ${name} failed`)
    if (first && s.handles.length > 1) s.voice.say("stopping the other queries of the job")
    const isFenced = endedFor(exit.cause, "Fenced")
    const owned = isFenced ? "fenced" : endedFor(exit.cause, "Owned") ? "owned" : undefined
    return { ...outcome, ended: "failed", error, owned }
  })

/** Starts the queries, and waits for all of them; none when the run was to stop before they had started. */
const runQueries = (s: Session): Effect.Effect<ReadonlyArray<Outcome>, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      if (s.options.http !== undefined) yield* openHttp(s.options.http, s.voice)
      const stopped = Effect.as(Deferred.await(s.stop), {})
      s.handles = Object.values(yield* Effect.raceFirst(Query.startJob(s.job), stopped))
      const drains = Effect.andThen(
        Deferred.await(s.stop),
        Effect.forEach(s.handles, (handle) => Effect.exit(handle.drain), { concurrency: "unbounded", discard: true })
      )
      yield* Effect.forkScoped(drains)
      // In the scope of the queries, but not in their way.
      yield* Effect.forkScoped(openControl(s.voice, yield* Effect.scope))
      return yield* Effect.forEach(s.handles, (handle) => outcomeOf(s, handle), { concurrency: "unbounded" })
    })
  ).pipe(Effect.provide(checkpointLayer(s.options.checkpoint, s.samples)))

/** Shows progress until interrupted. */
const showProgress = (s: Session): Effect.Effect<never> =>
  Effect.gen(function* () {
    const rates = new Map<string, ReturnType<typeof makeRateWindow>>()
    const isLive = s.host.screen.isTerminal && !s.voice.isJson
    for (;;) {
      yield* Effect.sleep(Duration.millis(isLive ? progressTerminalMs : progressLogMs))
      const now = yield* Clock.currentTimeMillis
      const width = Math.max(...s.handles.map(({ name }) => name.length))
      const lines: Array<string> = []
      const say = (line: string, query: string, epoch: number): void => {
        if (s.voice.isJson) s.voice.say(line, { query, epoch })
        else lines.push(line)
      }
      for (const handle of s.handles) {
        const progress = yield* handle.progress
        const window = rates.get(handle.name) ?? makeRateWindow(s.startedMs)
        rates.set(handle.name, window)
        const rate = window.add(now, progress.rowsIn)
        say(progressLine(progress, rate, now, s.voice.isJson ? 0 : width), handle.name, progress.epoch)
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
    s.voice.say(`${why}: stopping, finishing what is in flight${again}`)
  })
}

/** Succeeds when even cutting off has taken too long. */
const patienceEnds = (s: Session): Effect.Effect<undefined> =>
  Effect.as(
    Effect.andThen(Deferred.await(s.stop), Effect.sleep(Duration.millis(s.drainTimeoutMs + releaseMs))),
    undefined
  )

const notStarted = (s: Session, cause: Cause.Cause<unknown>): CliFailure => {
  const first = cause.reasons.find(Cause.isFailReason)?.error
  if (first instanceof CliFailure) return first
  const problems = problemsOf(first).map((problem) => oneLine(renderProblem(problem)))
  if (problems.length < 2) complain(s, s.options.file, cause)
  else {
    const sentence = `${s.options.file}: a query cannot start, for ${problems.length} reasons`
    s.voice.say(sentence, { level: "Error", more: { problems } })
    if (!s.voice.isJson) for (const problem of problems) s.display.print(`  ${problem}`)
  }
  return failed("")
}

/** What is left on the screen, or in the log, of a query that ended. */
const report = (s: Session, outcome: Outcome): void => {
  if (s.options.json) s.host.result(summaryJson(outcome))
  if (s.voice.isJson) {
    const { name, progress } = outcome
    const level = endedWell(outcome) ? "Info" : "Error"
    const more = { summary: JSON.parse(summaryJson(outcome)) as unknown }
    s.voice.say(headline(outcome), { level, query: name, run: progress.runId, epoch: progress.epoch, more })
  } else if (!s.options.json) {
    s.host.screen.write(`\n${summaryLines(outcome, s.options.verbose).join("\n")}\n`)
  }
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
    if (exit.value.length === 0) s.voice.say("stopped before a query had started")
    for (const outcome of exit.value) report(s, outcome)
    const bad = exit.value.filter((outcome) => !endedWell(outcome))
    const code = bad.every(({ owned }) => owned !== undefined) ? ExitCode.owned : ExitCode.failed
    if (bad.length > 0) return yield* Effect.fail(failed("", code))
  })

/** Runs the job of a file. Fails with the exit code when it did not go well; then everything has been said. */
export const run = (options: RunOptions): Effect.Effect<void, CliFailure, Host> =>
  Effect.gen(function* () {
    const host = yield* Host
    const display = makeDisplay(host.screen)
    const voice = makeVoice(options.log, host.screen, display, yield* Clock.Clock, options.file)
    const running = Effect.gen(function* () {
      const job = yield* withOver(yield* loadJob(options.file, options.verbose), options.over)
      const settings = settingsOf({ ...job[JobTypeId].options, name: "any" }, [])
      const session: Session = {
        options,
        host,
        display,
        voice,
        job,
        samples: makeDeadSamples(),
        drainTimeoutMs: settings.drainTimeoutMs,
        startedMs: yield* Clock.currentTimeMillis,
        stop: yield* Deferred.make<string>(),
        handles: [],
        announced: new Set()
      }
      if (settings.accepted.size > 0) {
        const { acceptedInVain } = yield* Effect.promise(() => import("./plan.ts"))
        const vain = yield* acceptedInVain(job, options.checkpoint)
        if (vain !== "") voice.say(`warning: ${vain}`, { level: "Warn" })
      }
      host.takeTurns(display.clear, (whole) => (whole ? display.redraw() : undefined))
      yield* conduct(session)
    })
    const toldAsJson = Effect.mapError(running, (failure) => {
      if (failure.message === "") return failure
      voice.say(failure.message, { level: "Error" })
      return failed("", failure.code)
    })
    yield* Effect.provideService(voice.isJson ? toldAsJson : running, Logger.CurrentLoggers, new Set([voice.logger]))
  })

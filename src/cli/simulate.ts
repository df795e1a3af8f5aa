/**
 * `tidemark simulate FILE`: the job of the file under simulated faults, as its export `simulation` says. Progress and
 * failures go to stderr, one line of JSON to stdout.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { SimulationOptions, SimulationReport } from "../testing/Simulation.ts"
import { type CliFailure, describeError, failed } from "./failure.ts"
import { Host } from "./Host.ts"
import { loadSimulated, type Exports } from "./loadJob.ts"
import { count, oneLine } from "./words.ts"

/** What the command line said. */
export interface SimulateOptions {
  readonly file: string
  readonly histories: number | undefined
  readonly seed: number | undefined
  readonly replay: string | undefined
  readonly verbose: boolean
}

/** How often progress is said, ms. */
const sayEveryMs = 2_000

const example =
  'export const simulation = { feeds: [Simulation.feed(source, Schema)] }, with Simulation of "tidemark/testing"'

/** The options that a file exports, with those of the command line over them. */
const optionsIn = (
  exports: Exports,
  { file, histories, seed }: SimulateOptions
): Effect.Effect<SimulationOptions, CliFailure> => {
  const { simulation } = exports
  if (simulation === undefined)
    return Effect.fail(failed(`${file} does not say how to simulate its job: write ${example}`))
  if (typeof simulation !== "object" || simulation === null || !("feeds" in simulation))
    return Effect.fail(failed(`the export simulation of ${file} has no feeds: write ${example}`))
  return Effect.succeed({
    ...(simulation as SimulationOptions),
    ...(histories === undefined ? {} : { histories }),
    ...(seed === undefined ? {} : { seed })
  })
}

/** The simulator; it needs fast-check, which only those install who test. */
const simulator = Effect.tryPromise({
  try: () => import("../testing/runSimulation.ts"),
  catch: (error) => {
    const said = describeError(error)
    return failed(said.includes("fast-check") ? `it needs fast-check: npm install --save-dev fast-check` : said)
  }
})

const progressLine = ({ histories, perSecond, crashes }: SimulationReport, of: number | undefined): string =>
  `tidemark: ${count(histories)}${of === undefined ? "" : ` of ${count(of)}`} histories, ${count(perSecond)} a second, ${count(crashes)} crashes\n`

/** Runs it. Fails when a law does not hold, which has then been said. */
export const simulate = (options: SimulateOptions): Effect.Effect<void, CliFailure, Host> =>
  Effect.gen(function* () {
    const host = yield* Host
    const clock = yield* Clock.Clock
    const { job, exports } = yield* loadSimulated(options.file, options.verbose)
    const wanted = yield* optionsIn(exports, options)
    const { checkWith, replayWith } = yield* simulator
    let saidMs = clock.currentTimeMillisUnsafe()
    const voice = {
      replayLine: (token: string) => `tidemark simulate ${options.file} --replay ${token}`,
      progress: (report: SimulationReport) => {
        if (clock.currentTimeMillisUnsafe() - saidMs < sayEveryMs) return
        saidMs = clock.currentTimeMillisUnsafe()
        host.screen.write(progressLine(report, wanted.histories))
      }
    }
    if (options.replay !== undefined) {
      const { replay: token } = options
      const found = yield* Effect.mapError(replayWith(job, wanted, token, voice), ({ message }) => failed(message))
      host.screen.write(`${found.text}\n`)
      const { law = null, problems, traceHash } = found
      host.result(JSON.stringify({ ok: law === null, token, law, problems, traceHash }))
      return law === null ? undefined : yield* Effect.fail(failed(""))
    }
    return yield* Effect.matchEffect(checkWith(job, wanted, voice), {
      onSuccess: (report) => Effect.sync(() => host.result(JSON.stringify({ ok: true, ...report }))),
      onFailure: (failure) => {
        const { reason, law, token, traceHash, problems, events, faults } = failure
        if (reason !== "LawViolated") return Effect.fail(failed(oneLine(failure.message)))
        host.screen.write(`tidemark: ${failure.message}\n`)
        host.result(JSON.stringify({ ok: false, law, token, traceHash, problems, events, faults }))
        return Effect.fail(failed(""))
      }
    })
  })

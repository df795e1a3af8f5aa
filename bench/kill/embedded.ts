/**
 * The job of the crash checks inside an application, without the program `tidemark`: half the time to start, and a place
 * where a check can claim to be another process than it is.
 *
 * As the program does: failpoints from the environment, SIGTERM drains, exit code 0 when all went well; one line of JSON.
 */
import module from "node:module"

module.enableCompileCache()

const { Checkpoint, Query, QueryError } = await import("tidemark")
const Effect = await import("effect/Effect")
const Exit = await import("effect/Exit")
const Cause = await import("effect/Cause")
const Option = await import("effect/Option")
const { imbalances } = await import("../../src/model/Ledger.ts")
const { Failpoints } = await import("../../src/model/Failpoint.ts")
const { failpointHandler } = await import("../../src/cli/failpointHandler.ts")
const { default: job } = await import("./job.ts")

const { TIDEMARK_FAILPOINT: points, TIDEMARK_FAILPOINT_LOG: log } = process.env
const failpoints = points === undefined && log === undefined ? undefined : failpointHandler(points, log)

const main = Effect.scoped(
  Effect.gen(function* () {
    const { flights } = yield* Query.startJob(job)
    process.on("SIGTERM", () => Effect.runFork(Effect.exit(flights.drain)))
    return yield* flights.await
  })
).pipe(Effect.provide(Checkpoint.layerFiles("./.tidemark")), Effect.provideService(Failpoints, failpoints))

/** As the program exits. */
const exitCode = { Fenced: 3, Owned: 4 } as const

const keepAlive = setInterval(() => undefined, 60_000)
const exit = await Effect.runPromise(Effect.exit(main))
clearInterval(keepAlive)
if (Exit.isSuccess(exit)) {
  const { ended, epoch, ledger } = exit.value
  const balanced = imbalances(ledger).length === 0
  process.stdout.write(`${JSON.stringify({ query: "flights", ended, epoch, balanced, ledger })}\n`)
} else {
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  const reason = error instanceof QueryError ? error.reason : undefined
  process.stderr.write(`embedded: ${reason ?? ""} ${Cause.pretty(exit.cause)}\n`)
  process.exitCode = reason === "Fenced" || reason === "Owned" ? exitCode[reason] : 1
}

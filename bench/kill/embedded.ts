/**
 * The job of the crash checks inside an application, without the program `tidemark`: quicker to start, and a place where a
 * check can claim to be another process than it is.
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
const { HostProcess } = await import("../../src/checkpoint/Owner.ts")
const { isSurelyGone, nodeProcessFacts } = await import("../../src/checkpoint/nodeProcessFacts.ts")
const { default: job } = await import("./job.ts")

const { TIDEMARK_FAILPOINT: points, TIDEMARK_FAILPOINT_LOG: log } = process.env
const failpoints = points === undefined && log === undefined ? undefined : failpointHandler(points, log)

/** Who this process claims to be; of everyone else it is told that no such process runs. */
const claim = process.env["KILL_TEST_CLAIM"]
const own = await Effect.runPromise(nodeProcessFacts.self)
const claimed: typeof own = { ...own, ...(claim === undefined ? {} : (JSON.parse(claim) as Partial<typeof own>)) }
const facts: typeof nodeProcessFacts =
  claim === undefined
    ? nodeProcessFacts
    : {
        self: Effect.succeed(claimed),
        isGone: (owner) => Effect.promise(() => isSurelyGone(claimed, owner, () => Promise.resolve({ tag: "absent" })))
      }

const main = Effect.scoped(
  Effect.gen(function* () {
    const { flights } = yield* Query.startJob(job)
    process.on("SIGTERM", () => Effect.runFork(Effect.exit(flights.drain)))
    const summary = yield* flights.await
    const { continued } = yield* flights.progress
    const positions = (continued?.readers ?? []).map(({ partition, position }) => `${partition} at ${position}`)
    if (continued !== undefined && continued.epoch > 0)
      process.stderr.write(`flights goes on from epoch ${continued.epoch}, ${positions.join(", ")}\n`)
    return summary
  })
).pipe(
  Effect.provide(Checkpoint.layerFiles("./.tidemark")),
  Effect.provideService(Failpoints, failpoints),
  Effect.provideService(HostProcess, facts)
)

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
  process.exitCode = reason === "Fenced" ? 3 : 1
}

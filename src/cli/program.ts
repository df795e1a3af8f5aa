/** The program behind its process: arguments in, exit code out. Light, so that `--help` is quick; commands load what they need. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { Failpoints } from "../model/Failpoint.ts"
import { tidemark } from "./commands.ts"
import { CliFailure, describeCause, describeFully, ExitCode } from "./failure.ts"
import { Host, type HostShape } from "./Host.ts"
import { presenter } from "./presenter.ts"

const services = Layer.mergeAll(
  NodeServices.layer,
  presenter,
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })
)

/** The exit code of what became of a command; says what has not been said. */
const conclude = (host: HostShape, exit: Exit.Exit<void, CliFailure | CliError.CliError>): number => {
  if (Exit.isSuccess(exit)) return ExitCode.ok
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  if (error instanceof CliFailure) {
    if (error.message !== "") host.screen.write(`tidemark: ${error.message}\n`)
    return error.code
  }
  if (CliError.isCliError(error))
    return error._tag === "ShowHelp" && error.errors.length === 0 ? ExitCode.ok : ExitCode.usage
  if (Cause.hasInterruptsOnly(exit.cause)) return ExitCode.interrupted
  host.screen.write(`tidemark: ${describeCause(exit.cause, "the job")}\n${describeFully(exit.cause)}\n`)
  return ExitCode.failed
}

/** Runs the program on these arguments. */
export const program = (args: ReadonlyArray<string>, version: string, host: HostShape): Promise<number> =>
  Command.runWith(tidemark, { version })(args).pipe(
    Effect.provide(services),
    Effect.provideService(Host, host),
    Effect.provideService(Failpoints, host.failpoints),
    Effect.exit,
    Effect.map((exit) => conclude(host, exit)),
    Effect.runPromise
  )

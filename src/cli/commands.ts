/**
 * The commands of the program and their options. What they do is in modules of their own, loaded when they are run, so
 * that `--help` is quick.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Address, parseAddress } from "../monitor/Address.ts"
import { Limits } from "../model/Limits.ts"
import { durationFlag } from "./durationFlag.ts"
import { accept, checkpoint, indented, jobFile, json, verbose, wholeNumber } from "./flags.ts"
import { generateCommand } from "./generateCommand.ts"
import { sendCommand, tailCommand } from "./hubCommands.ts"
import { offlineCommands } from "./offlineCommands.ts"
import { queriesCommand } from "./queriesCommand.ts"
import { serveCommand } from "./serveCommand.ts"

const addressOf = (text: string): Address => {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(text)
  return address
}

const exitCodes = [
  "Exit codes:",
  "  0    the input was read to its end, or the run was stopped and everything in flight was finished",
  "  1    a query failed, the job could not be loaded or started, or a stop took longer than allowed",
  "  2    wrong usage of the command line",
  "  3    another process runs the query: it has taken it over, or --if-owned fail was said",
  "  130  ended by a second signal, or by a first one while nothing ran yet"
]

const run = Command.make(
  "run",
  {
    file: jobFile,
    for: durationFlag("for").pipe(
      Flag.withDescription('stop after this time, as by Ctrl-C: 30s, 10m, "2 hours"'),
      Flag.optional
    ),
    checkpoint,
    drainTimeout: durationFlag("drain-timeout").pipe(
      Flag.withDescription("how long a stop may take; default: what the job says, else 30s"),
      Flag.optional
    ),
    accept,
    ifOwned: Flag.Literals("if-owned", ["wait", "fail"]).pipe(
      Flag.withDescription("while another process runs the query: wait to take over (the default), or exit with 3"),
      Flag.optional
    ),
    takeOver: wholeNumber("take-over", 1).pipe(
      Flag.withMetavar("ATTEMPT"),
      Flag.withDescription(
        "take over from this attempt at once, dead or alive; messages about an owner name its number"
      ),
      Flag.optional
    ),
    savepoint: Flag.String("savepoint").pipe(
      Flag.withMetavar("[QUERY/]LABEL"),
      Flag.withDescription("begin with this savepoint, where the query has no checkpoint yet"),
      Flag.optional
    ),
    parallelism: wholeNumber("parallelism", 1, Limits.keyGroups).pipe(
      Flag.withDescription("instances of each keyed operator; may differ from the last run's"),
      Flag.optional
    ),
    availableNow: Flag.Boolean("available-now").pipe(
      Flag.withAlias("once"),
      Flag.withDescription("read what is there, commit it and exit; open windows stay in the checkpoint"),
      Flag.withDefault(false)
    ),
    quiet: Flag.Boolean("quiet").pipe(
      Flag.withAlias("q"),
      Flag.withDescription("no progress, only the summary"),
      Flag.withDefault(false)
    ),
    json: json("instead of the summary, a line of JSON per query on stdout"),
    verbose: verbose("every operator in the ledger, and stacks with errors"),
    http: Flag.String("http").pipe(
      Flag.withMetavar("ADDRESS"),
      Flag.withDescription("serve /livez, /readyz and /metrics: 127.0.0.1:8080; port 0 takes any"),
      Flag.mapTryCatch(addressOf, () => "an address such as 127.0.0.1:8080"),
      Flag.optional
    ),
    log: Flag.Literals("log", ["text", "json"]).pipe(
      Flag.withDescription("what goes to stderr: text, or a JSON object a line"),
      Flag.withDefault("text" as const)
    )
  },
  (options) =>
    Effect.flatMap(
      Effect.promise(() => import("./run.ts")),
      (module) =>
        module.run({
          file: options.file,
          forMs: Option.getOrUndefined(options.for),
          checkpoint: options.checkpoint,
          over: {
            drainTimeoutMs: Option.getOrUndefined(options.drainTimeout),
            accept: options.accept,
            ifOwned: Option.getOrUndefined(options.ifOwned),
            takeOver: Option.getOrUndefined(options.takeOver),
            savepoint: Option.getOrUndefined(options.savepoint),
            parallelism: Option.getOrUndefined(options.parallelism),
            availableNow: options.availableNow
          },
          quiet: options.quiet,
          json: options.json,
          verbose: options.verbose,
          http: Option.getOrUndefined(options.http),
          log: options.log
        })
    )
).pipe(
  Command.withDescription(
    indented([
      "Runs the job that a file exports by default: Query.job({ name: pipeline, ... }), or a pipeline, which is then",
      "named after the file. A job must need no services: Query.provide(layer)(job) gives it what it needs.",
      "",
      "Progress, the summary and the ledger go to stderr; stdout carries results only (terminal sinks, --json).",
      "Ctrl-C or SIGTERM stops reading, finishes what is in flight and exits 0; once more ends at once. A query that",
      "fails stops the others of its job.",
      "",
      ...exitCodes
    ])
  ),
  Command.withShortDescription("run the job of a file"),
  Command.withExamples([
    { command: "tidemark run job.ts" },
    { command: "tidemark run job.ts --for 30s --json", description: "half a minute of it, with the ledger as JSON" }
  ])
)

/** The program. */
export const tidemark = Command.make("tidemark").pipe(
  Command.withDescription(
    indented(["Stream processing for TypeScript that never loses an event without saying so.", "", ...exitCodes])
  ),
  Command.withSubcommands([
    run,
    ...offlineCommands,
    queriesCommand,
    sendCommand,
    tailCommand,
    generateCommand,
    serveCommand
  ])
)

/**
 * The commands of the program and their options. What they do is in modules of their own, loaded when they are run, so
 * that `--help` is quick.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Address, parseAddress } from "../monitor/Address.ts"
import { Limits } from "../model/Limits.ts"
import { durationFlag } from "./durationFlag.ts"
import { accept, checkpoint, indented, jobFile, json, verbose, wholeNumber } from "./flags.ts"
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

const share = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("SHARE"), Flag.withDescription(description), Flag.withDefault("0"))

const generate = Command.make(
  "generate",
  {
    what: Argument.Literals("WHAT", ["transactions", "iot"]).pipe(
      Argument.withDescription("card transactions, or measurements of IoT devices")
    ),
    to: Flag.Literals("to", ["file"]).pipe(
      Flag.withDescription("files of JSON lines"),
      Flag.withDefault("file" as const)
    ),
    out: Flag.String("out").pipe(Flag.withMetavar("DIR"), Flag.withDescription("the folder for the files")),
    count: wholeNumber("count", 0).pipe(
      Flag.withDescription("events in all, written at once; without it they come at their rate until Ctrl-C"),
      Flag.optional
    ),
    rate: Flag.Finite("rate").pipe(
      Flag.withDescription("events a second, on the clock of the events; default 1000"),
      Flag.withDefault(1000)
    ),
    partitions: wholeNumber("partitions", 1).pipe(
      Flag.withDescription("files side by side; default 4"),
      Flag.withDefault(4)
    ),
    duplicates: share("duplicates", "share of events that repeat an earlier one: 0.001 or 0.1%"),
    late: share("late", "share of events that come too late"),
    poison: share("poison", "share of lines that cannot be decoded"),
    future: share("future", "share of events from the future"),
    disorder: durationFlag("disorder").pipe(
      Flag.withDescription("an event is written up to this long after it happened; default 0s"),
      Flag.withDefault(0)
    ),
    seed: wholeNumber("seed", -Number.MAX_SAFE_INTEGER).pipe(
      Flag.withDescription("same seed and options, same files; default 1"),
      Flag.withDefault(1)
    ),
    start: Flag.String("start").pipe(
      Flag.withMetavar("INSTANT"),
      Flag.withDescription("when the first event arrives; default 2026-01-01T00:00:00Z with --count, else now"),
      Flag.optional
    ),
    overwrite: Flag.Boolean("overwrite").pipe(
      Flag.withDescription("replace files of an earlier run"),
      Flag.withDefault(false)
    )
  },
  (options) =>
    Effect.flatMap(
      Effect.promise(() => import("./generate.ts")),
      (module) =>
        module.generate({
          ...options,
          count: Option.getOrUndefined(options.count),
          start: Option.getOrUndefined(options.start),
          disorderMs: options.disorder
        })
    )
).pipe(
  Command.withDescription(
    indented([
      "Writes events such as the tutorials send, as lines of JSON, with as much disorder, duplication, lateness and",
      "damage as asked for. The same seed and options give the same bytes.",
      "",
      "Exit codes: 0 written, or stopped by Ctrl-C or SIGTERM; 1 the files could not be written; 2 wrong usage."
    ])
  ),
  Command.withShortDescription("write files of seeded test events"),
  Command.withExamples([
    { command: "tidemark generate transactions --count 10000 --duplicates 0.1% --late 2% --poison 0.5% --out ./in" },
    { command: "tidemark generate iot --rate 200 --out ./in", description: "until Ctrl-C" }
  ])
)

/** The program. */
export const tidemark = Command.make("tidemark").pipe(
  Command.withDescription(
    indented(["Stream processing for TypeScript that never loses an event without saying so.", "", ...exitCodes])
  ),
  Command.withSubcommands([run, ...offlineCommands, queriesCommand, generate, serveCommand])
)

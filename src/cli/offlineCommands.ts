/** The commands that run no query on real input, and their options: `plan`, `state`, `reset` and `simulate`. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { accept, checkpoint, indented, jobFile, json, verbose, wholeNumber } from "./flags.ts"

const lines = json("lines of JSON instead of text")

const name = Argument.String("NAME").pipe(Argument.withDescription("a query"))

const plan = Command.make(
  "plan",
  {
    file: jobFile,
    checkpoint,
    accept,
    json: lines,
    verbose: verbose("stacks with errors")
  },
  (options) =>
    Effect.flatMap(
      Effect.promise(() => import("./plan.ts")),
      (module) => module.plan(options)
    )
).pipe(
  Command.withDescription(
    indented([
      "Compares the plan of each query of a job with the one its checkpoint was written by, operator by operator:",
      "",
      "  keep      goes on with what the checkpoint holds",
      "  migrate   goes on, by the operator's own function from the old form of its state",
      "  new, gone begins here, or is not there any more; nothing that stays depends on it",
      "  refuse    would change what results mean: the query does not start",
      "  accepted  the same, but accepted by --accept or by acceptPlanChanges in the job",
      "",
      'Functions cannot be compared: EventStream.named("...", { version: "2" }) says when they mean something else.',
      "Reads only; the queries may be running.",
      "",
      "Exit codes: 0 every query would start; 1 one would not, or the job or a checkpoint cannot be read; 2 wrong usage."
    ])
  ),
  Command.withShortDescription("what a change of a job means for its checkpoint"),
  Command.withExamples([{ command: "tidemark plan job.ts" }])
)

const state = Command.make(
  "state",
  {
    name,
    checkpoint,
    at: wholeNumber("at", 1).pipe(
      Flag.withMetavar("EPOCH"),
      Flag.withDescription("an epoch that is still kept; default the last"),
      Flag.optional
    ),
    operator: Flag.String("operator").pipe(Flag.withDescription("only this operator"), Flag.optional),
    file: Flag.String("file").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("the job of the query: its aggregates say what they hold"),
      Flag.optional
    ),
    limit: wholeNumber("limit", 0).pipe(
      Flag.withDescription("rows of each operator at most; default 20, with --json all"),
      Flag.optional
    ),
    json: lines
  },
  (options) =>
    Effect.flatMap(
      Effect.promise(() => import("./state.ts")),
      (module) =>
        module.state({
          ...options,
          at: Option.getOrUndefined(options.at),
          operator: Option.getOrUndefined(options.operator),
          file: Option.getOrUndefined(options.file),
          limit: Option.getOrUndefined(options.limit)
        })
    )
).pipe(
  Command.withDescription(
    indented([
      "Shows what the operators of a query held at its last epoch, or at an earlier one that is still kept: a row for",
      "each key and window, with the rows counted into it. With --file, the job of the query, also what its aggregates",
      "come to so far; without it, what their columns hold.",
      "",
      "Reads the checkpoint only; the query may be running, and is not disturbed.",
      "",
      "Exit codes: 0 shown; 1 no such query, epoch or operator, or a checkpoint that cannot be read; 2 wrong usage."
    ])
  ),
  Command.withShortDescription("what a query holds, as a table"),
  Command.withExamples([
    { command: "tidemark state transactions" },
    { command: "tidemark state transactions --at 31 --operator window-1 --file job.ts" }
  ])
)

const reset = Command.make(
  "reset",
  {
    name,
    checkpoint,
    yes: Flag.Boolean("yes").pipe(
      Flag.withDescription("do it; without it, only what would be forgotten is said"),
      Flag.withDefault(false)
    )
  },
  (options) =>
    Effect.flatMap(
      Effect.promise(() => import("./reset.ts")),
      (module) => module.reset(options)
    )
).pipe(
  Command.withDescription(
    indented([
      "Forgets the checkpoint of a query: where it stood in its input, and what its operators held. Started again, it",
      "begins anew. What its sinks have written stays, and so do dead letters and savepoints.",
      "",
      "Exit codes: 0 forgotten; 1 no such query, one that is running, or a checkpoint that cannot be taken away;",
      "2 wrong usage, or --yes is missing."
    ])
  ),
  Command.withShortDescription("forget a query's checkpoint"),
  Command.withExamples([{ command: "tidemark reset transactions --yes" }])
)

const simulate = Command.make(
  "simulate",
  {
    file: jobFile,
    histories: wholeNumber("histories", 1).pipe(
      Flag.withDescription("how many; default what the file says, else 500"),
      Flag.optional
    ),
    seed: wholeNumber("seed", -0x8000_0000, 0x7fff_ffff).pipe(
      Flag.withDescription("other histories; default what the file says, else 1"),
      Flag.optional
    ),
    replay: Flag.String("replay").pipe(
      Flag.withMetavar("TOKEN"),
      Flag.withDescription("run the one history that a failure named, and say what happens in it"),
      Flag.optional
    ),
    verbose: verbose("stacks with errors")
  },
  (options) =>
    Effect.flatMap(
      Effect.promise(() => import("./simulate.ts")),
      (module) =>
        module.simulate({
          ...options,
          histories: Option.getOrUndefined(options.histories),
          seed: Option.getOrUndefined(options.seed),
          replay: Option.getOrUndefined(options.replay)
        })
    )
).pipe(
  Command.withDescription(
    indented([
      "Runs the job of a file again and again on simulated partitions, clock, checkpoint store and processes, under",
      "faults: crashes, losses of power, failing stores and sinks, stalled partitions. Its own operators and effects run;",
      "its sources are replaced by feeds, its sinks by tables. The file says how, beside its default export:",
      "",
      '  import { Simulation } from "tidemark/testing"',
      '  export const simulation = { feeds: [Simulation.feed(source, Schema, { disorder: "5 minutes" })] }',
      "",
      "A history that breaks a law is shrunk, and ends with the line that replays it. Nothing is read or written outside;",
      "stdout has one line of JSON.",
      "",
      "Exit codes: 0 every law held in every history; 1 one did not, or the job cannot be simulated; 2 wrong usage."
    ])
  ),
  Command.withShortDescription("a job under faults, history after history"),
  Command.withExamples([{ command: "tidemark simulate job.ts --histories 10000" }])
)

/** The commands. */
export const offlineCommands = [plan, state, reset, simulate] as const

/** The command `tidemark generate` and its options; what it does is in `generate.ts`, loaded when it is run. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { durationFlag } from "./durationFlag.ts"
import { ExitCode, failed } from "./failure.ts"
import { connectionEnv, hubNamed, indented, parsed, timeout, wholeNumber } from "./flags.ts"

interface To {
  /** Undefined: files. */
  readonly hub?: string
}

const files: To = {}

const parseTo = (text: string): To | undefined => {
  if (text === "file") return files
  const hub = text.startsWith("eventhubs:") ? hubNamed(text.slice("eventhubs:".length)) : undefined
  return hub === undefined ? undefined : { hub }
}

const share = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("SHARE"), Flag.withDescription(description), Flag.withDefault("0"))

/** `tidemark generate`. */
export const generateCommand = Command.make(
  "generate",
  {
    what: Argument.Literals("WHAT", ["transactions", "iot"]).pipe(
      Argument.withDescription("card transactions, or measurements of IoT devices")
    ),
    to: Flag.String("to").pipe(
      Flag.withMetavar("file|eventhubs:NAME"),
      Flag.withDescription("files of JSON lines (the default), or an event hub"),
      parsed(parseTo, "file, or an event hub such as eventhubs:transactions"),
      Flag.withDefault(files)
    ),
    out: Flag.String("out").pipe(
      Flag.withMetavar("DIR"),
      Flag.withDescription("the folder for the files"),
      Flag.optional
    ),
    connectionEnv,
    timeout,
    count: wholeNumber("count", 0).pipe(
      Flag.withDescription("events in all, written at once; without it they come at their rate until Ctrl-C"),
      Flag.optional
    ),
    rate: Flag.Finite("rate").pipe(
      Flag.withDescription("events a second, on the clock of the events; default 1000"),
      Flag.withDefault(1000)
    ),
    partitions: wholeNumber("partitions", 1).pipe(
      Flag.withDescription("files side by side, default 4, or partitions of the hub, default all"),
      Flag.optional
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
    Effect.gen(function* () {
      const { hub } = options.to
      const out = Option.getOrUndefined(options.out)
      if (hub === undefined && out === undefined)
        return yield* Effect.fail(failed("--out is missing: the folder for the files", ExitCode.usage))
      if (hub !== undefined && (out !== undefined || options.overwrite))
        return yield* Effect.fail(failed("--out and --overwrite are for files", ExitCode.usage))
      const module = yield* Effect.promise(() => import("./generate.ts"))
      yield* module.generate({
        ...options,
        to:
          hub === undefined
            ? { tag: "file", out: out ?? "" }
            : { tag: "hub", hub, connectionEnv: options.connectionEnv, timeoutMs: options.timeout },
        partitions: Option.getOrUndefined(options.partitions),
        count: Option.getOrUndefined(options.count),
        start: Option.getOrUndefined(options.start),
        disorderMs: options.disorder
      })
    })
).pipe(
  Command.withDescription(
    indented([
      "Writes events such as the tutorials send, as lines of JSON, with as much disorder, duplication, lateness and",
      "damage as asked for, into files or an event hub. The same seed and options give the same bytes.",
      "",
      "Exit codes: 0 written, or stopped by Ctrl-C or SIGTERM; 1 they could not be written; 2 wrong usage."
    ])
  ),
  Command.withShortDescription("write seeded test events"),
  Command.withExamples([
    { command: "tidemark generate transactions --count 10000 --duplicates 0.1% --late 2% --poison 0.5% --out ./in" },
    { command: "tidemark generate iot --rate 200 --out ./in", description: "until Ctrl-C" },
    { command: "tidemark generate transactions --rate 100 --late 2% --to eventhubs:transactions" }
  ])
)

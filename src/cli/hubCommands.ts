/** The commands `tidemark send` and `tidemark tail`; what they do is in modules of their own, loaded when they are run. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ExitCode, failed } from "./failure.ts"
import { connectionEnv, hubNamed, indented, json, parsed, timeout, wholeNumber } from "./flags.ts"
import { parseFrom } from "./tailFrom.ts"

const hub = Argument.String("NAME").pipe(
  Argument.withDescription("the hub"),
  Argument.mapTryCatch(
    (text) => {
      const name = hubNamed(text)
      if (name === undefined) throw new Error(text)
      return name
    },
    () => "the name of an event hub"
  )
)

const secret = [
  "The connection string comes from a variable, never from the command line, which others can read. It may be one of",
  "the namespace or of the hub; tidemark serve eventhubs prints one of a local service."
]

const partition = (description: string) =>
  Flag.String("partition").pipe(Flag.withMetavar("ID"), Flag.withDescription(description), Flag.optional)

const sendEventHubs = Command.make(
  "eventhubs",
  {
    hub,
    connectionEnv,
    key: Flag.String("key").pipe(
      Flag.withMetavar("FIELD"),
      Flag.withDescription("the field that holds the partition key, of lines that are JSON objects; default: no key"),
      Flag.optional
    ),
    partition: partition("the partition; default: in turn, or by the key"),
    timeout
  },
  (o) =>
    Effect.gen(function* () {
      if (Option.isSome(o.key) && Option.isSome(o.partition))
        return yield* Effect.fail(failed("give --key or --partition, not both", ExitCode.usage))
      const module = yield* Effect.promise(() => import("./send.ts"))
      yield* module.send({
        hub: o.hub,
        connectionEnv: o.connectionEnv,
        timeoutMs: o.timeout,
        key: Option.getOrUndefined(o.key),
        partition: Option.getOrUndefined(o.partition)
      })
    })
).pipe(
  Command.withDescription(
    indented([
      "Sends each line of standard input to an event hub, as the body of an event, byte for byte, as soon as it is read.",
      "Ctrl-C or SIGTERM sends what was read. Lines that are too large for the hub, or have no key, are named, and the",
      "others are sent.",
      "",
      ...secret,
      "",
      "Exit codes: 0 all lines were sent; 1 some were not, or the hub could not be reached; 2 wrong usage."
    ])
  ),
  Command.withShortDescription("lines to an event hub"),
  Command.withExamples([
    { command: "tidemark send eventhubs transactions --key customer_id < transactions.jsonl" },
    { command: "tidemark send eventhubs transactions", description: "what you type, line by line" }
  ])
)

const tailEventHubs = Command.make(
  "eventhubs",
  {
    hub,
    connectionEnv,
    from: Flag.String("from").pipe(
      Flag.withMetavar("PLACE"),
      Flag.withDescription(
        "earliest, latest (the default), a sequence number, an instant, how long ago: 10m, or the JSON of Spark's connector"
      ),
      parsed(parseFrom, "earliest, latest, a sequence number, an instant, or how long ago, such as 10m"),
      Flag.withDefault({ at: "latest" } as const)
    ),
    group: Flag.String("group").pipe(
      Flag.withMetavar("GROUP"),
      Flag.withDescription("the consumer group; has to be named, but for a local service: default $Default"),
      Flag.optional
    ),
    partition: partition("only this partition"),
    count: wholeNumber("count", 1).pipe(Flag.withDescription("so many events, then exit"), Flag.optional),
    once: Flag.Boolean("once").pipe(Flag.withDescription("what is there now, then exit"), Flag.withDefault(false)),
    json: json("lines of JSON also on a terminal"),
    timeout
  },
  (o) =>
    Effect.flatMap(
      Effect.promise(() => import("./tail.ts")),
      (module) =>
        module.tail({
          hub: o.hub,
          connectionEnv: o.connectionEnv,
          timeoutMs: o.timeout,
          from: o.from,
          group: Option.getOrUndefined(o.group),
          partition: Option.getOrUndefined(o.partition),
          count: Option.getOrUndefined(o.count),
          once: o.once,
          json: o.json
        })
    )
).pipe(
  Command.withDescription(
    indented([
      "Prints the events of an event hub as they come: as a table on a terminal, elsewhere as lines of JSON, with the body",
      "as text or, when it is not UTF-8, as base64 in bodyBase64. Sends no reader away and keeps no position, so that it",
      "disturbs nobody but by being one of at most five readers of its consumer group.",
      "",
      ...secret,
      "",
      "Exit codes: 0 stopped by Ctrl-C or SIGTERM, or printed what was asked for; 1 the hub could not be read; 2 wrong usage."
    ])
  ),
  Command.withShortDescription("events of an event hub as they come"),
  Command.withExamples([
    { command: "tidemark tail eventhubs transactions --from 10m --group watchers" },
    { command: "tidemark tail eventhubs transactions --from earliest --once | jq .body" }
  ])
)

/** `tidemark send`. */
export const sendCommand = Command.make("send").pipe(
  Command.withDescription("Sends lines to a broker."),
  Command.withShortDescription("send lines to an event hub"),
  Command.withSubcommands([sendEventHubs])
)

/** `tidemark tail`. */
export const tailCommand = Command.make("tail").pipe(
  Command.withDescription("Shows what is sent to a broker."),
  Command.withShortDescription("show the events of an event hub as they come"),
  Command.withSubcommands([tailEventHubs])
)

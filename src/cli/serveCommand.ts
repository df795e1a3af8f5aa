/** The command `tidemark serve` and its options; what it does is in `serveEventHubs.ts`, loaded when it is run. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { durationFlag } from "./durationFlag.ts"
import { indented, parsed, wholeNumber } from "./flags.ts"
import { parseHub, parseKey, parseSize } from "./serveWords.ts"

const file = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("FILE"), Flag.withDescription(description), Flag.optional)

const eventHubs = Command.make(
  "eventhubs",
  {
    hubs: Flag.String("hub").pipe(
      Flag.withMetavar("NAME:PARTITIONS[:GROUP,...]"),
      Flag.withDescription("an event hub, with 4 partitions unless said otherwise; as often as needed"),
      parsed(parseHub, "a hub such as orders, orders:4 or orders:4:billing,audit"),
      Flag.atLeast(0)
    ),
    createOnFirstUse: wholeNumber("create-on-first-use", 1, 32).pipe(
      Flag.withMetavar("PARTITIONS"),
      Flag.withDescription("make any hub that is asked for, with so many partitions"),
      Flag.optional
    ),
    host: Flag.String("host").pipe(
      Flag.withDescription("where to listen; default 127.0.0.1, this machine only"),
      Flag.withDefault("127.0.0.1")
    ),
    port: wholeNumber("port", 0, 65_535).pipe(Flag.withDescription("default 0: any that is free"), Flag.withDefault(0)),
    retention: durationFlag("retention").pipe(
      Flag.withDescription("how long events are kept; default 24h"),
      Flag.optional
    ),
    retentionSize: Flag.String("retention-size").pipe(
      Flag.withMetavar("BYTES"),
      Flag.withDescription("bytes that a partition keeps; default 1GiB"),
      parsed(parseSize, "a size such as 500MB or 2GiB"),
      Flag.optional
    ),
    data: Flag.String("data").pipe(
      Flag.withMetavar("DIR"),
      Flag.withDescription("keep events in this folder, durably; default: in memory only"),
      Flag.optional
    ),
    opaqueOffsets: Flag.Boolean("opaque-offsets").pipe(
      Flag.withDescription("offsets that cannot be calculated with, as of geo-replicated hubs"),
      Flag.withDefault(false)
    ),
    throughputUnits: wholeNumber("throughput-units", 1, 40).pipe(
      Flag.withDescription("each lets 1 MB or 1000 events a second in; default: as much as comes"),
      Flag.optional
    ),
    tlsCert: file("tls-cert", "certificate for TLS, as PEM; with --tls-key"),
    tlsKey: file("tls-key", "its private key, as PEM"),
    sas: Flag.String("sas").pipe(
      Flag.withMetavar("NAME=KEY"),
      Flag.withDescription(
        "a key of this service alone, which clients must sign with (other processes can read a command line); default: any will do; as often as needed"
      ),
      parsed(parseKey, "a key such as RootManageSharedAccessKey=secret"),
      Flag.atLeast(0)
    )
  },
  (o) =>
    Effect.flatMap(
      Effect.promise(() => import("./serveEventHubs.ts")),
      (module) =>
        module.serveEventHubs({
          hubs: o.hubs,
          partitionsOnFirstUse: Option.getOrUndefined(o.createOnFirstUse),
          host: o.host,
          port: o.port,
          retentionMs: Option.getOrUndefined(o.retention),
          retentionBytes: Option.getOrUndefined(o.retentionSize),
          data: Option.getOrUndefined(o.data),
          opaqueOffsets: o.opaqueOffsets,
          throughputUnits: Option.getOrUndefined(o.throughputUnits),
          tlsCert: Option.getOrUndefined(o.tlsCert),
          tlsKey: Option.getOrUndefined(o.tlsKey),
          keys: o.sas
        })
    )
).pipe(
  Command.withDescription(
    indented([
      "An Event Hubs service on this machine, for tests and development: the SDKs of Event Hubs work with it as they",
      "are. Writes the connection string to stdout, and serves until Ctrl-C or SIGTERM.",
      "",
      "Exit codes: 0 stopped; 1 it could not start; 2 wrong usage."
    ])
  ),
  Command.withShortDescription("an Event Hubs service, embedded"),
  Command.withExamples([
    { command: "tidemark serve eventhubs --hub transactions:4:tidemark,audit --port 5672" },
    { command: "tidemark serve eventhubs --create-on-first-use 2 --data ./eventhubs" }
  ])
)

/** `tidemark serve`: services that stand in for those of a cloud. */
export const serveCommand = Command.make("serve").pipe(
  Command.withDescription("Services on this machine that stand in for those of a cloud."),
  Command.withShortDescription("a local service, for tests and development"),
  Command.withSubcommands([eventHubs])
)

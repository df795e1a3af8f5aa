/** `tidemark serve eventhubs`: the embedded Event Hubs in a process of its own, until it is asked to stop. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import type { EmbeddedError } from "../connectors/eventhubs/embedded/EmbeddedError.ts"
import { type EmbeddedService, start } from "../connectors/eventhubs/embedded/EmbeddedService.ts"
import type { EmbeddedOptions } from "../connectors/eventhubs/embedded/options.ts"
import type { OptionProblem } from "../model/Errors.ts"
import { type CliFailure, describeError, ExitCode, failed } from "./failure.ts"
import { Host, stopRequested } from "./Host.ts"
import type { HubWords, KeyWords } from "./serveWords.ts"
import { many } from "./words.ts"

/** What the command line said. */
export interface ServeOptions {
  readonly hubs: ReadonlyArray<HubWords>
  readonly partitionsOnFirstUse: number | undefined
  readonly host: string
  readonly port: number
  readonly retentionMs: number | undefined
  readonly retentionBytes: number | undefined
  readonly data: string | undefined
  readonly opaqueOffsets: boolean
  readonly throughputUnits: number | undefined
  readonly tlsCert: string | undefined
  readonly tlsKey: string | undefined
  readonly keys: ReadonlyArray<KeyWords>
}

const flags: ReadonlyArray<readonly [option: RegExp, flag: string]> = [
  [/^hubs\./, "--hub"],
  [/^retention\.forMs/, "--retention"],
  [/^retention\.bytes/, "--retention-size"],
  [/^dataFolder/, "--data"],
  [/^(host|port)$/, "--$1"]
]

const asFlag = ({ option, value, fix }: OptionProblem): string => {
  const found = flags.find(([pattern]) => pattern.test(option))
  return `${found === undefined ? option : option.replace(found[0], `${found[1]} `).trim()}: ${value}: ${fix}`
}

const asFailure = (error: EmbeddedError): CliFailure =>
  error.problems === undefined
    ? failed(describeError(error))
    : failed(error.problems.map(asFlag).join("\ntidemark: "), ExitCode.usage)

const readFile = (path: string): Effect.Effect<string, CliFailure, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    Effect.mapError(fs.readFileString(path), (error) => failed(`${path} cannot be read: ${describeError(error)}`))
  )

const tlsOf = ({
  tlsCert,
  tlsKey
}: ServeOptions): Effect.Effect<Pick<EmbeddedOptions, "tls">, CliFailure, FileSystem.FileSystem> => {
  if (tlsCert === undefined && tlsKey === undefined) return Effect.succeed({})
  if (tlsCert === undefined || tlsKey === undefined)
    return Effect.fail(failed("--tls-cert and --tls-key belong together", ExitCode.usage))
  return Effect.map(Effect.all([readFile(tlsCert), readFile(tlsKey)]), ([cert, key]) => ({ tls: { cert, key } }))
}

const optionsOf = (o: ServeOptions): EmbeddedOptions => ({
  hubs: Object.fromEntries(
    o.hubs.map(({ name, partitions, groups }) => [
      name,
      { consumerGroups: groups, ...(partitions === undefined ? {} : { partitions }) }
    ])
  ),
  createOnFirstUse: o.partitionsOnFirstUse === undefined ? false : { partitions: o.partitionsOnFirstUse },
  host: o.host,
  port: o.port,
  retention: {
    ...(o.retentionMs === undefined ? {} : { forMs: o.retentionMs }),
    ...(o.retentionBytes === undefined ? {} : { bytes: o.retentionBytes })
  },
  opaqueOffsets: o.opaqueOffsets,
  sasKeys: Object.fromEntries(o.keys.map(({ name, key }) => [name, Redacted.make(key)])),
  ...(o.throughputUnits === undefined ? {} : { throughputUnits: o.throughputUnits }),
  ...(o.data === undefined ? {} : { dataFolder: o.data })
})

const greeting = ({ host, port, hubs }: EmbeddedService, first: number | undefined): string => {
  const names = hubs()
  const held = names.length === 0 ? "no hub yet" : names.join(", ")
  const made = first === undefined ? "" : ", and any that is asked for"
  return `tidemark: Event Hubs on ${host}:${port}, until Ctrl-C: ${held}${made}\n`
}

/** Serves until it is asked to stop; says the connection string on stdout, what it is and did on the screen. */
export const serveEventHubs = (o: ServeOptions): Effect.Effect<void, CliFailure, Host | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const host = yield* Host
    const tls = yield* tlsOf(o)
    const served = Effect.gen(function* () {
      const service = yield* Effect.mapError(start({ ...optionsOf(o), ...tls }), asFailure)
      host.screen.write(greeting(service, o.partitionsOnFirstUse))
      host.result(service.connectionString())
      yield* stopRequested(host)
      return service.stats()
    })
    const { eventsIn, eventsOut, connections } = yield* Effect.scoped(served)
    host.screen.write(
      `tidemark: ${many(eventsIn, "event")} in, ${many(eventsOut, "event")} out, by ${many(connections, "connection")}\n`
    )
  })

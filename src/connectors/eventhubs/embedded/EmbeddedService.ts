/**
 * An Event Hubs service in this process, for tests and for laptops: AMQP 1.0 as the SDKs of Event Hubs speak it.
 *
 * What it keeps: order within a partition, sequence numbers without gaps, events byte for byte as they were sent. What
 * it is not: a replacement for Azure. One process, no replicas; without a folder for data, events go with it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { type OptionProblem, renderProblem } from "../../../model/Errors.ts"
import { type Disk, nodeDisk } from "./disk.ts"
import { EmbeddedError } from "./EmbeddedError.ts"
import { type EmbeddedFaults, makeFaults } from "./EmbeddedFaults.ts"
import type { Hub } from "./Hub.ts"
import { type Listener, listen } from "./listener.ts"
import { type Counts, Namespace } from "./Namespace.ts"
import { type EmbeddedOptions, hubSettings, type HubOptions, type Settings, settingsOf } from "./options.ts"
import { type RheaModule, untyped } from "./rhea.ts"
import { serve, type Served } from "./serve.ts"
import { nodeTimers } from "./timers.ts"

/** How a partition is. */
export interface PartitionStats {
  /** Sequence number of the first event that is retained. */
  readonly firstSequence: number
  /** Sequence number that the next event gets. */
  readonly nextSequence: number
  /** Bytes of the events that are retained, with 24 a record. */
  readonly bytes: number
  /** Bytes of memory that hold them. */
  readonly memoryBytes: number
  readonly readers: number
}

/** What has happened since the start, and how things are. */
export interface EmbeddedStats extends Readonly<Counts> {
  readonly openConnections: number
  readonly openPublishers: number
  readonly openReaders: number
  /** By name of the hub, its partitions in order. */
  readonly hubs: { readonly [name: string]: ReadonlyArray<PartitionStats> }
}

/** A running service; it ends with its scope. */
export interface EmbeddedService {
  readonly host: string
  readonly port: number
  /**
   * What clients connect with; with the name of a hub, to it. Without `sasKeys`, any key will do, and one is made up.
   * With them, it carries the first key, or the one named: it is a secret then.
   */
  readonly connectionString: (hub?: string, keyName?: string) => string
  /** Names of the hubs. */
  readonly hubs: () => ReadonlyArray<string>
  /** Makes a hub; one that is there gets the partitions and groups that it lacks. */
  readonly addHub: (name: string, options?: HubOptions) => Effect.Effect<void, EmbeddedError>
  /** Adds `count` partitions to a hub. Links that are open keep to those they know; keys are dealt to all. */
  readonly addPartitions: (hub: string, count: number) => Effect.Effect<void, EmbeddedError>
  readonly stats: () => EmbeddedStats
  /** Things that go wrong on request. */
  readonly faults: EmbeddedFaults
}

/** How often what has expired is looked for where nothing happens, ms. */
const expiryMs = 5_000
/** How long clients have to close after they were told to, ms. */
const farewellMs = 100

const invalid = (problems: ReadonlyArray<OptionProblem>): EmbeddedError =>
  new EmbeddedError({ reason: "InvalidOptions", problems, message: problems.map(renderProblem).join("; ") })

const onDisk = <A>(task: () => Promise<A>): Effect.Effect<A, EmbeddedError> =>
  Effect.tryPromise({
    try: task,
    catch: (cause) =>
      new EmbeddedError({
        reason: "DataFolder",
        message: `the folder of the embedded Event Hubs cannot be used: ${(cause as Error).message}`,
        cause
      })
  })

/** The host that clients on this machine connect to, of the one that is listened on. */
const reachable = (host: string): string => {
  if (host === "0.0.0.0") return "127.0.0.1"
  return host === "::" ? "[::1]" : host.includes(":") ? `[${host}]` : host
}

const connectionStringOf =
  (settings: Settings, port: number): EmbeddedService["connectionString"] =>
  (hub, keyName) => {
    const key = keyName === undefined ? [...settings.keys.values()][0] : settings.keys.get(keyName)
    return [
      `Endpoint=sb://${reachable(settings.host)}:${port}`,
      `SharedAccessKeyName=${key?.name ?? keyName ?? "RootManageSharedAccessKey"}`,
      `SharedAccessKey=${key === undefined ? "SAS_KEY_VALUE" : Redacted.value(key.key)}`,
      ...(settings.tls === undefined ? ["UseDevelopmentEmulator=true"] : []),
      ...(hub === undefined ? [] : [`EntityPath=${hub}`])
    ].join(";")
  }

const partitionStats = (hub: Hub): ReadonlyArray<PartitionStats> =>
  hub.partitions.map(({ log, readers }) => ({
    firstSequence: log.firstSequence,
    nextSequence: log.nextSequence,
    bytes: log.bytes,
    memoryBytes: log.memoryBytes,
    readers: readers.size
  }))

const statsOf = (namespace: Namespace, connections: number): EmbeddedStats => {
  const links = [...namespace.links.values()]
  return {
    ...namespace.counts,
    openConnections: connections,
    openPublishers: links.filter(({ role }) => role === "publisher").length,
    openReaders: links.filter(({ role }) => role === "reader").length,
    hubs: Object.fromEntries(namespace.hubs.map((hub) => [hub.name, partitionStats(hub)]))
  }
}

const loadRhea: Effect.Effect<RheaModule, EmbeddedError> = Effect.tryPromise({
  try: async () => untyped(await import("rhea")),
  catch: (cause) =>
    new EmbeddedError({ reason: "CannotListen", message: "it needs rhea: npm install --save-dev rhea", cause })
})

const opened = (namespace: Namespace): Effect.Effect<Namespace, EmbeddedError, Scope.Scope> =>
  Effect.acquireRelease(
    onDisk(async () => {
      await namespace.open()
      return namespace
    }),
    () => Effect.promise(() => namespace.close())
  )

/** Connections, and the port they come by; both end with the scope. */
const listening = (
  namespace: Namespace,
  rhea: RheaModule
): Effect.Effect<{ readonly listener: Listener; readonly served: Set<Served> }, EmbeddedError, Scope.Scope> => {
  const { settings, timers } = namespace
  const served = new Set<Served>()
  const start = Effect.tryPromise({
    try: async () => {
      const listener = await listen(settings, timers, (socket) => {
        const one = serve(namespace, rhea, socket, () => served.delete(one))
        served.add(one)
      })
      return { listener, served }
    },
    catch: (cause) =>
      new EmbeddedError({
        reason: "CannotListen",
        message: `the embedded Event Hubs cannot listen on ${settings.host}:${settings.port}: ${(cause as Error).message}`,
        cause
      })
  })
  return Effect.acquireRelease(start, ({ listener }) =>
    Effect.gen(function* () {
      listener.close()
      for (const one of served)
        one.close({ condition: "amqp:connection:forced", description: "The service is stopped." })
      if (served.size > 0) yield* Effect.sleep(farewellMs)
      for (const one of served) one.drop()
    })
  )
}

/** Starts with a disk that is not the machine's. */
export const startOn = (
  disk: Disk,
  options: EmbeddedOptions
): Effect.Effect<EmbeddedService, EmbeddedError, Scope.Scope> =>
  Effect.gen(function* () {
    const problems: Array<OptionProblem> = []
    const settings = settingsOf(options, problems)
    if (problems.length > 0) return yield* Effect.fail(invalid(problems))
    const clock = yield* Clock.Clock
    const rhea = yield* loadRhea
    const now = options.now ?? (() => clock.currentTimeMillisUnsafe())
    const namespace = yield* opened(new Namespace(settings, now, nodeTimers, disk))
    const { listener, served } = yield* listening(namespace, rhea)
    const sweep = Effect.andThen(
      Effect.sleep(expiryMs),
      Effect.sync(() => namespace.expire())
    )
    yield* Effect.forkScoped(Effect.forever(sweep))
    const hubNamed = (option: string, name: string): Effect.Effect<Hub, EmbeddedError> => {
      const hub = namespace.hub(name)
      const fix = `there is no such hub (there are: ${namespace.hubs.map((each) => each.name).join(", ")})`
      return hub === undefined ? Effect.fail(invalid([{ option, value: name, fix }])) : Effect.succeed(hub)
    }
    const add = (name: string, given: HubOptions): Effect.Effect<void, EmbeddedError> => {
      const wrong: Array<OptionProblem> = []
      const wanted = hubSettings(name, given, settings.retention, wrong)
      return wrong.length > 0 ? Effect.fail(invalid(wrong)) : Effect.asVoid(onDisk(() => namespace.add(wanted)))
    }
    return {
      host: settings.host,
      port: listener.port,
      connectionString: connectionStringOf(settings, listener.port),
      hubs: () => namespace.hubs.map(({ name }) => name),
      addHub: (name, given = {}) => add(name, given),
      addPartitions: (name, count) =>
        Effect.flatMap(hubNamed("addPartitions.hub", name), (hub) =>
          add(hub.name, { partitions: hub.partitions.length + count })
        ),
      stats: () => statsOf(namespace, served.size),
      faults: makeFaults(namespace, listener, served, hubNamed)
    }
  })

/** Starts the service; it ends with the scope, connections and all. Fails with an {@link EmbeddedError}. */
export const start = (options: EmbeddedOptions = {}): Effect.Effect<EmbeddedService, EmbeddedError, Scope.Scope> =>
  startOn(nodeDisk, options)

/**
 * `tidemark tail eventhubs`: events as they come, as a table on a terminal, as lines of JSON anywhere else.
 *
 * Reads beside everybody else: without an owner level, and without a checkpoint. Events of a partition come in its order,
 * through lost connections; what retention took before it was read is said.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import type { EventHubsClient, ReceivedEvent } from "../connectors/eventhubs/EventHubsClient.ts"
import { type ReadingAt, sourceError } from "../connectors/eventhubs/faults.ts"
import { type Decode, openHubCursor } from "../connectors/eventhubs/hubCursor.ts"
import { isNothing, type StartPosition } from "../connectors/eventhubs/StartPosition.ts"
import type { PartitionCursor } from "../model/Source.ts"
import { Limits } from "../model/Limits.ts"
import { jsonLine, tableHead, tableRow } from "./eventText.ts"
import { asCliFailure, type CliFailure, ExitCode, failed } from "./failure.ts"
import { Host, type HostShape, stopRequested } from "./Host.ts"
import { connectHub, hubConnection, type HubFlags, inTime, nameOf } from "./hubConnection.ts"
import { type From, startAt } from "./tailFrom.ts"
import { many } from "./words.ts"

/** What the command line said. */
export interface TailOptions extends HubFlags {
  readonly from: From
  readonly group: string | undefined
  readonly partition: string | undefined
  readonly count: number | undefined
  /** Up to the end that is there at the start. */
  readonly once: boolean
  readonly json: boolean
}

/** Fetched ahead of what was printed, each partition. */
const prefetchEvents = 300

/** Of a terminal that does not say. */
const columnsDefault = 80

const asTheyAre: Decode<ReceivedEvent> = (events) => ({ rows: [...events], bodies: [...events.keys()], dead: [] })

interface Opened {
  readonly partition: string
  /** The last event to print; undefined: there is no last. */
  readonly last: number | undefined
  readonly cursor: PartitionCursor<ReceivedEvent, unknown, unknown>
}

const openAll = (
  client: EventHubsClient,
  at: ReadingAt,
  o: TailOptions,
  start: StartPosition
): Effect.Effect<ReadonlyArray<Opened>, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const asked = <A>(answer: Effect.Effect<A, Parameters<typeof sourceError>[1]>, partition?: string) =>
      Effect.mapError(answer, (error) => sourceError(at, error, partition))
    const { partitionIds: all } = yield* asked(client.hub)
    const { partition: only } = o
    if (only !== undefined && !all.includes(only))
      return yield* Effect.fail(failed(`${at.connector} has no partition ${only}: it has ${all.join(", ")}`))
    const opened: Array<Opened> = []
    for (const partition of only === undefined ? all : [only]) {
      const info = o.once ? yield* asked(client.info(partition), partition) : undefined
      if (info !== undefined && isNothing(start, info)) continue
      const reading = { ...at, client, partition, decode: asTheyAre, prefetchEvents, failOnDataLoss: false, start }
      const cursor = yield* openHubCursor(reading, undefined)
      opened.push({ partition, last: info?.lastSequenceNumber, cursor })
    }
    return opened
  })

interface Printing {
  readonly host: HostShape
  readonly print: (partition: string, event: ReceivedEvent) => Effect.Effect<void>
  left: number
  printed: number
}

/** Prints a partition until its last event, or until enough were printed. */
const follow = (p: Printing, { partition, last = Infinity, cursor }: Opened): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    for (let at = -1; at < last && p.left > 0;) {
      const { rows = [], dead = [] } = yield* cursor.pull({ rows: prefetchEvents, bytes: Limits.chunkBytesTarget })
      for (const { detail } of dead) p.host.screen.write(`tidemark: partition ${partition}: ${detail}\n`)
      for (const event of rows) {
        at = event.sequenceNumber
        if (at > last || p.left === 0) break
        p.left--
        p.printed++
        yield* p.print(partition, event)
      }
      yield* Effect.promise(p.host.drained)
    }
  })

/** Prints the events, until it is asked to stop or has printed what it was asked for. */
export const tail = (o: TailOptions): Effect.Effect<void, CliFailure, Host | Stdio.Stdio | Terminal.Terminal> =>
  Effect.gen(function* () {
    const host = yield* Host
    const connection = yield* hubConnection(o)
    const consumerGroup = o.group ?? (connection.isLocal ? "$Default" : undefined)
    if (consumerGroup === undefined) {
      const why = "name the consumer group, best one that nothing else reads with: --group '$Default'"
      return yield* Effect.fail(failed(why, ExitCode.usage))
    }
    const at: ReadingAt = { connector: nameOf(connection), consumerGroup, ownerLevel: undefined }
    const { columns } = yield* Terminal.Terminal
    const isTable = !o.json && (yield* (yield* Stdio.Stdio).stdoutIsTerminal)
    const enough = yield* Deferred.make<void>()
    const printing: Printing = {
      host,
      left: o.count ?? Infinity,
      printed: 0,
      print: (partition, event) =>
        isTable
          ? Effect.map(columns, (width) =>
              host.result(tableRow(partition, event, width === 0 ? columnsDefault : width))
            )
          : Effect.sync(() => host.result(jsonLine(partition, event)))
    }
    const reading = Effect.gen(function* () {
      const client = yield* connectHub(connection)
      const start = startAt(o.from, yield* Clock.currentTimeMillis)
      const opened = yield* inTime(openAll(client, at, o, start), at.connector, o.timeoutMs)
      const until = o.once ? "up to what is there now" : "until Ctrl-C"
      host.screen.write(`tidemark: ${at.connector}, consumer group ${consumerGroup}, ${until}\n`)
      if (isTable) host.result(tableHead)
      const one = (of: Opened): Effect.Effect<unknown, unknown> =>
        Effect.andThen(
          follow(printing, of),
          Effect.suspend(() => (printing.left > 0 ? Effect.void : Deferred.succeed(enough, undefined)))
        )
      const all = Effect.forEach(opened, one, { concurrency: "unbounded", discard: true })
      yield* Effect.raceFirst(all, Deferred.await(enough))
    })
    yield* Effect.raceFirst(Effect.scoped(reading), stopRequested(host)).pipe(Effect.mapError(asCliFailure))
    host.screen.write(`tidemark: ${many(printing.printed, "event")}\n`)
  })

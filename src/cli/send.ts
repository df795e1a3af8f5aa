/**
 * `tidemark send eventhubs`: each line of standard input is the body of an event, byte for byte.
 *
 * A line goes out as soon as it is read; those that come while a request is under way go out together with the next.
 * Lines of one partition key, or of one partition, keep their order. At least once: a request that the service did not
 * answer is tried again. What cannot be sent is named by its line, and the rest is sent.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type { EventHubsClient } from "../connectors/eventhubs/EventHubsClient.ts"
import { sinkError } from "../connectors/eventhubs/faults.ts"
import { sendWithRetry } from "../connectors/eventhubs/sendWithRetry.ts"
import { asCliFailure, type CliFailure, describeError, failed } from "./failure.ts"
import { Host, type HostShape, stopRequested } from "./Host.ts"
import { connectHub, hubConnection, type HubFlags, inTime, nameOf } from "./hubConnection.ts"
import { type Line, LineSplitter } from "./lineSplitter.ts"
import { bytes as size, count, cut, many, oneLine } from "./words.ts"

/** What the command line said. */
export interface SendOptions extends HubFlags {
  /** The field of the lines, as JSON, that holds their partition key. */
  readonly key: string | undefined
  readonly partition: string | undefined
}

/** Blocks of standard input that wait while a request is under way. */
const blocksMax = 16
/** Requests under way for lines of different keys. */
const keysAtOnce = 8
/** Lines that are named one by one when they cannot be sent; of more, how many there are. */
const namedMax = 20

interface Sending {
  readonly host: HostShape
  readonly client: EventHubsClient
  readonly name: string
  readonly o: SendOptions
  /** Bytes of a request. */
  readonly limit: number
  sent: number
  bytes: number
  refused: number
}

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** The partition key of a line, or why it has none. */
const keyOf = (body: Uint8Array, field: string): { readonly key: string } | { readonly fault: string } => {
  let value: unknown
  try {
    value = JSON.parse(utf8.decode(body))
  } catch {
    return { fault: "it is not JSON, so that it has no partition key (--key)" }
  }
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, field))
    return { fault: `it has no field ${cut(oneLine(field), 60)} for its partition key (--key)` }
  const key: unknown = Reflect.get(value, field)
  if (key !== "" && (typeof key === "string" || typeof key === "number")) return { key: String(key) }
  return { fault: `its field ${cut(oneLine(field), 60)} is neither a text nor a number, for its partition key (--key)` }
}

const refuse = (s: Sending, line: number, why: string): void => {
  s.refused++
  if (s.refused <= namedMax) s.host.screen.write(`tidemark: line ${count(line)} is not sent: ${why}\n`)
  if (s.refused === namedMax + 1) s.host.screen.write("tidemark: and more lines are not sent\n")
}

const refuseLarge = (s: Sending, { number, bytes }: Line): void =>
  refuse(s, number, `it has ${count(bytes)} bytes, and the hub takes ${count(s.limit)} with the protocol's own`)

interface Group {
  readonly partitionKey: string | undefined
  readonly lines: Array<Line & { readonly body: Uint8Array }>
}

/** What can be sent, by partition key. */
const grouped = (s: Sending, lines: ReadonlyArray<Line>): ReadonlyArray<Group> => {
  const groups = new Map<string | undefined, Group>()
  for (const line of lines) {
    const { body } = line
    if (body === undefined) {
      refuseLarge(s, line)
      continue
    }
    const keyed = s.o.key === undefined ? { key: undefined } : keyOf(body, s.o.key)
    if ("fault" in keyed) {
      refuse(s, line.number, keyed.fault)
      continue
    }
    let group = groups.get(keyed.key)
    if (group === undefined) groups.set(keyed.key, (group = { partitionKey: keyed.key, lines: [] }))
    group.lines.push({ ...line, body })
  }
  return [...groups.values()]
}

const sendGroup = (s: Sending, { partitionKey, lines }: Group): Effect.Effect<void, CliFailure> => {
  const events = lines.map(({ body }) => ({ body, messageId: undefined }))
  return Effect.matchEffect(sendWithRetry(s.client, { partition: s.o.partition, partitionKey, events }), {
    onFailure: (error) => {
      const [first, last] = [lines[0].number, lines[lines.length - 1].number]
      const which = first === last ? `line ${count(first)} is` : `lines from ${count(first)} to ${count(last)} are`
      const why = describeError(sinkError(s.name, error))
      return Effect.fail(failed(`${why}; ${which} not known to be sent; before, ${tallyOf(s)}`))
    },
    onSuccess: (tooLarge) =>
      Effect.sync(() => {
        for (const i of tooLarge) refuseLarge(s, lines[i])
        s.sent += lines.length - tooLarge.length
        s.bytes += lines.reduce((sum, { bytes }) => sum + bytes, 0)
        for (const i of tooLarge) s.bytes -= lines[i].bytes
      })
  })
}

const tallyOf = ({ sent, bytes, name }: Sending): string => `${many(sent, "event")} (${size(bytes)}) sent to ${name}`

type Lines = Queue.Queue<ReadonlyArray<Line>, CliFailure | Cause.Done>

/** Sends what is read, until the queue ends. */
const sendAll = (s: Sending, queue: Lines): Effect.Effect<void, CliFailure> => {
  const sends = Effect.gen(function* () {
    for (;;) {
      const groups = grouped(s, (yield* Queue.takeAll(queue)).flat())
      yield* Effect.forEach(groups, (group) => sendGroup(s, group), { concurrency: keysAtOnce, discard: true })
    }
  })
  return Effect.catchIf(sends, Cause.isDone, () => Effect.void) as Effect.Effect<void, CliFailure>
}

/** Reads standard input to its end, or until it is interrupted; the queue ends then. */
const readInput = (stdio: Stdio.Stdio, splitter: LineSplitter, queue: Lines): Effect.Effect<void> =>
  Stream.runForEach(stdio.stdin, (block) => Queue.offer(queue, splitter.push(block))).pipe(
    Effect.andThen(Effect.suspend(() => Queue.offer(queue, splitter.end()))),
    Effect.catch((error) => Queue.fail(queue, failed(`standard input cannot be read: ${describeError(error)}`))),
    Effect.ensuring(Queue.end(queue)),
    Effect.asVoid
  )

/** At a first signal, reading ends and what was read is sent. */
const stopReading = (host: HostShape, reader: Fiber.Fiber<void>, splitter: LineSplitter): Effect.Effect<void> =>
  Effect.gen(function* () {
    const signal = yield* stopRequested(host)
    yield* Fiber.interrupt(reader)
    const rest = splitter.unfinishedBytes
    const unfinished = rest === 0 ? "" : `, but not the ${many(rest, "byte")} of a line that has not ended`
    const name = signal === "SIGINT" ? "Ctrl-C" : signal
    host.screen.write(`tidemark: ${name}: sending what was read${unfinished}; once more ends it at once\n`)
  })

/** Sends the lines of standard input, and says on the screen how many. */
export const send = (o: SendOptions): Effect.Effect<void, CliFailure, Host | Stdio.Stdio> =>
  Effect.gen(function* () {
    const host = yield* Host
    const stdio = yield* Stdio.Stdio
    const connection = yield* hubConnection(o)
    const name = nameOf(connection)
    const sending = Effect.gen(function* () {
      const client = yield* connectHub(connection)
      const limit = yield* inTime(
        Effect.mapError(client.requestBytesMax, (error) => sinkError(name, error)),
        name,
        o.timeoutMs
      )
      const s: Sending = { host, client, name, o, limit, sent: 0, bytes: 0, refused: 0 }
      if (yield* stdio.stdinIsTerminal)
        host.screen.write(`tidemark: each line is an event for ${name}, until Ctrl-D or Ctrl-C\n`)
      const splitter = new LineSplitter(limit)
      const queue: Lines = yield* Queue.bounded<ReadonlyArray<Line>, CliFailure | Cause.Done>(blocksMax)
      const reader = yield* Effect.forkChild(readInput(stdio, splitter, queue))
      yield* Effect.forkChild(stopReading(host, reader, splitter))
      yield* sendAll(s, queue)
      host.screen.write(`tidemark: ${tallyOf(s)}\n`)
      if (s.refused > 0) return yield* Effect.fail(failed(`${many(s.refused, "line")} not sent`))
    })
    yield* Effect.mapError(Effect.scoped(sending), asCliFailure)
  })

/**
 * Lines of text from a TCP server, as Spark's socket source reads them: the word count's input.
 *
 * One partition, `0`, in the order of the connection. Not replayable: what was read and not committed is gone, so a
 * query that reads a socket and restarts has lost rows; it is for trying things out. A peer that closes is an error to
 * be retried by the supervisor, or with `bounded` the end. Backpressure reaches the peer. Lines that are too long or
 * not UTF-8 are dead rows.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type OptionProblem, SourceError } from "../../model/Errors.ts"
import { type PartitionId, position, type Position } from "../../model/Position.ts"
import { badInput, flag, has, integer, optionsOf, show, text } from "../../model/Options.ts"
import type { BadInputOptions, Demand, PartitionCursor, Source, SourceChunk } from "../../model/Source.ts"
import { rowLimits, type StreamDecoder, type StreamFormat } from "../../formats/Format.ts"
import * as Text from "../../formats/Text.ts"
import { connect, type TcpConnection, type TcpFailure } from "./tcp.ts"

/** Options of {@link source}. */
export interface SocketOptions extends BadInputOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string
  readonly port: number
  /** The peer's close ends the input, and the query with it; default false: it is an error, and the query connects again. */
  readonly bounded?: boolean
  /** Longer lines are dead rows; default `Limits.lineBytesMax`. */
  readonly lineBytesMax?: number
}

/** What the socket source knows of a row. */
export interface SocketMeta {
  /** Number of the line in its connection, from 1. */
  readonly line: number
}

const partitionName: PartitionId = "0"

const failed = (name: string, what: string, { code, message }: TcpFailure, fix: string): SourceError =>
  new SourceError({
    connector: name,
    partition: partitionName,
    retryable: true,
    message: `${name}: ${what} (${code}: ${message}): ${fix}`
  })

const cutOff = "the connection broke in the middle of this line"

interface Reader<A> {
  readonly name: string
  readonly bounded: boolean
  readonly connection: TcpConnection
  readonly decoder: StreamDecoder<A>
}

/** Gives the decoder what has come, or tells it how the connection ended. False: there is nothing new. */
const feed = <A>({ connection, decoder }: Reader<A>): boolean => {
  const block = connection.take()
  if (block !== undefined) {
    decoder.feed(block)
    return true
  }
  const state = connection.state()
  if (state === "open") return false
  decoder.finish(state === "closed" ? undefined : cutOff)
  return true
}

/** Decodes until there is enough, or nothing more to decode now. */
const decode = <A>(reader: Reader<A>, demand: Demand): boolean => {
  const { decoder } = reader
  while (!decoder.take(demand.rows, demand.bytes)) {
    if (decoder.ended()) return false
    if (decoder.hungry() && !feed(reader)) return false
  }
  return true
}

const ended = <A>({ name, bounded, connection }: Reader<A>): Effect.Effect<never, SourceError | Cause.Done> => {
  const state = connection.state()
  if (state === "open" || state === "closed") {
    const closed = { code: "closed", message: "it ended in good order" }
    return bounded
      ? Cause.done()
      : Effect.fail(
          failed(
            name,
            "the peer closed the connection",
            closed,
            "it is tried again; with bounded: true the close is the end"
          )
        )
  }
  return Effect.fail(
    failed(name, "the connection broke", state, "lines that were under way are lost; it is tried again")
  )
}

const cursorOf = <A>(reader: Reader<A>, start: number): PartitionCursor<A, SocketMeta, SourceError> => {
  const { connection, decoder } = reader
  let count = start
  let over = false
  /** Until one item is decoded. It stays in the decoder, so that a pull that is interrupted here has lost nothing. */
  const available: Effect.Effect<void, SourceError | Cause.Done> = Effect.suspend(() => {
    if (over) return ended(reader)
    if (decode(reader, { rows: 1, bytes: Number.MAX_SAFE_INTEGER })) return Effect.void
    if (!decoder.ended()) return Effect.andThen(connection.changed, available)
    over = true
    return ended(reader)
  })
  const take = (demand: Demand): SourceChunk<A, SocketMeta> => {
    decode(reader, { rows: Math.max(1, demand.rows), bytes: demand.bytes })
    const { rows, lines, dead, bytes } = decoder.drain()
    count += rows.length + dead.length
    return {
      length: rows.length,
      rows,
      meta: (i) => ({ line: lines[i] }),
      ...(dead.length === 0 ? {} : { dead }),
      next: position(String(count)),
      bytes
    }
  }
  return {
    pull: (demand) => Effect.flatMap(available, () => Effect.sync(() => take(demand))),
    end: Effect.succeed(Option.none())
  }
}

const startOf = (from: Option.Option<Position>): number | undefined => {
  if (Option.isNone(from)) return 0
  return /^(0|[1-9][0-9]{0,15})$/.test(from.value) ? Number(from.value) : undefined
}

const make = <A>(
  options: SocketOptions,
  format: StreamFormat<A>,
  wrong: ReadonlyArray<OptionProblem>
): Source<A, SocketMeta, SourceError> => {
  const problems: Array<OptionProblem> = [...wrong, ...format.problems]
  const host = text("Socket.source.host", options.host ?? "127.0.0.1", problems)
  const port = integer("Socket.source.port", options.port, problems, { min: 1, max: 65_535 })
  const bounded = flag("Socket.source.bounded", options.bounded ?? false, problems)
  const lineBytesMax = integer("Socket.source.lineBytesMax", options.lineBytesMax ?? rowLimits.lineBytesMax, problems, {
    min: 1
  })
  const name = `socket ${host}:${port}`
  const refuse = (message: string): Effect.Effect<never, SourceError> =>
    Effect.fail(new SourceError({ connector: name, retryable: false, message }))
  return {
    name,
    features: {
      bounded,
      appendTime: false,
      endPosition: false,
      replayable: false,
      dynamicPartitions: false
    },
    problems,
    ...badInput("Socket.source", options, problems),
    partitions: (known) => Effect.succeed(known.has(partitionName) ? [] : [partitionName]),
    open: (partition, from) =>
      Effect.gen(function* () {
        const start = startOf(from)
        if (partition !== partitionName) return yield* refuse(`${name} has one partition, "0", and no "${partition}"`)
        if (start === undefined)
          return yield* refuse(`${name}: ${Option.getOrElse(from, () => "")} is not a position of a socket`)
        const load = yield* format.load
        const decoder = load(name, { ...rowLimits, lineBytesMax })
        const connection = yield* Effect.mapError(connect(host, port), (e) =>
          failed(name, "could not connect", e, `start a server there, such as: nc -lk ${port}`)
        )
        return cursorOf({ name, bounded, connection, decoder }, start)
      })
  }
}

/** With a format of the user's, which may be none. */
const decodedBy = <A>(
  options: SocketOptions,
  decode: StreamFormat<A>
): Source<A | Text.TextLine, SocketMeta, SourceError> => {
  if (has(decode, "problems", "load") && decode.kind === "stream") return make(options, decode, [])
  const fix = "must be a format of lines (try Json.lines(Schema))"
  return make(options, Text.lines(), [{ option: "Socket.source.decode", value: show(decode), fix }])
}

/**
 * Reads lines from a TCP server: `Socket.source({ port: 9999 })` gives `{ value }` a line, `decode` other rows, such as
 * `Json.lines(schema)`. Fails with a retryable `SourceError` when it cannot connect or the connection is lost.
 */
export const source: {
  <A>(options: SocketOptions & { readonly decode: StreamFormat<A> }): Source<A, SocketMeta, SourceError>
  (options: SocketOptions): Source<Text.TextLine, SocketMeta, SourceError>
} = <A>(
  given: SocketOptions & { readonly decode?: StreamFormat<A> }
): Source<A | Text.TextLine, SocketMeta, SourceError> => {
  const options = optionsOf(given)
  return options.decode === undefined ? make(options, Text.lines(), []) : decodedBy(options, options.decode)
}

/** Asks the processes of this user about their queries, over the sockets that `ControlSocket.ts` opens. */
import * as Effect from "effect/Effect"
import type { EpochProgress } from "../actors/EpochProgress.ts"
import {
  type ControlReply,
  type ControlRequest,
  type ListedQuery,
  protocolVersion,
  readReply,
  type StoppedQuery
} from "./controlProtocol.ts"
import { MonitorError } from "./MonitorError.ts"
import { ask, controlFolders, findSockets } from "./unixSocket.ts"

/** How long a process may take to answer what costs it nothing. */
const silentMs = 2_000
const processesAtOnce = 8

/** A query and the socket of its process. */
export interface FoundQuery extends ListedQuery {
  readonly socket: string
}

/** What the processes said. */
export interface Found {
  readonly queries: ReadonlyArray<FoundQuery>
  /** Processes that live but did not answer, as sentences. */
  readonly silent: ReadonlyArray<string>
}

const request = (
  socket: string,
  what: ControlRequest,
  noted: (note: string) => void,
  quietMs: number
): Effect.Effect<Exclude<ControlReply, { readonly note: string }> | undefined, MonitorError> =>
  Effect.gen(function* () {
    let reply: Exclude<ControlReply, { readonly note: string }> | undefined
    const asked = yield* ask(
      socket,
      JSON.stringify(what),
      (line) => {
        const said = readReply(line)
        if (said === undefined) return
        if ("note" in said) noted(said.note)
        else reply = said
      },
      quietMs
    )
    if (reply !== undefined) {
      if ("refused" in reply) return yield* Effect.fail(new MonitorError({ message: reply.refused }))
      return reply
    }
    if (asked === "gone") return undefined
    const why = asked === "done" ? "ended before it had answered" : asked.silent
    return yield* Effect.fail(new MonitorError({ message: `the process behind ${socket} ${why}` }))
  })

const quiet = (): void => undefined

/** The queries of all processes, in the order of their starts. Removes the sockets of processes that are gone. */
export const findQueries = (folders: ReadonlyArray<string> = controlFolders()): Effect.Effect<Found> =>
  Effect.gen(function* () {
    const silent: Array<string> = []
    const queries: Array<FoundQuery> = []
    const sockets = yield* findSockets(folders)
    const look = (socket: string): Effect.Effect<void> =>
      Effect.match(request(socket, { v: protocolVersion, ask: "list" }, quiet, silentMs), {
        onFailure: ({ message }) => void silent.push(message),
        onSuccess: (reply) => {
          if (reply === undefined || !("queries" in reply)) return
          for (const query of reply.queries) queries.push({ ...query, socket })
        }
      })
    yield* Effect.forEach(sockets, look, { concurrency: processesAtOnce, discard: true })
    return { queries: queries.toSorted((a, b) => a.startedMs - b.startedMs), silent }
  })

/** The queries that a name, an id or a run id means: of one name there may be several, in several processes. */
export const matching = (found: Found, query: string): ReadonlyArray<FoundQuery> =>
  found.queries.filter(({ name, id, runId }) => name === query || id === query || runId === query)

/** The last epoch of a query; none before its first. */
export const progressOf = ({ socket, runId }: FoundQuery): Effect.Effect<EpochProgress | undefined, MonitorError> =>
  Effect.map(request(socket, { v: protocolVersion, ask: "progress", query: runId }, quiet, silentMs), (reply) =>
    reply !== undefined && "progress" in reply ? (reply.progress ?? undefined) : undefined
  )

/** Stops a query, and waits for its end. `noted` hears what the process says meanwhile. */
export const stop = (
  { socket, runId, name }: FoundQuery,
  savepoint: string | undefined,
  noted: (note: string) => void
): Effect.Effect<StoppedQuery, MonitorError> => {
  const what: ControlRequest = {
    v: protocolVersion,
    ask: "stop",
    query: runId,
    ...(savepoint === undefined ? {} : { savepoint })
  }
  return Effect.flatMap(request(socket, what, noted, 0), (reply) =>
    reply !== undefined && "stopped" in reply
      ? Effect.succeed(reply.stopped)
      : Effect.fail(new MonitorError({ message: `the process of ${name} is gone` }))
  )
}

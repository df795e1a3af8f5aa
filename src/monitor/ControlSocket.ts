/**
 * Lets other processes of the same user list, look at and stop the queries of this one, over a Unix socket that only
 * they can reach. See `controlProtocol.ts` for what is said, `unixSocket.ts` for who may.
 *
 * It never holds up the end of a process: an answer about a query that ended is given a moment to leave, no more.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { QueryHandle } from "../actors/QueryHandle.ts"
import { get, list } from "../actors/Registry.ts"
import { jsonText, textOf } from "../model/Text.ts"
import { type ControlReply, type ListedQuery, readRequest, requestBytesMax } from "./controlProtocol.ts"
import type { MonitorError } from "./MonitorError.ts"
import { withoutSecrets } from "./secrets.ts"
import { ownFolders, listenLines, ownPid, type LineConnection } from "./unixSocket.ts"

/** How long answers that are on their way may take when the socket closes. */
const lastAnswersMs = 1_000

const listed = (query: QueryHandle<unknown>): Effect.Effect<ListedQuery> =>
  Effect.gen(function* () {
    const progress = yield* query.progress
    const last = yield* query.lastProgress
    const status = yield* query.status
    return {
      name: query.name,
      id: progress.id ?? null,
      runId: query.runId,
      pid: ownPid,
      status: { ...status, message: withoutSecrets(status.message) },
      startedMs: query.startedMs,
      epoch: progress.epoch,
      rows: progress.rowsIn,
      restarts: progress.restarts,
      inputRowsPerSecond: last?.inputRowsPerSecond ?? null
    }
  })

const sentence = (error: unknown): string => {
  const message: unknown = typeof error === "object" && error !== null ? Reflect.get(error, "message") : undefined
  return withoutSecrets(typeof message === "string" && message !== "" ? message : textOf(error))
}

const why = (exit: Exit.Failure<unknown, unknown>): string => {
  const reason = exit.cause.reasons.find(({ _tag }) => _tag !== "Interrupt")
  if (reason === undefined) return "it was interrupted"
  return sentence(reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : reason)
}

const stop = (
  query: QueryHandle<unknown>,
  savepoint: string | undefined,
  say: (reply: ControlReply) => void
): Effect.Effect<void> =>
  Effect.gen(function* () {
    // What is refused at once, as a name of a savepoint that is taken, does not stop the query.
    const asked = savepoint === undefined ? "is stopping" : "is asked to stop"
    say({ note: `${query.name} ${asked}: it finishes what is in flight` })
    const exit = yield* Effect.exit(savepoint === undefined ? query.drain : query.stopWithSavepoint(savepoint))
    if (Exit.isFailure(exit)) return say({ refused: `${query.name}: ${why(exit)}` })
    const { name, ended, epoch, restarts, savepoint: made } = exit.value
    say({ stopped: { name, ended, epoch, restarts, savepoint: made ?? null } })
  })

const serveLine = (line: string, connection: LineConnection): Effect.Effect<void> => {
  const say = (reply: ControlReply): void => connection.send(jsonText(reply))
  const answer = Effect.gen(function* () {
    const request = readRequest(line)
    if (typeof request === "string") return say({ refused: request })
    if (request.ask === "list") return say({ queries: yield* Effect.forEach(yield* list, listed) })
    const found = yield* Effect.exit(get(request.query))
    if (Exit.isFailure(found)) return say({ refused: why(found) })
    if (request.ask === "progress") return say({ progress: (yield* found.value.lastProgress) ?? null })
    yield* stop(found.value, request.savepoint, say)
  })
  return Effect.ensuring(
    Effect.catchCause(answer, (cause) =>
      Effect.sync(() => say({ refused: why(Exit.failCause(cause) as Exit.Failure<unknown, unknown>) }))
    ),
    Effect.sync(() => connection.end())
  )
}

/** Where to put the socket. */
export interface ControlOptions {
  /** Folders to try in turn; default those that `tidemark queries` looks into. */
  readonly folders?: ReadonlyArray<string>
}

/** Opens the socket in the present scope; gives its path. */
export const serve = (options: ControlOptions = {}): Effect.Effect<string, MonitorError, Scope.Scope> =>
  Effect.gen(function* () {
    const answers = yield* FiberSet.make<void>()
    const run = yield* FiberSet.runtime(answers)<never>()
    const suffix = (yield* Random.nextIntBetween(0, 36 ** 5)).toString(36).padStart(5, "0")
    const path = yield* listenLines({
      folders: options.folders ?? ownFolders(),
      name: `${ownPid}-${suffix}`,
      requestBytesMax,
      heard: (line, connection) => void run(serveLine(line, connection))
    })
    yield* Effect.addFinalizer(() =>
      Effect.asVoid(Effect.timeoutOption(FiberSet.awaitEmpty(answers), Duration.millis(lastAnswersMs)))
    )
    return path
  })

/** `tidemark queries`: what runs, in whichever process of this user, as a table or as JSON; and stopping it. */
import * as Effect from "effect/Effect"
import {
  type Found,
  findQueries,
  type FoundQuery,
  matching,
  progressOf,
  stop as stopQuery
} from "../monitor/ControlClient.ts"
import { isSavepointLabel, savepointLabelRule } from "../checkpoint/savepoint.ts"
import { type CliFailure, ExitCode, failed } from "./failure.ts"
import { Host, type HostShape } from "./Host.ts"
import { count, cut, oneLine } from "./words.ts"

const statusMax = 60

const columns: ReadonlyArray<{
  readonly title: string
  readonly right: boolean
  readonly of: (q: FoundQuery) => string
}> = [
  { title: "QUERY", right: false, of: ({ name }) => oneLine(name) },
  { title: "PHASE", right: false, of: ({ status }) => oneLine(status.phase) },
  { title: "EPOCH", right: true, of: ({ epoch }) => count(epoch) },
  { title: "ROWS", right: true, of: ({ rows }) => count(rows) },
  {
    title: "ROWS/S",
    right: true,
    of: ({ inputRowsPerSecond: rate }) => (rate === null ? "-" : count(Math.round(rate)))
  },
  { title: "RESTARTS", right: true, of: ({ restarts }) => count(restarts) },
  { title: "PID", right: true, of: ({ pid }) => String(pid) },
  { title: "RUN", right: false, of: ({ runId }) => oneLine(runId) },
  { title: "STATUS", right: false, of: ({ status }) => cut(oneLine(status.message), statusMax) }
]

/** Queries as lines of a table, its head first. */
export const tableOf = (queries: ReadonlyArray<FoundQuery>): ReadonlyArray<string> => {
  const cells = columns.map(({ title, of }) => [title, ...queries.map(of)])
  const widths = cells.map((column) => Math.max(...column.map((cell) => cell.length)))
  return [...Array(queries.length + 1).keys()].map((row) =>
    cells
      .map((column, c) => (columns[c].right ? column[row].padStart(widths[c]) : column[row].padEnd(widths[c])))
      .join("  ")
      .trimEnd()
  )
}

const complainOfSilent = (host: HostShape, { silent }: Found): void => {
  for (const sentence of silent) host.screen.write(`tidemark: warning: ${oneLine(sentence)}\n`)
}

/** Lists what runs. Where nothing does, says so on stderr. */
export const list = (json: boolean): Effect.Effect<void, CliFailure, Host> =>
  Effect.gen(function* () {
    const host = yield* Host
    const found = yield* findQueries()
    complainOfSilent(host, found)
    if (json) for (const { socket: _, ...query } of found.queries) host.result(JSON.stringify(query))
    else if (found.queries.length > 0) for (const line of tableOf(found.queries)) host.result(line)
    else host.screen.write("tidemark: no query of this user runs\n")
  })

const theOne = (name: string): Effect.Effect<FoundQuery, CliFailure, Host> =>
  Effect.gen(function* () {
    const host = yield* Host
    const found = yield* findQueries()
    const fitting = matching(found, name)
    if (fitting.length === 1) return fitting[0]
    complainOfSilent(host, found)
    const others = found.queries.map((query) => oneLine(query.name)).join(", ")
    if (fitting.length === 0) {
      return yield* Effect.fail(
        failed(`no query named ${oneLine(name)} runs${others === "" ? "" : `: there are ${others}`}`)
      )
    }
    const runs = fitting.map(({ runId, pid, status }) => `${runId} (process ${pid}, ${status.phase})`).join(", ")
    return yield* Effect.fail(
      failed(`${fitting.length} queries are named ${oneLine(name)}: say which by its run id: ${runs}`)
    )
  })

/** Shows the last epoch of a query as JSON. */
export const progress = (name: string): Effect.Effect<void, CliFailure, Host> =>
  Effect.gen(function* () {
    const host = yield* Host
    const query = yield* theOne(name)
    const last = yield* Effect.mapError(progressOf(query), ({ message }) => failed(oneLine(message)))
    if (last === undefined) return yield* Effect.fail(failed(`${oneLine(query.name)} has no epoch yet`))
    host.result(JSON.stringify(last, null, 2))
  })

/** Stops a query, waits for its end, and says how it ended. */
export const stop = (name: string, savepoint: string | undefined): Effect.Effect<void, CliFailure, Host> =>
  Effect.gen(function* () {
    const host = yield* Host
    if (savepoint !== undefined && !isSavepointLabel(savepoint)) {
      const sentence = `no savepoint ${JSON.stringify(cut(oneLine(savepoint), 200))}: ${savepointLabelRule}`
      return yield* Effect.fail(failed(sentence, ExitCode.usage))
    }
    const query = yield* theOne(name)
    const noted = (note: string): void => host.screen.write(`tidemark: ${oneLine(note)}\n`)
    const stopped = yield* Effect.mapError(stopQuery(query, savepoint, noted), ({ message }) =>
      failed(oneLine(message))
    )
    const kept = stopped.savepoint === null ? "" : `, kept as savepoint ${oneLine(stopped.savepoint)}`
    host.result(`${oneLine(stopped.name)} ${oneLine(stopped.ended)} at epoch ${count(stopped.epoch)}${kept}`)
  })

/**
 * What goes over the control socket: a request as one line of JSON, then lines of JSON back until the connection closes.
 * Lines back are notes (`note`), then one answer or one refusal. Both sides check what they read.
 */
import type { EpochProgress } from "../actors/EpochProgress.ts"
import type { QueryStatus } from "../actors/QueryStatus.ts"
import { isSavepointLabel, savepointLabelRule } from "../checkpoint/savepoint.ts"

/** Changes when a request or an answer changes its meaning. */
export const protocolVersion = 1

/** A request is at most this long. */
export const requestBytesMax = 4_096

/** What may be asked. `query`: a name, an id or a run id. */
export type ControlRequest =
  | { readonly v: typeof protocolVersion; readonly ask: "list" }
  | { readonly v: typeof protocolVersion; readonly ask: "progress"; readonly query: string }
  | {
      readonly v: typeof protocolVersion
      readonly ask: "stop"
      readonly query: string
      readonly savepoint?: string
    }

/** One query in a list. */
export interface ListedQuery {
  readonly name: string
  readonly id: string | null
  readonly runId: string
  readonly pid: number
  readonly status: QueryStatus
  readonly startedMs: number
  readonly epoch: number
  readonly rows: number
  readonly restarts: number
  readonly inputRowsPerSecond: number | null
}

/** How a query that was stopped ended. */
export interface StoppedQuery {
  readonly name: string
  readonly ended: string
  readonly epoch: number
  readonly restarts: number
  /** The savepoint that was made; null: none was asked for. */
  readonly savepoint: string | null
}

/** A line back. */
export type ControlReply =
  | { readonly note: string }
  | { readonly queries: ReadonlyArray<ListedQuery> }
  | { readonly progress: EpochProgress | null }
  | { readonly stopped: StoppedQuery }
  | { readonly refused: string }

const isText = (value: unknown): value is string => typeof value === "string" && value.length > 0 && value.length <= 512

const parsed = (line: string): { readonly [field: string]: unknown } | undefined => {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === "object" && value !== null ? (value as { readonly [field: string]: unknown }) : undefined
  } catch {
    return undefined
  }
}

/** Reads a request; a sentence when it is none. */
export const readRequest = (line: string): ControlRequest | string => {
  const found = parsed(line)
  if (found === undefined) return "this is no request: a line of JSON is expected"
  const { v, ask, query, savepoint } = found
  if (v !== protocolVersion) {
    return `this process speaks version ${protocolVersion} of the control protocol: use the tidemark that it was started with`
  }
  if (ask === "list") return { v, ask }
  if (ask !== "progress" && ask !== "stop") return "list, progress or stop can be asked"
  if (!isText(query)) return "which query is meant has to be said"
  if (ask === "progress") return { v, ask, query }
  if (savepoint === undefined) return { v, ask, query }
  if (!isText(savepoint)) return "a savepoint needs a label"
  return isSavepointLabel(savepoint)
    ? { v, ask, query, savepoint }
    : `no savepoint ${JSON.stringify(savepoint)}: ${savepointLabelRule}`
}

/** Reads a line back; undefined when it is none. */
export const readReply = (line: string): ControlReply | undefined => {
  const found = parsed(line)
  if (found === undefined) return undefined
  const { note, queries, stopped, refused } = found
  const isReply =
    typeof note === "string" ||
    typeof refused === "string" ||
    Array.isArray(queries) ||
    "progress" in found ||
    (typeof stopped === "object" && stopped !== null)
  return isReply ? (found as unknown as ControlReply) : undefined
}

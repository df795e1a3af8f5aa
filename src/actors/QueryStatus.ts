/** How a query is doing, in a sentence and two flags, as Spark's `StreamingQueryStatus` has them. */
import type { QueryPhase, QueryState } from "./QueryState.ts"

/** How a query is doing; the first three fields are Spark's. */
export interface QueryStatus {
  /** As people read it. */
  readonly message: string
  /** Rows have been read, or are known to wait, that no epoch covers yet. */
  readonly isDataAvailable: boolean
  /** A barrier is on its way, or its epoch is being written. */
  readonly isTriggerActive: boolean
  readonly phase: QueryPhase
}

const messages: { readonly [P in Exclude<QueryPhase, "running" | "failed">]: string } = {
  starting: "Initializing",
  standby: "Standing by: another process runs the query",
  restarting: "Restarting after a failure",
  draining: "Stopping: finishing what is in flight",
  ended: "Stopped"
}

/** The status by the live facts of a query. */
export const statusOf = (state: QueryState): QueryStatus => {
  const { phase, lastFailure, underway, status } = state
  const runs = phase === "running" || phase === "draining"
  const isTriggerActive = runs && underway !== undefined
  const isDataAvailable = runs && status?.active() === true
  const why = lastFailure === undefined ? "" : `: ${lastFailure}`
  const message =
    phase === "failed"
      ? `Terminated with an error${why}`
      : phase === "restarting"
        ? `${messages.restarting}${why}`
        : phase !== "running"
          ? messages[phase]
          : isTriggerActive
            ? "Committing an epoch"
            : isDataAvailable
              ? "Processing new data"
              : "Waiting for data to arrive"
  return { message, isDataAvailable, isTriggerActive, phase }
}

/**
 * Names of the annotations that log records of a query carry, in one place: supervisors and tasks set them by
 * `Effect.annotateLogs`, the JSON log puts them first, and dashboards search for them.
 */

/** Annotation names; a record has those that are known where it was written. */
export const LogNames = {
  /** Name of the query. */
  query: "query",
  /** `runId` of this start of the query. */
  run: "run",
  /** Number of the takeover under which the attempt runs. */
  attempt: "attempt",
  /** The epoch that the record is about. */
  epoch: "epoch",
  /** Partition of a source. */
  partition: "partition",
  /** Operator by its name in the ledger. */
  operator: "operator"
} as const

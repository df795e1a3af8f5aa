/**
 * A dead letter: a row, or the bytes of one, that could not be processed, kept with where it stood and why.
 *
 * Bad input is a value, never a failure: the source or operator that meets it makes a dead letter,
 * the ledger counts it, and the query's dead-letter sink keeps it.
 */
import type { PartitionId } from "./Position.ts"

/** Why a row is dead. A small, closed set, so that dashboards and tests can count by it. */
export type DeadReason =
  | "malformed" // not the format it should be: JSON, CSV, UTF-8, gzip, Parquet
  | "schema" // well formed, but not the type that was declared
  | "too-large" // over a limit of bytes or depth
  | "event-time" // missing or unparsable event time
  | "key" // a key column that is not a string, number, boolean or bigint
  | "aggregate-input" // not a finite number where an aggregate needs one
  | "user-code" // user code failed on it, and the user asked for dead letters
  | "future-dated" // quarantined by the clock guard (rule T8)
  | "expired" // its broker's retention took it before it was read
  | "sink" // the sink refused it

/** What a source hands out for input it cannot decode. */
export interface DeadRow {
  /** How many good rows of the same chunk come before it, so that order is kept. */
  readonly before: number
  readonly reason: DeadReason
  /** One sentence: what was wrong, and in which field. */
  readonly detail: string
  /** Where: `flights.json:1042`, `offset 17`. */
  readonly place: string
  /** The offending bytes, at most `Limits.deadLetterBytesMax`. */
  readonly bytes: Uint8Array
  readonly truncated: boolean
}

/** A dead letter as the dead-letter sink receives it. Plain data: it becomes one line of JSON. */
export interface DeadLetter {
  readonly query: string
  /** The operator that gave up on the row: `source`, `decode`, `withEventTime`, ... */
  readonly operator: string
  readonly source: string
  readonly partition: PartitionId
  readonly place: string
  readonly reason: DeadReason
  readonly detail: string
  /** The row's bytes: as text where they are valid UTF-8, else base64. */
  readonly text?: string
  readonly base64?: string
  readonly truncated: boolean
}

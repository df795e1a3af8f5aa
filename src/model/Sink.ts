/**
 * The contract of a sink: rows in, then per epoch `prepare` and `commit` (rules C2, C3).
 *
 * Order: rows of one writer are written in the order they come. Acknowledgement: nothing counts as written before
 * the `prepare` of its epoch returned. Commit: may be called by another process, from the `Prepared` value alone, any
 * number of times. Concurrency: one call at a time per writer. Close: the scope in which the writer was made.
 * Conformance: `test/conformance/sink.ts`, driven by {@link SinkFeatures}.
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { DeadRow } from "./DeadLetter.ts"
import type { OptionProblem } from "./Errors.ts"

/** Output modes, as in Spark (rule A4). */
export type Mode = "append" | "update" | "complete"

/** How often a row may show outside when the query recovers: once, or once or more. */
export type Guarantee = "exactly-once" | "at-least-once"

/** What a sink promises; the planner, the types and the conformance suite act on it. */
export interface SinkFeatures {
  readonly modes: ReadonlyArray<Mode>
  /** What it gives to a query that recovers from checkpoints (rules C2, C4). */
  readonly guarantee: Guarantee
  /** Pace of epochs where nothing else says so, by what an epoch costs here, ms (rule A5); default "at once". */
  readonly epochIntervalMs?: number
  /** Two queries may write to it at once (rule M1). */
  readonly multiWriter: boolean
  /** In update mode, it can take a row away again (rule A4, sessions). */
  readonly deletes: boolean
}

/** Rows for a sink. In update mode each row is an upsert or a delete by `identity`; in complete mode, the whole table. */
export interface SinkBatch<out A> {
  readonly rows: ReadonlyArray<A>
  /** Update mode: 1 where the row takes away the row with the same identity, else 0. Absent: all upserts. */
  readonly deletes?: Uint8Array
}

/** What a writer is told about where it stands. */
export interface WriterContext {
  readonly query: string
  /**
   * Identity of the query's chain of checkpoints, the same for all its attempts: tells output of this query from that of
   * an earlier one of its name, whose checkpoint is gone (rule C5).
   */
  readonly queryId: string
  /** Names this writer within the query; the same after a restart. */
  readonly writer: string
  /**
   * Number of the takeover under which the attempt runs (rule C5): higher for each attempt. What a writer stages is
   * named by it, so that a later attempt can tell whose it is.
   */
  readonly attempt: number
  /** The last data epoch of the checkpoint that the attempt goes on from; 0: it has made none, see `begins`. */
  readonly continues: number
  /**
   * What the attempt begins with: with nothing (what an earlier run wrote is not in it); with a savepoint (the output that
   * it covers is of another chain, or of one since reset, and stays); or with a checkpoint of its own chain.
   */
  readonly begins: "anew" | "savepoint" | "checkpoint"
  readonly mode: Mode
  /** Columns that identify a row of an updating or complete output: key columns and window bounds. */
  readonly identity: ReadonlyArray<string>
}

/** Whose leftovers a sweep takes away. */
export interface SweepContext extends Pick<WriterContext, "query" | "queryId" | "writer" | "attempt"> {
  /** The epoch that the attempt goes on from: its staged output stays. */
  readonly keep: Prepared | undefined
}

/** The output of one epoch, durable outside the process, as plain JSON: enough for anyone to commit it. */
export interface Prepared {
  readonly query: string
  readonly writer: string
  readonly epoch: number
  /** The sink's own record: names of staged files, a batch id. */
  readonly data: unknown
}

/** What a writer prepared, with the number of rows in it. */
export interface CountedPrepared extends Prepared {
  /**
   * Rows of `write` that the record covers, deletes included, counted by the sink where it keeps them: the ledger holds
   * it against the rows that were handed over for the epoch, and stops the query where they differ (L3). In complete
   * mode those of the last table written for it; 0 where none was. Absent: the sink cannot say. A sink that wraps
   * another one and adds or leaves out rows has to leave it out, or to give its own.
   */
  readonly rows?: number
}

/** Writes one epoch after the other; one call at a time. */
export interface SinkWriter<in A, out E = never> {
  /** Takes rows. Returns those the sink refuses, as dead rows (`before`: index in the batch); received = written + dead. */
  readonly write: (batch: SinkBatch<A>) => Effect.Effect<ReadonlyArray<DeadRow>, E>
  /**
   * Makes everything written since the epoch before durable as one epoch. Called again with the same number when that
   * checkpoint was given up (rule C9): the new record then covers the rows of both calls.
   */
  readonly prepare: (epoch: number) => Effect.Effect<CountedPrepared, E>
}

/** `M` is what the sink's types accept; `features.modes` the same at run time. */
export interface Sink<in A, in M extends Mode = Mode, out E = never, out R = never> {
  readonly name: string
  readonly features: SinkFeatures
  readonly problems?: ReadonlyArray<OptionProblem>
  /** Column names the sink takes, when it has a schema; more columns than these are refused. */
  readonly columns?: ReadonlyArray<string>
  readonly writer: (context: WriterContext) => Effect.Effect<SinkWriter<A, E>, E, R | Scope.Scope>
  readonly commit: (prepared: Prepared) => Effect.Effect<void, E, R>
  /** The last epoch of this writer that is committed. */
  readonly committed: (query: string, writer: string) => Effect.Effect<Option.Option<number>, E, R>
  /**
   * Takes away what attempts before `attempt` staged for this writer and did not commit (rule C5). Called once an
   * attempt owns the query and has committed again what was pending; `keep` is that record. Absent: nothing is staged.
   */
  readonly sweep?: (context: SweepContext) => Effect.Effect<void, E, R>
  /** Type-level only: carries `M`. */
  readonly Mode?: (mode: M) => void
}

/**
 * A sink that has a schema. Its type says so, so that rows with columns it lacks are refused when the program is
 * compiled, and not only when it starts.
 */
export interface SinkWithColumns<in A, in M extends Mode = Mode, out E = never, out R = never> extends Sink<
  A,
  M,
  E,
  R
> {
  readonly columns: ReadonlyArray<string>
}

/** A sink whose row type is known elsewhere (dead letters, late rows held in a plan). */
// eslint-disable-next-line -- `never` rows: contravariant, so that every sink is one of these
export type AnySink = Sink<never, never, unknown, unknown>

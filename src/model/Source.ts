/**
 * The contract of a source: partitions of rows, each in an order of its own, read by demand.
 *
 * Order: within a partition rows come in one fixed order; across partitions there is none. A replayable source
 * opened again at a position gives the same rows in the same order. Backpressure: nothing is read that was not
 * asked for. Concurrency: one `pull` at a time per cursor. Close: the scope in which the cursor was opened.
 * Conformance: `test/conformance/source.ts`, driven by {@link SourceFeatures}.
 */
import type * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { DeadRow } from "./DeadLetter.ts"
import type { OptionProblem } from "./Errors.ts"
import type { PartitionId, Position } from "./Position.ts"
import type { AnySink } from "./Sink.ts"

/** What a source promises; the engine and the conformance suite act on it. */
export interface SourceFeatures {
  /** Every partition ends. Only such a source sends End (rule T11). */
  readonly bounded: boolean
  /** Chunks carry the broker's append time, so that the clock guard is on by default (rule T8). */
  readonly appendTime: boolean
  /** `end` is known: a reader knows when it has caught up, and idleness is confirmed rather than timed (rule T7). */
  readonly endPosition: boolean
  /** Opening at a position gives the same rows again. */
  readonly replayable: boolean
  /** Partitions may appear while the query runs (rule T12); such a source is never bounded. */
  readonly dynamicPartitions: boolean
}

/** How much a reader can take now. A cursor returns at most `rows` rows; `bytes` is a target, not a bound. */
export interface Demand {
  readonly rows: number
  readonly bytes: number
}

/** A column of a chunk: one value per row. Numbers in a `Float64Array` are the fast path. */
export type Column = Float64Array | Int32Array | ReadonlyArray<unknown>

/** Rows that stand together in one partition, in its order. Give `rows`, or `columns` and let rows be made on demand. */
export interface SourceChunk<out A, out Meta = unknown> {
  readonly length: number
  /** Values, `length` of them. Absent when `columns` is given. */
  readonly rows?: ReadonlyArray<A>
  /** The same rows by field, when the source has them so: an operator that names fields reads these. */
  readonly columns?: { readonly [field: string]: Column }
  /** What the connector knows of row `i`: offset, enqueued time, file and line. Called only for `from(source, (row, meta) => ...)`. */
  readonly meta?: (i: number) => Meta
  /** Where row `i` stands, for its dead letter if an operator gives up on it: `flights.json:1042`. */
  readonly place?: (i: number) => string
  /** The broker's append time of each row, ms since the epoch. */
  readonly appendTimes?: Float64Array
  /** Input that could not be decoded, in order. */
  readonly dead?: ReadonlyArray<DeadRow>
  /** Where to read on after this chunk. */
  readonly next: Position
  /** Approximate size in memory, for the bounds of queues. */
  readonly bytes: number
}

/** Reads one partition. */
export interface PartitionCursor<out A, out Meta = unknown, out E = never> {
  /**
   * Waits until there is at least one row or dead letter, then returns what is there, up to the demand. Fails with
   * `Cause.Done` at the end of a bounded partition. Interrupting it loses nothing.
   */
  readonly pull: (demand: Demand) => Effect.Effect<SourceChunk<A, Meta>, E | Cause.Done>
  /** Where it begins when it was opened without a position, if that is known: so that `latest` stays what it was. */
  readonly start?: Position | undefined
  /** The position after the last row that exists now; none when the source cannot know. */
  readonly end: Effect.Effect<Option.Option<Position>, E>
}

/** What becomes of input that cannot be decoded. Options of sources, and part of the source they make. */
export interface BadInputOptions {
  /** Where dead letters go; default the query's own. */
  readonly deadLetters?: AnySink
  /** Bad input: kept as dead letters (default), or the first one fails the query, or dropped and counted by this name. */
  readonly onBadInput?: "deadLetter" | "fail" | { readonly dropAs: string }
}

/** A value that names partitions and opens them; it holds nothing until `open`. `R` is what the app must provide. */
export interface Source<out A, out Meta = unknown, out E = never, out R = never> extends BadInputOptions {
  /** In the user's words, for errors and progress: `files ./in/*.json`. */
  readonly name: string
  readonly features: SourceFeatures
  /** Wrong options, reported before the query starts. */
  readonly problems?: ReadonlyArray<OptionProblem>
  /**
   * The partitions that are not in `known`. Asked once at the start with an empty set; a source with
   * `dynamicPartitions` is then asked again and again, and waits until there is a new one.
   */
  readonly partitions: (known: ReadonlySet<PartitionId>) => Effect.Effect<ReadonlyArray<PartitionId>, E, R>
  /**
   * Rows and dead rows from one position of a partition to another; negative when it lies before, undefined where its
   * positions do not tell. Of a source that has it and knows its ends, lag is known in rows. Pure, and cheap.
   */
  readonly rowsBetween?: (from: Position, to: Position) => number | undefined
  /**
   * Told where partitions stand in the last committed epoch, those that have moved, so that a copy can be published for
   * others. One call at a time, beside the query, which neither waits for it nor fails with it; has to be interruptible.
   * A source that has it is read once, by one query.
   */
  readonly committed?: (positions: ReadonlyMap<PartitionId, Position>) => Effect.Effect<void, unknown, R>
  /** Opens a partition at a position, or, without one, where the source's options say. */
  readonly open: (
    partition: PartitionId,
    from: Option.Option<Position>
  ) => Effect.Effect<PartitionCursor<A, Meta, E>, E, R | Scope.Scope>
}

/**
 * The logical plan: what a pipeline says, as plain immutable nodes. `EventStream` builds it, the runner reads it.
 *
 * Nodes form a DAG: a stream that is used twice is one node with two consumers, read once. Nothing here runs.
 */
import type * as Effect from "effect/Effect"
import type { OptionProblem } from "../model/Errors.ts"
import type { AnySink, Mode } from "../model/Sink.ts"
import type { Source } from "../model/Source.ts"
import type { AggregateSpec } from "./aggregates/Aggregate.ts"
import type { WindowSpec } from "./Window.ts"

/** A source of whatever rows: plans do not carry the types of the language. */
export type AnySource = Source<unknown, unknown, unknown, unknown>

/** A value of a row: by field name (can be fingerprinted and read from a column) or by a function. */
export interface RowValue {
  readonly field?: string
  readonly get?: (row: unknown) => unknown
  /** For names, errors and the fingerprint: the field, or `<lambda>`. */
  readonly label: string
}

/** What becomes of late rows, counted `late` either way: dropped, or written to a sink (`Late.to`). */
export type LatePolicy = { readonly kind: "drop" } | { readonly kind: "to"; readonly sink: AnySink }

/** How a stream's watermark comes about and behaves when input is quiet (rules T2, T7, T8, T14). */
export interface EventTimeSpec {
  readonly time: RowValue
  /** IANA zone for times written without one; UTC when absent. */
  readonly zone?: string
  /** Bounded: highest event time so far minus this. Explicit: a function of the row, taken as a running maximum. */
  readonly outOfOrdernessMs: number
  readonly explicit?: (row: unknown) => unknown
  readonly idleAfterMs?: number
  readonly whenQuiet?: "hold" | "followClock"
  /** "off", or how far ahead of the append (else ingestion) time a row may be. */
  readonly maxFutureSkewMs?: number | "off"
  readonly alignmentDriftMs?: number
}

interface Base {
  /** Stable operator name given by the user (`EventStream.named`); derived from structure when absent. */
  readonly name?: string
  /** What the user calls the present meaning of its functions (`EventStream.named`); for the fingerprint only. */
  readonly version?: string
  /** Wrong options of this node, reported before the query starts. */
  readonly problems: ReadonlyArray<OptionProblem>
}

/** Reads a source; `select` makes a row of a value and what the connector knows of it. */
export interface SourceNode extends Base {
  readonly kind: "source"
  readonly source: AnySource
  readonly select?: (row: unknown, meta: unknown) => unknown
}
/** One row for each. */
export interface MapNode extends Base {
  readonly kind: "map"
  readonly input: PlanNode
  readonly f: (row: unknown) => unknown
}
/** Keeps the rows for which `f` holds; the others are counted as filtered. */
export interface FilterNode extends Base {
  readonly kind: "filter"
  readonly input: PlanNode
  readonly f: (row: unknown) => boolean
}
/** Any number of rows for each, in order; all carry the event time and watermark of their origin. */
export interface FlatMapNode extends Base {
  readonly kind: "flatMap"
  readonly input: PlanNode
  readonly f: (row: unknown) => Iterable<unknown>
}
/** Keeps the columns of a schema, and makes them known to sinks. */
export interface SelectNode extends Base {
  readonly kind: "select"
  readonly input: PlanNode
  readonly columns: ReadonlyArray<string>
  readonly schema: unknown
}
/** One row for each, by an Effect; at most `concurrency` at a time. */
export interface MapEffectNode extends Base {
  readonly kind: "mapEffect"
  readonly input: PlanNode
  readonly f: (row: unknown) => Effect.Effect<unknown, unknown, unknown>
  readonly concurrency: number
  /** Unordered: rows may overtake each other between two watermarks or barriers (rule T13). */
  readonly ordered: boolean
  readonly onError: "restart" | "deadLetter"
}
/** The rows of both inputs, each in its own order. */
export interface UnionNode extends Base {
  readonly kind: "union"
  readonly inputs: readonly [PlanNode, PlanNode]
}
/** Gives rows their event time, and their partition a watermark. */
export interface EventTimeNode extends Base {
  readonly kind: "withEventTime"
  readonly input: PlanNode
  readonly spec: EventTimeSpec
}
/** One column of a key. */
export interface KeyColumnSpec {
  readonly name: string
  readonly value: RowValue
}
/** No columns: everything has one key (`windowAll`). */
export interface KeyByNode extends Base {
  readonly kind: "keyBy"
  readonly input: PlanNode
  readonly columns: ReadonlyArray<KeyColumnSpec>
}
/** Lets one of several copies of a row through (rule A3). */
export interface DedupeNode extends Base {
  readonly kind: "dedupe"
  readonly input: PlanNode
  readonly id: RowValue
  readonly late: { readonly kind: "forward" } | LatePolicy
  readonly allowedLatenessMs: number
  /** Absent: the key is (id, event time), rule A3. Present: the id alone, for copies at most this far apart. */
  readonly horizonMs?: number
}
/** An aggregate and the result column it fills. */
export interface NamedAggregate {
  readonly name: string
  readonly spec: AggregateSpec
}
/** keyBy + window + aggregate. Emits final rows; with allowed lateness or early results, an updating stream. */
export interface WindowNode extends Base {
  readonly kind: "window"
  readonly input: KeyByNode
  readonly window: WindowSpec
  readonly late: LatePolicy
  readonly allowedLatenessMs: number
  /** Windows that are still open come out at the end of each epoch as far as they changed (rule A4). */
  readonly early: boolean
  readonly aggregates: ReadonlyArray<NamedAggregate>
}
/** keyBy + aggregate without a window: an updating stream, one row per key (rule A2). */
export interface RunningNode extends Base {
  readonly kind: "running"
  readonly input: KeyByNode
  readonly aggregates: ReadonlyArray<NamedAggregate>
}
/** What a user's own operator by key is made of; `state` is the Schema of the state of one key. */
export interface ProcessSpec {
  readonly state: unknown
  /** The version of that state, and how older ones become it (rule C8): by version, from its JSON. */
  readonly version: number
  readonly migrate: ReadonlyMap<number, (old: unknown) => unknown>
  /** How long a state lives after it was last set (rule A7). */
  readonly ttlMs: number | "never"
  readonly onRow: (row: unknown, context: unknown) => unknown
  readonly onTimer?: (timer: unknown, context: unknown) => unknown
  /** Loads what the state's Schema needs; the runtime awaits it before the operator is made. Undefined: it is loaded. */
  readonly load: () => Promise<void> | undefined
}
/** keyBy + a user's own code with state and timers (rule A7). Emits final rows, of whatever columns. */
export interface ProcessNode extends Base {
  readonly kind: "process"
  readonly input: KeyByNode
  readonly spec: ProcessSpec
  /** "forward": late rows are handed to the user's code like others. Without event time no row is late. */
  readonly late: { readonly kind: "forward" } | LatePolicy
}
/** Writes rows to a sink in a mode (rule A4). */
export interface SinkNode extends Base {
  readonly kind: "sink"
  readonly input: PlanNode
  readonly sink: AnySink
  readonly mode: Mode
  /** Complete mode: rows whose event time is further behind the watermark leave the table. */
  readonly keepMs?: number
}

/** Every node that has rows; sinks, which have none, are apart. */
export type PlanNode =
  | SourceNode
  | MapNode
  | FilterNode
  | FlatMapNode
  | SelectNode
  | MapEffectNode
  | UnionNode
  | EventTimeNode
  | KeyByNode
  | DedupeNode
  | WindowNode
  | RunningNode
  | ProcessNode

/** One or several outputs that share one query: one ledger, one checkpoint. */
export interface QueryPlan {
  readonly outputs: ReadonlyArray<{ readonly name: string; readonly sink: SinkNode }>
}

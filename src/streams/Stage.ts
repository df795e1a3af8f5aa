/**
 * The stage of a stream, as a type: does it have event time, is it keyed or windowed, and are its rows final?
 *
 * `EventStream<A, E, R, Stage>` carries one of these records. Each property answers one question with "yes" or with a
 * sentence; an operator asks for "yes", and the sentence is what the compiler prints when it gets another answer.
 * Types only: nothing here exists at run time (there the plan is checked again, see `PlanFacts.ts`).
 */
import type * as DateTime from "effect/DateTime"

/** No event time yet. */
export interface NoTime {
  readonly timed: "no event time: call EventStream.withEventTime first"
  readonly untimed: "yes"
}
/** Event time was declared, or rows are results of windows (rule T10). */
export interface HasTime {
  readonly timed: "yes"
  readonly untimed: "it has event time already, from EventStream.withEventTime or a window"
}
/** Of rows that may still change: nothing that asks for time takes them, and it is not time that stands in the way. */
export interface AnyTime {
  readonly timed: "yes"
  readonly untimed: "yes"
}
/** Not keyed. */
export interface NoKey {
  readonly keyed: "no key: call EventStream.keyBy first (or EventStream.windowAll, for one window over all rows)"
  readonly unkeyed: "yes"
  readonly windowed: "no window: call EventStream.keyBy and EventStream.window first"
  readonly columns: unknown
}
/** Keyed by `K`, the key's columns with their types. */
export interface HasKey<out K> {
  readonly keyed: "yes"
  readonly unkeyed: "keyed: call EventStream.window, EventStream.aggregateRunning or EventStream.process next"
  readonly windowed: "no window: call EventStream.window first (or EventStream.aggregateRunning, for a result that keeps changing)"
  readonly columns: K
}
/** Keyed by `K` and cut into windows. */
export interface HasWindows<out K> {
  readonly keyed: "windowed: call EventStream.aggregate next"
  readonly unkeyed: "windowed: call EventStream.aggregate next"
  readonly windowed: "yes"
  readonly columns: K
}
/** Every row is final. */
export interface Final {
  readonly final: "yes"
}
/** A row may be replaced by a later one (rule A2). */
export interface Updates {
  readonly final: 'updating: rows may still change. Write them with EventStream.to(sink, { mode: "update" }) or mode "complete"; only map, mapEffect and select may come before'
}

/** What a stream says about its event time. */
export interface TimeAnswers {
  readonly timed: string
  readonly untimed: string
}
/** What a stream says about its key. */
export interface KeyAnswers {
  readonly keyed: string
  readonly unkeyed: string
  readonly windowed: string
  readonly columns: unknown
}
/** What a stream says about its rows. */
export interface EmitAnswers {
  readonly final: string
}
/** The answers of a stream. */
export interface Stage {
  readonly time: TimeAnswers
  readonly key: KeyAnswers
  readonly emits: EmitAnswers
}

/** As it comes from a source. */
export interface Untimed extends Stage {
  readonly time: NoTime
  readonly key: NoKey
  readonly emits: Final
}
/** With event time: after `withEventTime`, or the closed rows of a window. */
export interface Timed extends Stage {
  readonly time: HasTime
  readonly key: NoKey
  readonly emits: Final
}
/** With a key, the columns `K`: ready for a window, or, `Time` or not, for a running aggregate. */
export interface Keyed<out K, out Time extends TimeAnswers = HasTime> extends Stage {
  readonly time: Time
  readonly key: HasKey<K>
  readonly emits: Final
}
/** Cut into windows, to be aggregated. `Emits` says what their results will be. */
export interface Windowed<out K, out Emits extends EmitAnswers = Final> extends Stage {
  readonly time: HasTime
  readonly key: HasWindows<K>
  readonly emits: Emits
}
/** Results that may still change: running aggregates, windows with allowed lateness or early results. */
export interface Updating extends Stage {
  readonly time: AnyTime
  readonly key: NoKey
  readonly emits: Updates
}

interface IsTimed extends TimeAnswers {
  readonly timed: "yes"
}
interface IsUntimed extends TimeAnswers {
  readonly untimed: "yes"
}
interface IsUnkeyed extends KeyAnswers {
  readonly unkeyed: "yes"
}
interface IsKeyed<out K> extends KeyAnswers {
  readonly keyed: "yes"
  readonly columns: K
}
interface IsWindowed<out K> extends KeyAnswers {
  readonly windowed: "yes"
  readonly columns: K
}

/** Asks for rows without a key; what works on single rows takes them. */
export interface Unkeyed extends Stage {
  readonly key: IsUnkeyed
}
/** Asks for final rows without a key; what must see each row once takes them. */
export interface FinalRows extends Stage {
  readonly key: IsUnkeyed
  readonly emits: Final
}
/** Asks for final rows without a key and without event time. */
export interface UntimedRows extends Stage {
  readonly time: IsUntimed
  readonly key: IsUnkeyed
  readonly emits: Final
}
/** Asks for final rows with event time and without a key. */
export interface TimedRows extends Stage {
  readonly time: IsTimed
  readonly key: IsUnkeyed
  readonly emits: Final
}
/** Asks for final rows with a key, timed or not. */
export interface KeyedRows<out K> extends Stage {
  readonly key: IsKeyed<K>
  readonly emits: Final
}
/** Asks for final rows with a key, and says whether they are timed. */
export interface KeyedRowsIn<out K, out Time extends TimeAnswers> extends Stage {
  readonly time: Time
  readonly key: IsKeyed<K>
  readonly emits: Final
}
/** Asks for final rows with event time and a key. */
export interface TimedKeyedRows<out K> extends Stage {
  readonly time: IsTimed
  readonly key: IsKeyed<K>
  readonly emits: Final
}
/** Asks for windows. */
export interface WindowedRows<out K, out Emits extends EmitAnswers> extends Stage {
  readonly key: IsWindowed<K>
  readonly emits: Emits
}

/** A moment: epoch milliseconds, a `Date`, a `DateTime.Utc`, or an ISO 8601 string (without a zone it is UTC). */
export type Instant = number | Date | DateTime.Utc | string

/** What a key column may hold. Other values make the row a dead letter. */
export type KeyColumn = string | number | boolean | bigint

/** What an id may be, for `dedupe`. */
export type Id = string | number | bigint

/** Refuses by type, with a sentence: nothing that compiles has this property. */
export interface Refused<in out Sentence extends string> {
  readonly "does not compile because": Sentence
}

/** The same record type, shown flat in editors and errors. */
export type Show<T> = { [K in keyof T]: T[K] } & {}

/** What a row must hold in the fields that were named; nothing where a function was given. */
export type Holds<F, V> = F extends string ? { readonly [P in F]: V } : unknown

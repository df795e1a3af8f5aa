/**
 * The stage of a stream, as a type: does it have event time, is it keyed, and are its rows final?
 *
 * `EventStream<A, E, R, Stage>` carries one of these records. An operator that needs another stage does not compile,
 * and the sentence in `is` is what the compiler prints: it says what to call. Types only; nothing here exists at run
 * time (the plan is checked again there, see `PlanFacts.ts`, for those who write JavaScript).
 */
import type * as DateTime from "effect/DateTime"

/** No event time yet. */
export interface NoTime {
  readonly is: "no event time: call EventStream.withEventTime first"
}
/** Event time was declared, or rows are results of windows (rule T10). */
export interface HasTime {
  readonly is: "has event time already"
}
/** Not keyed. */
export interface NoKey {
  readonly is: "no key: call EventStream.keyBy first (or EventStream.windowAll, for one window over all rows)"
}
/** Keyed by `K`, the key's columns with their types. */
export interface HasKey<out K> {
  readonly is: "keyed: call EventStream.window or EventStream.aggregateRunning next"
  readonly columns: K
}
/** Every row is final. */
export interface Final {
  readonly is: "final"
}
/** A row may be replaced by a later one (rule A2). */
export interface Updates {
  readonly is: "updating: rows may still change, so end with EventStream.to(sink, { mode: \"update\" }) or mode \"complete\"; only map, mapEffect and select may come before"
}

/** The three facts of a stream. */
export interface Stage {
  readonly time: NoTime | HasTime
  readonly key: NoKey | HasKey<unknown>
  readonly emits: Final | Updates
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
/** With event time and a key: ready for a window. */
export interface Keyed<out K> extends Stage {
  readonly time: HasTime
  readonly key: HasKey<K>
  readonly emits: Final
}
/** Keyed, with or without event time: ready for a running aggregate. */
export interface KeyedBy<out K, out Time extends Stage["time"]> extends Stage {
  readonly time: Time
  readonly key: HasKey<K>
  readonly emits: Final
}
/** Results that may still change: running aggregates, windows with allowed lateness. */
export interface Updating extends Stage {
  readonly time: Stage["time"]
  readonly key: NoKey
  readonly emits: Updates
}
/** Any stream that is not keyed; operators on single rows take it. */
export interface Unkeyed extends Stage {
  readonly key: NoKey
}
/** Final rows without a key; operators that need to see each row once take it. */
export interface FinalRows extends Stage {
  readonly key: NoKey
  readonly emits: Final
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

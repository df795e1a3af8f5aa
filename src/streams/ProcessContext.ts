/**
 * What the functions of `EventStream.process` are given: the state of one key, its timers, and what time it is. Types
 * only; `state/ProcessState.ts` makes the values.
 *
 * A context is good for the one call it is given to: used after it, from a promise or a callback, it throws.
 */
import type { Refused, Show, TimeAnswers } from "./Stage.ts"

/**
 * The state of the key in hand. `set` is the only way to change it: what `get` gives is a copy, made by the state's
 * Schema, and what `set` takes is written down at once. So a change of an object in place changes no state, and the
 * state after a restart is the state before it.
 */
export interface KeyState<in out S> {
  /** The state, or undefined: never set, cleared, or older than its time to live. */
  readonly get: () => S | undefined
  /** Sets it; its time to live starts again. Throws when the value does not fit the Schema. */
  readonly set: (state: S) => void
  /** Makes it absent. The key's timers stay. */
  readonly clear: () => void
}

/** A timer that has fired. */
export interface Timer {
  readonly name: string
  /** When it was due, epoch milliseconds: never before the watermark, or the clock, of the moment it was set. */
  readonly at: number
  /** What it waited for: the watermark, or the clock. */
  readonly clock: "event" | "processing"
}

interface CommonContext<out K, in out S> {
  /** The columns of the key. */
  readonly key: K
  readonly state: KeyState<S>
  /** Processing time, epoch milliseconds. Another one when rows are read again after a restart. */
  readonly now: number
  /**
   * Calls `onTimer` once the clock has passed `at`, epoch milliseconds; a restart in between does not matter. A key has
   * one timer of a name, by either clock: setting it again moves it. Default name: "timer".
   */
  readonly onProcessingTime: (at: number, name?: string) => void
  /** Takes a timer back; nothing when there is none of this name. */
  readonly cancel: (name?: string) => void
}

/** What the functions of `process` get on a stream with event time. */
export interface TimedContext<out K, in out S> extends CommonContext<K, S> {
  /** Event time of the row, or of the timer (of a processing timer: the watermark), epoch milliseconds. */
  readonly time: number
  /** W_op, rule T3: -Infinity before there is one. While an event timer fires, its own time. */
  readonly watermark: number
  /** The row is late (rule T4), and `late: "process"` was chosen. */
  readonly late: boolean
  /**
   * Calls `onTimer` once the watermark has passed `at`, epoch milliseconds: when every row with a lower event time, save
   * late ones, was seen. So rows with a higher one, which the watermark is behind of, may come before it. A time that it
   * has passed already is due at once. A name is one timer, as for `onProcessingTime`. Timers come in the order of their
   * times.
   */
  readonly onEventTime: (at: number, name?: string) => void
}

/** What the functions of `process` get on a stream without event time. */
export interface UntimedContext<out K, in out S> extends CommonContext<K, S> {
  readonly onEventTime: (
    at: Refused<"no event time: call EventStream.withEventTime first, or use onProcessingTime">,
    name?: string
  ) => never
}

/** What the functions of `process` get: see {@link TimedContext}. */
export type ProcessContext<K, S, Time extends TimeAnswers> = Time["timed"] extends "yes"
  ? TimedContext<Show<K>, S>
  : UntimedContext<Show<K>, S>

/** Time that only passes: for durations and deadlines, since the wall clock may be set while a query runs. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Milliseconds since some moment of this process, never set back. */
export const monotonicNow = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

/** The same, of the clock in force. */
export const monotonicMs: Effect.Effect<number> = Effect.map(Clock.Clock, monotonicNow)

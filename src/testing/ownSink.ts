/** Sinks of the user that run in a simulation as they are, instead of being replaced by tables. */
import type { AnySink, Mode, Sink } from "../model/Sink.ts"

/** A sink that stays, and how to see what it holds. */
export interface OwnSink {
  readonly sink: AnySink
  /** All that it holds when a history is over, in any order. */
  readonly rows: () => ReadonlyArray<unknown>
  /** Empties it, before each run. */
  readonly clear: () => void
}

/**
 * Keeps a sink of the topology: its own code runs, and calls to it are slow, fail, or get no reply, as the faults say.
 * `rows` is asked what it holds when a history is over, `clear` empties it before the next.
 */
export const own = <A, M extends Mode, E, R>(
  sink: Sink<A, M, E, R>,
  held: { readonly rows: () => ReadonlyArray<unknown>; readonly clear: () => void }
): OwnSink => ({ sink: sink as unknown as AnySink, ...held })

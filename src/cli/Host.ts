/**
 * What the program has of the process it runs in: where people look, what they press. Given by `main.ts`, so that
 * nothing else of the program touches the process.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { FailpointHandler } from "../model/Failpoint.ts"

/** Why a run is asked to stop; `SIGINT` is Ctrl-C, `output closed` is a reader of stdout that went away. */
export type StopSignal = "SIGINT" | "SIGTERM" | "output closed"

/** The stream for people: stderr, so that stdout carries results only. */
export interface Screen {
  /** A terminal, where a line can be rewritten. */
  readonly isTerminal: boolean
  readonly columns: () => number
  readonly rows: () => number
  readonly write: (text: string) => void
}

/** The process, as far as the program needs it. */
export interface HostShape {
  readonly screen: Screen
  /** Writes one line of results to stdout. */
  readonly result: (line: string) => void
  /** Until stdout takes more without keeping it in memory. */
  readonly drained: () => Promise<void>
  /**
   * Calls back before and after everything that anyone else writes to the terminal of the screen; `whole` says that it
   * ended its line.
   */
  readonly takeTurns: (before: () => void, after: (whole: boolean) => void) => void
  /**
   * Hears the first request to stop; returns what ends the listening. While nobody listens, a request ends the
   * process. A second request always does.
   */
  readonly onStop: (listener: (signal: StopSignal) => void) => () => void
  /** What a test does to the process at the steps that recovery depends on; undefined but for such a test. */
  readonly failpoints: FailpointHandler | undefined
}

/** The service. */
export class Host extends Context.Service<Host, HostShape>()("tidemark/cli/Host") {}

/** Waits for the first request to stop. */
export const stopRequested = (host: HostShape): Effect.Effect<StopSignal> =>
  Effect.callback<StopSignal>((resume) => {
    const end = host.onStop((signal) => resume(Effect.succeed(signal)))
    return Effect.sync(end)
  })

/** Which attempts of this process run, so that a second one here is refused at once, and waits for none that is over. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Attempts that began in this process, by their random id: whether they still run. The oldest that are over are dropped. */
export type Attempts = Map<string, "live" | "over">

/** Entries above which those that are over go, the oldest first: without one, another attempt at worst waits (C5a). */
const entriesMax = 1_000

const dropOldest = (attempts: Attempts): void => {
  for (const [attemptId, life] of attempts) {
    if (attempts.size <= entriesMax) return
    if (life === "over") attempts.delete(attemptId)
  }
}

const ofThisProcess: Attempts = new Map()

/** The attempts of this process; a reference, so that a test can have several processes in one. */
export const LiveAttempts: Context.Reference<Attempts> = Context.Reference<Attempts>("tidemark/LiveAttempts", {
  defaultValue: () => ofThisProcess
})

/** Counts an attempt as live until the scope closes. */
export const enlist = (attemptId: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.flatMap(LiveAttempts, (attempts) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        attempts.set(attemptId, "live")
      }),
      () =>
        Effect.sync(() => {
          attempts.set(attemptId, "over")
          dropOldest(attempts)
        })
    )
  )

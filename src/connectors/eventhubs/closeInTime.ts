/** Closing what Azure's SDK opened: it waits for the service to answer, and now and then for ever. */
import * as Effect from "effect/Effect"

/** What is not closed by then is left to itself: nothing comes from it any more. */
const closeMaxMs = 2_000

/** Closes, and waits for it, but not for long; that it fails is nobody's trouble. */
export const closeInTime = (close: () => Promise<unknown>): Effect.Effect<void> =>
  Effect.ignore(Effect.interruptible(Effect.timeoutOption(Effect.tryPromise(close), closeMaxMs)))

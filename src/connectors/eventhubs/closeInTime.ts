/** Closing what Azure's SDK opened: it waits for the service to answer, and now and then for ever. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

/** What is not closed by then is left to itself: nothing comes from it any more. */
const closeMaxMs = 2_000

/**
 * Closes, and waits for it, but not for long; that it fails is nobody's trouble. In a fiber of its own: in one that is being
 * interrupted, as a reader is when its query ends, whatever can be interrupted would not even begin.
 */
export const closeInTime = (close: () => Promise<unknown>): Effect.Effect<void> =>
  Effect.asVoid(
    Effect.flatMap(Effect.forkDetach(Effect.timeoutOption(Effect.tryPromise(close), closeMaxMs)), Fiber.await)
  )

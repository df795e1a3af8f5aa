/**
 * Whose turn it is at a hub: one subscriber leads, that is, opens the cursor or pulls it once for all, in its own fiber;
 * the others wait for a change. Whatever happens to the leader, the turn is given back.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { PartitionHub, Subscriber } from "./PartitionHub.ts"

/** What a leader needs besides its hub. */
export interface Leading {
  /** Gives the hub its cursor. */
  readonly open: Effect.Effect<void, unknown>
  /** The cursor is of no use any more. */
  readonly failed: () => void
  /** Run when the turn ends otherwise than by a chunk. */
  readonly after: Effect.Effect<void>
}

/** Opens the cursor, or pulls it once. A failure is the hub's: who meets it there fails with it. */
export const lead = (hub: PartitionHub, subscriber: Subscriber, leading: Leading): Effect.Effect<void> => {
  const step = Effect.suspend(() => {
    // Others may have come first since this fiber looked.
    if (hub.leader !== undefined || subscriber.hub !== hub || hub.entryFor(subscriber) !== undefined) return Effect.void
    hub.leader = subscriber
    if (hub.cursor === undefined) return leading.open
    const demand = hub.demand()
    // In the step in which the cursor gives the chunk: nothing can come between.
    return Effect.flatMap(hub.cursor.pull(demand), (chunk) => {
      hub.push(chunk, demand.rows)
      hub.leader = undefined
      hub.wake()
      return Effect.void
    })
  })
  const ended = Effect.onExit(step, (exit) => {
    if (hub.leader !== subscriber) return Effect.void
    hub.leader = undefined
    if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) {
      hub.over = { cause: exit.cause, isEnd: isDone(exit.cause) }
      if (!hub.over.isEnd) leading.failed()
    }
    hub.wake()
    return leading.after
  })
  // What went wrong stands in the hub. An interruption goes on.
  return Effect.catchCause(ended, (cause) =>
    Cause.hasInterruptsOnly(cause) ? Effect.failCause(cause as Cause.Cause<never>) : Effect.void
  )
}

/** Waits until the hub is no longer as it was when its version was this. */
export const untilChange = (hub: PartitionHub, seen: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    // The fiber may have yielded since it looked.
    if (hub.version !== seen) return resume(Effect.void)
    return Effect.sync(hub.onChange(() => resume(Effect.void)))
  })

const isDone = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isFailReason(reason) && Cause.isDone(reason.error))

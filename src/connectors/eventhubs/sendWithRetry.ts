/** Sending to a hub that is busy, or away for a moment: backpressure, and no failure. */
import * as Effect from "effect/Effect"
import type { ClientError, EventHubsClient, OutgoingBatch } from "./EventHubsClient.ts"

/** The service asks for about 4 seconds of patience; the first times it is asked sooner. */
const busyPauseMinMs = 200
const busyPauseMaxMs = 4_000
/** Times that a send is tried again when the service does not answer, before the supervisor is told. */
const triesMax = 4

/**
 * Sends, as long as it takes a busy hub; gives back what was too large, by its index. What a send that failed had sent is
 * sent again by the next try.
 */
export const sendWithRetry = (
  client: EventHubsClient,
  batch: OutgoingBatch,
  tries = 0
): Effect.Effect<ReadonlyArray<number>, ClientError> =>
  Effect.catchTag(client.send(batch), "EventHubsClientError", (error) => {
    const isBusy = error.fault === "busy"
    if (!isBusy && (error.fault !== "unavailable" || tries >= triesMax)) return Effect.fail(error)
    const pauseMs = Math.min(busyPauseMaxMs, busyPauseMinMs * 2 ** tries)
    return Effect.andThen(
      Effect.sleep(pauseMs),
      sendWithRetry(client, batch, Math.min(tries + 1, isBusy ? triesMax : tries + 1))
    )
  })

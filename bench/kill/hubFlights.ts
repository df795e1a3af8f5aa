/** The flights of the crash checks as a source that reads an event hub, up to where it ended when it was opened. */
import { Json, type Source } from "tidemark"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import * as EventHubs from "tidemark/EventHubs"
import { placeOf } from "../../src/connectors/eventhubs/hubPosition.ts"
import { hubName } from "./settings.ts"

/** A hub that gets no more events: its query ends as one that reads files does. */
const untilEnd = <A, M, E, R>(source: Source<A, M, E, R>): Source<A, M, E, R> => ({
  ...source,
  features: { ...source.features, bounded: true, dynamicPartitions: false },
  open: (partition, from) =>
    Effect.gen(function* () {
      const cursor = yield* source.open(partition, from)
      let at: string | undefined = Option.getOrUndefined(from) ?? cursor.start
      // While the service does not answer, the end is no place.
      const end = yield* Effect.repeat(
        Effect.map(
          cursor.end,
          Option.getOrElse(() => "")
        ),
        {
          until: (found) => placeOf(found) !== undefined
        }
      )
      return {
        start: cursor.start,
        end: cursor.end,
        pull: (demand) =>
          Effect.suspend(() =>
            at === end
              ? Cause.done()
              : Effect.map(cursor.pull(demand), (chunk) => {
                  at = chunk.next
                  return chunk
                })
          )
      }
    })
})

/** The source. */
export const hubFlights = <A>(connection: string, flight: Schema.Codec<A, unknown>) =>
  untilEnd(
    EventHubs.source({
      name: "flights",
      connection: Redacted.make(connection),
      hub: hubName,
      decode: Json.schema(flight)
    })
  )

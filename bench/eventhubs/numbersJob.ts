/** The job of `kills.ts`: numbered events from a hub, each a row of a file, exactly once. Runs until it is killed. */
import { Effect, Redacted, Schema } from "effect"
import { Checkpoint, EventStream, Files, Json, Query, Trigger } from "tidemark"
import * as EventHubs from "tidemark/EventHubs"

const numbers = EventHubs.source({
  connection: Redacted.make(process.env["EVENTHUB_CONNECTION_STRING"] ?? ""),
  decode: Json.schema(Schema.Struct({ number: Schema.Number })),
  operationTimeout: "3 seconds"
})

const kept = EventStream.from(numbers, ({ number }, { partitionId }) => ({ number, partitionId })).pipe(
  EventStream.to(Files.jsonLines("./out"))
)

await Effect.runPromise(
  Query.run(kept, { name: "numbers", trigger: Trigger.every("200 millis") }).pipe(
    Effect.provide(Checkpoint.layerFiles("./.tidemark"))
  )
)

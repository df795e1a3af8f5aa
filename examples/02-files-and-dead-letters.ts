/**
 * Files: JSON lines of a folder into windows of ten minutes. What cannot be read is not lost and stops nothing: it
 * becomes a dead letter, with its text, its place and the reason.
 *
 *     npm run -s example 02
 */
import { NodeRuntime } from "@effect/platform-node"
import { Checkpoint, EventStream, Files, Json, Query, Terminal, Window } from "tidemark"
import { Console, Effect, Schema } from "effect"

const Reading = Schema.Struct({ at: Schema.String, sensor: Schema.String, celsius: Schema.Number })

const readings = Files.source({ path: "./examples/data/readings/*.jsonl", format: Json.lines(Reading) })

const averages = EventStream.from(readings).pipe(
  EventStream.withEventTime("at", { outOfOrderness: "5 minutes" }),
  EventStream.keyBy("sensor"),
  EventStream.window(Window.tumbling("10 minutes"), { late: "drop" }),
  EventStream.aggregate(({ count, avg }) => ({ readings: count, average: avg("celsius") })),
  EventStream.to(Terminal.sink())
)

Effect.gen(function* () {
  yield* Query.run(averages, { name: "averages" })
  for (const { reason, place, detail } of yield* Query.deadLetters("averages")) {
    yield* Console.log(`dead: ${reason}, ${place}: ${detail}`)
  }
}).pipe(Effect.provide(Checkpoint.layerMemory), NodeRuntime.runMain)

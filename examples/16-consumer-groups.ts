/**
 * One hub, two queries, each with a consumer group of its own: one keeps temperatures as JSON in files, a file a trigger,
 * the other shows the warmest and the coldest hour of each city. What the producer sends is read from files and joined with
 * where the stations are.
 *
 *     npm run -s example 16
 */
import { Effect, Redacted, Schema } from "effect"
import { readFileSync } from "node:fs"
import { Checkpoint, EventStream, Files, Json, Query, Terminal, Trigger, Window } from "tidemark"
import * as Embedded from "tidemark/eventhubs-embedded"
import * as EventHubs from "tidemark/EventHubs"

const stations = readFileSync("./examples/data/stations.jsonl", "utf8").trim().split("\n")
const cities = new Map(
  stations.map((line) => JSON.parse(line) as { station: string; city: string }).map((s) => [s.station, s.city])
)

const Measured = Schema.Struct({ station: Schema.String, at: Schema.String, celsius: Schema.Number })
const Temperature = Schema.Struct({ ...Measured.fields, city: Schema.String })

const program = Effect.gen(function* () {
  const service = yield* Embedded.start({
    hubs: { temperatures: { partitions: 1, consumerGroups: ["json-dw-cg", "analytics"] } }
  })
  const hub = { connection: Redacted.make(service.connectionString("temperatures")) }

  const produced = EventStream.from(
    Files.source({ path: "./examples/data/temperatures/*.jsonl", format: Json.lines(Measured) })
  ).pipe(
    EventStream.map((row) => ({ ...row, city: cities.get(row.station) ?? "unknown" })),
    EventStream.to(EventHubs.sink(hub))
  )
  yield* Query.run(produced, { name: "producer" })

  const temperatures = (consumerGroup: string) =>
    EventStream.from(EventHubs.source({ ...hub, consumerGroup, decode: Json.schema(Temperature) }))
  const downloaded = temperatures("json-dw-cg").pipe(
    EventStream.to(Files.jsonLines("./out/examples/16", { startOver: true }))
  )
  const weather = temperatures("analytics").pipe(
    EventStream.withEventTime("at", { outOfOrderness: "10 minutes" }),
    EventStream.keyBy("city"),
    EventStream.window(Window.tumbling("1 hour"), { late: "drop" }),
    EventStream.aggregate(({ count, min, max, avg }) => ({
      readings: count,
      coldest: min("celsius"),
      warmest: max("celsius"),
      average: avg("celsius")
    })),
    EventStream.to(Terminal.sink({ numRows: 20, title: "weather" }), { mode: "complete", keep: "7 days" })
  )
  const now = { trigger: Trigger.availableNow() }
  const { ledger } = yield* Query.run(downloaded, { name: "downloader", ...now })
  console.log(`${ledger.sinks[0].written} temperatures downloaded`)
  yield* Query.run(weather, { name: "weather", ...now })
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Checkpoint.layerMemory)))

/**
 * A stream written to an event hub of two partitions and read from it again: JSON is parsed by a schema and shown as a
 * table, then averaged over sliding windows, with a watermark that keeps stale events out. What the devices send is
 * generated; the hub is in this process.
 *
 *     npm run -s example 17
 */
import { Effect, Redacted, Schema } from "effect"
import { Checkpoint, EventStream, Generate, Json, Query, Terminal, Trigger, Window } from "tidemark"
import * as Embedded from "tidemark/eventhubs-embedded"
import * as EventHubs from "tidemark/EventHubs"

const devices = Generate.iot({
  count: 400,
  rate: 1,
  startAt: "2026-01-01T12:00:00Z",
  partitions: 2,
  keys: 10,
  outOfOrderness: "10 seconds",
  late: "2%",
  lateBy: "1 hour",
  paced: false
})

const Measurement = Schema.Struct({
  deviceId: Schema.String,
  type: Schema.Literals(["CO2", "TEMP"]),
  value: Schema.Number,
  createdAt: Schema.String
})

const program = Effect.gen(function* () {
  const service = yield* Embedded.start({ hubs: { "databricks-demo-eventhub": { partitions: 2 } } })
  const hub = { connection: Redacted.make(service.connectionString("databricks-demo-eventhub")) }

  const written = EventStream.from(devices, (event, { partition }) => ({ event, partition })).pipe(
    EventStream.to(EventHubs.sink({ ...hub, partition: "partition", body: "event" }))
  )
  yield* Query.run(written, { name: "write" })

  const source = EventHubs.source({ ...hub, decode: Json.schema(Measurement) })
  const table = EventStream.from(source, (row, { partitionId }) => ({ partition: partitionId, ...row })).pipe(
    EventStream.to(Terminal.sink({ numRows: 5, truncate: false, title: "measurements" }))
  )
  yield* Query.run(table, { name: "table", trigger: Trigger.availableNow() })

  const averages = EventStream.from(source).pipe(
    EventStream.withEventTime("createdAt", { outOfOrderness: "10 seconds" }),
    EventStream.keyBy("type"),
    EventStream.window(Window.sliding("4 minutes", { every: "2 minutes" }), { late: "drop" }),
    EventStream.aggregate(({ count, avg }) => ({ measurements: count, average: avg("value") })),
    EventStream.to(Terminal.sink({ title: "averages" }), { mode: "complete", keep: "1 day" })
  )
  const { ledger } = yield* Query.run(averages, { name: "averages", trigger: Trigger.availableNow() })
  const stale = ledger.operators.reduce((n, operator) => n + operator.late, 0)
  console.log(`${stale} stale measurements left out`)
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Checkpoint.layerMemory)))

/**
 * Five messages to an event hub and back: sent by one query, counted by another, and a bar for each moment at which the hub
 * took some. The hub is in this process; with a connection string of your own it is Azure's.
 *
 *     npm run -s example 15
 */
import { Effect, Redacted } from "effect"
import { Checkpoint, EventStream, Memory, Query, Trigger } from "tidemark"
import * as Embedded from "tidemark/eventhubs-embedded"
import * as EventHubs from "tidemark/EventHubs"

const messages = [1, 2, 3, 4, 5].map((n) => ({ body: `This is new message #${n}!` }))

const program = Effect.gen(function* () {
  const service = yield* Embedded.start({ hubs: { "databricks-demo": { partitions: 2 } } })
  const hub = { connection: Redacted.make(service.connectionString("databricks-demo")) }

  const sent = EventStream.from(Memory.source(messages)).pipe(EventStream.to(EventHubs.sink({ ...hub, body: "body" })))
  yield* Query.run(sent, { name: "send" })

  const events = Memory.sink<{ body: string; enqueuedTime: Date; partitionId: string }>()
  const read = EventStream.from(
    EventHubs.source({ ...hub, startAt: '{"offset":"-1","seqNo":-1,"enqueuedTime":null,"isInclusive":true}' })
  ).pipe(
    // A body is bytes, whatever it says.
    EventStream.map(({ body, enqueuedTime, partitionId }) => ({
      body: new TextDecoder().decode(body),
      enqueuedTime,
      partitionId
    })),
    EventStream.to(events)
  )
  yield* Query.run(read, { name: "read", trigger: Trigger.availableNow() })

  const rows = yield* events.rows
  for (const { body, partitionId } of rows) console.log(`partition ${partitionId}: ${body}`)
  console.log(`count(body): ${rows.length}`)
  const bars = Map.groupBy(rows, ({ enqueuedTime }) => enqueuedTime.toISOString())
  for (const [time, { length }] of bars) console.log(`${time} ${"#".repeat(length)} ${length}`)
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Checkpoint.layerMemory)))

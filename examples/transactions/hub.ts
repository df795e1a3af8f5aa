/**
 * An Event Hubs service on this machine, and what sends card transactions to it: 0.1 % twice, 2 % late, a few broken or
 * from the future. Event time begins two hours ago and has caught up with the clock a minute later, so that windows close
 * within seconds. Events are kept in ./.eventhubs; started again, it goes on with the next transaction.
 *
 *     node --conditions=tidemark-source examples/transactions/hub.ts [RATE]
 *
 * prints its connection string, and runs until its input ends.
 */
import { EventHubProducerClient } from "@azure/event-hubs"
import { Connector, Generate } from "tidemark"
import * as Embedded from "tidemark/eventhubs-embedded"
import { Clock, Effect, Option } from "effect"

const hub = "transactions-stream"
const partitions = 4
const rate = Number(process.argv[2] ?? 1_000)
/** Transactions of a request: less than the megabyte that a hub takes. */
const atOnce = 1_000

const program = Effect.scoped(
  Effect.gen(function* () {
    const service = yield* Embedded.start({ hubs: { [hub]: { partitions } }, dataFolder: "./.eventhubs" })
    const sent = (service.stats().hubs[hub] ?? []).map(({ nextSequence }) => nextSequence)
    const before = Math.max(...sent) * partitions
    const transactions = Generate.lines("transactions", {
      rate,
      partitions,
      duplicates: "0.1%",
      late: "2%",
      lateBy: "10 minutes",
      poison: "0.1%",
      futureDated: "0.05%",
      outOfOrderness: "5 minutes",
      behind: before === 0 ? "2 hours" : 0
    })
    // What was sent before counts as arrived by now.
    const startMs = Math.round((yield* Clock.currentTimeMillis) - (before * 1000) / rate)
    const producer = new EventHubProducerClient(service.connectionString(hub))
    const send = (partition: number) =>
      Effect.gen(function* () {
        const from = Connector.position(`${startMs}/${sent[partition]}`)
        const cursor = yield* transactions.open(String(partition), Option.some(from))
        for (;;) {
          const { rows = [] } = yield* cursor.pull({ rows: atOnce, bytes: 1 << 20 })
          const events = rows.map((row) => ({ body: Buffer.from(row) }))
          yield* Effect.promise(() => producer.sendBatch(events, { partitionId: String(partition) }))
          // A little at a time, so that few events make a batch and not one.
          yield* Effect.sleep("50 millis")
        }
      })
    for (let partition = 0; partition < partitions; partition++) yield* Effect.forkScoped(send(partition))
    console.log(service.connectionString(hub))
    yield* Effect.callback<void>((resume) => {
      process.stdin.on("close", () => resume(Effect.void)).resume()
    })
  })
)

// Ctrl-C in a terminal reaches this process too: the job is stopped first, and then closes this one's input.
process.on("SIGINT", () => undefined)
await Effect.runPromise(program)
process.exit(0)

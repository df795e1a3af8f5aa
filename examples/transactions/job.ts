/**
 * The main job: card transactions from an event hub, kept as they come, summed up by category every five minutes, and
 * watched by location.
 *
 *     npm start                       or, with a hub of your own: EVENTHUB_CONNECTION_STRING=... npm start
 *
 * One query with three outputs: the hub is read once, and one ledger accounts for every transaction. Rows and windows are
 * in ./out/transactions; the terminal shows the locations. Stopped or killed, and started again, it goes on from its
 * checkpoint in ./.tidemark; `npm run -s tidemark -- reset transactions-stream --yes` lets it begin anew.
 */
import { EventStream, Files, Json, Late, Query, Terminal, Trigger, Window } from "tidemark"
import * as EventHubs from "tidemark/EventHubs"
import { Schema } from "effect"

const Transaction = Schema.Struct({
  transaction_id: Schema.String,
  customer_id: Schema.String,
  amount: Schema.Number,
  category: Schema.String,
  timestamp: Schema.String,
  location: Schema.String,
  payment_method: Schema.String
})

// Its connection is EVENTHUB_CONNECTION_STRING, which `npm start` sets to that of the service it starts.
const hub = EventHubs.source({
  hub: "transactions-stream",
  consumerGroup: "$Default",
  startAt: "earliest",
  decode: Json.schema(Transaction)
})

const file = (name: string) => Files.jsonLines(`./out/transactions/${name}`, { startOver: true })

const transactions = EventStream.from(hub, (transaction, { partitionId, sequenceNumber, enqueuedTime }) => ({
  ...transaction,
  ingestion_time: enqueuedTime,
  partition: partitionId,
  sequence: sequenceNumber
})).pipe(
  EventStream.withEventTime("timestamp", { outOfOrderness: "10 minutes" }),
  EventStream.dedupe("transaction_id", { late: "forward" })
)

const raw = transactions.pipe(EventStream.to(file("raw")))

const byCategory = transactions.pipe(
  EventStream.keyBy("category"),
  EventStream.window(Window.tumbling("5 minutes"), { late: Late.to(file("late")) }),
  EventStream.aggregate(({ count, sum, avg, max }) => ({
    transaction_count: count,
    total_amount: sum("amount"),
    avg_amount: avg("amount"),
    max_amount: max("amount")
  })),
  EventStream.to(file("by-category"))
)

const byLocation = transactions.pipe(
  EventStream.keyBy("location"),
  EventStream.window(Window.sliding("10 minutes", { every: "5 minutes" }), { late: "drop" }),
  EventStream.aggregate(({ count, sum }) => ({ transaction_count: count, revenue: sum("amount") })),
  EventStream.to(Terminal.sink({ numRows: 12, title: "by location" }), { mode: "complete", keep: "2 hours" })
)

export default Query.job(
  { "transactions-stream": Query.outputs({ raw, "by-category": byCategory, "by-location": byLocation }) },
  { trigger: Trigger.every("2 seconds") }
)

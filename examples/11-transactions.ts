/**
 * A job with three outputs: generated card transactions, some late, doubled, broken or from the future, are cleaned
 * once, and then kept, summed up by category and watched by country. It is exported, for the program to run. Run again, it
 * goes on after the last transaction, and finds no more; after `tidemark reset transactions --yes` it begins anew, and
 * `startOver` removes the output of before.
 *
 *     npm run -s example 11          or: tidemark run examples/11-transactions.ts
 */
import { EventStream, Files, Generate, Late, Query, Terminal, Trigger, Window } from "tidemark"

const source = Generate.transactions({
  count: 10_000,
  rate: 5_000,
  outOfOrderness: "200 millis",
  late: "0.5%",
  lateBy: "2 seconds",
  duplicates: "1%",
  poison: "0.2%",
  futureDated: "0.1%"
})

const transactions = EventStream.from(source, (row, meta) => ({ ...row, partition: meta.partition })).pipe(
  EventStream.withEventTime("timestamp", { outOfOrderness: "200 millis" }),
  EventStream.dedupe("transaction_id", { late: "forward" })
)

const raw = transactions.pipe(EventStream.to(Files.jsonLines("./out/examples/11/raw", { startOver: true })))

const byCategory = transactions.pipe(
  EventStream.keyBy("category"),
  EventStream.window(Window.tumbling("500 millis"), {
    late: Late.to(Files.jsonLines("./out/examples/11/late", { startOver: true }))
  }),
  EventStream.aggregate(({ count, sum, avg, max }) => ({
    transactions: count,
    total: sum("amount"),
    average: avg("amount"),
    highest: max("amount")
  })),
  EventStream.to(Files.csv("./out/examples/11/by-category", { startOver: true }))
)

const byLocation = transactions.pipe(
  EventStream.keyBy({ region: (t) => t.location }),
  EventStream.window(Window.sliding("1 second", { every: "500 millis" }), { late: "drop" }),
  EventStream.aggregate(({ count, sum }) => ({ transactions: count, revenue: sum("amount") })),
  EventStream.to(Terminal.sink({ numRows: 8, title: "by location" }))
)

export default Query.job(
  { transactions: Query.outputs({ raw, "by-category": byCategory, "by-location": byLocation }) },
  { trigger: Trigger.every("500 millis") }
)

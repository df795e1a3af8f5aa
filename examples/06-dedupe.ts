/**
 * Duplicates: a till that got no answer sends its sale again. One copy counts, and the ledger says how many did not.
 *
 *     npm run -s example 06
 */
import { NodeRuntime } from "@effect/platform-node"
import { Checkpoint, EventStream, Memory, Query, Terminal, Window } from "tidemark"
import { Console, Effect } from "effect"

const sales = Memory.source({
  partitions: {
    till1: [
      { id: "s-1", at: "2026-01-01T09:00:05Z", shop: "Lyon", euro: 12 },
      { id: "s-2", at: "2026-01-01T09:00:20Z", shop: "Lyon", euro: 30 },
      { id: "s-1", at: "2026-01-01T09:00:05Z", shop: "Lyon", euro: 12 },
      { id: "s-3", at: "2026-01-01T09:01:10Z", shop: "Lyon", euro: 5 }
    ],
    // the same sale, by way of the other till
    till2: [
      { id: "s-2", at: "2026-01-01T09:00:20Z", shop: "Lyon", euro: 30 },
      { id: "s-4", at: "2026-01-01T09:00:50Z", shop: "Oslo", euro: 8 }
    ]
  }
})

const perMinute = EventStream.from(sales).pipe(
  EventStream.withEventTime("at", { outOfOrderness: "1 minute" }),
  EventStream.dedupe("id", { late: "drop" }),
  EventStream.keyBy("shop"),
  EventStream.window(Window.tumbling("1 minute"), { late: "drop" }),
  EventStream.aggregate(({ count, sum }) => ({ sales: count, euro: sum("euro") })),
  EventStream.to(Terminal.sink())
)

Query.run(perMinute, { name: "sales" }).pipe(
  Effect.tap(({ ledger }) => {
    const duplicates = ledger.operators.reduce((n, operator) => n + operator.duplicate, 0)
    return Console.log(`${duplicates} duplicates left out`)
  }),
  Effect.provide(Checkpoint.layerMemory),
  NodeRuntime.runMain
)

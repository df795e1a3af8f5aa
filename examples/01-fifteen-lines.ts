/**
 * The whole of tidemark in fifteen lines: orders in, revenue per category and minute out.
 *
 *     npm run -s example 01
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Checkpoint, EventStream, Memory, Query, Terminal, Window } from "tidemark"
import * as Effect from "effect/Effect"

const orders = Memory.source([
  { at: "2026-01-01T12:00:01Z", category: "Books", amount: 20 },
  { at: "2026-01-01T12:00:40Z", category: "Games", amount: 60 },
  { at: "2026-01-01T12:01:10Z", category: "Books", amount: 15 }
])

const perMinute = EventStream.from(orders).pipe(
  EventStream.withEventTime("at", { outOfOrderness: "5 seconds" }),
  EventStream.keyBy("category"),
  EventStream.window(Window.tumbling("1 minute"), { late: "drop" }),
  EventStream.aggregate(({ count, sum }) => ({ orders: count, revenue: sum("amount") })),
  EventStream.to(Terminal.sink())
)

Query.run(perMinute, { name: "per-minute" }).pipe(Effect.provide(Checkpoint.layerMemory), NodeRuntime.runMain)

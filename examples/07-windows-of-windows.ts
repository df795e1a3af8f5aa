/**
 * Windows of windows: requests per minute and path, then, of those, the busiest minute of each hour. A result's event
 * time is the end of its window, so that the second window needs no watermark of its own.
 *
 *     npm run -s example 07
 */
import { NodeRuntime } from "@effect/platform-node"
import { Checkpoint, EventStream, Memory, Query, Terminal, Window } from "tidemark"
import { Effect } from "effect"

/** Three hours of requests: one every 7 seconds, and a rush of one a second at 9:15. */
const start = Date.parse("2026-01-01T08:00:00Z")
const steady = Array.from({ length: 1543 }, (_, i) => ({ at: start + i * 7_000, path: i % 3 === 0 ? "/cart" : "/" }))
const rush = Array.from({ length: 60 }, (_, i) => ({ at: start + 75 * 60_000 + i * 1_000, path: "/cart" }))
const requests = Memory.source([...steady, ...rush].toSorted((a, b) => a.at - b.at))

const perMinute = EventStream.from(requests).pipe(
  EventStream.withEventTime("at", { outOfOrderness: "10 seconds" }),
  EventStream.keyBy("path"),
  EventStream.window(Window.tumbling("1 minute"), { late: "drop" }),
  EventStream.aggregate(({ count }) => ({ requests: count }))
)

const busiest = perMinute.pipe(
  EventStream.keyBy("path"),
  EventStream.window(Window.tumbling("1 hour"), { late: "drop" }),
  EventStream.aggregate(({ max, avg, sum }) => ({
    requests: sum("requests"),
    per_minute: avg("requests"),
    busiest_minute: max("requests")
  })),
  EventStream.to(Terminal.sink())
)

Query.run(busiest, { name: "busiest" }).pipe(Effect.provide(Checkpoint.layerMemory), NodeRuntime.runMain)

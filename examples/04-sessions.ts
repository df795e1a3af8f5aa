/**
 * Sessions: clicks of one visitor belong together until nothing came for the gap. Exactly one gap apart stay separate.
 *
 *     npm run -s example 04
 */
import { NodeRuntime } from "@effect/platform-node"
import { Checkpoint, EventStream, Memory, Query, Terminal, Window } from "tidemark"
import { Effect } from "effect"

const clicks = Memory.source([
  { at: "2026-01-01T12:00:00Z", visitor: "ann", page: "/" },
  { at: "2026-01-01T12:20:00Z", visitor: "ann", page: "/books" },
  { at: "2026-01-01T12:05:00Z", visitor: "bob", page: "/" },
  // 30 minutes after ann's last: a session of its own
  { at: "2026-01-01T12:50:00Z", visitor: "ann", page: "/" },
  // 29:59 after bob's last: still the same
  { at: "2026-01-01T12:34:59Z", visitor: "bob", page: "/cart" },
  { at: "2026-01-01T12:55:00Z", visitor: "ann", page: "/cart" }
])

const visits = EventStream.from(clicks).pipe(
  EventStream.withEventTime("at", { outOfOrderness: "20 minutes" }),
  EventStream.keyBy("visitor"),
  EventStream.window(Window.session("30 minutes"), { late: "drop" }),
  EventStream.aggregate(({ count, distinct, first, last }) => ({
    clicks: count,
    pages: distinct("page"),
    came_in: first("page"),
    left_from: last("page")
  })),
  EventStream.to(Terminal.sink())
)

Query.run(visits, { name: "visits" }).pipe(Effect.provide(Checkpoint.layerMemory), NodeRuntime.runMain)

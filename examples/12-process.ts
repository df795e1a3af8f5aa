/**
 * Your own code by key, with state and timers: orders that nobody paid within a quarter of an hour.
 *
 *     npm run -s example 12
 */
import { NodeRuntime } from "@effect/platform-node"
import { Checkpoint, EventStream, Memory, Query, Terminal } from "tidemark"
import { Effect, Schema } from "effect"

const shop = Memory.source([
  { at: "2026-01-01T12:00:00Z", order: "o-1", what: "placed", euro: 30 },
  { at: "2026-01-01T12:02:00Z", order: "o-2", what: "placed", euro: 99 },
  { at: "2026-01-01T12:04:00Z", order: "o-3", what: "placed", euro: 12 },
  { at: "2026-01-01T12:09:00Z", order: "o-1", what: "paid", euro: 30 },
  // a payment that came out of order, and in time
  { at: "2026-01-01T12:20:00Z", order: "o-4", what: "placed", euro: 5 },
  { at: "2026-01-01T12:17:00Z", order: "o-2", what: "paid", euro: 90 },
  { at: "2026-01-01T12:30:00Z", order: "o-4", what: "paid", euro: 5 },
  { at: "2026-01-01T13:00:00Z", order: "o-5", what: "paid", euro: 7 }
])

const quarter = 15 * 60_000

const watched = EventStream.from(shop).pipe(
  EventStream.withEventTime("at", { outOfOrderness: "5 minutes" }),
  EventStream.keyBy("order"),
  EventStream.process({
    // What is known of an order that is not paid. Checkpoints hold it, and its timer.
    state: Schema.Struct({ euro: Schema.Number, placed: Schema.Number }),
    ttl: "1 hour",
    late: "drop",
    onRow: ({ what, euro }, { key, time, state, onEventTime, cancel }) => {
      if (what === "placed") {
        state.set({ euro, placed: time })
        onEventTime(time + quarter)
        return []
      }
      const open = state.get()
      if (open === undefined) return [{ order: key.order, outcome: "not open", minutes: 0, owed: -euro }]
      state.clear()
      cancel()
      const minutes = (time - open.placed) / 60_000
      return [{ order: key.order, outcome: "paid", minutes, owed: open.euro - euro }]
    },
    // The watermark has passed the time: every payment up to then was seen.
    onTimer: (_, { key, state }) => {
      const owed = state.get()?.euro ?? 0
      state.clear()
      return [{ order: key.order, outcome: "unpaid", minutes: 15, owed }]
    }
  }),
  EventStream.to(Terminal.sink())
)

Query.run(watched, { name: "orders" }).pipe(Effect.provide(Checkpoint.layerMemory), NodeRuntime.runMain)

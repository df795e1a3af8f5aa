/**
 * Sliding windows: ten minutes of readings, looked at every five. Each reading counts in two windows.
 *
 *     npm run -s example 03
 */
import { NodeRuntime } from "@effect/platform-node"
import { Checkpoint, EventStream, Memory, Query, Terminal, Window } from "tidemark"
import { Effect } from "effect"

// two thermometers, read by two stations; a station's rows come in no particular order
const readings = Memory.source({
  partitions: {
    north: [
      { at: "2026-01-01T08:01:00Z", sensor: "boiler", celsius: 61 },
      { at: "2026-01-01T08:07:00Z", sensor: "boiler", celsius: 67 },
      { at: "2026-01-01T08:06:00Z", sensor: "boiler", celsius: 64 },
      { at: "2026-01-01T08:14:00Z", sensor: "boiler", celsius: 88 }
    ],
    south: [
      { at: "2026-01-01T08:02:00Z", sensor: "cellar", celsius: 9 },
      { at: "2026-01-01T08:12:00Z", sensor: "cellar", celsius: 11 }
    ]
  }
})

const averages = EventStream.from(readings).pipe(
  EventStream.withEventTime("at", { outOfOrderness: "2 minutes" }),
  EventStream.keyBy("sensor"),
  EventStream.window(Window.sliding("10 minutes", { every: "5 minutes" }), { late: "drop" }),
  EventStream.aggregate(({ count, avg, max }) => ({
    readings: count,
    average: avg("celsius"),
    highest: max("celsius")
  })),
  EventStream.to(Terminal.sink())
)

Query.run(averages, { name: "averages" }).pipe(Effect.provide(Checkpoint.layerMemory), NodeRuntime.runMain)

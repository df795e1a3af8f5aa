/**
 * What the main job asks of the flights, three questions of one stream:
 *
 * - `hourly`: how late were the departures of each airport, hour by hour? Tumbling windows.
 * - `threeHours`: the same over the last three hours, every hour. Sliding windows.
 * - `bursts`: departures of one airport with less than 20 minutes between each and the next. Sessions.
 *
 * The job (`job.ts`) gives it three million flights and writes files; `npm run -s check:flights` and the tests give it
 * other sources, late rows and sinks.
 */
import { EventStream, type Late, Window } from "tidemark"

/** A departure. Times are in no zone: read as UTC. `delay` in minutes, negative when early; `distance` in miles. */
export interface Flight {
  readonly date: EventStream.Instant
  readonly delay: number
  readonly distance: number
  readonly origin: string
  readonly destination: string
}

/** The questions' names: those of the outputs, too. */
export type Question = "hourly" | "three-hours" | "bursts"

/** The answers as streams. `late` says where each question's late flights go; `time` is for those who test. */
export const answers = <E, R, E2, R2>(
  flights: EventStream.EventStream<Flight, E, R>,
  late: (question: Question) => Late.LateTo<Flight, E2, R2>,
  time: { readonly alignment?: "1000 days"; readonly idleAfter?: "1 day" } = {}
) => {
  const departures = flights.pipe(
    EventStream.withEventTime("date", { outOfOrderness: "30 minutes", ...time }),
    EventStream.keyBy("origin")
  )

  const hourly = departures.pipe(
    EventStream.window(Window.tumbling("1 hour"), { late: late("hourly") }),
    EventStream.aggregate(({ count, sum, avg, max }) => ({
      flights: count,
      delay: sum("delay"),
      avg_delay: avg("delay"),
      max_delay: max("delay")
    })),
    EventStream.named("hourly")
  )

  const threeHours = departures.pipe(
    EventStream.window(Window.sliding("3 hours", { every: "1 hour" }), { late: late("three-hours") }),
    EventStream.aggregate(({ count, sum, avg, max }) => ({
      flights: count,
      delay: sum("delay"),
      avg_delay: avg("delay"),
      max_delay: max("delay")
    })),
    EventStream.named("three-hours")
  )

  const bursts = departures.pipe(
    EventStream.window(Window.session("20 minutes"), { late: late("bursts") }),
    EventStream.aggregate(({ count, sum, avg, max, distinct }) => ({
      flights: count,
      destinations: distinct("destination"),
      miles: sum("distance"),
      avg_delay: avg("delay"),
      max_delay: max("delay")
    })),
    EventStream.named("bursts")
  )

  return { hourly, threeHours, bursts }
}

/**
 * The job of the crash checks: the questions of `examples/flights`, asked of few flights that come slowly, so that a
 * process can be killed between two checkpoints of it. Run in a folder of its own, into which it writes.
 *
 * It has what can go wrong: windows, slices, sessions, windows of windows, dedupe, late outputs, dead letters, and files
 * as JSON lines and as CSV, exactly once each. Reads its settings from the environment; see `settings.ts`.
 */
import { EventStream, Files, Json, Late, Query, type Source, type SourceError, Trigger, Window } from "tidemark"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { answers } from "../../examples/flights/answers.ts"
import { type Flight, lanes } from "./flights.ts"
import { chunkRows, isHub, jobSettings } from "./settings.ts"

const { input, paceMs, parallelism, restarts } = jobSettings(process.env)

const flight = Schema.Struct({
  id: Schema.String,
  date: Schema.Number,
  delay: Schema.Number,
  distance: Schema.Number,
  origin: Schema.String,
  destination: Schema.String
})

const flights: Source<Flight, unknown, SourceError> = isHub(input)
  ? (await import("./hubFlights.ts")).hubFlights(input, flight)
  : Files.source({ name: "flights", path: input, lanes, format: Json.lines(flight) })

/** The same rows, a few at a time. */
const slowly = <A, M, E, R>(source: Source<A, M, E, R>): Source<A, M, E, R> => ({
  ...source,
  open: (partition, from) =>
    Effect.map(source.open(partition, from), (cursor) => ({
      ...cursor,
      pull: (demand) => Effect.andThen(Effect.sleep(paceMs), cursor.pull(demand))
    }))
})

const file = (name: string) => Files.jsonLines(`./out/${name}`)
const read = EventStream.from(slowly(flights))
const { hourly, threeHours, bursts } = answers(read, (question) => Late.to(file(`late-${question}`)))

/** Each flight once, but for those that somebody refuses. */
const departures = read.pipe(
  EventStream.mapEffect(
    (flight: Flight) => (flight.delay % 50 === 0 ? Effect.fail("a round number") : Effect.succeed(flight)),
    { concurrency: 4, onError: "deadLetter" }
  ),
  EventStream.named("accepted"),
  EventStream.withEventTime("date", { outOfOrderness: "30 minutes" }),
  EventStream.dedupe("id", { late: Late.to(file("late-departures")) }),
  EventStream.named("departures")
)

/** The worst hour of each airport and day. */
const daily = hourly.pipe(
  EventStream.keyBy("origin"),
  EventStream.window(Window.tumbling("1 day"), { late: "drop" }),
  EventStream.aggregate(({ count, max }) => ({ hours: count, worst: max("avg_delay") })),
  EventStream.named("daily")
)

const outputs = {
  hourly: hourly.pipe(EventStream.to(file("hourly"))),
  "three-hours": threeHours.pipe(EventStream.to(Files.csv("./out/three-hours"))),
  bursts: bursts.pipe(EventStream.to(file("bursts"))),
  daily: daily.pipe(EventStream.to(file("daily"))),
  departures: departures.pipe(EventStream.to(Files.csv("./out/departures")))
}

const restart = { restart: Schedule.spaced("200 millis"), restartLimit: { restarts: 100, within: "1 minute" } } as const

export default Query.job(
  { flights: Query.outputs(outputs) },
  { trigger: Trigger.every("50 millis"), chunkRows, parallelism, ...(restarts ? restart : {}) }
)

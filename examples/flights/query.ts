/** The flights as the main job gets them, and its answers with where they go: shared by the job and by what checks it. */
import { EventStream, Files, Json, Late, Parquet, Replay, type Source, Terminal } from "tidemark"
import { Schema } from "effect"
import { answers, type Flight } from "./answers.ts"

const columns = {
  delay: Schema.Number,
  distance: Schema.Number,
  origin: Schema.String,
  destination: Schema.String
}

/** Where the package `vega-datasets` keeps its flights, seen from the root of the repository. */
const folder = "./node_modules/vega-datasets/data"

/** 3,000,000 flights of the first half of 2001: the file that DuckDB reads too. */
export const parquetFile = `${folder}/flights-3m.parquet`
/** All of them; a timestamp is milliseconds. */
export const allFlights = Files.source({
  name: "flights",
  path: parquetFile,
  format: Parquet.rows(Schema.Struct({ date: Schema.Number, ...columns }))
})
/** 20,000 flights; `date` is text like "2001/01/01 00:47". */
export const fewFlights = Files.source({
  name: "flights",
  path: `${folder}/flights-20k.json`,
  format: Json.array(Schema.Struct({ date: Schema.String, ...columns }))
})

/** The recording as it might have come in: four partitions, each out of order within half an hour. */
export const asTheyCame = <A extends Flight, M, E, R>(flights: Source<A, M, E, R>) =>
  Replay.outOfOrder(flights, { time: "date", partitions: 4, within: "30 minutes", seed: 2001 })

/**
 * The answers: JSON lines in folders of `out`, late flights in folders of their own, and in the terminal the worst
 * hours, those with so many flights and so many minutes of delay on average.
 */
export const flightsQuery = <M, E, R>(
  flights: Source<Flight, M, E, R>,
  out: string,
  worst: { readonly flights: number; readonly minutes: number }
) => {
  const file = (name: string) => Files.jsonLines(`${out}/${name}`, { startOver: true })
  const { hourly, threeHours, bursts } = answers(EventStream.from(flights), (question) =>
    Late.to(file(`late/${question}`))
  )
  return {
    hourly: hourly.pipe(EventStream.to(file("hourly"))),
    "three-hours": threeHours.pipe(EventStream.to(file("three-hours"))),
    bursts: bursts.pipe(EventStream.to(file("bursts"))),
    "worst-hours": hourly.pipe(
      EventStream.filter((hour) => hour.flights >= worst.flights && hour.avg_delay >= worst.minutes),
      EventStream.named("worst-hours"),
      EventStream.to(Terminal.sink({ numRows: 10, title: "the worst hours" }))
    )
  }
}

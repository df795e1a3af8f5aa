/**
 * The main job in a second: the same query over 20,000 flights, read from JSON.
 *
 *     npm run -s start:small         or: tidemark run examples/flights/job-small.ts
 */
import { Query } from "tidemark"
import { asTheyCame, fewFlights, flightsQuery } from "./query.ts"

const outputs = flightsQuery(asTheyCame(fewFlights), "./out/flights-small", { flights: 1, minutes: 240 })

export default Query.job({ flights: Query.outputs(outputs) })

/**
 * Three million flights, out of order, into three kinds of windows, exactly.
 *
 *     npm run -s start:flights       or: tidemark run examples/flights/job.ts
 *
 * One query with four outputs: what they share is read once, and one ledger accounts for every row. The answers are in
 * ./out/flights; the terminal shows the worst hours as their windows close. Stopped or killed, and started again, it goes
 * on from its checkpoint in ./.tidemark; `npm run -s tidemark -- reset flights --yes` lets it begin anew.
 */
import { Query, Trigger } from "tidemark"
import { allFlights, asTheyCame, flightsQuery } from "./query.ts"

const outputs = flightsQuery(asTheyCame(allFlights), "./out/flights", { flights: 20, minutes: 120 })

export default Query.job({ flights: Query.outputs(outputs) }, { trigger: Trigger.every("2 seconds") })

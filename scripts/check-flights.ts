/**
 * `npm run -s check:flights`: is the main job right? Two parts.
 *
 * A: over all flights its results equal those of DuckDB, which reads the Parquet file itself. B: over 20,000 flights with
 * late ones planted, every chunk size, parallelism and speed of reading gives what the rules say, late flights included.
 *
 * Prints what it compares, a JSON line at the end, and exits 1 when a row differs. `-- a` or `-- b` runs one part.
 */
import * as Effect from "effect/Effect"
import { allFlights } from "../examples/flights/query.ts"
import { checkAll } from "./flights/all.ts"
import { differencesOf, expectedOf, firstOf, plantLate, runOnce, speeds, waysOf } from "./flights/planted.ts"

const chunkRows = [1, 7, 1024]
const parallelism = [1, 2, 3]
const sliceFlights = 20_000

const number = (n: number): string => n.toLocaleString("en-US")

const partA = async () => {
  console.log("A: all flights, compared with DuckDB on the Parquet file")
  const { flights, outputs, totals, imbalances, seconds } = await checkAll()
  console.log(`  the job read ${number(flights)} flights in ${seconds.toFixed(1)} s`)
  for (const { output, expected, got, differ, samples } of outputs) {
    console.log(`  ${output.padEnd(12)} ${number(Math.max(expected, got))} rows compared, ${number(differ)} differ`)
    for (const sample of samples) console.log(`    ${sample}`)
  }
  for (const { what, ledger, duckdb } of totals) {
    console.log(
      `  ${what.padEnd(36)} ledger ${number(ledger)}, DuckDB ${number(duckdb)}${ledger === duckdb ? "" : "  NOT EQUAL"}`
    )
  }
  const differ = outputs.reduce((n, output) => n + output.differ, 0)
  const unequal = totals.filter((total) => total.ledger !== total.duckdb).length
  return {
    flights,
    seconds: Number(seconds.toFixed(1)),
    rows: Object.fromEntries(outputs.map(({ output, expected }) => [output, expected])),
    differ,
    totals_unequal: unequal,
    imbalances,
    ok: differ === 0 && unequal === 0 && imbalances === 0 && outputs.every(({ expected }) => expected > 0)
  }
}

const partB = async () => {
  const source = plantLate(await Effect.runPromise(firstOf(allFlights, sliceFlights)), 7)
  const wanted = await Effect.runPromise(expectedOf(source))
  const count = (rows: { readonly [question: string]: ReadonlyArray<unknown> }) =>
    Object.entries(rows)
      .map(([question, { length }]) => `${question} ${number(length)}`)
      .join(", ")
  console.log(`B: ${number(sliceFlights)} flights with late ones planted`)
  console.log(`  rows by definition: ${count(wanted.results)}`)
  console.log(
    `  late by definition: ${count(wanted.late)}; for some of their windows only: ${number(wanted.partlyLate)}`
  )
  const ways = waysOf(chunkRows, parallelism)
  let differ = 0
  for (const speed of speeds) {
    const before = differ
    for (const way of ways.filter((one) => one.speed === speed)) {
      const found = differencesOf(await Effect.runPromise(runOnce(source, way)), wanted)
      differ += found.length
      for (const one of found.slice(0, 3))
        console.log(`    chunks of ${way.chunkRows}, parallelism ${way.parallelism}: ${one}`)
    }
    console.log(
      `  partitions read ${speed.padEnd(20)} chunks of ${chunkRows.join(", ")}, parallelism ${parallelism.join(", ")}: ${number(differ - before)} rows differ`
    )
  }
  const late = Object.values(wanted.late).reduce((n, { length }) => n + length, 0)
  return {
    flights: sliceFlights,
    late,
    runs: ways.length,
    differ,
    ok: differ === 0 && late > 0 && wanted.partlyLate > 0
  }
}

const part = process.argv[2]?.toLowerCase()
const all = part === "b" ? undefined : await partA()
const planted = part === "a" ? undefined : await partB()
const ok = (all?.ok ?? true) && (planted?.ok ?? true)
console.log(
  JSON.stringify({ check: "flights", ok, all, planted, peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024) })
)
process.exitCode = ok ? 0 : 1

/**
 * The main job over all 3,000,000 flights, compared with DuckDB: every row of its three outputs, and the totals of its
 * ledger.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Checkpoint, Query } from "tidemark"
import * as Effect from "effect/Effect"
import { allFlights, asTheyCame, flightsQuery, parquetFile } from "../../examples/flights/query.ts"
import { imbalances, type Ledger } from "../../src/model/Ledger.ts"
import { type Checked, checkByDuckDB } from "./duckdb.ts"

const questions = ["hourly", "three-hours", "bursts"] as const

/** A total of the ledger beside what DuckDB counted. */
export interface Total {
  readonly what: string
  readonly ledger: number
  readonly duckdb: number
}

/** What the comparison found; all is well when nothing differs and every total agrees. */
export interface AllChecked extends Checked {
  readonly seconds: number
  readonly totals: ReadonlyArray<Total>
  /** Equations of the ledger that do not hold. */
  readonly imbalances: number
}

const sum = (counts: ReadonlyArray<number>): number => counts.reduce((a, b) => a + b, 0)

const totalsOf = (ledger: Ledger, checked: Checked): ReadonlyArray<Total> => {
  const operators = (name: string) => ledger.operators.filter(({ operator }) => operator === name)
  const sinks = (name: string) => ledger.sinks.filter(({ sink }) => sink === name)
  const read = ledger.operators.filter(({ operator }) => operator.startsWith("source "))
  return [
    { what: "flights read", ledger: sum(read.map((o) => o.in)), duckdb: checked.flights },
    ...questions.flatMap((question) => {
      const rows = checked.outputs.find(({ output }) => output === question)?.expected ?? Number.NaN
      return [
        {
          what: `flights counted by ${question}`,
          ledger: sum(operators(question).map((o) => o.settled)),
          duckdb: checked.flights
        },
        { what: `results written to ${question}`, ledger: sum(sinks(question).map((s) => s.written)), duckdb: rows }
      ]
    }),
    {
      what: "flights late, dead or dropped",
      ledger: sum(ledger.operators.map((o) => o.late + o.dead + o.quarantined + o.outside)),
      duckdb: 0
    }
  ]
}

/** Runs the job into a folder of its own and compares. */
export const checkAll = async (): Promise<AllChecked> => {
  const out = mkdtempSync(join(tmpdir(), "tidemark-flights-"))
  try {
    const began = performance.now()
    const {
      hourly,
      "three-hours": threeHours,
      bursts
    } = flightsQuery(asTheyCame(allFlights), out, { flights: 1, minutes: 1 })
    const query = Query.run(Query.outputs({ hourly, "three-hours": threeHours, bursts }), { name: "flights" })
    const { ledger } = await Effect.runPromise(Effect.provide(query, Checkpoint.layerMemory))
    const seconds = (performance.now() - began) / 1000
    const checked = await checkByDuckDB(parquetFile, (question) => join(out, question, "*.jsonl"))
    return { ...checked, seconds, totals: totalsOf(ledger, checked), imbalances: imbalances(ledger).length }
  } finally {
    rmSync(out, { recursive: true, force: true })
  }
}

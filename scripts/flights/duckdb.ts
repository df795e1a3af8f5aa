/**
 * The flights job's answers by DuckDB, from the Parquet file itself: SQL of another engine, written from the questions.
 * Compares them with the files that the job wrote, row by row.
 */
import { DuckDBInstance } from "@duckdb/node-api"

const hour = 3_600_000
const gap = 20 * 60_000

/** One output: its query, and its columns. The first three say which row it is. */
interface Answer {
  readonly sql: string
  readonly columns: { readonly [name: string]: "VARCHAR" | "BIGINT" | "DOUBLE" }
}

const key = { origin: "VARCHAR", window_start: "BIGINT", window_end: "BIGINT" } as const
const delays = { flights: "BIGINT", delay: "BIGINT", avg_delay: "DOUBLE", max_delay: "BIGINT" } as const

/** Windows of `size` ms that start every hour, by listing for each flight the starts that cover it. */
const windowsOf = (size: number): Answer => ({
  columns: { ...key, ...delays },
  sql: `
    SELECT origin, start AS window_start, start + ${size} AS window_end, count(*) AS flights, sum(delay) AS delay,
      avg(delay) AS avg_delay, max(delay) AS max_delay
    FROM (SELECT origin, delay, t - t % ${hour} - n * ${hour} AS start FROM flights, generate_series(0, ${size / hour - 1}) AS s(n))
    GROUP BY origin, start`
})

/** A burst begins where nothing came in the 20 minutes before: exactly 20 minutes apart stay separate. */
const bursts: Answer = {
  columns: {
    ...key,
    flights: "BIGINT",
    destinations: "BIGINT",
    miles: "BIGINT",
    avg_delay: "DOUBLE",
    max_delay: "BIGINT"
  },
  sql: `
    SELECT origin, min(t) AS window_start, max(t) + ${gap} AS window_end, count(*) AS flights,
      count(DISTINCT destination) AS destinations, sum(distance) AS miles, avg(delay) AS avg_delay, max(delay) AS max_delay
    FROM (
      SELECT *, sum(begins) OVER (PARTITION BY origin ORDER BY t ROWS UNBOUNDED PRECEDING) AS burst
      FROM (
        SELECT *, CASE WHEN t - lag(t) OVER (PARTITION BY origin ORDER BY t) < ${gap} THEN 0 ELSE 1 END AS begins
        FROM flights
      )
    )
    GROUP BY origin, burst`
}

const answersBySql: { readonly [question: string]: Answer } = {
  hourly: windowsOf(hour),
  "three-hours": windowsOf(3 * hour),
  bursts
}

/** How one output compares. */
export interface Comparison {
  readonly output: string
  /** Rows that DuckDB says there are. */
  readonly expected: number
  /** Rows in the job's files. */
  readonly got: number
  /** Rows of one side that have no equal on the other. */
  readonly differ: number
  /** A few of them. */
  readonly samples: ReadonlyArray<string>
}

/** What DuckDB counted and compared. */
export interface Checked {
  readonly flights: number
  readonly outputs: ReadonlyArray<Comparison>
}

const sqlText = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** Rows are paired by their key and, should one come twice, by a number; averages may differ by 1e-9. */
const compareSql = (columns: Answer["columns"]): string => {
  const names = Object.keys(columns)
  const on = [...Object.keys(key), "copy"].map((name) => `e.${name} = g.${name}`).join(" AND ")
  const same = names
    .filter((name) => !(name in key))
    .map((name) => (columns[name] === "DOUBLE" ? `abs(e.${name} - g.${name}) <= 1e-9` : `e.${name} = g.${name}`))
  const numbered = (from: string): string =>
    `(SELECT *, row_number() OVER (PARTITION BY ${Object.keys(key).join(", ")}) AS copy FROM ${from})`
  return `SELECT e AS expected, g AS got FROM ${numbered("expected")} e FULL OUTER JOIN ${numbered("got")} g ON ${on}
    WHERE NOT coalesce(${same.join(" AND ")}, false)`
}

/** Computes all answers from the Parquet file and compares each with the files that `filesOf` names (a glob). */
export const checkByDuckDB = async (parquet: string, filesOf: (question: string) => string): Promise<Checked> => {
  const instance = await DuckDBInstance.create(":memory:", { threads: "2", memory_limit: "1GB" })
  const connection = await instance.connect()
  const rowsOf = async (sql: string) => (await connection.runAndReadAll(sql)).getRowObjectsJson()
  const count = async (table: string): Promise<number> =>
    Number((await rowsOf(`SELECT count(*) AS n FROM ${table}`))[0].n)
  try {
    await connection.run(
      `CREATE TABLE flights AS SELECT epoch_ms(date) AS t, delay, distance, origin, destination FROM read_parquet(${sqlText(parquet)})`
    )
    const outputs: Array<Comparison> = []
    for (const [output, { sql, columns }] of Object.entries(answersBySql)) {
      const types = Object.entries(columns).map(([name, type]) => `${name}: '${type}'`)
      const files = `read_json(${sqlText(filesOf(output))}, format = 'newline_delimited', columns = {${types.join(", ")}})`
      await connection.run(`CREATE OR REPLACE TABLE expected AS ${sql}`)
      await connection.run(`CREATE OR REPLACE TABLE got AS SELECT * FROM ${files}`)
      await connection.run(`CREATE OR REPLACE TABLE differing AS ${compareSql(columns)}`)
      const samples = (await rowsOf("SELECT * FROM differing LIMIT 3")).map((row) => JSON.stringify(row))
      outputs.push({
        output,
        expected: await count("expected"),
        got: await count("got"),
        differ: await count("differing"),
        samples
      })
    }
    return { flights: await count("flights"), outputs }
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

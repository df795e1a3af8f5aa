/** A user's project with a job that leaves windows open, for the commands that look at its checkpoint. */
import { program } from "../../src/cli/program.ts"
import { type Ended, makeProject, type Project } from "./program.ts"

/** Minutes of 2026-01-01, and who spent what. */
const orders = [
  ["12:00:01", "Books", 20],
  ["12:00:40", "Games", 60],
  ["12:01:10", "Books", 15],
  ["12:01:20", "Books", 5]
] as const

/** What can be said of the job. */
export interface JobEdits {
  readonly window?: string
  readonly steps?: string
  readonly out?: string
  readonly options?: string
  readonly aggregates?: string
}

/** A job of one query, `orders`, as a module. It reads what is there, and keeps the windows of the last minute open. */
export const jobText = (edits: JobEdits = {}): string => `
import { EventStream, Files, Json, Query, Trigger, Window } from "tidemark"
import * as Schema from "effect/Schema"

const Order = Schema.Struct({ at: Schema.String, category: Schema.String, amount: Schema.Number })

const perMinute = EventStream.from(Files.source({ path: "./in", format: Json.lines(Order) })).pipe(
  ${edits.steps ?? ""}
  EventStream.withEventTime("at", { outOfOrderness: "5 seconds" }),
  EventStream.keyBy("category"),
  EventStream.window(Window.tumbling("${edits.window ?? "1 minute"}"), { late: "drop" }),
  EventStream.aggregate(({ count, sum, reduce }) => (${edits.aggregates ?? "{ orders: count, revenue: sum('amount') }"})),
  EventStream.to(${edits.out ?? 'Files.jsonLines("./out")'})
)

export default Query.job({ orders: perMinute }, { trigger: Trigger.availableNow(), ${edits.options ?? ""} })
`

/** Orders as a file of JSON lines. */
export const orderLines = orders
  .map(([at, category, amount]) => JSON.stringify({ at: `2026-01-01T${at}Z`, category, amount }))
  .join("\n")

/** A project in which the job has run once. */
export const ranOnce = async (edits: JobEdits = {}): Promise<Project> => {
  const project = makeProject()
  project.write("in/orders.jsonl", `${orderLines}\n`)
  project.write("job.ts", jobText(edits))
  const { code, stderr } = await project.run("run", "job.ts")
  if (code !== 0) throw new Error(stderr)
  return project
}

/** Runs the program in this process, which is quicker. It has another working folder: paths have to be whole ones. */
export const here = async (...args: ReadonlyArray<string>): Promise<Omit<Ended, "signal">> => {
  let stdout = ""
  let stderr = ""
  const code = await program(args, "0.0.0", {
    screen: { isTerminal: false, columns: () => 80, rows: () => 24, write: (text) => void (stderr += text) },
    result: (line) => void (stdout += `${line}\n`),
    drained: () => Promise.resolve(),
    takeTurns: () => undefined,
    onStop: () => () => undefined,
    failpoints: undefined
  })
  return { code, stdout, stderr }
}

/**
 * Searches in the sources beside it, which may have a bug: a batch of histories after the other, of the suites in their
 * shares, as `simulate` does, until something is found. Its one argument is a {@link Task} as JSON; says a {@link Found} as
 * JSON on stdout.
 */
import { parseArgs } from "node:util"
import { ready, search } from "../../property-tests/histories/search.ts"
import { type SuiteName, suites } from "../../property-tests/histories/suites.ts"

/** What to search for, and how long. */
export interface Task {
  readonly seed: number
  readonly histories: number
  /** Of processor time, so that a busy machine gives up no sooner. */
  readonly seconds: number
  /** Histories that are run to make what was found small. */
  readonly shrinks: number
  /** Only this suite; undefined: all. */
  readonly suite: string | undefined
}

/** What came of it. */
export interface Found {
  readonly token: string | undefined
  readonly histories: number
  /** Until it was found, of processor time and on the clock; without what it took to start, and to make it small. */
  readonly seconds: number
  readonly clockSeconds: number
  readonly events: number
  readonly faults: number
  readonly problems: ReadonlyArray<string>
  readonly case: unknown
}

const batchRuns = 10

const { positionals } = parseArgs({ allowPositionals: true })
const task = JSON.parse(positionals[0]) as Task
await ready()
const shares = (Object.keys(suites) as Array<SuiteName>).flatMap((name) =>
  Array.from({ length: suites[name].share }, () => name).filter(() => task.suite === undefined || task.suite === name)
)

const began = performance.now()
const usedBefore = process.cpuUsage()
const elapsed = () => {
  const { user, system } = process.cpuUsage(usedBefore)
  return { seconds: (user + system) / 1e6, clockSeconds: (performance.now() - began) / 1000 }
}
let histories = 0
let took: ReturnType<typeof elapsed> | undefined
let failure: ReturnType<typeof search>["failure"]
for (let batch = 0; histories < task.histories && elapsed().seconds < task.seconds && failure === undefined; batch++) {
  const runs = Math.min(batchRuns, task.histories - histories)
  const suite = shares[(batch * 37) % shares.length]
  const found = search(suite, task.seed * 1_000_003 + batch, runs, {
    shrinksMax: task.shrinks,
    onFound: () => {
      took = elapsed()
    }
  })
  histories += found.tally.histories
  failure = found.failure
}
const found: Found = {
  token: failure?.token,
  histories,
  ...(took ?? elapsed()),
  events: failure?.events ?? 0,
  faults: failure?.faults ?? 0,
  problems: failure?.problems ?? [],
  case: failure?.case
}
console.log(JSON.stringify(found, (_, v: unknown) => (typeof v === "bigint" ? `${v}n` : v)))

/**
 * `npm run -s mutants [-- --only NAME,NAME] [--seed 1] [--histories N] [--seconds 90] [--suite NAME]`: whether the
 * simulated histories find bugs that are planted in copies of the sources, one a copy. Says of each on stderr how it was
 * found; ends with one line of JSON, and exits 1 when one was missed.
 */
import { parseArgs } from "node:util"
import { median } from "../../property-tests/histories/tally.ts"
import type { Found } from "./child.ts"
import { hunt } from "./hunt.ts"
import { planted } from "./planted.ts"

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    seed: { type: "string", default: "1" },
    histories: { type: "string", default: "1000000" },
    seconds: { type: "string", default: "90" },
    suite: { type: "string" },
    shrinks: { type: "string", default: "2000" },
    /** Prints the smallest case of each, too. */
    cases: { type: "boolean", default: false }
  }
})

/** Searches at a time: each is one thread. */
const atOnce = 2

const names = values.only?.split(",")
const unknown = names?.find((name) => !planted.some((bug) => bug.name === name))
if (unknown !== undefined) {
  console.error(`no bug is named ${unknown}`)
  process.exit(2)
}
const chosen = planted.filter(({ name }) => names === undefined || names.includes(name))
const task = {
  seed: Number(values.seed),
  histories: Number(values.histories),
  seconds: Number(values.seconds),
  shrinks: Number(values.shrinks),
  suite: values.suite
}
const found = new Map<string, Found>()

const told = (name: string, f: Found): string =>
  f.token === undefined
    ? `${name}: MISSED after ${f.histories} histories, ${f.seconds.toFixed(1)} s`
    : `${name}: ${f.histories} histories, ${f.seconds.toFixed(1)} s (${f.clockSeconds.toFixed(1)} s on the clock); ${f.events} events, ${f.faults} faults; ${f.token}; ${f.problems[0]?.slice(0, 120)}`

const waiting = [...chosen]
const work = async (): Promise<void> => {
  for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
    const one = await hunt(bug, { ...task, suite: task.suite ?? bug.suite })
    found.set(bug.name, one)
    console.error(told(bug.name, one))
    if (values.cases) console.error(JSON.stringify(one.case))
  }
}
await Promise.all(Array.from({ length: atOnce }, work))

const hits = chosen.filter(({ name }) => found.get(name)?.token !== undefined)
const missed = chosen.filter((bug) => !hits.includes(bug)).map(({ name }) => name)
const of = (field: "seconds" | "clockSeconds" | "histories" | "events" | "faults"): ReadonlyArray<number> =>
  hits.map(({ name }) => found.get(name)?.[field] ?? 0)
const middle = (all: ReadonlyArray<number>): number => {
  const counts: { [value: number]: number } = {}
  for (const value of all) counts[value] = (counts[value] ?? 0) + 1
  return Number(median(counts).toFixed(1))
}
console.log(
  JSON.stringify({
    planted: chosen.length,
    found: hits.length,
    missed,
    medianSeconds: middle(of("seconds")),
    medianClockSeconds: middle(of("clockSeconds")),
    medianHistories: middle(of("histories")),
    largestEvents: Math.max(0, ...of("events")),
    largestFaults: Math.max(0, ...of("faults")),
    ok: missed.length === 0
  })
)
process.exitCode = missed.length === 0 ? 0 : 1

/**
 * `npm run -s simulate -- --histories 300000 [--seed 1] [--workers 2]`: the real runtime under the simulator, so many times.
 * Says on stderr how it goes, and ends with one line of JSON; exits 1 when a history went wrong, with the line that replays
 * it. A run may be made in parts: `--from 100000` begins where `--histories 100000` of the same seed ended. `-- --replay TOKEN [--repeat 1000]` runs one history again, and says whether its trace is the same each time.
 */
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import { Worker } from "node:worker_threads"
import type { Search } from "../../property-tests/histories/search.ts"
import { parseToken, ready, replay } from "../../property-tests/histories/search.ts"
import { type SuiteName, suites } from "../../property-tests/histories/suites.ts"
import { add, emptyTally, median } from "../../property-tests/histories/tally.ts"
import { faultKinds } from "../../src/testing/Fault.ts"
import { failpointNames } from "../../src/testing/failpoints.ts"
import type { Batch } from "./worker.ts"

const { values } = parseArgs({
  options: {
    histories: { type: "string", default: "10000" },
    from: { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
    workers: { type: "string", default: String(availableParallelism()) },
    /** Only this suite, instead of all in their shares. */
    suite: { type: "string" },
    replay: { type: "string" },
    repeat: { type: "string", default: "1" },
    "faults-min": { type: "string", default: "0" }
  }
})

const batchRuns = 250
const sayEveryMs = 10_000

const number = (name: "histories" | "from" | "seed" | "workers" | "repeat" | "faults-min", min = 0): number => {
  const value = Number(values[name])
  if (Number.isSafeInteger(value) && value >= min) return value
  console.error(`--${name} ${values[name]} is not a whole number from ${min} on`)
  return process.exit(2)
}

/** Runs one history again and again. */
const replayed = async (token: string, times: number): Promise<never> => {
  if (parseToken(token) === undefined) {
    console.error(`${token} is no token: it is like job.1234.56:0:1`)
    process.exit(2)
  }
  await ready()
  const hashes = new Map<string, number>()
  let problems: ReadonlyArray<string> = []
  for (let i = 0; i < times; i++) {
    const verdict = replay(token)
    problems = verdict.problems
    hashes.set(verdict.history.traceHash, (hashes.get(verdict.history.traceHash) ?? 0) + 1)
  }
  for (const problem of problems) console.error(problem)
  console.log(
    JSON.stringify({
      token,
      node: process.version,
      repeats: times,
      traceHashes: Object.fromEntries(hashes),
      problems: problems.length
    })
  )
  process.exit(problems.length === 0 && hashes.size === 1 ? 0 : 1)
}

if (values.replay !== undefined) await replayed(values.replay, number("repeat", 1))

const from = number("from")
const until = from + number("histories", 1)
const seed = number("seed")
const shares = (Object.keys(suites) as Array<SuiteName>).flatMap((name) =>
  Array.from({ length: values.suite === undefined ? suites[name].share : Number(values.suite === name) }, () => name)
)
if (shares.length === 0) {
  console.error(`--suite ${values.suite}: there are ${Object.keys(suites).join(", ")}`)
  process.exit(2)
}
const tally = emptyTally()
const began = performance.now()
const seconds = (): number => (performance.now() - began) / 1000
let given = from
let failure: Search["failure"]

/** The next batch: which suite is decided by its number, so that a release has its shares of all. */
const next = (): Batch | undefined => {
  if (given >= until || failure !== undefined) return undefined
  const runs = Math.min(batchRuns, until - given)
  const batch = Math.floor(given / batchRuns)
  given += runs
  return { suite: shares[(batch * 37) % shares.length], seed: seed * 1_000_003 + batch, runs }
}

const work = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL("worker.ts", import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: 96 }
    })
    const go = (): void => {
      const batch = next()
      if (batch === undefined) void worker.terminate().then(() => resolve())
      else worker.postMessage(batch)
    }
    worker.on("message", (message: string) => {
      if (message !== "ready") {
        const found = JSON.parse(message) as Search
        add(tally, found.tally)
        failure ??= found.failure
      }
      go()
    })
    worker.on("error", reject)
  })

const telling = setInterval(() => {
  const rate = (tally.histories / seconds()).toFixed(0)
  console.error(
    `${tally.histories} histories, ${rate}/s, ${tally.crashes} crashes, ${tally.lost} lost, ${tally.duplicated} duplicated`
  )
}, sayEveryMs)
await Promise.all(Array.from({ length: number("workers", 1) }, work))
clearInterval(telling)

const sides = failpointNames.flatMap((name) => [`${name}:before`, `${name}:after`])
const took = seconds()
const rare = faultKinds.filter((kind) => (tally.faults[kind] ?? 0) < number("faults-min"))
const unhit = sides.filter((side) => (tally.failpoints[side] ?? 0) === 0)
const isRight = failure === undefined && rare.length === 0 && tally.histories === until - from
if (failure !== undefined) {
  for (const problem of failure.problems) console.error(problem)
  console.error(JSON.stringify(failure.case))
  console.error(`replay it: npm run -s simulate -- --replay ${failure.token}`)
}
console.log(
  JSON.stringify({
    histories: tally.histories,
    perSecond: Math.round(tally.histories / took),
    medianEvents: median(tally.events),
    medianEpochs: median(tally.epochs),
    withFaults: Number((tally.withFaults / Math.max(1, tally.histories)).toFixed(3)),
    crashes: tally.crashes,
    faults: tally.faults,
    failpointsHit: sides.length - unhit.length,
    failpoints: tally.failpoints,
    unhit,
    schedulerSteps: tally.schedulerSteps,
    lost: tally.lost,
    duplicated: tally.duplicated,
    watermarkRegressions: tally.watermarkRegressions,
    ledgerImbalances: tally.ledgerImbalances,
    seconds: Math.round(took),
    ...(failure === undefined ? {} : { failed: failure.token }),
    ok: isRight
  })
)
process.exitCode = isRight ? 0 : 1

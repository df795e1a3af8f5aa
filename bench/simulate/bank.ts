/**
 * `npm run -s check:bank [-- --transfers 10000000] [-- --crashes 100]`: one long history of the bank: that many transfers
 * through the real runtime, with that many crashes at failpoints and in between. The balances sum to 0 at every epoch.
 */
import { parseArgs } from "node:util"
import { runBank } from "../../property-tests/histories/bankHistory.ts"
import { ready } from "../../property-tests/histories/search.ts"
import type { Fault } from "../../src/testing/Fault.ts"
import { failpointsOf } from "../../src/testing/failpoints.ts"
import { Seeded } from "../../src/testing/seeded.ts"

const { values } = parseArgs({
  options: {
    transfers: { type: "string", default: "10000000" },
    crashes: { type: "string", default: "100" },
    accounts: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" }
  }
})
const transfers = Number(values.transfers)
const crashes = Number(values.crashes)
const seed = Number(values.seed)
const random = new Seeded(seed)
const passed = failpointsOf("files", false)
/** So many more epochs than crashes that each crash has some progress before it. */
const epochRows = Math.max(1000, Math.floor(transfers / (crashes * 2.5)))
const faults = Array.from({ length: crashes }, (): Fault => {
  const kind = random.pick(["kill", "kill", "power loss"] as const)
  const failpoint = random.pick(passed)
  const when = random.pick(["before", "after"] as const)
  const at = random.below(2) === 0 ? { failpoint, when, passage: 1 } : { steps: 50 + random.below(400) }
  return kind === "kill" ? { kind, at } : { kind, at, seed: random.below(1 << 30) }
})
await ready()
const began = performance.now()
const { history, problems, committed } = runBank({
  seed,
  transfers,
  accounts: Number(values.accounts),
  partitions: 4,
  epochRows,
  perMs: 2000,
  store: "files",
  lives: [1, 2, 3].map((parallelism) => ({ parallelism, chunkRows: 1024, elsewhere: parallelism === 2 })),
  faults
})
const happened = [...history.faults.values()].reduce((n, times) => n + times, 0)
for (const problem of problems) console.error(problem)
const ok = problems.length === 0 && happened === crashes
console.log(
  JSON.stringify({
    transfers,
    crashes: happened,
    processes: history.processes,
    committedEpochs: committed,
    problems: problems.length,
    seconds: Math.round((performance.now() - began) / 1000),
    ok
  })
)
process.exitCode = ok ? 0 : 1

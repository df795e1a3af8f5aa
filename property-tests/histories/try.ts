import * as fc from "fast-check"
import { jobCase } from "./cases.ts"
import { runCase } from "./jobHistory.ts"
import { loadSchema } from "../../src/streams/aggregates/Reduce.ts"
await loadSchema()
const n = Number(process.argv[2] ?? 100), seed = Number(process.argv[3] ?? 1)
const t0 = performance.now()
let steps = 0, epochs = 0, procs = 0, k = 0
const events: number[] = []
const faults = new Map<string, number>()
const out = fc.check(fc.property(jobCase, (c) => {
  const v = runCase(c)
  k++; steps += v.history.steps; epochs += v.history.epochs; procs += v.history.processes; events.push(v.events)
  for (const [f, m] of v.history.faults) faults.set(f, (faults.get(f) ?? 0) + m)
  if (v.problems.length > 0) throw new Error(v.problems.join("\n"))
}), { numRuns: n, seed, endOnFailure: process.argv[4] !== "shrink" })
const s = (performance.now() - t0) / 1000
events.sort((a, b) => a - b)
console.log(k, "histories", (k / s).toFixed(1), "/s", "steps", steps / k, "epochs", epochs / k, "procs", procs / k, "median events", events[events.length >> 1])
console.log(Object.fromEntries(faults))
if (out.failed) { console.log(String((out.errorInstance as Error)?.message).slice(0, 3000)); console.log(JSON.stringify({ ...out.counterexample?.[0], job: undefined }), JSON.stringify(out.counterexample?.[0]?.job, (_, v) => typeof v === "bigint" ? `${v}n` : v).slice(0, 3000)) }

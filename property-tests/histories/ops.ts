import * as fc from "fast-check"
import { jobCase } from "./cases.ts"
import { runCase } from "./jobHistory.ts"
import { Simulator } from "../../src/testing/Simulator.ts"
import { loadSchema } from "../../src/streams/aggregates/Reduce.ts"
await loadSchema()
Error.stackTraceLimit = Number(process.argv[2])
const cases = fc.sample(jobCase, { numRuns: 200, seed: 9 })
for (let r = 0; r < 6; r++) {
  let t = performance.now(), steps = 0, slow: Array<[number, string]> = []
  for (const c of cases) { const t1 = performance.now(); const v = runCase(c); steps += v.history.steps; slow.push([performance.now() - t1, JSON.stringify([v.history.steps, v.history.epochs, v.history.processes, v.events])]) }
  const s = performance.now() - t
  slow.sort((a, b) => b[0] - a[0])
  console.log((s / cases.length).toFixed(2), "ms each", (s * 1000 / steps).toFixed(1), "us/step", slow.slice(0, 3).map(x => x[0].toFixed(0) + x[1]).join(" "), "median", slow[100][0].toFixed(1), slow[100][1])
}

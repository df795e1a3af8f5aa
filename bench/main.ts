/** `npm run -s bench -- w1|w1-plain [--events N] [--parallelism N]`: prints one JSON line with the peers' fields. */
import { parseArgs } from "node:util"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { events: { type: "string", default: "10000000" }, parallelism: { type: "string", default: "1" } }
})
const name = positionals[0]
if (name !== "w1" && name !== "w1-plain") {
  console.error(`usage: npm run -s bench -- w1|w1-plain [--events N] [--parallelism N]   (not ${JSON.stringify(name)})`)
  process.exit(2)
}
const events = Number(values.events)
const parallelism = Number(values.parallelism)
const run = name === "w1" ? (await import("./w1/fibers.ts")).runFibers : (await import("./w1/plain.ts")).runPlain
const startup = performance.now() / 1000
const cpuBefore = process.cpuUsage()
const began = performance.now()
const check = await run(events, parallelism)
const seconds = (performance.now() - began) / 1000
const cpu = process.cpuUsage()
console.log(
  JSON.stringify({
    peer: "tidemark",
    variant: `${name === "w1" ? "fibers" : "plain"}-p${parallelism}`,
    runtime: `node ${process.version}`,
    workload: "W1",
    events,
    seconds: Number(seconds.toFixed(3)),
    events_per_s: Math.round(events / seconds),
    cpu_seconds: Number(((cpu.user + cpu.system) / 1e6).toFixed(2)),
    cpu_seconds_run: Number(((cpu.user - cpuBefore.user + cpu.system - cpuBefore.system) / 1e6).toFixed(2)),
    startup_s: Number(startup.toFixed(3)),
    peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    results: check.results,
    checksum: check.checksum,
    sum_count: check.sumCount,
    sum_sum: check.sumSum
  })
)

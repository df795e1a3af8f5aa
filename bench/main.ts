/**
 * `npm run -s bench -- w1|w1-plain|state [options]`: prints one JSON line; that of W1 has the peers' fields.
 *
 * `w1 [--events N] [--parallelism N] [--checkpoint 1s]`, `w1-plain [--events N] [--parallelism N]`, `state [--keys N]`.
 */
import * as fs from "node:fs/promises"
import * as os from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { durationMs } from "../src/model/Options.ts"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    events: { type: "string", default: "10000000" },
    parallelism: { type: "string", default: "1" },
    keys: { type: "string", default: "1000000" },
    checkpoint: { type: "string" },
    recover: { type: "string" }
  }
})
const usage = (problem: string): never => {
  console.error(`usage: npm run -s bench -- w1|w1-plain|state [--events N] [--checkpoint 1s] [--keys N]   (${problem})`)
  process.exit(2)
}
/** `1s` is what people type; the rest of the program says `1 second`. */
const intervalMs = (text: string): number => {
  const problems: Array<{ readonly fix: string }> = []
  const ms = durationMs("--checkpoint", text.replace(/^([0-9.]+)s$/, "$1 seconds") as never, problems as never, {
    min: 1
  })
  return problems.length === 0 ? ms : usage(`--checkpoint ${text} is no duration`)
}
const withFolder = async <A>(use: (folder: string) => Promise<A>): Promise<A> => {
  const folder = await fs.mkdtemp(join(os.tmpdir(), "tidemark-bench-"))
  try {
    return await use(folder)
  } finally {
    await fs.rm(folder, { recursive: true, force: true })
  }
}

const w1 = async (isPlain: boolean): Promise<void> => {
  const events = Number(values.events)
  const parallelism = Number(values.parallelism)
  const { runFibers } = await import("./w1/fibers.ts")
  const { runPlain } = await import("./w1/plain.ts")
  const everyMs = values.checkpoint === undefined ? undefined : intervalMs(values.checkpoint)
  const startup = performance.now() / 1000
  const cpuBefore = process.cpuUsage()
  const began = performance.now()
  const none = { checkpoints: 0, pauseMsMax: 0, stateBytesMax: 0 }
  const run = isPlain
    ? { ...none, check: runPlain(events, parallelism) }
    : everyMs === undefined
      ? await runFibers(events, parallelism)
      : await withFolder((folder) => runFibers(events, parallelism, { everyMs, folder }))
  const seconds = (performance.now() - began) / 1000
  const cpu = process.cpuUsage()
  const { check } = run
  console.log(
    JSON.stringify({
      peer: "tidemark",
      variant: `${isPlain ? "plain" : "fibers"}-p${parallelism}${everyMs === undefined ? "" : `-checkpoint-${everyMs}ms`}`,
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
      sum_sum: check.sumSum,
      ...(everyMs === undefined
        ? {}
        : {
            checkpoints: run.checkpoints,
            pause_ms_max: Number(run.pauseMsMax.toFixed(1)),
            state_bytes_max: run.stateBytesMax
          })
    })
  )
}

const [name] = positionals
if (name === "w1" || name === "w1-plain") await w1(name === "w1-plain")
else if (name === "state") {
  const { measureState, recoverState } = await import("./state.ts")
  const keys = Number(values.keys)
  const figures =
    values.recover === undefined
      ? await withFolder((folder) => measureState(keys, folder))
      : await recoverState(keys, values.recover)
  console.log(JSON.stringify(figures))
} else usage(`not ${JSON.stringify(name)}`)

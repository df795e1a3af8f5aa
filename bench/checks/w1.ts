/**
 * `npm run -s check:w1 [-- --rounds 3] [-- --no-flink]`: W1 with fibers, the same operators without, a hand-written loop
 * and Apache Flink, in interleaved rounds; medians and ratios. The peers are found through TIDEMARK_PEERS.
 */
import { parseArgs } from "node:util"
import { fromSource, lastJson, median, run, verdict } from "./run.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    parallelism: { type: "string", default: "1" },
    "no-flink": { type: "boolean", default: false }
  }
})
const peers = process.env["TIDEMARK_PEERS"] ?? "../shared/peers"
const bench = ["--min-semi-space-size=16", ...fromSource, "bench/main.ts"]
const size = ["--parallelism", values.parallelism]
const contestants: { readonly [name: string]: readonly [string, ReadonlyArray<string>] } = {
  w1: [process.execPath, [...bench, "w1", ...size]],
  plain: [process.execPath, [...bench, "w1-plain", ...size]],
  baseline: [`${peers}/peer`, ["baseline-js", "typed"]],
  ...(values["no-flink"] ? {} : { flink: [`${peers}/peer`, ["flink", "w1", "1", "nochk"]] as const })
}
const figures = new Map<string, Array<{ readonly eps: number; readonly cpu: number; readonly right: boolean }>>()
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [name, [command, args]] of Object.entries(contestants)) {
    const { code, stdout } = await run(command, args, { NODE: process.execPath })
    if (code !== 0) throw new Error(`${name} ended with ${code}`)
    const json = lastJson(stdout)
    console.error(JSON.stringify(json))
    const row = {
      eps: Number(json["events_per_s"]),
      cpu: Number(json["cpu_seconds"]),
      right: json["results"] === 1_006_266 && json["checksum"] === 118_118_312
    }
    figures.set(name, [...(figures.get(name) ?? []), row])
  }
}
const eps = (name: string): number => median((figures.get(name) ?? []).map((f) => f.eps))
const cpu = (name: string): number => median((figures.get(name) ?? []).map((f) => f.cpu))
const ratio = (a: number, b: number): number => Number((a / b).toFixed(3))
const out = {
  check: "w1",
  events_per_s: Object.fromEntries([...figures.keys()].map((name) => [name, eps(name)])),
  cpu_seconds: Object.fromEntries([...figures.keys()].map((name) => [name, cpu(name)])),
  fibers_to_plain: ratio(eps("w1"), eps("plain")),
  plain_to_baseline: ratio(eps("plain"), eps("baseline")),
  ...(figures.has("flink")
    ? { fibers_to_flink: ratio(eps("w1"), eps("flink")), cpu_to_flink: ratio(cpu("w1"), cpu("flink")) }
    : {})
}
const right = [...figures.values()].every((rows) => rows.every((row) => row.right))
verdict(out, [
  ["results 1006266, checksum 118118312, in every run", right],
  [`fibers at least 80 % of plain: ${out.fibers_to_plain}`, out.fibers_to_plain >= 0.8],
  [`plain at least half of a hand-written loop: ${out.plain_to_baseline}`, out.plain_to_baseline >= 0.5],
  ...(out.fibers_to_flink === undefined || out.cpu_to_flink === undefined
    ? []
    : [
        [`at least 3x Flink's events/s: ${out.fibers_to_flink}`, out.fibers_to_flink >= 3] as const,
        [`at most a quarter of Flink's CPU seconds: ${out.cpu_to_flink}`, out.cpu_to_flink <= 0.25] as const
      ])
])

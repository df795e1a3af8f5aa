/**
 * `npm run -s check:checkpoint [-- --rounds 3] [-- --events 100000000] [-- --no-flink]`: W1 with a checkpoint every
 * second, in files, against the same without, and against Apache Flink with its own, in interleaved rounds.
 */
import { parseArgs } from "node:util"
import { fromSource, lastJson, median, run, verdict } from "./run.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    events: { type: "string", default: "100000000" },
    "no-flink": { type: "boolean", default: false }
  }
})
const peers = process.env["TIDEMARK_PEERS"] ?? "../shared/peers"
const bench = ["--min-semi-space-size=16", ...fromSource, "bench/main.ts", "w1", "--events", values.events]
const contestants: { readonly [name: string]: readonly [string, ReadonlyArray<string>] } = {
  without: [process.execPath, bench],
  with: [process.execPath, [...bench, "--checkpoint", "1s"]],
  ...(values["no-flink"] ? {} : { flink: [`${peers}/peer`, ["flink", "w1", "1", "chk"]] as const })
}
interface Figures {
  readonly eps: number
  readonly checkpoints: number
  readonly results: string
}
const figures = new Map<string, Array<Figures>>()
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [name, [command, args]] of Object.entries(contestants)) {
    const { code, stdout } = await run(command, args, { NODE: process.execPath, N: values.events })
    if (code !== 0) throw new Error(`${name} ended with ${code}`)
    const json = lastJson(stdout)
    console.error(JSON.stringify(json))
    const row = {
      eps: Number(json["events_per_s"]),
      checkpoints: Number(json["checkpoints"] ?? 0),
      results: `${json["results"]} ${json["checksum"]}`
    }
    figures.set(name, [...(figures.get(name) ?? []), row])
  }
}
const eps = (name: string): number => median((figures.get(name) ?? []).map((f) => f.eps))
const ratio = (a: number, b: number): number => Number((a / b).toFixed(3))
const made = Math.min(...(figures.get("with") ?? []).map((f) => f.checkpoints))
const results = new Set(["without", "with"].flatMap((name) => (figures.get(name) ?? []).map((f) => f.results)))
const out = {
  check: "checkpoint",
  events: Number(values.events),
  events_per_s: Object.fromEntries([...figures.keys()].map((name) => [name, eps(name)])),
  with_to_without: ratio(eps("with"), eps("without")),
  checkpoints_least: made,
  ...(figures.has("flink") ? { with_to_flink: ratio(eps("with"), eps("flink")) } : {})
}
verdict(out, [
  ["the same results in every run, with and without", results.size === 1],
  [`at least 10 checkpoints made durable in each run: ${made}`, made >= 10],
  [`at most 10 % slower than without: ${out.with_to_without}`, out.with_to_without >= 0.9],
  ...(out.with_to_flink === undefined
    ? []
    : [[`at least 3x Flink with its 1 s checkpoints: ${out.with_to_flink}`, out.with_to_flink >= 3] as const])
])

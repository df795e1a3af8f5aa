/**
 * `npm run -s check:timers`: how late a 5 ms timer is in the process that runs W1, beside the same timer in an idle
 * process at the same time. At most 20 ms late at p99.9.
 */
import { spawn } from "node:child_process"
import { verdict } from "./run.ts"

const intervalMs = 5

/** Notes how late each tick comes, until stopped. */
const watch = (): (() => Array<number>) => {
  const late: Array<number> = []
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    late.push(Math.max(0, now - last - intervalMs))
    last = now
  }, intervalMs)
  return () => {
    clearInterval(timer)
    return late
  }
}

const quantile = (values: ReadonlyArray<number>, q: number): number =>
  Number((values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? 0).toFixed(1))

const figuresOf = (late: ReadonlyArray<number>) => ({
  ticks: late.length,
  p50: quantile(late, 0.5),
  p99: quantile(late, 0.99),
  "p99.9": quantile(late, 0.999),
  max: quantile(late, 1)
})

if (process.argv[2] === "idle") {
  const stop = watch()
  process.on("message", () => {
    process.send?.(figuresOf(stop()), () => process.exit(0))
  })
} else {
  const { runFibers } = await import("../w1/fibers.ts")
  const idle = spawn(process.execPath, ["--conditions=tidemark-source", "bench/checks/timers.ts", "idle"], {
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })
  await new Promise((ready) => setTimeout(ready, 1000))
  const stop = watch()
  // Several times W1, so that the tail has enough ticks.
  for (let i = 0; i < 16; i++) await runFibers(10_000_000, 1)
  const busy = figuresOf(stop())
  const control = await new Promise((resolve) => {
    idle.on("message", resolve)
    idle.send("stop")
  })
  verdict({ check: "timers", busy, control }, [
    [`5 ms timer at most 20 ms late at p99.9: ${busy["p99.9"]} ms`, busy["p99.9"] <= 20]
  ])
}

/**
 * A history of keyed functions with state and timers (A7), fed by one partition: what becomes of each key is a function of
 * it, whatever the chunks, the processes, and their width.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { EventStream, Memory, Query, Trigger } from "tidemark"
import { runHistory } from "../../src/testing/History.ts"
import { simulatedSource } from "../../src/testing/SimulatedLog.ts"
import { simulatedStartMs } from "../../src/testing/Simulator.ts"
import type { Life, World } from "../../src/testing/World.ts"
import type { Row } from "../../test/process/kit.ts"
import { byKey, expected, type ProcessJob, streamOf } from "../processJobs.ts"
import type { Verdict } from "./jobHistory.ts"
import { faultySinks, logFaultsOf, type WorldFaults } from "./worldFaults.ts"

/** One history of it. */
export interface ProcessCase extends WorldFaults {
  readonly seed: number
  readonly job: ProcessJob
  /** Rows come so far apart, ms. */
  readonly paceMs: number
  readonly epochRows: number
  readonly store: "files" | "remote"
  readonly lives: ReadonlyArray<Life>
}

/** Runs a case, and judges it. */
export const runProcess = (c: ProcessCase): Verdict => {
  const { seed, faults, lives, store, job } = c
  const results = Memory.sink<string>()
  const faulty = faultySinks(c)
  const logFaults = logFaultsOf(faults, 1, () => "p0")
  const subject = (world: World, life: Life) =>
    Effect.suspend(() => {
      const source = simulatedSource<Row>(world.simulator, simulatedStartMs, {
        name: "rows",
        partitions: [{ name: "p0", rows: job.rows, arriveMs: (row) => row * c.paceMs }],
        features: { bounded: true, endPosition: true, dynamicPartitions: false },
        faults: logFaults,
        onStruck: world.struck
      })
      return Query.start(streamOf(job, source).pipe(EventStream.to(faulty(world, results))), {
        name: "process",
        chunkRows: life.chunkRows,
        parallelism: life.parallelism,
        trigger: Trigger.every("20 millis", { maxEvents: c.epochRows }),
        restart: Schedule.spaced("50 millis"),
        restartLimit: { restarts: 20, within: "1 minute" }
      })
    })
  const history = runHistory({ seed, faults, lives, store, query: "process", subject })
  const problems = [...history.problems]
  const events = job.rows.length
  if (history.summary === undefined) return { history, problems, lost: 0, duplicated: 0, events }
  const wanted = expected(job)
  const got = byKey(Effect.runSync(results.rows))
  for (const key of new Set([...wanted.keys(), ...got.keys()])) {
    const [mine, theirs] = [got.get(key) ?? [], wanted.get(key) ?? []]
    const at = Array.from({ length: Math.max(mine.length, theirs.length) }, (_, i) => i).find(
      (i) => mine[i] !== theirs[i]
    )
    if (at !== undefined) problems.push(`A7: of key ${key} came "${mine[at]}", and not "${theirs[at]}"`)
  }
  return { history, problems, lost: problems.length, duplicated: 0, events }
}

/**
 * A history of copies that are told by their id alone, within a horizon (A3): of the copies of an id that are on time
 * exactly one is kept, whichever; those that are late come out as such.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { EventStream, Late, Memory, Query, Trigger } from "tidemark"
import { runHistory } from "../../src/testing/History.ts"
import { simulatedSource } from "../../src/testing/SimulatedLog.ts"
import { simulatedStartMs } from "../../src/testing/Simulator.ts"
import type { Life, World } from "../../src/testing/World.ts"
import type { Verdict } from "./jobHistory.ts"
import { faultySinks, logFaultsOf, type WorldFaults } from "./worldFaults.ts"

/** One history of it: event times of each partition, and which of some ids each row has. */
export interface CopiesCase extends WorldFaults {
  readonly seed: number
  readonly startAt: number
  readonly partitions: ReadonlyArray<ReadonlyArray<{ readonly by: number; readonly pick: number }>>
  readonly horizonMs: number
  readonly latenessMs: number
  readonly boundMs: number
  readonly paceMs: number
  readonly epochRows: number
  readonly store: "files" | "remote"
  readonly lives: ReadonlyArray<Life>
}

interface Copy {
  readonly number: number
  readonly id: string
  readonly at: number
  readonly isLate: boolean
}

/** The rows of each partition; ids that are the same are no further apart than the horizon. */
const copiesOf = (c: CopiesCase): ReadonlyArray<ReadonlyArray<Copy>> =>
  c.partitions.map((moves, p) => {
    let at = c.startAt
    let highest = -Infinity
    return moves.map(({ by, pick }, i): Copy => {
      at += by
      const isLate = at < highest - c.boundMs - c.latenessMs
      highest = Math.max(highest, at)
      return { number: p * 1000 + i, id: `${Math.floor(at / (c.horizonMs + 1))}.${pick}`, at, isLate }
    })
  })

/** Runs a case, and judges it. */
export const runCopies = (c: CopiesCase): Verdict => {
  const rows = copiesOf(c)
  const kept = Memory.sink<Copy>()
  const late = Memory.sink<Copy>()
  const faulty = faultySinks(c)
  const logFaults = logFaultsOf(c.faults, rows.length, (p) => `p${p}`)
  const subject = (world: World, life: Life) =>
    Effect.suspend(() => {
      const source = simulatedSource<Copy>(world.simulator, simulatedStartMs, {
        name: "copies",
        partitions: rows.map((of, p) => ({ name: `p${p}`, rows: of, arriveMs: (row: number) => row * c.paceMs })),
        features: { bounded: true, endPosition: true, dynamicPartitions: false },
        faults: logFaults,
        onStruck: world.struck
      })
      const pipeline = EventStream.from(source).pipe(
        EventStream.withEventTime("at", { outOfOrderness: c.boundMs }),
        EventStream.dedupe("id", {
          late: Late.to(faulty(world, late)),
          allowedLateness: c.latenessMs,
          within: c.horizonMs
        }),
        EventStream.to(faulty(world, kept))
      )
      return Query.start(pipeline, {
        name: "copies",
        chunkRows: life.chunkRows,
        parallelism: life.parallelism,
        trigger: Trigger.every("20 millis", { maxEvents: c.epochRows }),
        restart: Schedule.spaced("50 millis"),
        restartLimit: { restarts: 20, within: "1 minute" }
      })
    })
  const { seed, faults, lives, store } = c
  const history = runHistory({ seed, faults, lives, store, query: "copies", subject })
  const problems = [...history.problems]
  const all = rows.flat()
  if (history.summary === undefined) return { history, problems, lost: 0, duplicated: 0, events: all.length }
  const onTime = new Set(all.filter(({ isLate }) => !isLate).map(({ id }) => id))
  const seen = new Map<string, number>()
  for (const { id } of Effect.runSync(kept.rows)) seen.set(id, (seen.get(id) ?? 0) + 1)
  for (const id of new Set([...onTime, ...seen.keys()])) {
    const wanted = onTime.has(id) ? 1 : 0
    if ((seen.get(id) ?? 0) !== wanted) problems.push(`A3: ${seen.get(id) ?? 0} copies of ${id} are kept, of ${wanted}`)
  }
  const numbersOf = (copies: ReadonlyArray<Copy>): string =>
    copies
      .map(({ number }) => number)
      .toSorted((a, b) => a - b)
      .join(" ")
  const isWrong = numbersOf(Effect.runSync(late.rows)) !== numbersOf(all.filter(({ isLate }) => isLate))
  if (isWrong) problems.push("A3: the late output does not hold the late copies, each once")
  return { history, problems, lost: problems.length, duplicated: 0, events: all.length }
}

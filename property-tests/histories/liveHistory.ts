/**
 * A history of a live source: partitions that appear while the query runs, stand still until they are idle, and never end.
 * When a window closes, and what is late, are facts of such a run; what holds in any is that each row is in one window or
 * in the late output, once (L1), and that every window closes that its watermark has passed.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { EventStream, Late, Memory, Query, Trigger, Window } from "tidemark"
import type { Source } from "../../src/model/Source.ts"
import type { FaultKind } from "../../src/testing/Fault.ts"
import { type HistoryResult, runHistory } from "../../src/testing/History.ts"
import { simulatedSource } from "../../src/testing/SimulatedLog.ts"
import { simulatedStartMs } from "../../src/testing/Simulator.ts"
import type { Life, Store, World } from "../../src/testing/World.ts"
import type { Verdict } from "./jobHistory.ts"
import { highestBefore } from "./raises.ts"
import { faultySinks, logFaultsOf, type WorldFaults } from "./worldFaults.ts"

/** A row; its id tells it from all others. */
export interface LiveRow {
  readonly id: number
  readonly at: number
  readonly key: string
}

/** A partition: how far each row is from the one before it in event time, and when it comes, ms after the start. */
export interface LivePartition {
  readonly appearsMs: number
  readonly moves: ReadonlyArray<{ readonly by: number; readonly key: number; readonly afterMs: number }>
}

/** One history of it. */
export interface LiveCase extends WorldFaults {
  readonly seed: number
  readonly partitions: ReadonlyArray<LivePartition>
  readonly sizeMs: number
  readonly boundMs: number
  readonly whenQuiet: "hold" | "follow the clock"
  readonly endPosition: boolean
  readonly everyMs: number
  readonly restarts: boolean
  readonly store: Store
  readonly lives: ReadonlyArray<Life>
}

/** Longer than a usual pause between two rows, shorter than a stall. */
const idleAfterMs = 400
/** The last row of each partition: it closes every window before it. */
const lastAt = 1_000_000

/** The rows of each partition. */
export const rowsOf = (c: LiveCase): ReadonlyArray<ReadonlyArray<LiveRow>> =>
  c.partitions.map(({ moves }, p) => {
    let at = 0
    const rows = moves.map(({ by, key }, i): LiveRow => {
      at += by
      return { id: p * 1000 + i, at, key: "abc"[key % 3] }
    })
    return [...rows, { id: p * 1000 + 999, at: lastAt, key: "end" }]
  })

/** When each row of a partition comes, ms after the start. */
export const arrivals = (c: LiveCase, p: number): ((row: number) => number) => {
  let at = c.partitions[p].appearsMs
  const moments = c.partitions[p].moves.map(({ afterMs }, row) => {
    for (const fault of c.faults)
      if (fault.kind === "stall" && fault.partition % c.partitions.length === p && fault.row === row) at += fault.ms
    at += afterMs
    return at
  })
  // Whoever is last has seen all the others.
  const end = Math.max(0, ...c.partitions.map((q) => q.appearsMs)) + 1
  return (row) => (row < moments.length ? moments[row] : Math.max(at, end) + 1)
}

/** What holds a process up while time passes: its partitions may seem idle, with rows to be read. */
const holdsUp: ReadonlyArray<FaultKind> = ["freeze", "sink slow"]

/** Ids of the rows that may be late: those of windows that the watermark of their own partition may have passed (T4, T7). */
const mayBeLate = (
  c: LiveCase,
  rows: ReadonlyArray<ReadonlyArray<LiveRow>>,
  { readWithinMs, skipped = () => 0 }: LiveInput
): ReadonlySet<number> => {
  const isKnown = c.whenQuiet === "hold" && !c.faults.some(({ kind }) => holdsUp.includes(kind))
  const limits = highestBefore(
    rows.map((of, p) => {
      let highest = -Infinity
      const read = of.slice(skipped(p))
      return {
        arrived: read.map((_, row) => arrivals(c, p)(skipped(p) + row)),
        watermarks: read.map(({ at }) => (highest = Math.max(highest, at)) - c.boundMs),
        isFirst: c.partitions[p].appearsMs === 0
      }
    }),
    idleAfterMs,
    readWithinMs
  )
  const ids = rows.flatMap((of, p) => {
    if (!isKnown || c.partitions[p].appearsMs > 0) return of.map(({ id }) => id)
    const endOf = ({ at }: LiveRow): number => (Math.floor(at / c.sizeMs) + 1) * c.sizeMs
    return of
      .slice(skipped(p))
      .filter((row, i) => endOf(row) <= limits[p][i])
      .map(({ id }) => id)
  })
  return new Set(ids)
}

interface Result {
  readonly key: string
  readonly window_end: number
  readonly ids: ReadonlyArray<number>
}

/** Where the rows come from. */
export interface LiveInput {
  /** The source in a process; `exhausted` is called when all there will ever be has been read. */
  readonly source: (world: World, exhausted: () => void) => Source<LiveRow, unknown, unknown>
  /** Whether a row has to come out, but for the last of its partition; asked in the end. Default: all have. */
  readonly isDue?: (id: number) => boolean
  /** What else is wrong, given how often each row came out. */
  readonly judge?: (world: World, times: (id: number) => number, result: HistoryResult) => ReadonlyArray<string>
  /** A row that has come is read by then, ms; Infinity: nobody knows when. */
  readonly readWithinMs?: number
  /** How many first rows of a partition lie before where reading begins: nobody waits for them. Default none. */
  readonly skipped?: (partition: number) => number
}

/** A log that is simulated. */
const logOf = (c: LiveCase): LiveInput => {
  const rows = rowsOf(c)
  const faults = logFaultsOf(c.faults, rows.length, (p) => `p${p}`)
  return {
    source: (world, exhausted) => {
      const read = new Set<string>()
      return simulatedSource<LiveRow>(world.simulator, simulatedStartMs, {
        name: "live",
        partitions: rows.map((of, p) => ({
          name: `p${p}`,
          rows: of,
          arriveMs: arrivals(c, p),
          appearsMs: c.partitions[p].appearsMs,
          stalledAt: c.faults.flatMap((f) => (f.kind === "stall" && f.partition % rows.length === p ? [f.row] : []))
        })),
        features: { bounded: false, endPosition: c.endPosition, dynamicPartitions: true },
        faults,
        onStruck: world.struck,
        onBegun: () => read.clear(),
        onExhausted: (partition) => {
          read.add(partition)
          if (read.size === rows.length) exhausted()
        }
      })
    }
  }
}

/** Runs a case, and judges it. */
export const runLive = (c: LiveCase, input: LiveInput = logOf(c)): Verdict => {
  const rows = rowsOf(c)
  const results = Memory.sink<Result>()
  const lateRows = Memory.sink<LiveRow>()
  const faulty = faultySinks(c)
  let world: World | undefined
  const subject = (w: World, life: Life, exhausted: () => void) =>
    Effect.suspend(() => {
      world = w
      const pipeline = EventStream.from(input.source(w, exhausted)).pipe(
        EventStream.withEventTime("at", {
          outOfOrderness: c.boundMs,
          idleAfter: idleAfterMs,
          whenQuiet: c.whenQuiet,
          alignment: "1000 days"
        }),
        EventStream.keyBy("key"),
        EventStream.window(Window.tumbling(c.sizeMs), { late: Late.to(faulty(w, lateRows)) }),
        EventStream.aggregate(({ reduce }) => ({
          ids: reduce({
            state: Schema.Array(Schema.Number),
            zero: (): ReadonlyArray<number> => [],
            add: (ids: ReadonlyArray<number>, row: LiveRow) => [...ids, row.id]
          })
        })),
        EventStream.to(faulty(w, results))
      )
      return Query.start(pipeline, {
        name: "live",
        chunkRows: life.chunkRows,
        parallelism: life.parallelism,
        trigger: Trigger.every(c.everyMs),
        ...(c.restarts
          ? { restart: Schedule.spaced("50 millis"), restartLimit: { restarts: 20, within: "1 minute" } }
          : {})
      })
    })
  const { seed, faults, lives, store } = c
  const history = runHistory({ seed, faults, lives, store, query: "live", subject })
  const problems = [...history.problems]
  const events = rows.reduce((n, of) => n + of.length, 0)
  if (history.summary === undefined) return { history, problems, lost: 0, duplicated: 0, events }
  const seen = new Map<number, number>()
  const note = (id: number): void => void seen.set(id, (seen.get(id) ?? 0) + 1)
  const closed = Effect.runSync(results.rows)
  for (const { ids } of closed) for (const id of ids) note(id)
  const late = Effect.runSync(lateRows.rows)
  for (const { id } of late) note(id)
  const excused = mayBeLate(c, rows, input)
  for (const { id, at } of late)
    if (!excused.has(id)) problems.push(`row ${id} at ${at} is late, and its partition cannot have stood that far`)
  let lost = 0
  let duplicated = 0
  const { isDue = () => true } = input
  for (const row of rows.flat()) {
    const times = seen.get(row.id) ?? 0
    // The window of the last rows may be open still: nothing has come after it.
    const isLost = times === 0 && row.at !== lastAt && isDue(row.id)
    if (times > 1) duplicated++
    if (isLost) lost++
    if (times > 1 || isLost) problems.push(`row ${row.id} at ${row.at} is in ${times} windows or late outputs`)
  }
  problems.push(...(input.judge?.(world as World, (id) => seen.get(id) ?? 0, history) ?? []))
  for (const { key, window_end: end } of closed)
    if (closed.filter((r) => r.key === key && r.window_end === end).length > 1)
      problems.push(`the window of ${key} that ends at ${end} closed twice`)
  return { history, problems, lost, duplicated, events }
}

/**
 * A history of a random job: the real runtime under faults, judged by the oracle. Everything is decided by the case.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { Files, Memory, Query, Trigger } from "tidemark"
import type { AnySink } from "../../src/model/Sink.ts"
import type { Source } from "../../src/model/Source.ts"
import type { Fault } from "../../src/testing/Fault.ts"
import { type HistoryResult, runHistory } from "../../src/testing/History.ts"
import type { Life, Store, Subject, World } from "../../src/testing/World.ts"
import { Seeded } from "../../src/testing/seeded.ts"
import type { SimulatedDisk } from "../../src/testing/SimulatedDisk.ts"
import { type LogFault, type SimulatedPartition, simulatedSource } from "../../src/testing/SimulatedLog.ts"
import { simulatedStartMs } from "../../src/testing/Simulator.ts"
import { pipelineOf } from "../../test/engine/build.ts"
import { countsOf } from "../../test/engine/run.ts"
import { type Job, multiset, type Partition, type Row } from "../../test/oracle/Job.ts"
import { evaluate } from "../../test/oracle/Oracle.ts"
import { filesOf, putFiles } from "./fileInput.ts"
import { brokenLaws } from "./laws.ts"
import { faultySinks, logFaultsOf } from "./worldFaults.ts"

/** One history as data. */
export interface JobCase {
  readonly seed: number
  readonly job: Job
  readonly mode: "append" | "update" | "complete"
  /** Results go to files on the simulated disk, where they can be said in JSON. */
  readonly toFiles: boolean
  /** Most rows of an epoch; 0: as many as come between two ticks. */
  readonly epochRows: number
  readonly everyMs: number
  /** Rows of a partition come so far apart at most, ms. */
  readonly paceMs: number
  readonly endPosition: boolean
  /** The query restarts by itself, in its process, when an attempt fails. */
  readonly restarts: boolean
  /** Epochs that stay readable: the fewer, the sooner what came before is collected. */
  readonly retained: number
  readonly lives: ReadonlyArray<Life>
  readonly store: Store
  readonly faults: ReadonlyArray<Fault>
  /** Rows are read from files on the simulated disk, each partition from so many; 0: from a log. */
  readonly inFiles: number
  /** How old results may be in mode complete, ms of event time; undefined: as old as they like. */
  readonly keepMs: number | undefined
}

/** What was found. */
export interface Verdict {
  readonly history: HistoryResult
  readonly problems: ReadonlyArray<string>
  readonly lost: number
  readonly duplicated: number
  readonly events: number
}

const partitionsOf = (c: JobCase): ReadonlyArray<Partition> => c.job.sources.flat()

/** Rows and the moments at which they come: a function of the case, so that a replay of a partition is the same. */
const simulated = (c: JobCase, partition: Partition, number: number, index: number): SimulatedPartition<Row> => {
  const random = new Seeded(c.seed + number * 7919)
  let at = 0
  const stalls = c.faults.flatMap((fault) =>
    fault.kind === "stall" && fault.partition % partitionsOf(c).length === number ? [fault] : []
  )
  const moments = partition.rows.map((_, row) => {
    for (const stall of stalls) if (stall.row === row) at += stall.ms
    if (c.paceMs > 0) at += random.below(c.paceMs + 1)
    return at
  })
  const { rows, appendTimes } = partition
  const stalledAt = stalls.map(({ row }) => row)
  return {
    name: `p${index}`,
    rows,
    arriveMs: (row) => moments[row],
    stalledAt,
    ...(appendTimes === undefined ? {} : { appendTimes })
  }
}

/** Of each source the faults of its partitions. */
const logFaults = (c: JobCase): ReadonlyArray<ReadonlyArray<LogFault>> => {
  const names = c.job.sources.flatMap((partitions, s) => partitions.map((_, index) => ({ s, name: `p${index}` })))
  const all = logFaultsOf(c.faults, names.length, String)
  return c.job.sources.map((_, s) =>
    all.flatMap((fault) => {
      const at = names[Number(fault.partition)]
      return at.s === s ? [{ ...fault, partition: at.name }] : []
    })
  )
}

const outFolder = "/out/results"
const inFolder = (source: number): string => `/in/s${source}`

/** A row of a file; one that is torn is itself what should not be there. */
const rowOf = (line: string): unknown => {
  try {
    return JSON.parse(line) as unknown
  } catch {
    return { torn: line }
  }
}

/** The results as a reader of the folder sees them. */
const readResults = (disk: SimulatedDisk): ReadonlyArray<unknown> =>
  disk
    .list(outFolder)
    .filter((name) => !name.startsWith("."))
    .flatMap((name) => new TextDecoder().decode(disk.read(`${outFolder}/${name}`)).split("\n"))
    .filter((line) => line !== "")
    .map(rowOf)

const difference = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): ReadonlyArray<string> => {
  const left = new Map<string, number>()
  for (const text of b) left.set(text, (left.get(text) ?? 0) + 1)
  return a.filter((text) => {
    const n = left.get(text) ?? 0
    if (n > 0) left.set(text, n - 1)
    return n === 0
  })
}

/** A history that takes more has no end: of hundreds none takes 6,000. */
const stepsMax = 40_000

/** Runs a case, and judges it. */
export const runCase = (c: JobCase): Verdict => {
  const tables = { results: Memory.makeTable(), late: Memory.makeTable(), dedupeLate: Memory.makeTable() }
  const sinks = {
    results: Memory.sink({ table: tables.results }),
    late: Memory.sink({ table: tables.late }),
    dedupeLate: Memory.sink({ table: tables.dedupeLate })
  }
  let world: World | undefined
  const logs = logFaults(c)
  const faulty = faultySinks(c)
  const subject: Subject = (w, life) =>
    Effect.suspend(() => {
      if (world === undefined && c.inFiles > 0)
        for (const [s, partitions] of c.job.sources.entries()) putFiles(w.disk, inFolder(s), partitions, c.inFiles)
      world = w
      return start(c, w, life, sinks, logs, faulty)
    })
  const { seed, faults, lives, store } = c
  const history = runHistory({ seed, faults, lives, store, query: "job", subject, stepsMax })
  return judge(c, history, world as World, sinks)
}

type Sinks = { readonly [K in "results" | "late" | "dedupeLate"]: Memory.MemorySink<unknown> }

const start = (
  c: JobCase,
  world: World,
  life: Life,
  sinks: Sinks,
  logs: ReadonlyArray<ReadonlyArray<LogFault>>,
  faulty: ReturnType<typeof faultySinks>
) => {
  const { simulator } = world
  const { job, mode } = c
  let number = 0
  const sources = job.sources.map((partitions, s) => {
    if (c.inFiles > 0) return filesOf(inFolder(s), partitions.length)
    return simulatedSource(simulator, simulatedStartMs, {
      name: `s${s}`,
      partitions: partitions.map((partition, index) => simulated(c, partition, number++, index)),
      features: { bounded: true, endPosition: c.endPosition, dynamicPartitions: false },
      faults: logs[s],
      onStruck: world.struck
    })
  }) as unknown as ReadonlyArray<Source<Row, unknown, unknown>>
  const all = {
    results: faulty(world, c.toFiles ? Files.jsonLines(outFolder) : sinks.results) as AnySink,
    late: faulty(world, sinks.late),
    dedupeLate: faulty(world, sinks.dedupeLate)
  }
  return Query.start(pipelineOf(job, sources, all, mode, { alignment: 20 }, c.keepMs), {
    name: "job",
    chunkRows: life.chunkRows,
    parallelism: life.parallelism,
    checkpoint: { retained: c.retained },
    trigger: Trigger.every(c.everyMs, c.epochRows === 0 ? {} : { maxEvents: c.epochRows }),
    ...(c.restarts ? { restart: Schedule.spaced("50 millis"), restartLimit: { restarts: 20, within: "1 minute" } } : {})
  })
}

const judge = (c: JobCase, history: HistoryResult, { disk, objects }: World, sinks: Sinks): Verdict => {
  const events = partitionsOf(c).reduce((n, { rows }) => n + rows.length, 0)
  const problems = [...history.problems]
  const { summary } = history
  if (summary === undefined) return { history, problems, lost: 0, duplicated: 0, events }
  const all = evaluate(c.job)
  const oldest = c.mode === "complete" && c.keepMs !== undefined ? all.watermark - c.keepMs : -Infinity
  // A result is as old as the last moment of its window (T10, A4).
  const isKept = (row: unknown): boolean => (row as { readonly window_end: number }).window_end - 1 >= oldest
  const wanted = oldest === -Infinity ? all : { ...all, results: all.results.filter(isKept) }
  const got = {
    results: c.toFiles
      ? readResults(disk)
      : Effect.runSync(c.mode === "append" ? sinks.results.rows : sinks.results.table),
    late: Effect.runSync(sinks.late.rows),
    dedupeLate: Effect.runSync(sinks.dedupeLate.rows)
  }
  let lost = 0
  let duplicated = 0
  for (const output of ["results", "late", "dedupeLate"] as const) {
    const missing = difference(multiset(wanted[output]), multiset(got[output]))
    const extra = difference(multiset(got[output]), multiset(wanted[output]))
    lost += missing.length
    duplicated += extra.length
    if (missing.length > 0) problems.push(`${output}: ${missing.length} missing: ${missing[0]}`)
    if (extra.length > 0) problems.push(`${output}: ${extra.length} too many: ${extra[0]}`)
  }
  const counts = JSON.stringify(countsOf(c.job, summary.ledger))
  if (counts !== JSON.stringify(wanted.counts))
    problems.push(`the ledger counts ${counts}, the oracle ${JSON.stringify(wanted.counts)}`)
  const { untimed, quarantined, effectDead, refused, badId } = wanted.counts
  const dead = untimed + quarantined + effectDead + refused + badId
  const letters = objects
    .names("dead/job/")
    .flatMap((name) => new TextDecoder().decode(objects.get(name)).split("\n"))
    .filter((line) => line !== "").length
  if (letters !== dead) problems.push(`${letters} dead letters are kept, of ${dead}`)
  problems.push(...brokenLaws(c, history, objects))
  return { history, problems, lost, duplicated, events }
}

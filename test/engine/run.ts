/**
 * Runs a `Job` on the real runtime, in as many ways as results must not depend on: chunk sizes, parallelism, pace of epochs, speed of each partition, columns or rows, order in which fibers run.
 */
import { Cause, Effect, Exit, Fiber, Scheduler } from "effect"
import { Checkpoint, Memory, Query, Trigger } from "tidemark"
import { factsOf } from "../../src/actors/QueryHandle.ts"
import { make as makeStore } from "../../src/connectors/memory/MemoryObjectStore.ts"
import { LiveAttempts } from "../../src/checkpoint/LiveAttempts.ts"
import { HostProcess, type ProcessFacts } from "../../src/checkpoint/Owner.ts"
import type { Ledger, OperatorBalance } from "../../src/model/Ledger.ts"
import type { Source } from "../../src/model/Source.ts"
import type { Counts, Job, Row } from "../oracle/Job.ts"
import { type JobSinks, pipelineOf } from "./build.ts"
import { randomOf, type Random } from "./random.ts"

/** How a job is run; results must not depend on it. */
export interface Manner {
  readonly chunkRows: number
  readonly parallelism: number
  readonly epochMs: number
  /** Pull columns instead of rows, where the source can. */
  readonly columns: boolean
  /** Seeds the speed of each partition and the size of each chunk; 0: as fast as it goes. */
  readonly pace: number
  /** Seeds the order in which fibers run; 0: effect's own. */
  readonly order: number
  readonly mode: "append" | "update" | "complete"
  /** Mode complete: how long rows stay in the table, ms; default for ever. */
  readonly keep?: number
}

/** The plainest manner. */
export const plain: Manner = {
  chunkRows: 1024,
  parallelism: 1,
  epochMs: 1000,
  columns: false,
  pace: 0,
  order: 0,
  mode: "append"
}

/** What a run gave. */
export interface Run {
  readonly results: ReadonlyArray<unknown>
  readonly late: ReadonlyArray<unknown>
  readonly dedupeLate: ReadonlyArray<unknown>
  /** Dead letters: operator, partition, place and reason. */
  readonly dead: ReadonlyArray<string>
  readonly ledger: Ledger
  readonly epoch: number
  /** Most messages that an edge ever held. */
  readonly peak: number
}

/** Yields a few times, or many for a slow partition, and asks for fewer rows than it might. */
const paced = <A, M, E, R>(source: Source<A, M, E, R>, seed: number): Source<A, M, E, R> => ({
  ...source,
  open: (partition, from) =>
    Effect.map(source.open(partition, from), (cursor) => {
      const random = randomOf(seed + partition.charCodeAt(partition.length - 1) * 7919)
      const slow = random(2) === 0 ? 1 : 12
      return {
        ...cursor,
        pull: (demand) =>
          Effect.suspend(() => {
            let wait: Effect.Effect<void> = Effect.void
            for (let i = random(3) * slow; i > 0; i--) wait = Effect.andThen(Effect.yieldNow, wait)
            return Effect.andThen(wait, cursor.pull({ ...demand, rows: 1 + random(demand.rows) }))
          })
      }
    })
})

/** Runs whichever task the seed says next, and lets fibers yield when the seed says so. */
class SeededScheduler implements Scheduler.Scheduler {
  readonly executionMode = "async"
  readonly #random: Random
  readonly #tasks: Array<() => void> = []
  #scheduled = false
  #stepsLeft: number
  readonly #stopped: () => void

  /** After `steps` tasks nothing runs any more, as in a process that was killed, or frozen for ever. */
  constructor(seed: number, steps = Infinity, stopped: () => void = () => undefined) {
    this.#random = randomOf(seed)
    this.#stepsLeft = steps
    this.#stopped = stopped
  }

  shouldYield(): boolean {
    return this.#random(16) === 0
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return { scheduleTask: (task) => this.#schedule(task), flush: () => this.#drain() }
  }

  #schedule(task: () => void): void {
    this.#tasks.push(task)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#drain()
    })
  }

  #drain(): void {
    const tasks = this.#tasks
    for (let budget = 500; tasks.length > 0 && budget > 0; budget--) {
      if (this.#stepsLeft-- <= 0) return this.#stopped()
      const at = this.#random(tasks.length)
      const task = tasks[at]
      tasks[at] = tasks[tasks.length - 1]
      tasks.length--
      task()
    }
    if (tasks.length > 0) this.#schedule(() => undefined)
  }
}

/** Runs an effect under a seeded order of fibers; 0: effect's own. */
export const ordered = <A, E, R>(order: number, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  order === 0 ? effect : Effect.provideService(effect, Scheduler.Scheduler, new SeededScheduler(order))

/** One attempt that does not live to its end: after how many steps of the scheduler it is cut off, and how. */
export interface Cut {
  readonly afterSteps: number
  /** `freeze`: nothing of it runs any more. `interrupt`: its scope is closed, as when a fiber is interrupted. */
  readonly how: "freeze" | "interrupt"
  readonly parallelism: number
  readonly chunkRows: number
}

const noLife: ProcessFacts = {
  self: Effect.succeed({
    host: "here",
    bootId: "b",
    pidNamespace: "n",
    container: "c",
    pid: 7,
    startedAt: "0"
  }),
  isGone: () => Effect.succeed(true)
}

/** Runs one process of a job until it ends or is cut off; undefined when it was. */
const runProcess = <A>(
  program: Effect.Effect<A, unknown>,
  cut: Cut | undefined,
  seed: number
): Promise<A | undefined> =>
  new Promise((resolve, reject) => {
    let stop = (): void => resolve(undefined)
    const steps = cut === undefined || cut.how === "interrupt" ? Infinity : cut.afterSteps
    const scheduler = new SeededScheduler(seed, steps, () => stop())
    // Each process is another one, and the one before it is surely gone.
    const own = Effect.map(noLife.self, (self) => ({ ...self, pid: 100 + (seed % 1_000_000) }))
    const ready = program.pipe(
      Effect.provideService(HostProcess, { ...noLife, self: own }),
      Effect.provideService(LiveAttempts, new Map())
    )
    const fiber = Effect.runFork(ready, { scheduler })
    fiber.addObserver((exit) => {
      if (Exit.isSuccess(exit)) resolve(exit.value)
      else if (Cause.hasInterruptsOnly(exit.cause)) resolve(undefined)
      else reject(new Error(Cause.pretty(exit.cause)))
    })
    if (cut?.how !== "interrupt") return
    stop = () => undefined
    let turns = Math.ceil(cut.afterSteps / 20)
    const wait = (): void => {
      if (turns-- > 0) setImmediate(wait)
      else Effect.runFork(Fiber.interrupt(fiber))
    }
    wait()
  })

/** Runs a job in process after process on one checkpoint store, each but the last cut off, to the end of its input. */
export const runWithCuts = async (
  job: Job,
  manner: Manner,
  cuts: ReadonlyArray<Cut>
): Promise<Run & { continued: number }> => {
  const sinks = { results: Memory.sink(), late: Memory.sink(), dedupeLate: Memory.sink() }
  const store = Checkpoint.layer(makeStore())
  let continued = 0
  for (let i = 0; ; i++) {
    const cut = cuts.at(i)
    const program = Effect.gen(function* () {
      const sources = yield* Effect.forEach(job.sources, (_, n) => sourceOf(job, manner, n))
      const pipeline = pipelineOf(job, sources, sinks, manner.mode, { alignment: 20 }, manner.keep)
      const handle = yield* Query.start(pipeline, {
        name: "job",
        chunkRows: cut?.chunkRows ?? manner.chunkRows,
        parallelism: cut?.parallelism ?? manner.parallelism,
        trigger: Trigger.asFastAsPossible({ maxEvents: 1 + (manner.order % 5) })
      })
      yield* handle.await
      if (factsOf(handle).continued !== undefined) continued++
      return yield* resultOf(handle, sinks, manner.mode)
    }).pipe(Effect.scoped, Effect.provide(store))
    const done = await runProcess(program, cut, manner.order * 1000 + i + 1)
    if (done !== undefined) return { ...done, continued }
  }
}

const sourceOf = (job: Job, manner: Manner, index: number): Effect.Effect<Source<Row, unknown, unknown, never>> =>
  Effect.gen(function* () {
    const partitions = job.sources[index]
    const name = `s${index}`
    const timesOf = partitions.some((p) => p.appendTimes !== undefined)
    let source: Source<Row, unknown, unknown, never>
    if (timesOf) {
      const names = partitions.map((_, i) => `p${i}`)
      const channel = Memory.channel<Row>({ name, bounded: true, appendTime: true, partitions: names })
      for (const [i, { rows, appendTimes }] of partitions.entries()) {
        yield* channel.push(names[i], rows, { appendTimes: appendTimes ?? [] })
        yield* channel.end(names[i])
      }
      source = channel.source
    } else {
      const rows = Object.fromEntries(partitions.map((p, i) => [`p${i}`, p.rows]))
      source = Memory.source({ partitions: rows }, { name, columns: manner.columns })
    }
    return manner.pace === 0 ? source : paced(source, manner.pace * 31 + index)
  })

/** Runs a job to the end of its input. Fails as the query fails. */
export const runJob = (job: Job, manner: Manner): Effect.Effect<Run, unknown> =>
  Effect.gen(function* () {
    const sinks = { results: Memory.sink(), late: Memory.sink(), dedupeLate: Memory.sink() }
    const sources = yield* Effect.forEach(job.sources, (_, i) => sourceOf(job, manner, i))
    // Small enough that fast partitions do pause.
    const pipeline = pipelineOf(job, sources, sinks, manner.mode, { alignment: 20 }, manner.keep)
    const options = {
      name: "job",
      chunkRows: manner.chunkRows,
      parallelism: manner.parallelism,
      trigger: Trigger.every(manner.epochMs)
    }
    return yield* Effect.gen(function* () {
      const handle = yield* Query.start(pipeline, options)
      yield* handle.await
      return yield* resultOf(handle, sinks, manner.mode)
    }).pipe(Effect.scoped, Effect.provide(Checkpoint.layerMemory), (run) => ordered(manner.order, run))
  })

/** What a query that has ended gave. */
export const resultOf = (
  handle: Query.QueryHandle<unknown>,
  sinks: JobSinks<Memory.MemorySink<unknown>>,
  mode: Manner["mode"]
): Effect.Effect<Run, unknown, Checkpoint.CheckpointStore> =>
  Effect.gen(function* () {
    const { ledger, epoch } = yield* handle.await
    const letters = yield* Query.deadLetters(handle.name)
    const { queues } = yield* handle.progress
    return {
      results: yield* mode === "append" ? sinks.results.rows : sinks.results.table,
      late: yield* sinks.late.rows,
      dedupeLate: yield* sinks.dedupeLate.rows,
      dead: letters.map((l) => [l.source, l.partition, l.place, l.operator, l.reason].join(" ")),
      ledger,
      epoch,
      peak: Math.max(0, ...queues.map((q) => q.peak))
    }
  })

const sum = (ledger: Ledger, operator: (name: string) => boolean, field: keyof OperatorBalance): number =>
  ledger.operators.filter((o) => operator(o.operator)).reduce((all, o) => all + (o[field] as number), 0)

/** The counts of a ledger, as the oracle names them. */
export const countsOf = (job: Job, ledger: Ledger): Counts => {
  const of = (kind: string, field: keyof OperatorBalance): number =>
    sum(ledger, (name) => name.startsWith(`${kind}-`) && !name.endsWith(".exchange"), field)
  const main = job.windows === undefined ? "running" : "window"
  // A chained window is the second; its rows are counted apart.
  const first = (field: keyof OperatorBalance): number => sum(ledger, (name) => name === `${main}-1`, field)
  return {
    untimed: of("withEventTime", "dead"),
    quarantined: of("withEventTime", "quarantined"),
    filtered: of("filter", "filtered"),
    effectDead: of("mapEffect", "dead"),
    refused: sum(ledger, (name) => name === `${main}-1.exchange`, "dead"),
    badId: sum(ledger, (name) => name === "dedupe-1.exchange", "dead"),
    duplicate: of("dedupe", "duplicate"),
    dedupeLate: of("dedupe", "late"),
    contributed: first("contributed"),
    late: first("late"),
    outside: first("outside"),
    partlyLate: first("partlyLate")
  }
}

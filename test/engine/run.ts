/**
 * Builds a `Job` with the public API and runs it on the real runtime, in as many ways as results must not depend on:
 * chunk sizes, parallelism, pace of epochs, speed of each partition, columns or rows, order in which fibers run.
 */
import { Effect, Schema, Scheduler } from "effect"
import { Checkpoint, EventStream, Late, Memory, Query, Trigger, Window } from "tidemark"
import type { Ledger, OperatorBalance } from "../../src/model/Ledger.ts"
import type { Source } from "../../src/model/Source.ts"
import type { Counts, Job, Row, Step, Windows } from "../oracle/Job.ts"
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

  constructor(seed: number) {
    this.#random = randomOf(seed)
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

// The types of the language need a plan known when compiling; a generated one is piped without them.
type Untyped = EventStream.EventStream<never, never, never, never>
const pipe = (stream: Untyped, f: unknown): Untyped => (f as (s: Untyped) => Untyped)(stream)

const stepOf = (step: Step): unknown => {
  switch (step.kind) {
    case "keep":
      return EventStream.filter((row: Row) => (row.id as number) % step.modulo !== step.rest)
    case "plus":
      return EventStream.map((row: Row) => ({ ...row, v: (row.v as number) + step.by }))
    case "split":
      return EventStream.flatMap((row: Row) =>
        Array.from({ length: (row.id as number) % (step.copies + 1) }, (_, copy) => ({ ...row, copy }))
      )
    case "effect":
      return EventStream.mapEffect(
        (row: Row) =>
          Effect.gen(function* () {
            // Rows take differently long, so that concurrent ones overtake each other.
            for (let i = (row.id as number) % 3; i > 0; i--) yield* Effect.yieldNow
            if ((row.id as number) % 5 === step.failRest) return yield* Effect.fail("no")
            return { ...row, v: (row.v as number) * 2 }
          }),
        { concurrency: step.concurrency, ordered: step.ordered, onError: "deadLetter" }
      )
  }
}

const windowOf = (windows: Windows): unknown => {
  switch (windows.kind) {
    case "time":
      return Window.sliding(windows.size, { every: windows.slide, offset: windows.offset })
    case "session":
      return Window.session(windows.gap)
    case "global":
      return Window.global()
  }
}

const aggregates = (of: never): object => {
  const a = of as {
    readonly count: unknown
    readonly [name: string]: unknown
  }
  const by = (name: string, field: string): unknown => (a[name] as (f: string) => unknown)(field)
  const reduce = a["reduce"] as (r: unknown) => unknown
  return {
    n: a.count,
    total: by("sum", "v"),
    low: by("min", "v"),
    high: by("max", "v"),
    first: by("first", "id"),
    last: by("last", "id"),
    ids: by("distinct", "id"),
    merged: reduce({
      state: Schema.Number,
      zero: () => 0,
      add: (s: number, row: Row) => s + (Number(row.v) % 1000),
      merge: (x: number, y: number) => x + y
    }),
    folded: reduce({
      state: Schema.Array(Schema.String),
      zero: () => [],
      add: (s: ReadonlyArray<string>, row: Row) => [...s, `${String(row.id)}@${String(row.at)}.${row.copy ?? ""}`],
      result: (s: ReadonlyArray<string>) => s.join(" ")
    })
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
    const results = Memory.sink()
    const late = Memory.sink()
    const dedupeLate = Memory.sink()
    let stream: Untyped | undefined
    for (let i = 0; i < job.sources.length; i++) {
      const one = EventStream.from(yield* sourceOf(job, manner, i)) as unknown as Untyped
      stream = stream === undefined ? one : pipe(stream, EventStream.union(one))
    }
    let s = stream as Untyped
    for (const step of job.before) s = pipe(s, stepOf(step))
    s = pipe(
      s,
      EventStream.withEventTime(
        "at" as never,
        {
          ...(job.watermark === "explicit" ? { watermark: (row: Row) => row.mark } : { outOfOrderness: job.watermark }),
          ...(job.maxFutureSkew === undefined ? {} : { maxFutureSkew: job.maxFutureSkew }),
          // Small enough that fast partitions do pause.
          alignment: 20
        } as never
      )
    )
    for (const step of job.after) s = pipe(s, stepOf(step))
    if (job.branches !== undefined) {
      const [a, b] = job.branches.map((steps) => steps.reduce((of, step) => pipe(of, stepOf(step)), s))
      s = pipe(a, EventStream.union(b))
    }
    if (job.dedupe !== undefined) {
      const policy = job.dedupe.late === "output" ? Late.to(dedupeLate) : job.dedupe.late
      s = pipe(s, EventStream.dedupe("id" as never, { late: policy, allowedLateness: job.dedupe.lateness } as never))
    }
    s = pipe(
      s,
      job.keyed ? (EventStream.keyBy as (...f: ReadonlyArray<unknown>) => unknown)("key") : EventStream.keyBy()
    )
    if (job.windows === undefined) {
      s = pipe(s, EventStream.aggregateRunning(aggregates as never))
    } else {
      const policy = job.late === "output" ? Late.to(late) : job.late
      const options = { late: policy, ...(job.lateness === 0 ? {} : { allowedLateness: job.lateness }) }
      const window = EventStream.window as (w: unknown, o: unknown) => unknown
      s = pipe(s, window(windowOf(job.windows), options))
      s = pipe(s, EventStream.aggregate(aggregates as never))
    }
    if (job.chained !== undefined) {
      s = pipe(s, EventStream.keyBy())
      s = pipe(
        s,
        (EventStream.window as (w: unknown, o: unknown) => unknown)(Window.tumbling(job.chained), { late: "drop" })
      )
      const again = ({ count, sum, first, last }: Record<string, (f: string) => unknown>): object => ({
        panes: count,
        rows: sum("n"),
        firstEnd: first("window_end"),
        firstKey: first("key"),
        lastStart: last("window_start")
      })
      s = pipe(s, EventStream.aggregate(again as never))
    }
    const to = EventStream.to as (sink: unknown, o: unknown) => (s: Untyped) => unknown
    const how = manner.mode === "complete" ? { mode: "complete", keep: "36500 days" } : { mode: manner.mode }
    const pipeline = to(results, how)(s)
    const options = {
      name: "job",
      chunkRows: manner.chunkRows,
      parallelism: manner.parallelism,
      trigger: Trigger.every(manner.epochMs)
    }
    const [summary, progress, letters] = yield* Effect.scoped(
      Effect.gen(function* () {
        const handle = yield* Query.start(pipeline as never, options)
        const summary = yield* handle.await
        return [summary, yield* handle.progress, yield* Query.deadLetters("job")] as const
      })
    ).pipe(Effect.provide(Checkpoint.layerMemory), (run) => ordered(manner.order, run))
    return {
      results: yield* manner.mode === "append" ? results.rows : results.table,
      late: yield* late.rows,
      dedupeLate: yield* dedupeLate.rows,
      dead: letters.map((l) => [l.source, l.partition, l.place, l.operator, l.reason].join(" ")),
      ledger: summary.ledger,
      epoch: summary.epoch,
      peak: Math.max(0, ...progress.queues.map((q) => q.peak))
    }
  }) as unknown as Effect.Effect<Run, unknown>

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

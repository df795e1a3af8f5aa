/** Builds the pipeline of a `Job` with the public API. */
import { type Duration, Effect, Schema } from "effect"
import { EventStream, Late, type Pipeline, Window } from "tidemark"
import type { AnySink } from "../../src/model/Sink.ts"
import type { Source } from "../../src/model/Source.ts"
import type { Job, Row, Step, Windows } from "../oracle/Job.ts"

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

const aggregatesOf =
  (job: Job) =>
  (of: never): object => {
    const a = of as {
      readonly count: unknown
      readonly [name: string]: unknown
    }
    const by = (name: string, field: string): unknown => (a[name] as (f: string) => unknown)(field)
    const reduce = a["reduce"] as (r: unknown) => unknown
    if (job.few === true) return { n: a.count, total: by("sum", "v"), first: by("first", "id"), last: by("last", "id") }
    return {
      n: a.count,
      total: by("sum", "v"),
      low: by("min", "v"),
      high: by("max", "v"),
      first: by("first", "id"),
      last: by("last", "id"),
      newest: by("last", "v"),
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
        add: (s: ReadonlyArray<string>, row: Row) => [
          ...s,
          `${String(row.id)}@${String(row.at)}.${row.copy ?? ""}=${String(row.v)}`
        ],
        result: (s: ReadonlyArray<string>) => s.join(" ")
      })
    }
  }

/** Where the rows of a job go. */
export interface JobSinks<S = AnySink> {
  readonly results: S
  readonly late: S
  readonly dedupeLate: S
}

const timed = (job: Job, s: Untyped, timing: object): Untyped => {
  const by = (watermark: Job["watermark"]): Untyped =>
    pipe(
      s,
      EventStream.withEventTime(
        "at" as never,
        {
          ...(watermark === "explicit" ? { watermark: (row: Row) => row.mark } : { outOfOrderness: watermark }),
          ...(job.maxFutureSkew === undefined ? {} : { maxFutureSkew: job.maxFutureSkew }),
          ...timing
        } as never
      )
    )
  const first = by(job.watermark)
  return job.again === undefined ? first : pipe(first, EventStream.union(by(job.again)))
}

const windowed = EventStream.window as (w: unknown, o: unknown) => unknown

const deduped = (job: Job, s: Untyped, sinks: JobSinks): Untyped => {
  if (job.dedupe === undefined) return s
  const policy = job.dedupe.late === "output" ? Late.to(sinks.dedupeLate as never) : job.dedupe.late
  return pipe(s, EventStream.dedupe("id" as never, { late: policy, allowedLateness: job.dedupe.lateness } as never))
}

const aggregated = (job: Job, s: Untyped, sinks: JobSinks): Untyped => {
  if (job.windows === undefined) return pipe(s, EventStream.aggregateRunning(aggregatesOf(job) as never))
  const late = job.late === "output" ? Late.to(sinks.late as never) : job.late
  const options = {
    late,
    ...(job.lateness === 0 ? {} : { allowedLateness: job.lateness }),
    ...(job.early === true ? { early: true } : {})
  }
  return pipe(pipe(s, windowed(windowOf(job.windows), options)), EventStream.aggregate(aggregatesOf(job) as never))
}

const chained = (job: Job, s: Untyped): Untyped => {
  if (job.chained === undefined) return s
  const again = ({ count, sum, first, last }: Record<string, (f: string) => unknown>): object => ({
    panes: count,
    rows: sum("n"),
    firstEnd: first("window_end"),
    firstKey: first("key"),
    lastStart: last("window_start")
  })
  const cut = pipe(pipe(s, EventStream.keyBy()), windowed(Window.tumbling(job.chained), { late: "drop" }))
  return pipe(cut, EventStream.aggregate(again as never))
}

/** The pipeline of a job over these sources. `timing`: more options of `withEventTime`; `keep`: of mode complete. */
export const pipelineOf = (
  job: Job,
  sources: ReadonlyArray<Source<Row, unknown, unknown>>,
  sinks: JobSinks,
  mode: "append" | "update" | "complete",
  timing: object,
  keep: Duration.Input = "36500 days"
): Pipeline<unknown> => {
  const [first, ...others] = sources.map((source) => EventStream.from(source) as unknown as Untyped)
  let s = others.reduce((all, one) => pipe(all, EventStream.union(one)), first)
  for (const step of job.before) s = pipe(s, stepOf(step))
  s = timed(job, s, timing)
  for (const step of job.after) s = pipe(s, stepOf(step))
  if (job.branches !== undefined) {
    const [a, b] = job.branches.map((steps) => steps.reduce((of, step) => pipe(of, stepOf(step)), s))
    s = pipe(a, EventStream.union(b))
  }
  s = deduped(job, s, sinks)
  const keyBy = EventStream.keyBy as (...fields: ReadonlyArray<string>) => unknown
  s = pipe(s, job.keyed ? keyBy("key") : keyBy())
  s = chained(job, aggregated(job, s, sinks))
  const to = EventStream.to as unknown as (sink: unknown, o: unknown) => (s: Untyped) => Pipeline<unknown>
  const how = mode === "complete" ? { mode, keep } : { mode }
  return to(sinks.results, how)(s)
}

import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import { Checkpoint, Memory, Query, Trigger } from "tidemark"
import { WatermarkGenerator } from "../src/streams/Watermark.ts"
import { pipelineOf } from "../test/engine/build.ts"
import { settle } from "../test/engine/kit.ts"
import { countsOf, resultOf, type Run } from "../test/engine/run.ts"
import { type Job, multiset, type Raise, type Row } from "../test/oracle/Job.ts"
import { evaluate } from "../test/oracle/Oracle.ts"
import { job, modesOf, runs } from "./engineJobs.ts"

/** What happens next: some rows of a partition come, a partition ends, or nothing for a while. */
type Event =
  | { readonly kind: "rows"; readonly partition: number; readonly rows: number }
  | { readonly kind: "quiet"; readonly seconds: number }

const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: fc.constant("rows" as const), partition: fc.nat(5), rows: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant("quiet" as const), seconds: fc.integer({ min: 1, max: 5 }) })
)

/** The raises of each partition, by the number of rows before them: the facts of the run (T7). */
interface Facts {
  rows: number
  partition: number | undefined
  readonly raises: Array<Raise>
}

const honest = {
  raise: Reflect.get(WatermarkGenerator.prototype, "raise"),
  process: Reflect.get(WatermarkGenerator.prototype, "process")
}

/** Notes raises and rows of every generator that is made. */
const watch = (): Map<WatermarkGenerator, Facts> => {
  const facts = new Map<WatermarkGenerator, Facts>()
  const of = (generator: WatermarkGenerator): Facts => {
    const known = facts.get(generator) ?? { rows: 0, partition: undefined, raises: [] }
    facts.set(generator, known)
    return known
  }
  Reflect.set(WatermarkGenerator.prototype, "raise", function (this: WatermarkGenerator, to: number) {
    const rose = honest.raise.call(this, to)
    if (rose) of(this).raises.push({ before: of(this).rows, to })
    return rose
  })
  Reflect.set(
    WatermarkGenerator.prototype,
    "process",
    function (this: WatermarkGenerator, ...args: Parameters<typeof honest.process>) {
      const mine = of(this)
      mine.partition ??= (args[0].rows[0] as { readonly partition: number }).partition
      mine.rows += args[0].length
      return honest.process.apply(this, args)
    }
  )
  return facts
}

afterEach(() => {
  Reflect.set(WatermarkGenerator.prototype, "raise", honest.raise)
  Reflect.set(WatermarkGenerator.prototype, "process", honest.process)
})

interface Setting {
  readonly chunkRows: number
  readonly parallelism: number
  readonly whenQuiet: "hold" | "follow the clock"
  readonly endPosition: boolean
}

const setting: fc.Arbitrary<Setting> = fc.record({
  chunkRows: fc.constantFrom(1, 7, 1024),
  parallelism: fc.constantFrom(1, 2, 3),
  whenQuiet: fc.constantFrom("hold" as const, "follow the clock" as const),
  endPosition: fc.boolean()
})

/** The raises of each partition, in the order of their numbers. */
const raisesOf = (
  facts: ReadonlyMap<WatermarkGenerator, Facts>,
  partitions: number
): ReadonlyArray<ReadonlyArray<Raise>> =>
  Array.from({ length: partitions }, (_, p) => [...facts.values()].find((f) => f.partition === p)?.raises ?? [])

/** The partitions of a job, as one source whose rows tell which partition they are of. */
const partitionsOf = (j: Job): ReadonlyArray<ReadonlyArray<Row & { readonly partition: number }>> =>
  j.sources.flat().map(({ rows }, partition) => rows.map((row) => ({ ...row, partition })))

/** Plays the events into a query under a test clock, then what is left of each partition, and its end. */
const play = (
  partitions: ReadonlyArray<ReadonlyArray<Row>>,
  j: Job,
  events: ReadonlyArray<Event>,
  how: Setting
): Effect.Effect<Run, unknown> =>
  Effect.gen(function* () {
    const names = partitions.map((_, i) => `p${i}`)
    const input = Memory.channel<Row>({ name: "s0", bounded: true, partitions: names, endPosition: how.endPosition })
    const sinks = { results: Memory.sink(), late: Memory.sink(), dedupeLate: Memory.sink() }
    const [mode] = modesOf(j)
    const timing = { idleAfter: "2 seconds", whenQuiet: how.whenQuiet, alignment: "1000 days" }
    const { chunkRows, parallelism } = how
    const handle = yield* Query.start(pipelineOf(j, [input.source], sinks, mode, timing), {
      name: "job",
      chunkRows,
      parallelism,
      trigger: Trigger.every("1 second")
    })
    const sent = names.map(() => 0)
    yield* settle(10)
    for (const e of events) {
      if (e.kind === "quiet") {
        for (let i = 0; i < e.seconds * 2; i++) {
          yield* TestClock.adjust("500 millis")
          yield* settle(6)
        }
        continue
      }
      const p = e.partition % names.length
      const rows = partitions[p].slice(sent[p], sent[p] + e.rows)
      sent[p] += rows.length
      yield* input.push(names[p], rows)
      yield* settle(e.rows)
    }
    for (const [p, name] of names.entries()) {
      yield* input.push(name, partitions[p].slice(sent[p]))
      yield* input.end(name)
    }
    return yield* resultOf(handle, sinks, mode)
  }).pipe(Effect.scoped, Effect.provide(Checkpoint.layerMemory), Effect.provide(TestClock.layer()))

describe("T7: the laws hold between raises, which are facts of the run", () => {
  it("results are what the definition gives for each partition's rows and the raises of its watermark", async () => {
    let raised = 0
    await fc.assert(
      fc.asyncProperty(job, fc.array(event, { maxLength: 25 }), setting, async (any, events, how) => {
        // One source, whose partitions tell by their rows which they are.
        const partitions = any.sources
          .flat()
          .map(({ rows }, partition) =>
            rows.map((row): Row & { readonly partition: number } => ({ ...row, partition }))
          )
        if (partitions.length === 0) return
        const { maxFutureSkew: _, dedupe: __, ...rest } = any
        const j: Job = { ...rest, before: [], sources: [partitions.map((rows) => ({ rows }))] }
        const facts = watch()
        const run = await Effect.runPromise(play(partitions, j, events, how))
        const raises = raisesOf(facts, partitions.length)
        raised += raises.flat().length
        const wanted = evaluate({ ...j, sources: [partitions.map((rows, p) => ({ rows, raises: raises[p] }))] })
        expect(multiset(run.results)).toEqual(multiset(wanted.results))
        expect(multiset(run.late)).toEqual(multiset(wanted.late))
        expect(countsOf(j, run.ledger)).toEqual(wanted.counts)
      }),
      { numRuns: runs(80) }
    )
    // It was about raises at all.
    expect(raised).toBeGreaterThan(20)
  })
})

/** Plays rows into partitions that appear one after another; then drains. W_op at the end says what has closed. */
const playDynamic = (
  partitions: ReadonlyArray<ReadonlyArray<Row>>,
  j: Job,
  events: ReadonlyArray<Event>,
  how: Setting
): Effect.Effect<
  { readonly run: Run; readonly watermark: number; readonly appeared: ReadonlyArray<number> },
  unknown
> =>
  Effect.gen(function* () {
    const name = (p: number): string => `p${p}`
    const input = Memory.channel<Row>({ name: "s0", dynamicPartitions: true, partitions: [name(0)] })
    const sinks = { results: Memory.sink(), late: Memory.sink(), dedupeLate: Memory.sink() }
    const [mode] = modesOf(j)
    const { chunkRows, parallelism } = how
    const handle = yield* Query.start(pipelineOf(j, [input.source], sinks, mode, { alignment: "1000 days" }), {
      name: "job",
      chunkRows,
      parallelism,
      trigger: Trigger.every("1 second")
    })
    const sent = partitions.map((_, p) => (p === 0 ? 0 : -1))
    const appeared = [0]
    const send = (p: number, count: number): Effect.Effect<void> =>
      Effect.gen(function* () {
        if (sent[p] < 0) {
          sent[p] = 0
          appeared.push(p)
          yield* input.addPartition(name(p))
        }
        const rows = partitions[p].slice(sent[p], sent[p] + count)
        sent[p] += rows.length
        yield* input.push(name(p), rows)
        yield* settle(count)
      })
    yield* settle(10)
    for (const e of events) {
      if (e.kind === "rows") yield* send(e.partition % partitions.length, e.rows)
      else {
        yield* TestClock.adjust("1 second")
        yield* settle(8)
      }
    }
    for (const p of partitions.keys()) yield* send(p, partitions[p].length)
    yield* Effect.forEach(partitions.keys(), (p) => input.caughtUp(name(p)))
    yield* settle(10)
    yield* handle.drain
    const { operators } = yield* handle.progress
    return { run: yield* resultOf(handle, sinks, mode), watermark: operators[0]?.watermark ?? -Infinity, appeared }
  }).pipe(Effect.scoped, Effect.provide(Checkpoint.layerMemory), Effect.provide(TestClock.layer()))

describe("T12: the laws hold for partitions that appear, whose start is a fact of the run", () => {
  it("what has closed, what is late, and every row is accounted for", async () => {
    let raised = 0
    await fc.assert(
      fc.asyncProperty(job, fc.array(event, { maxLength: 25 }), setting, async (any, events, how) => {
        const partitions = partitionsOf(any)
        if (partitions.length === 0) return
        const { maxFutureSkew: _, dedupe: __, chained: ___, early: ____, ...rest } = any
        const j: Job = { ...rest, before: [], sources: [partitions.map((rows) => ({ rows }))] }
        const facts = watch()
        const { run, watermark, appeared } = await Effect.runPromise(playDynamic(partitions, j, events, how))
        const raises = raisesOf(facts, partitions.length)
        raised += raises.flat().length
        // In which order they appeared, which A1's order of partitions follows, is a fact too.
        const facted = appeared.map((p) => ({ rows: partitions[p], raises: raises[p] }))
        const wanted = evaluate({ ...j, sources: [facted] })
        const closed = (r: unknown): boolean => ((r as { window_end?: number }).window_end ?? watermark) <= watermark
        expect(multiset(run.results)).toEqual(multiset(wanted.results.filter(closed)))
        expect(multiset(run.late)).toEqual(multiset(wanted.late))
        expect(countsOf(j, run.ledger)).toEqual(wanted.counts)
      }),
      { numRuns: runs(80) }
    )
    expect(raised).toBeGreaterThan(5)
  })
})

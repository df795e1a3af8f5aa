/** M1: jobs whose queries read one source, and jobs whose queries write one sink. */
import { Effect, Logger, Queue, Schedule, Stream } from "effect"
import { describe, expect, it } from "vitest"
import {
  EventStream,
  Late,
  Memory,
  type Pipeline,
  Query,
  type Sink,
  SinkError,
  type Source,
  Streams,
  Trigger,
  Window
} from "tidemark"
import { withSources } from "../../src/actors/shared/JobPlans.ts"
import type { AnySource, SourceNode } from "../../src/streams/Plan.ts"
import type { Mode } from "../../src/model/Sink.ts"
import { errorOf, operatorOf, run, runScoped, until } from "./kit.ts"

interface Row {
  readonly n: number
}
const rows = (from: number, to: number): ReadonlyArray<Row> =>
  Array.from({ length: to - from }, (_, i) => ({ n: from + i }))
const trigger = Trigger.every("1 millis")
const quietly = Effect.provide(Logger.layer([]))

/** The same source, and how often its partitions were opened. */
const counted = <A, M, E, R>(
  source: Source<A, M, E, R>
): { readonly source: Source<A, M, E, R>; readonly opens: () => number } => {
  let opens = 0
  return {
    source: {
      ...source,
      open: (partition, from) => Effect.tap(source.open(partition, from), () => Effect.sync(() => opens++))
    },
    opens: () => opens
  }
}

const into = (source: Source<Row, unknown, unknown>, sink: Sink<unknown, Mode, unknown>): Pipeline<unknown> =>
  EventStream.from(source).pipe(EventStream.to(sink as Sink<unknown, "append", unknown>))

const broken = new SinkError({ connector: "down", retryable: true, message: "no answer" })

/** A sink that does something else before it writes. */
const before = (
  sink: Sink<unknown, Mode, SinkError>,
  first: () => Effect.Effect<void, SinkError>
): Sink<unknown, Mode, SinkError> => ({
  ...sink,
  writer: (context) =>
    Effect.map(sink.writer(context), (writer) => ({
      ...writer,
      write: (batch) => Effect.andThen(Effect.suspend(first), writer.write(batch))
    }))
})

describe("M1: queries of a job on one source", () => {
  it("read it once, and each gets all of it, through operators of its own", () =>
    runScoped(
      Effect.gen(function* () {
        const channel = Memory.channel<Row>({ partitions: ["a", "b"], bounded: true })
        const { source, ...input } = counted(channel.source)
        yield* channel.push("a", rows(0, 40))
        yield* channel.push("b", rows(40, 60))
        const [all, odd, perTen] = [Memory.sink<Row>(), Memory.sink<Row>(), Memory.sink<unknown>()]
        const handles = yield* Query.startJob(
          Query.job(
            {
              all: EventStream.from(source).pipe(EventStream.to(all)),
              odd: EventStream.from(source).pipe(
                EventStream.filter((row) => row.n % 2 === 1),
                EventStream.to(odd)
              ),
              perTen: EventStream.from(source).pipe(
                EventStream.withEventTime("n", { outOfOrderness: 0 }),
                EventStream.windowAll(Window.tumbling(10), { late: "drop" }),
                EventStream.aggregate(({ count }) => ({ rows: count })),
                EventStream.to(perTen)
              )
            },
            { chunkRows: 3, trigger }
          )
        )
        // However late one of them begins, the others are still there.
        for (const [sink, many] of [
          [all, 60],
          [odd, 30],
          [perTen, 3]
        ] as const)
          yield* until(
            "it has what there is",
            Effect.map(sink.rows as Effect.Effect<ReadonlyArray<unknown>>, (found) => found.length === many)
          )
        for (const p of ["a", "b"]) yield* channel.end(p)
        const summaries = yield* Effect.all([handles.all.await, handles.odd.await, handles.perTen.await])
        const sorted = (found: ReadonlyArray<Row>): ReadonlyArray<number> =>
          found.map((row) => row.n).sort((x, y) => x - y)
        expect(sorted(yield* all.rows)).toEqual(rows(0, 60).map((row) => row.n))
        expect(sorted(yield* odd.rows)).toEqual(Array.from({ length: 30 }, (_, i) => 2 * i + 1))
        expect((yield* perTen.rows).length).toBe(6)
        expect(input.opens()).toBe(2)
        for (const { ledger } of summaries) expect(operatorOf(ledger, "source channel").in).toBe(60)
      })
    ))

  it("keep select, metadata and bad input to themselves", async () => {
    const channel = Memory.channel<Row>({ bounded: true })
    await run(
      Effect.gen(function* () {
        yield* channel.push("0", rows(0, 2))
        yield* channel.pushDead("0", {
          reason: "malformed",
          detail: "not JSON",
          place: "line 3",
          bytes: new Uint8Array(1),
          truncated: false
        })
        yield* channel.push("0", rows(2, 3))
        yield* channel.end("0")
      })
    )
    const [plain, selected] = [Memory.sink<unknown>(), Memory.sink<unknown>()]
    await run(
      Effect.gen(function* () {
        yield* Query.runJob(
          Query.job({
            plain: EventStream.from(channel.source).pipe(EventStream.to(plain)),
            selected: EventStream.from(channel.source, (row, meta) => ({ ...row, at: meta.index })).pipe(
              EventStream.to(selected)
            )
          })
        )
        expect(yield* plain.rows).toEqual(rows(0, 3))
        expect(yield* selected.rows).toEqual([
          { n: 0, at: 0 },
          { n: 1, at: 1 },
          { n: 2, at: 3 }
        ])
        for (const name of ["plain", "selected"])
          expect((yield* Query.deadLetters(name)).map((letter) => letter.place)).toEqual(["line 3"])
      })
    )
  })

  it("one that fails ten times and restarts changes nothing for the others", () =>
    runScoped(
      Effect.gen(function* () {
        const channel = Memory.channel<Row>({ partitions: ["p0", "p1"] })
        const input = counted(channel.source)
        const [a, b, flaky] = [Memory.sink<unknown>(), Memory.sink<unknown>(), Memory.sink<unknown>()]
        let failures = 10
        const failing = before(flaky, () => (failures-- > 0 ? Effect.fail(broken) : Effect.void))
        const handles = yield* Query.startJob(
          Query.job(
            { a: into(input.source, a), b: into(input.source, b), flaky: into(input.source, failing) },
            {
              restart: Schedule.forever,
              restartLimit: { restarts: 100, within: "1 minute" },
              trigger,
              chunkRows: 4
            }
          )
        )
        for (let n = 0; n < 20; n++) {
          yield* channel.push("p0", rows(2 * n, 2 * n + 1))
          yield* channel.push("p1", rows(2 * n + 1, 2 * n + 2))
          for (const sink of [a, b])
            yield* until(
              "the others have it",
              Effect.map(sink.rows, (found) => found.length === 2 * n + 2)
            )
        }
        yield* until(
          "it has come to the end",
          Effect.map(flaky.rows, (found) => found.length === 40)
        )
        for (const sink of [a, b, flaky]) {
          const found = (yield* sink.rows) as ReadonlyArray<Row>
          expect(found.map((row) => row.n).sort((x, y) => x - y)).toEqual(rows(0, 40).map((row) => row.n))
        }
        const restarts = yield* Effect.forEach([handles.a, handles.b, handles.flaky], (handle) =>
          Effect.map(handle.progress, (progress) => progress.restarts)
        )
        expect(restarts).toEqual([0, 0, 10])
        // One reading a partition for the others. The failing one found its place in it, or read by itself for a while.
        expect(input.opens()).toBeGreaterThanOrEqual(2)
        expect(input.opens()).toBeLessThanOrEqual(2 + 2 * 10)
        expect(yield* channel.cursors).toBe(2)
      }).pipe(quietly)
    ))

  it("one that is stuck keeps nobody from the end", () =>
    runScoped(
      Effect.gen(function* () {
        const input = counted(Memory.source(rows(0, 3000)))
        const [a, b] = [Memory.sink<unknown>(), Memory.sink<unknown>()]
        const handles = yield* Query.startJob(
          Query.job(
            {
              a: into(input.source, a),
              b: into(input.source, b),
              stuck: into(
                input.source,
                before(Memory.sink(), () => Effect.never)
              )
            },
            { chunkRows: 2 }
          )
        )
        yield* handles.a.await
        yield* handles.b.await
        expect([yield* a.rows, yield* b.rows]).toEqual([rows(0, 3000), rows(0, 3000)])
      }).pipe(quietly)
    ))
})

describe("M1: queries of a job on one source that cannot be read again", () => {
  it("all get all of it, although the stream gives each row once", () =>
    runScoped(
      Effect.gen(function* () {
        const queue = yield* Queue.unbounded<Row>()
        const source = Streams.source(Stream.fromQueue(queue))
        const [a, b] = [Memory.sink<unknown>(), Memory.sink<unknown>()]
        yield* Queue.offerAll(queue, rows(0, 50))
        yield* Query.startJob(Query.job({ a: into(source, a), b: into(source, b) }, { chunkRows: 7, trigger }))
        yield* Queue.offerAll(queue, rows(50, 100))
        for (const sink of [a, b]) {
          yield* until(
            "it has all",
            Effect.map(sink.rows, (found) => found.length === 100)
          )
          expect(yield* sink.rows).toEqual(rows(0, 100))
        }
      })
    ))

  it("a query that ends is waited for no longer", () =>
    runScoped(
      Effect.gen(function* () {
        const channel = Memory.channel<Row>({ replayable: false })
        const [a, b] = [Memory.sink<unknown>(), Memory.sink<unknown>()]
        const handles = yield* Query.startJob(
          Query.job({ a: into(channel.source, a), b: into(channel.source, b) }, { chunkRows: 1, trigger })
        )
        yield* channel.push("0", rows(0, 3))
        yield* until(
          "b has begun",
          Effect.map(b.rows, (found) => found.length === 3)
        )
        yield* handles.b.drain
        yield* channel.push("0", rows(3, 1000))
        yield* until(
          "a has all",
          Effect.map(a.rows, (found) => found.length === 1000)
        )
        expect(yield* a.rows).toEqual(rows(0, 1000))
      })
    ))
})

describe("M1: a plan with other sources", () => {
  it("keeps its shape: what was one node is one node, and what reads other sources is the same", () => {
    const [one, two, other] = [Memory.source<Row>([]), Memory.source<Row>([]), Memory.source<Row>([])]
    const read = EventStream.from(one)
    const shared = read.pipe(EventStream.map((row) => row))
    const apart = EventStream.from(two).pipe(EventStream.map((row) => row))
    const query = Query.outputs({
      left: shared.pipe(EventStream.union(apart), EventStream.to(Memory.sink())),
      right: shared.pipe(EventStream.to(Memory.sink()))
    })
    const plan = withSources(query.plan, new Map([[read.plan as SourceNode, other as AnySource]]))
    const [left, right] = plan.outputs.map(({ sink }) => sink.input)
    if (left.kind !== "union" || right.kind !== "map") throw new Error("another shape")
    expect(left.inputs[0]).toBe(right)
    expect(left.inputs[1]).toBe(apart.plan)
    expect(right.input).toEqual({ ...read.plan, source: other })
    expect(plan.outputs.map(({ name, sink }) => [name, sink.mode])).toEqual([
      ["left", "append"],
      ["right", "append"]
    ])
  })
})

describe("M1: queries of a job on one sink", () => {
  const source = Memory.source<Row>([])
  const single = (name: string): Sink<unknown, Mode, SinkError> => {
    const sink = Memory.sink<unknown>({ name })
    return { ...sink, features: { ...sink.features, multiWriter: false } }
  }
  const timed = EventStream.from(source).pipe(EventStream.withEventTime("n", { outOfOrderness: 0 }))

  it("are refused when it takes one writer, by the names of both, whatever they write to it", async () => {
    const [table, lates] = [single("the table"), single("the late rows")]
    const late = timed.pipe(
      EventStream.windowAll(Window.tumbling("1 second"), { late: Late.to(lates as Sink<Row, "append">) }),
      EventStream.aggregate(({ count }) => ({ rows: count })),
      EventStream.to(Memory.sink())
    )
    const error = await errorOf(
      Query.runJob(
        Query.job({
          first: EventStream.from(source).pipe(EventStream.to(table)),
          second: Query.outputs({ x: EventStream.from(source).pipe(EventStream.to(table)), y: late }),
          third: EventStream.from(source).pipe(EventStream.to(lates))
        })
      )
    )
    expect(error).toMatchObject({
      reason: "InvalidPipeline",
      query: "second",
      problems: [
        {
          option: "query second",
          value: "the table",
          fix: "is also a sink of query first, and takes one writer: give each query its own"
        },
        {
          option: "query third",
          value: "the late rows",
          fix: "is also a sink of query second, and takes one writer: give each query its own"
        }
      ]
    })
    expect((error as Error).message).toContain("query second: the table: is also a sink of query first")
  })

  it("may share one that takes several", async () => {
    const sink = Memory.sink<Row>()
    const two = Query.job({
      one: EventStream.from(Memory.source(rows(0, 2))).pipe(EventStream.to(sink)),
      two: EventStream.from(Memory.source(rows(2, 4))).pipe(EventStream.to(sink))
    })
    await run(Query.runJob(two))
    expect((await run(sink.rows)).length).toBe(4)
  })
})

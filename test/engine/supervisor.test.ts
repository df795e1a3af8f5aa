import { Cause, Duration, Effect, Exit, Fiber, References, Schedule } from "effect"
import { TestClock } from "effect/testing"
import {
  Checkpoint,
  EventStream,
  Memory,
  Query,
  type QueryError,
  SinkError,
  SourceError,
  Trigger,
  Window
} from "tidemark"
import { describe, expect, it } from "vitest"
import { errorOf, run, runQuery, runScoped, settle, startQuery, until } from "./kit.ts"

interface Row {
  readonly n: number
}

const broken = (message: string): SourceError => new SourceError({ connector: "channel", retryable: true, message })
const quietly = Effect.provideService(References.MinimumLogLevel, "None")

describe("a restart", () => {
  it("goes on from the last checkpoint, by the user's schedule; nothing is lost, nothing doubled", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Row>({ bounded: true })
        const out = Memory.sink<Row>()
        const query = yield* startQuery(EventStream.from(input.source).pipe(EventStream.to(out)), {
          restart: Schedule.spaced("10 millis")
        })
        yield* input.push("0", [{ n: 1 }])
        yield* until(
          "a first epoch is out",
          Effect.map(out.rows, (rows) => rows.length === 1)
        )
        yield* input.fail("0", broken("gone"))
        yield* input.push("0", [{ n: 2 }, { n: 3 }])
        yield* input.end("0")
        const summary = yield* query.await
        expect(summary).toMatchObject({ ended: "exhausted", restarts: 1 })
        expect((yield* out.rows).map((r) => r.n)).toEqual([1, 2, 3])
        expect((yield* out.epochs).map((e) => e.epoch)).toEqual([2, 4])
        expect(yield* input.cursors).toBe(0)
      }).pipe(quietly)
    ))

  it("a second run with the same sink adds to it, whatever epochs the first one had", async () => {
    const out = Memory.sink<Row>()
    const pipeline = EventStream.from(Memory.source([{ n: 1 }])).pipe(EventStream.to(out))
    for (let i = 0; i < 3; i++) await run(runQuery(pipeline))
    expect((await run(out.rows)).length).toBe(3)
  })

  it("without a schedule there is none: the query fails with its error", async () => {
    const input = Memory.channel<Row>()
    await Effect.runPromise(input.fail("0", broken("gone"), 99))
    expect(await errorOf(runQuery(EventStream.from(input.source).pipe(EventStream.to(Memory.sink()))))).toEqual(
      broken("gone")
    )
  })

  it("ends with the last error when the schedule is exhausted", async () => {
    const input = Memory.channel<Row>()
    for (const message of ["first", "second", "third", "fourth"])
      await Effect.runPromise(input.fail("0", broken(message)))
    const pipeline = EventStream.from(input.source).pipe(EventStream.to(Memory.sink()))
    const error = await errorOf(quietly(runQuery(pipeline, { restart: Schedule.recurs(2) })))
    expect(error).toEqual(broken("third"))
  })

  it("ends with the error when there were too many in the time, whatever the schedule says", async () => {
    const input = Memory.channel<Row>()
    await Effect.runPromise(input.fail("0", broken("again"), 1000))
    const pipeline = EventStream.from(input.source).pipe(EventStream.to(Memory.sink()))
    const options = { restart: Schedule.forever, restartLimit: { restarts: 3, within: "1 minute" } } as const
    expect(await errorOf(quietly(runQuery(pipeline, options)))).toEqual(broken("again"))
  })

  it("waits as the schedule says; failures that lie further back than the limit's time do not count", () =>
    Effect.gen(function* () {
      const input = Memory.channel<Row>()
      yield* input.fail("0", broken("again"), 1000)
      const pipeline = EventStream.from(input.source).pipe(EventStream.to(Memory.sink()))
      const query = yield* startQuery(pipeline, {
        restart: Schedule.spaced("20 seconds"),
        restartLimit: { restarts: 2, within: "30 seconds" },
        trigger: Trigger.every("1 hour")
      })
      for (let i = 1; i <= 5; i++) {
        yield* settle()
        expect((yield* query.progress).restarts).toBe(i)
        yield* TestClock.adjust(Duration.seconds(20))
      }
      yield* Effect.void
    }).pipe(
      Effect.scoped,
      quietly,
      Effect.provide(Checkpoint.layerMemory),
      Effect.provide(TestClock.layer()),
      Effect.runPromise
    ))

  it("is no answer to a wrong pipeline, nor to an interruption", async () => {
    const wrong = EventStream.from(Memory.source([{ n: 1 }])).pipe(
      EventStream.keyBy("n"),
      EventStream.window(Window.tumbling("1 second"), { late: "drop" }) as never,
      EventStream.to(Memory.sink()) as never
    )
    const restart = Schedule.forever
    expect(await errorOf(runQuery(wrong as never, { restart }))).toMatchObject({ reason: "InvalidPipeline" })
    const input = Memory.channel<Row>()
    const running = Effect.runFork(
      Effect.provide(
        runQuery(EventStream.from(input.source).pipe(EventStream.to(Memory.sink())), { restart }),
        Checkpoint.layerMemory
      )
    )
    await Effect.runPromise(input.caughtUp("0"))
    const exit = await Effect.runPromise(Effect.andThen(Fiber.interrupt(running), Fiber.await(running)))
    expect(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)).toBe(true)
    expect(await Effect.runPromise(input.cursors)).toBe(0)
  })

  it("a sink that fails to open, write or prepare fails the attempt; another opens it again", async () => {
    for (const step of ["writer", "write", "prepare", "commit"] as const) {
      let failures = 1
      const out = Memory.sink<Row>()
      const once = <A, R>(at: string, effect: Effect.Effect<A, SinkError, R>): Effect.Effect<A, SinkError, R> =>
        Effect.suspend(() =>
          at === step && failures-- > 0
            ? Effect.fail(new SinkError({ connector: "memory", retryable: true, message: at }))
            : effect
        )
      const failing: typeof out = {
        ...out,
        writer: (context) =>
          once(
            "writer",
            Effect.map(out.writer(context), (w) => ({
              write: (batch) => once("write", w.write(batch)),
              prepare: (epoch) => once("prepare", w.prepare(epoch))
            }))
          ),
        commit: (prepared) => once("commit", out.commit(prepared))
      }
      const pipeline = EventStream.from(Memory.source([{ n: 1 }])).pipe(EventStream.to(failing))
      expect((await errorOf(runQuery(pipeline))).message).toBe(step)
      failures = 1
      const summary = await run(quietly(runQuery(pipeline, { restart: Schedule.recurs(1) })))
      expect(summary.restarts, step).toBe(1)
      expect(await run(out.rows), step).toEqual([{ n: 1 }])
    }
  })
})

describe("a drain", () => {
  it("keeps everything that was pulled, from a source that cannot give it again", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      await runScoped(
        Effect.gen(function* () {
          const input = Memory.channel<Row>({ replayable: false })
          const out = Memory.sink<Row>()
          const query = yield* startQuery(EventStream.from(input.source).pipe(EventStream.to(out)), { chunkRows: 2 })
          for (let n = 0; n < 6; n++) {
            yield* input.push("0", [{ n }])
            yield* settle((seed * (n + 3)) % 5)
          }
          const summary = yield* query.drain
          const pulled = yield* input.handedOut("0")
          expect(summary.ended).toBe("drained")
          expect(summary.ledger.operators[0]?.in ?? 0).toBe(pulled)
          expect((yield* out.rows).length).toBe(pulled)
        })
      )
    }
  })

  it("ends a query that waits between two attempts", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Row>()
        yield* input.fail("0", broken("gone"))
        const query = yield* startQuery(EventStream.from(input.source).pipe(EventStream.to(Memory.sink())), {
          restart: Schedule.spaced("1 hour")
        })
        yield* until(
          "it has failed",
          Effect.map(query.progress, (p) => p.restarts === 1)
        )
        expect(yield* query.drain).toMatchObject({ ended: "drained", restarts: 1 })
      }).pipe(quietly)
    ))

  it("after the end is the end's summary; a second drain is the first one's", () =>
    runScoped(
      Effect.gen(function* () {
        const query = yield* startQuery(EventStream.from(Memory.source([{ n: 1 }])).pipe(EventStream.to(Memory.sink())))
        const summary = yield* query.await
        expect(summary.ended).toBe("exhausted")
        expect(yield* query.drain).toEqual(summary)
        const input = Memory.channel<Row>()
        const other = yield* startQuery(EventStream.from(input.source).pipe(EventStream.to(Memory.sink())), {
          name: "r"
        })
        const [a, b] = yield* Effect.all([other.drain, other.drain], { concurrency: 2 })
        expect(a).toEqual(b)
      })
    ))

  it("fails with its own error when it takes longer than its timeout", () =>
    runScoped(
      Effect.gen(function* () {
        const stuck = EventStream.from(Memory.source([{ n: 1 }])).pipe(
          EventStream.mapEffect(() => Effect.never),
          EventStream.to(Memory.sink())
        )
        const query = yield* startQuery(stuck, { drainTimeout: "20 millis" })
        yield* settle()
        const error = yield* Effect.flip(query.drain)
        expect(error).toMatchObject({ _tag: "QueryError", reason: "DrainTimeout" })
      })
    ))
})

describe("options", () => {
  it("wrong ones are reported together, before anything starts", async () => {
    const input = Memory.channel<Row>()
    const pipeline = EventStream.from(input.source).pipe(EventStream.to(Memory.sink()))
    const options = {
      parallelism: 0,
      chunkRows: 1.5,
      drainTimeout: "soon" as never,
      trigger: Trigger.every("0 seconds")
    }
    const error = await errorOf(Query.run(pipeline, { name: "a/b", ...options }))
    expect((error as QueryError).problems?.map((p) => p.option)).toEqual([
      "name",
      "Trigger.every",
      "parallelism",
      "chunkRows",
      "drainTimeout"
    ])
    expect(await run(input.cursors)).toBe(0)
  })
})

/** M1: real queries in the registry: progress, lag, event times, state, annotations of their logs. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { describe, expect, it } from "vitest"
import { makeRegistry, QueryRegistry } from "../../src/actors/Registry.ts"
import { Checkpoint, EventStream, Memory, Query, Window } from "../../src/index.ts"
import { jsonLogger } from "../../src/monitor/JsonLog.ts"
import { metricsText } from "../../src/monitor/Metrics.ts"

const start = Date.parse("2026-01-01T12:00:00Z")
const rows = [0, 10, 20, 70, 80].map((s) => ({ at: start + s * 1_000, category: s % 20 === 0 ? "a" : "b" }))

const inOwnWorld = <A, E>(effect: Effect.Effect<A, E, Checkpoint.CheckpointStore>): Promise<A> =>
  Effect.runPromise(
    effect.pipe(Effect.provide(Checkpoint.layerMemory), Effect.provideService(QueryRegistry, makeRegistry()))
  )

describe("M1: real queries in the registry", () => {
  it("are there from start to end; their last epoch says what happened to rows, time and state", async () => {
    const channel = Memory.channel<(typeof rows)[number]>()
    const sink = Memory.sink<unknown>()
    const perMinute = EventStream.from(channel.source).pipe(
      EventStream.withEventTime("at", { outOfOrderness: "5 seconds" }),
      EventStream.keyBy("category"),
      EventStream.window(Window.tumbling("1 minute"), { late: "drop" }),
      EventStream.aggregate(({ count }) => ({ n: count })),
      EventStream.to(sink)
    )
    const program = Effect.scoped(
      Effect.gen(function* () {
        yield* Query.start(perMinute, { name: "per-minute", parallelism: 2 })
        const query = yield* Query.get("per-minute")
        yield* channel.push("0", rows)
        while ((yield* query.lastProgress)?.partitions[0]?.rows !== rows.length) yield* Effect.sleep("20 millis")
        // The end of the partition is looked up once a second.
        while ((yield* query.progress).partitions[0].lag.rows !== 0) yield* Effect.sleep("20 millis")
        const recent = yield* query.recentProgress
        const moment = yield* query.progress
        const text = yield* metricsText(undefined)
        const ended = yield* query.drain
        return { recent, moment, text, ended, after: yield* Query.list, id: yield* query.id }
      })
    )
    const { recent, moment, text, ended, after, id } = await inOwnWorld(program)
    expect([ended.ended, after, typeof id]).toEqual(["drained", [], "string"])
    expect(recent.reduce((sum, epoch) => sum + epoch.numInputRows, 0)).toBe(rows.length)
    const last = recent[recent.length - 1]
    expect(last).toMatchObject({ id, name: "per-minute", batchId: moment.epoch })
    expect(last.eventTime).toMatchObject({ max: "2026-01-01T12:01:20.000Z", watermark: "2026-01-01T12:01:15.000Z" })
    const [operator] = last.stateOperators
    expect(operator).toMatchObject({ operatorName: "window-1", numShufflePartitions: 2, numStateStoreInstances: 2 })
    expect(operator.memoryUsedBytes).toBeGreaterThan(0)
    expect(recent.reduce((sum, { stateOperators: [o] }) => sum + o.numRowsUpdated, 0)).toBe(5)
    expect(recent.reduce((sum, { stateOperators: [o] }) => sum + o.numRowsRemoved, 0)).toBe(3)
    expect(operator.customMetrics.rowsHeld).toBe(2)
    expect(moment.partitions[0].operator).toMatch(/^source /)
    expect(text).toContain('tidemark_rows_total{query="per-minute",operator="window-1",disposition="contributed"} 5\n')
  })

  it("say how many rows wait, that at this rate they never will be read, and that the query has caught up", async () => {
    const channel = Memory.channel<{ readonly n: number }>()
    const gate = Deferred.makeUnsafe<void>()
    const stuck = EventStream.from(channel.source).pipe(
      EventStream.mapEffect((row) => (row.n < 1_500 ? Effect.succeed(row) : Effect.as(Deferred.await(gate), row))),
      EventStream.to(Memory.sink<unknown>())
    )
    const program = Effect.scoped(
      Effect.gen(function* () {
        const query = yield* Query.start(stuck, { name: "stuck" })
        yield* channel.push(
          "0",
          Array.from({ length: 5_000 }, (_, n) => ({ n }))
        )
        while ((yield* query.progress).catchUp?.ms !== "never") yield* Effect.sleep("50 millis")
        const behind = yield* query.progress
        yield* Deferred.succeed(gate, undefined)
        while ((yield* query.progress).catchUp?.ms !== 0) yield* Effect.sleep("50 millis")
        return { behind, after: yield* query.progress }
      })
    )
    const { behind, after } = await inOwnWorld(program)
    const { rows, lag } = behind.partitions[0]
    expect(rows).toBeGreaterThan(0)
    expect([lag.rows, behind.catchUp?.rows]).toEqual([5_000 - rows, 5_000 - rows])
    expect([after.partitions[0].lag.rows, after.catchUp?.rows]).toEqual([0, 0])
  })

  it("annotate their logs with query, run and attempt", async () => {
    const lines: Array<string> = []
    const loggers = new Set([jsonLogger((line) => lines.push(line))])
    const chatty = EventStream.from(Memory.source(rows.slice(0, 1))).pipe(
      EventStream.mapEffect((row) => Effect.as(Effect.logInfo("seen"), row), { concurrency: 1 }),
      EventStream.to(Memory.sink<unknown>())
    )
    await inOwnWorld(Effect.provideService(Query.run(chatty, { name: "chatty" }), Logger.CurrentLoggers, loggers))
    const seen = lines.map((line) => JSON.parse(line) as Record<string, unknown>).find((l) => l["message"] === "seen")
    expect(seen).toMatchObject({ query: "chatty", run: expect.any(String), attempt: 1, partition: "0" })
  })
})

/** Faults that reviewers found, each as the program that showed it. */
import { Effect, Option, type Scope } from "effect"
import { describe, expect, it } from "@effect/vitest"
import { Checkpoint, type Connector, EventStream, Memory, Window } from "tidemark"
import { Limits } from "../../src/model/Limits.ts"
import { errorOf, run, runQuery, startQuery, until } from "./kit.ts"

interface Row {
  readonly at: number
}

const inMemory = <A, E>(effect: Effect.Effect<A, E, Checkpoint.CheckpointStore | Scope.Scope>) =>
  Effect.provide(Effect.scoped(effect), Checkpoint.layerMemory)

describe("streams that meet in a union", () => {
  it.live("T7: an idle partition of one does not hold the windows of both", () =>
    inMemory(
      Effect.gen(function* () {
        const [a, b] = [Memory.channel<Row>({ name: "a" }), Memory.channel<Row>({ name: "b" })]
        const out = Memory.sink<{ readonly n: number; readonly window_end: number }>()
        const timed = (channel: typeof a) =>
          EventStream.from(channel.source).pipe(
            EventStream.withEventTime("at", { outOfOrderness: 0, idleAfter: "50 millis" })
          )
        yield* startQuery(
          timed(a).pipe(
            EventStream.union(timed(b)),
            EventStream.windowAll(Window.tumbling(10), { late: "drop" }),
            EventStream.aggregate(({ count }) => ({ n: count })),
            EventStream.to(out)
          )
        )
        yield* b.push("0", [{ at: 1 }])
        let at = 2
        yield* until(
          "the first window",
          Effect.gen(function* () {
            yield* a.push("0", [{ at: at++ }])
            yield* Effect.sleep("5 millis")
            return (yield* out.rows).length > 0
          })
        )
        expect((yield* out.rows)[0]).toMatchObject({ n: 9, window_end: 10 })
      })
    )
  )
})

describe("T14: before a partition has spoken", () => {
  it.live("the others do not run away", () =>
    inMemory(
      Effect.gen(function* () {
        const input = Memory.channel<Row>({ partitions: ["fast", "silent"] })
        const query = yield* startQuery(
          EventStream.from(input.source).pipe(
            EventStream.withEventTime("at", { outOfOrderness: 0, alignment: "10 millis" }),
            EventStream.windowAll(Window.tumbling(5), { late: "drop" }),
            EventStream.aggregate(({ count }) => ({ n: count })),
            EventStream.to(Memory.sink())
          ),
          { chunkRows: 1 }
        )
        yield* input.push(
          "fast",
          Array.from({ length: 500 }, (_, at) => ({ at }))
        )
        yield* Effect.sleep("50 millis")
        const read = (yield* query.progress).rowsIn
        expect(read).toBeLessThanOrEqual(10 + 2)
        yield* input.push("silent", [{ at: 499 }])
        yield* until(
          "all is read",
          Effect.map(query.progress, (p) => p.rowsIn === 501)
        )
      })
    )
  )
})

describe("T6: many windows at once", () => {
  it("close in about the time of their number, in parts", async () => {
    const rows = Array.from({ length: 3 * Limits.resultsPerStepMax }, (_, i) => ({ at: i * 2000 }))
    const out = Memory.sink<{ readonly window_start: number }>()
    await run(
      runQuery(
        EventStream.from(Memory.source(rows)).pipe(
          EventStream.withEventTime("at", { outOfOrderness: "365 days" }),
          EventStream.windowAll(Window.tumbling("1 second"), { late: "drop" }),
          EventStream.aggregate(({ count }) => ({ n: count })),
          EventStream.to(out)
        )
      )
    )
    expect((await run(out.rows)).map((row) => row.window_start)).toEqual(rows.map((row) => row.at))
  })

  it("a row in too many is a wrong option", async () => {
    const wrong = EventStream.from(Memory.source([{ at: 0 }])).pipe(
      EventStream.withEventTime("at", { outOfOrderness: 0 }),
      EventStream.windowAll(Window.sliding("3650 days", { every: 1 }), { late: "drop" }),
      EventStream.aggregate(({ count }) => ({ n: count })),
      EventStream.to(Memory.sink())
    )
    expect(await errorOf(runQuery(wrong))).toMatchObject({ reason: "InvalidPipeline" })
  })
})

describe("what throws", () => {
  const rows = Memory.source([{ n: 1 }, { n: 2 }, { n: 3 }])
  const effects: ReadonlyArray<readonly [string, (row: { readonly n: number }) => Effect.Effect<number>]> = [
    ["an effect that dies", ({ n }) => (n === 2 ? Effect.die(new Error("no")) : Effect.succeed(n))],
    ["a value that is no effect", ({ n }) => (n === 2 ? (5 as never) : Effect.succeed(n))]
  ]

  it.each(effects)("in mapEffect, %s is a dead letter or a typed error", async (_, f) => {
    const out = Memory.sink<number>()
    const kept = EventStream.from(rows).pipe(EventStream.mapEffect(f, { onError: "deadLetter" }), EventStream.to(out))
    const { ledger } = await run(runQuery(kept))
    expect(await run(out.rows)).toEqual([1, 3])
    expect(ledger.sinks.find((sink) => sink.sink === "dead")?.written).toBe(1)
    const failing = EventStream.from(rows).pipe(EventStream.mapEffect(f), EventStream.to(Memory.sink()))
    expect(await errorOf(runQuery(failing))).toMatchObject({ _tag: "QueryError", reason: "UserCode" })
  })

  it("in a connector is the connector's typed error", async () => {
    const sink: Connector.Sink<{ readonly n: number }, "append", Connector.SinkError> = {
      ...Memory.sink<{ readonly n: number }>(),
      writer: () => {
        throw new Error("no writer")
      }
    }
    const error = await errorOf(runQuery(EventStream.from(rows).pipe(EventStream.to(sink))))
    expect(error).toMatchObject({ _tag: "SinkError", message: expect.stringContaining("no writer") })
    const source: typeof rows = {
      ...rows,
      open: () =>
        Effect.succeed({
          pull: () => {
            throw new Error("no rows")
          },
          end: Effect.succeed(Option.none())
        })
    }
    const other = await errorOf(runQuery(EventStream.from(source).pipe(EventStream.to(Memory.sink()))))
    expect(other).toMatchObject({ _tag: "SourceError", message: expect.stringContaining("no rows") })
  })
})

describe("a connector that breaks its contract", () => {
  const rows = Memory.source([{ n: 1 }])

  it.each([
    ["partitions named twice", { partitions: () => Effect.succeed(["0", "0"]) }, "twice"],
    [
      "a chunk that says another length",
      {
        open: () =>
          Effect.succeed({
            pull: () => Effect.succeed({ length: 5, rows: [{ n: 1 }], next: "1" as Connector.Position, bytes: 1 }),
            end: Effect.succeed(Option.none())
          })
      },
      "1 rows and said 5"
    ]
  ])("%s", async (_, wrong, said) => {
    const source = { ...rows, ...wrong }
    const error = await errorOf(runQuery(EventStream.from(source).pipe(EventStream.to(Memory.sink()))))
    expect(error).toMatchObject({ _tag: "SourceError", message: expect.stringContaining(said) })
  })
})

describe("L3: complete mode", () => {
  it("a row that the sink refuses is dead, once", async () => {
    const inner = Memory.sink<{ readonly k: number; readonly n: number }>()
    const refusing: Connector.Sink<{ readonly k: number; readonly n: number }, "complete", Connector.SinkError> = {
      ...inner,
      writer: (context) =>
        Effect.map(inner.writer(context), (writer) => ({
          prepare: writer.prepare,
          write: ({ rows }) => {
            const bad = rows.findIndex((row) => row.k === 1)
            const dead = {
              before: bad,
              reason: "sink" as const,
              detail: "no",
              place: "",
              bytes: new Uint8Array(0),
              truncated: false
            }
            return Effect.as(writer.write({ rows: rows.filter((row) => row.k !== 1) }), bad < 0 ? [] : [dead])
          }
        }))
    }
    const { ledger } = await run(
      runQuery(
        EventStream.from(Memory.source([{ k: 1 }, { k: 2 }, { k: 3 }])).pipe(
          EventStream.keyBy("k"),
          EventStream.aggregateRunning(({ count }) => ({ n: count })),
          EventStream.to(refusing, { mode: "complete", keep: "1 hour" })
        )
      )
    )
    expect(ledger.sinks.find((sink) => sink.sink === "output")).toMatchObject({ received: 3, written: 2, dead: 1 })
  })
})

describe("flatMap", () => {
  it("cuts what one row gives into chunks within the bound", async () => {
    const sizes: Array<number> = []
    const inner = Memory.sink<number>()
    const counting: Connector.Sink<number, "append", Connector.SinkError> = {
      ...inner,
      writer: (context) =>
        Effect.map(inner.writer(context), (writer) => ({
          prepare: writer.prepare,
          write: (batch) => {
            sizes.push(batch.rows.length)
            return writer.write(batch)
          }
        }))
    }
    const many = EventStream.from(Memory.source([{ n: 10_000 }])).pipe(
      EventStream.flatMap(({ n }) => Array.from({ length: n }, (_, i) => i)),
      EventStream.to(counting)
    )
    await run(runQuery(many))
    expect(await run(inner.rows)).toEqual(Array.from({ length: 10_000 }, (_, i) => i))
    expect(Math.max(...sizes)).toBeLessThanOrEqual(Limits.chunkRowsMax)
  })
})

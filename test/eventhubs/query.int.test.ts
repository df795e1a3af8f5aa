/** Queries on a hub, as the seeds run them: the real engine, the embedded service, the unmodified SDK. */
import { Cause, Effect, Exit, Option, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { Checkpoint, EventStream, Json, Memory, Query, Trigger, Window } from "../../src/index.ts"
import * as EventHubs from "../../src/EventHubs.ts"
import { imbalances } from "../../src/model/Ledger.ts"
import { connectionOf, sendTo, serviceWith } from "./hubs.ts"

const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)

/** What the producer of seed 001 sends: a hundred transactions of now, and nothing after them. */
const transactions = (count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      transaction_id: `T${String(i + 1).padStart(6, "0")}`,
      amount: 10 + i,
      category: ["Electronics", "Books", "Clothing", "Home", "Sports"][i % 5],
      timestamp: new Date().toISOString()
    })
  )

const Transaction = Schema.Struct({
  transaction_id: Schema.String,
  amount: Schema.Number,
  category: Schema.String,
  timestamp: Schema.String
})

describe("a query on a hub", () => {
  it("T7: a hundred events and then silence: their windows come out, though one partition never had any", () =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const service = yield* serviceWith(4)
          const results = Memory.sink<{ readonly transactions: number; readonly category: string }>()
          const hub = EventHubs.source({ connection: connectionOf(service), decode: Json.schema(Transaction) })
          const statistics = EventStream.from(hub).pipe(
            EventStream.withEventTime("timestamp", { outOfOrderness: "2 seconds", idleAfter: "500 millis" }),
            EventStream.keyBy("category"),
            EventStream.window(Window.tumbling("1 second"), { late: "drop" }),
            EventStream.aggregate(({ count, sum }) => ({ transactions: count, total: sum("amount") })),
            EventStream.to(results)
          )
          const query = yield* Query.start(statistics, { name: "statistics", trigger: Trigger.every("100 millis") })
          const sent = transactions(100)
          for (const [i, partition] of ["0", "1", "2"].entries())
            yield* sendTo(
              service,
              partition,
              sent.filter((_, n) => n % 3 === i)
            )
          const counted = Effect.map(results.rows, (rows) => rows.reduce((sum, row) => sum + row.transactions, 0))
          while ((yield* counted) < 100) yield* Effect.sleep("50 millis")
          expect(new Set((yield* results.rows).map(({ category }) => category)).size).toBe(5)
          const { ended, ledger } = yield* query.drain
          expect(ended).toBe("drained")
          expect(imbalances(ledger)).toEqual([])
          expect(yield* counted).toBe(100)
        })
      ).pipe(Effect.provide(Checkpoint.layerMemory))
    ))

  it("two with an owner level on one group: the newer one reads on alone, and the older one says who took what, and ends", () =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const service = yield* serviceWith(2, { hubs: { hub: { partitions: 2, consumerGroups: ["alone"] } } })
          const Row = Schema.Struct({ n: Schema.Number })
          const rows = (from: number, to: number): ReadonlyArray<string> =>
            Array.from({ length: to - from }, (_, i) => JSON.stringify({ n: from + i }))
          const instance = (ownerLevel: number) =>
            Effect.gen(function* () {
              const sink = Memory.sink<{ readonly n: number }>()
              const hub = EventHubs.source({
                connection: connectionOf(service),
                decode: Json.schema(Row),
                consumerGroup: "alone",
                ownerLevel
              })
              const read = EventStream.from(hub).pipe(EventStream.to(sink))
              // A checkpoint each, as two machines have that do not know of one another.
              const query = yield* Effect.provide(
                Query.start(read, { name: "read", trigger: Trigger.every("100 millis") }),
                Checkpoint.layerMemory
              )
              const has = (count: number) =>
                Effect.gen(function* () {
                  while ((yield* sink.rows).length < count) yield* Effect.sleep("20 millis")
                })
              return { query, sink, has }
            })
          yield* sendTo(service, "0", rows(0, 50))
          yield* sendTo(service, "1", rows(50, 100))
          const older = yield* instance(1)
          yield* older.has(100)
          const newer = yield* instance(1)
          const ended = yield* Effect.exit(older.query.await)
          yield* newer.has(100)
          yield* sendTo(service, "0", rows(100, 150))
          yield* newer.has(150)
          expect((yield* older.sink.rows).length).toBe(100)
          const error = Exit.isFailure(ended) ? Option.getOrThrow(Cause.findErrorOption(ended.cause)) : undefined
          expect(error?.message).toMatch(
            /partition [01].*another reader of the consumer group alone has taken it, with the owner level 1 or a higher one: stop that reader, or give each query a consumer group of its own/s
          )
          expect(yield* newer.query.isActive).toBe(true)
        })
      )
    ))

  it("readers of a lower owner level, or of none, do not come in, and say why", () =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const service = yield* serviceWith(1)
          yield* sendTo(service, "0", [JSON.stringify({ n: 1 })])
          const read = (ownerLevel: number | undefined, sink: ReturnType<typeof Memory.sink<{ readonly n: number }>>) =>
            Query.start(
              EventStream.from(
                EventHubs.source({
                  connection: connectionOf(service),
                  decode: Json.schema(Schema.Struct({ n: Schema.Number })),
                  ...(ownerLevel === undefined ? {} : { ownerLevel })
                })
              ).pipe(EventStream.to(sink)),
              { name: "read", trigger: Trigger.every("100 millis") }
            ).pipe(Effect.provide(Checkpoint.layerMemory))
          const first = Memory.sink<{ readonly n: number }>()
          const owner = yield* read(2, first)
          while ((yield* first.rows).length < 1) yield* Effect.sleep("20 millis")
          for (const level of [1, undefined]) {
            const second = Memory.sink<{ readonly n: number }>()
            const other = yield* read(level, second)
            const ended = yield* Effect.exit(other.await)
            expect(Exit.isFailure(ended)).toBe(true)
            expect(String(Exit.isFailure(ended) ? Cause.pretty(ended.cause) : "")).toMatch(/partition 0.*owner level/s)
            expect(yield* second.rows).toEqual([])
          }
          expect(yield* owner.isActive).toBe(true)
        })
      )
    ))

  it("M1: two queries of a job that begin at the latest event go on from there, though none came before they stopped", () =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const service = yield* serviceWith(1)
          const events = (from: number, to: number): ReadonlyArray<string> =>
            Array.from({ length: to - from }, (_, i) => JSON.stringify({ n: from + i }))
          yield* sendTo(service, "0", events(0, 5))
          const sinks = [Memory.sink<{ readonly n: number }>(), Memory.sink<{ readonly n: number }>()]
          const start = () => {
            const latest = EventHubs.source({
              connection: connectionOf(service),
              decode: Json.schema(Schema.Struct({ n: Schema.Number })),
              startAt: "latest"
            })
            const [a, b] = sinks.map((sink) => EventStream.from(latest).pipe(EventStream.to(sink)))
            return Query.startJob(Query.job({ a, b }, { trigger: Trigger.every("100 millis") }))
          }
          const drained = (job: Effect.Success<ReturnType<typeof start>>) =>
            Effect.all([job.a.drain, job.b.drain], { concurrency: 2 })
          const first = yield* start()
          while (service.stats().openReaders < 1) yield* Effect.sleep("20 millis")
          yield* drained(first)
          yield* sendTo(service, "0", events(5, 8))
          const second = yield* start()
          yield* sendTo(service, "0", events(8, 9))
          for (const sink of sinks)
            while (!(yield* sink.rows).some(({ n }) => n === 8)) yield* Effect.sleep("20 millis")
          yield* drained(second)
          for (const sink of sinks) expect((yield* sink.rows).map(({ n }) => n)).toEqual([5, 6, 7, 8])
        })
      ).pipe(Effect.provide(Checkpoint.layerMemory))
    ))
})

/** Whole queries with their checkpoint in Blob storage: they go on with their state, and stop with an error that helps. */
import { Effect, Redacted, References, Schedule } from "effect"
import { describe, expect, it } from "vitest"
import { Checkpoint, EventStream, Memory, Query, Trigger, Window } from "tidemark"
import * as Blob from "tidemark/Blob"
import { factsOf } from "../../src/actors/QueryHandle.ts"
import { requestsPerEpochMax } from "../../src/checkpoint/requests.ts"
import { connectionStringOf } from "../azurite.ts"
import { counted, until } from "../engine/kit.ts"
import { azuriteForFile, run, worldOn } from "./support.ts"

const azurite = azuriteForFile()
const quietly = Effect.provideService(References.MinimumLogLevel, "None")

interface Row {
  readonly t: number
  readonly k: string
}
const rows = (to: number): ReadonlyArray<Row> => Array.from({ length: to }, (_, i) => ({ t: i * 10, k: "ab"[i % 2] }))

/** A bad row is met `bad` times: as often a process dies of it. */
const windowed = (count: number, out: ReturnType<typeof Memory.sink>, bad: { left: number; readonly at?: number }) =>
  EventStream.from(Memory.source(rows(count))).pipe(
    EventStream.map((row) => {
      if (row.t === bad.at && bad.left-- > 0) throw new Error("planted")
      return row
    }),
    EventStream.withEventTime("t", { outOfOrderness: 0 }),
    EventStream.keyBy("k"),
    EventStream.window(Window.tumbling(100), { late: "drop" }),
    counted,
    EventStream.to(out)
  )

const totals = (results: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  (results as ReadonlyArray<{ window_start: number; key: string; n: number }>)
    .map((r) => `${r.window_start} ${r.n}`)
    .toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))

describe("a query with its checkpoint in Blob storage", () => {
  it("C2, C5: stops with open windows, fails half way, and goes on each time as if nothing had been", () =>
    run(
      Effect.gen(function* () {
        const { proxy, container } = yield* worldOn(azurite())
        const connectionString = Redacted.make(connectionStringOf(proxy.endpoint))
        // Each run has a store of its own, as each process has.
        const withStore = <A, E>(program: Effect.Effect<A, E, Checkpoint.CheckpointStore>) =>
          program.pipe(
            quietly,
            Effect.provide(Blob.checkpoint(`${proxy.endpoint}/${container}/jobs`, { connectionString }))
          )
        const out = Memory.sink()
        const trigger = Trigger.availableNow({ maxEvents: 7 })
        const first = yield* withStore(Query.run(windowed(25, out, { left: 0 }), { name: "q", trigger }))
        expect(first.ended).toBe("drained")
        const failed = yield* Effect.flip(
          withStore(Query.run(windowed(45, out, { left: 1, at: 400 }), { name: "q", trigger, chunkRows: 3 }))
        )
        expect(String(failed)).toContain("planted")
        const second = yield* withStore(Query.run(windowed(45, out, { left: 0 }), { name: "q", trigger }))
        expect(second.ledger.operators.find((o) => o.operator === "window-1")).toMatchObject({ in: 45, held: 5 })
        const last = yield* withStore(Query.run(windowed(45, out, { left: 0 }), { name: "q" }))
        expect(last.ended).toBe("exhausted")
        const windows = [0, 0, 100, 100, 200, 200, 300, 300].map((w) => `${w} 5`)
        expect(totals(yield* out.rows)).toEqual([...windows, "400 3", "400 2"])
      })
    ))

  it("C5b: at most 14 requests an epoch while it runs, heartbeats apart", () =>
    run(
      Effect.gen(function* () {
        const { proxy, open } = yield* worldOn(azurite())
        yield* Effect.scoped(
          Effect.gen(function* () {
            const input = Memory.channel<Row>()
            const out = Memory.sink<Row>()
            const handle = yield* Query.start(EventStream.from(input.source).pipe(EventStream.to(out)), {
              name: "q",
              trigger: Trigger.every("1 millis")
            })
            const paid = () =>
              proxy.asked.filter(({ path, query }) => !`${path}${query.get("prefix")}`.includes("heartbeat")).length
            const seen = (n: number) =>
              until(
                `${n} rows`,
                Effect.map(Effect.andThen(Effect.sleep(1), out.rows), (all) => all.length === n)
              )
            yield* input.push("0", [...rows(1)])
            yield* seen(1)
            const [before, epochsBefore] = [paid(), factsOf(handle).epochs.length]
            for (let n = 2; n <= 9; n++) {
              yield* input.push("0", [...rows(1)])
              yield* seen(n)
            }
            yield* handle.drain
            const epochs = factsOf(handle).epochs.length - epochsBefore
            expect(epochs).toBeGreaterThanOrEqual(8)
            // The epoch that was under way at the first look may still have been collected after it.
            expect(paid() - before).toBeLessThanOrEqual((epochs + 1) * requestsPerEpochMax)
          })
        ).pipe(quietly, Effect.provide(Checkpoint.layer(open())))
      })
    ))

  it("a restart in one process, with replies lost all the while", () =>
    run(
      Effect.gen(function* () {
        const { proxy, open } = yield* worldOn(azurite())
        let asked = 0
        proxy.decide = ({ method }) =>
          method === "PUT" && asked++ % 3 === 0 ? (asked % 2 === 0 ? "done, reply lost" : "done, 500") : "pass"
        const out = Memory.sink()
        const summary = yield* Query.run(windowed(45, out, { left: 1, at: 300 }), {
          name: "q",
          trigger: Trigger.availableNow({ maxEvents: 15 }),
          chunkRows: 5,
          restart: Schedule.spaced("1 millis")
        }).pipe(quietly, Effect.provide(Checkpoint.layer(open())))
        expect(summary.restarts).toBe(1)
        expect(proxy.asked.filter(({ fate }) => fate !== "pass").length).toBeGreaterThan(5)
        expect(totals(yield* out.rows)).toEqual([0, 0, 100, 100, 200, 200, 300, 300].map((w) => `${w} 5`))
      })
    ))

  it("without its container it does not start, and says how to make it", () =>
    run(
      Effect.gen(function* () {
        const program = Query.run(windowed(5, Memory.sink(), { left: 0 }), { name: "q" })
        const error = yield* program.pipe(
          quietly,
          Effect.provide(Blob.checkpoint(`${azurite().endpoint}/no-such`, azurite())),
          Effect.flip
        )
        expect(String((error as { readonly message?: string }).message)).toMatch(
          /there is no container "no-such" .*az storage container create/
        )
      })
    ))
})

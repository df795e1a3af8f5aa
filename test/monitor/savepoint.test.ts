/** C10: a query that is stopped with a savepoint either makes it, or says that it did not. */
import { Effect, References, Schedule } from "effect"
import { describe, expect, it } from "vitest"
import { Checkpoint, EventStream, Memory, Query, Trigger } from "tidemark"
import { factsOf } from "../../src/actors/QueryHandle.ts"
import { readRequest } from "../../src/monitor/controlProtocol.ts"

interface Row {
  readonly a: number
}

const quietly = Effect.provideService(References.MinimumLogLevel, "None")

/** Effects of one test share a store. */
const withStore = <A, E>(effect: Effect.Effect<A, E, Checkpoint.CheckpointStore>): Promise<A> =>
  Effect.runPromise(effect.pipe(quietly, Effect.provide(Checkpoint.layer(Memory.objectStore()))))

const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (!holds()) yield* Effect.sleep("2 millis")
  })

const started = Effect.gen(function* () {
  const input = Memory.channel<Row>()
  const pipeline = EventStream.from(input.source).pipe(EventStream.to(Memory.sink<Row>()))
  const handle = yield* Query.start(pipeline, { name: "q", trigger: Trigger.every("1 millis") })
  yield* input.push("0", [{ a: 1 }])
  yield* until(() => factsOf(handle).phase === "running" && factsOf(handle).ledger.epoch > 0)
  return handle
})

describe("C10: stopping with a savepoint", () => {
  it("the summary names the one that was made", () =>
    withStore(
      Effect.scoped(
        Effect.gen(function* () {
          const handle = yield* started
          expect(yield* handle.stopWithSavepoint("v1")).toMatchObject({ ended: "drained", savepoint: "v1" })
          expect(yield* handle.await).toMatchObject({ savepoint: "v1" })
        })
      )
    ))

  it("between restarts nothing is owned: the query stops, and no savepoint is reported", () =>
    withStore(
      Effect.scoped(
        Effect.gen(function* () {
          const broken = EventStream.from(Memory.source<Row>([{ a: 1 }])).pipe(
            EventStream.map((): Row => {
              throw new Error("not yet")
            }),
            EventStream.to(Memory.sink<Row>())
          )
          const handle = yield* Query.start(broken, { name: "q", restart: Schedule.spaced("1 hour") })
          yield* until(() => factsOf(handle).phase === "restarting")
          expect(yield* Effect.flip(handle.stopWithSavepoint("v1"))).toMatchObject({
            reason: "Checkpoint",
            message: expect.stringContaining('made no savepoint "v1": it owned no epoch')
          })
          expect(yield* handle.await).toMatchObject({ ended: "drained" })
          expect(yield* handle.await).not.toHaveProperty("savepoint")
        })
      )
    ))

  it("a second request, of another name, is told that it came too late", () =>
    withStore(
      Effect.scoped(
        Effect.gen(function* () {
          const handle = yield* started
          const [first, second] = yield* Effect.all(
            [Effect.exit(handle.stopWithSavepoint("v1")), Effect.exit(handle.stopWithSavepoint("v2"))],
            { concurrency: 2 }
          )
          expect(first).toMatchObject({ _tag: "Success", value: { savepoint: "v1" } })
          expect(JSON.stringify(second)).toContain("it had been asked to stop before, without it")
        })
      )
    ))

  it.each(["../v1", "a/b", "", ".v", "x".repeat(201)])("the name %j is refused, and the query runs on", (label) =>
    withStore(
      Effect.scoped(
        Effect.gen(function* () {
          const handle = yield* started
          expect(yield* Effect.flip(handle.stopWithSavepoint(label))).toMatchObject({ reason: "Checkpoint" })
          expect(factsOf(handle).phase).toBe("running")
          expect(yield* handle.drain).toMatchObject({ ended: "drained" })
        })
      )
    )
  )

  it("a name that is taken is refused, and the query runs on", () =>
    withStore(
      Effect.gen(function* () {
        yield* Effect.scoped(Effect.flatMap(started, (handle) => handle.stopWithSavepoint("v1")))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const handle = yield* started
            expect(yield* Effect.flip(handle.stopWithSavepoint("v1"))).toMatchObject({
              message: expect.stringContaining("there is one already; choose another name")
            })
            expect(factsOf(handle).phase).toBe("running")
          })
        )
      })
    ))

  it("a request with a name that cannot be one is refused by the socket", () => {
    const asked = (savepoint: string) => readRequest(JSON.stringify({ v: 1, ask: "stop", query: "q", savepoint }))
    expect(asked("v1")).toMatchObject({ savepoint: "v1" })
    expect(asked("../v1")).toContain('no savepoint "../v1": a name is')
  })
})

/** What is a fact of the run and not of the rows outlives a restart: raises of W_p, and where later partitions began. */
import { Effect, Schedule } from "effect"
import { EventStream, Late, Memory, Query, SourceError, Trigger, Window } from "tidemark"
import { describe, expect, it } from "vitest"
import { factsOf } from "../../src/actors/QueryHandle.ts"
import { counted } from "./kit.ts"
import { inVirtualTime, when } from "./virtual.ts"
import { at, type Row } from "./windowed.ts"

const gone = new SourceError({ connector: "channel", retryable: true, message: "planted: gone" })

/** A query over windows of 10 ms, and `restart`, which lets it fail and waits until it runs again. */
const windows = (input: ReturnType<typeof Memory.channel<Row>>) =>
  Effect.gen(function* () {
    const out = Memory.sink<{ window_end: number; n: number }>()
    const late = Memory.sink<Row>()
    const handle = yield* Query.start(
      EventStream.from(input.source).pipe(
        EventStream.withEventTime("t", { outOfOrderness: 0, idleAfter: "2 seconds" }),
        EventStream.keyBy(),
        EventStream.window(Window.tumbling(10), { late: Late.to(late) }),
        counted,
        EventStream.to(out)
      ),
      { name: "q", trigger: Trigger.every("100 millis"), restart: Schedule.spaced("100 millis") }
    )
    const facts = () => factsOf(handle)
    const watermarkOf = (partition: string): number | undefined =>
      facts().status?.readers.find((reader) => reader.partition === partition)?.watermark
    /** So that what happened is in an epoch. */
    const committed = Effect.gen(function* () {
      const { epoch } = facts().ledger
      yield* input.push("a", at(50))
      yield* when("an epoch is made", () => facts().ledger.epoch > epoch)
    })
    const restart = Effect.gen(function* () {
      const { restarts } = facts()
      yield* input.fail("a", gone)
      yield* when("it runs again", () => facts().restarts > restarts && facts().phase === "running")
    })
    const lateRows = () => Effect.runSync(late.rows).map(({ t }) => t)
    return { watermarkOf, committed, restart, lateRows, facts }
  })

describe("across a restart", () => {
  it("T2, T7: a raise of W_p stays: what is older is late, as it was before", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const input = Memory.channel<Row>({ partitions: ["a", "b"] })
        const query = yield* windows(input)
        yield* input.push("b", at(3))
        yield* input.push("a", at(50))
        yield* when("b has spoken", () => query.watermarkOf("b") === 3)
        // a goes on to come, so that b alone is quiet.
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(input.push("a", at(50)), Effect.sleep(500))))
        yield* when("b is raised", () => query.watermarkOf("b") === 50)
        yield* query.committed
        yield* query.restart
        expect(query.watermarkOf("b")).toBe(50)
        yield* input.push("b", at(30, 60))
        yield* when("b has spoken", () => query.watermarkOf("b") === 60)
        yield* query.committed
        expect(query.lateRows()).toEqual([30])
      })
    ))

  it("T12: so does the start of a partition that came later, before its first row", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const input = Memory.channel<Row>({ partitions: ["a"], dynamicPartitions: true })
        const query = yield* windows(input)
        yield* input.push("a", at(45))
        yield* when("a has spoken", () => query.watermarkOf("a") === 45)
        yield* input.addPartition("c")
        yield* when("c has its start", () => query.watermarkOf("c") === 45)
        yield* query.committed
        yield* query.restart
        // Before anything of a could raise it: a stands at 50, and c where it began.
        expect(query.watermarkOf("c")).toBe(45)
        yield* input.push("c", at(30, 41, 60))
        yield* when("c has spoken", () => query.watermarkOf("c") === 60)
        yield* query.committed
        expect(query.lateRows()).toEqual([30])
      })
    ))
})

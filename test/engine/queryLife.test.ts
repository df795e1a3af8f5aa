/** From one attempt of a query to the next, and from one process to another. */
import { Effect, Exit, type Scope, Schedule } from "effect"
import {
  type Checkpoint,
  EventStream,
  Foreach,
  Memory,
  Query,
  QueryError,
  type SinkError,
  SourceError,
  Trigger
} from "tidemark"
import { describe, expect, it } from "vitest"
import { factsOf } from "../../src/actors/QueryHandle.ts"
import type { QueryPhase } from "../../src/actors/QueryState.ts"
import { readBeat } from "../../src/checkpoint/Heartbeat.ts"
import { readChain } from "../../src/checkpoint/ReadChain.ts"
import type { QueryErrorReason } from "../../src/model/Errors.ts"
import { Limits } from "../../src/model/Limits.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import { asProcess, bent } from "../checkpoint/chains.ts"
import { inVirtualTime, now, when, whenRunning } from "./virtual.ts"

interface Numbered {
  readonly v: number
}

type Options = Partial<Query.QueryOptions<SourceError | SinkError>>

const numbers = (n: number, from = 0): Array<Numbered> => Array.from({ length: n }, (_, i) => ({ v: from + i }))
const soon = Trigger.every("10 millis")
const gone = new SourceError({ connector: "channel", retryable: true, message: "planted: gone" })
const rowsOf = (sink: { readonly rows: Effect.Effect<ReadonlyArray<Numbered>> }): ReadonlyArray<number> =>
  Effect.runSync(sink.rows).map(({ v }) => v)

describe("a restart", () => {
  const endedBy = (reason: QueryErrorReason) => {
    const planted = new QueryError({ reason, query: "q", message: "planted" })
    let writes = 0
    const out = Memory.sink<Numbered>()
    const failing: typeof out = {
      ...out,
      writer: (context) =>
        Effect.map(out.writer(context), (writer) => ({
          ...writer,
          write: (batch) =>
            Effect.suspend(() => (++writes > 3 ? writer.write(batch) : Effect.fail(planted as unknown as SinkError)))
        }))
    }
    return inVirtualTime(
      Effect.gen(function* () {
        const pipeline = EventStream.from(Memory.source(numbers(3))).pipe(EventStream.to(failing))
        const handle = yield* Query.start(pipeline, { name: "q", restart: Schedule.spaced("1 second") })
        const exit = yield* Effect.exit(handle.await)
        return { exit, planted, restarts: factsOf(handle).restarts }
      })
    )
  }

  it.each([
    "LedgerImbalance",
    "Fenced",
    "Owned",
    "PlanChanged",
    "InputEnded",
    "MemoryBudget",
    "DeadLetterRefused",
    "InvalidPipeline"
  ] as const)("is no answer to %s, whatever the schedule: that is final", (reason) => {
    const { exit, planted, restarts } = endedBy(reason)
    expect(exit).toEqual(Exit.fail(planted))
    expect(restarts).toBe(0)
  })

  it("is one to what may go away by itself", () => {
    const { exit, restarts } = endedBy("Checkpoint")
    expect(Exit.isSuccess(exit)).toBe(true)
    expect(restarts).toBe(3)
  })

  it.each([
    ["begins its schedule anew once an attempt has committed an epoch", true, 4],
    ["goes on with its schedule when no attempt has", false, 2]
  ])("%s", (_, commits, restarts) => {
    const found = inVirtualTime(
      Effect.gen(function* () {
        const input = Memory.channel<Numbered>()
        const out = Memory.sink<Numbered>()
        const pipeline = EventStream.from(input.source).pipe(EventStream.to(out))
        const handle = yield* Query.start(pipeline, {
          name: "q",
          trigger: soon,
          restart: Schedule.max([Schedule.exponential("1 second"), Schedule.recurs(2)])
        })
        const pauses: Array<number> = []
        for (let n = 0; n < restarts; n++) {
          yield* whenRunning(handle)
          if (commits) yield* input.push("0", numbers(1, n))
          if (commits) yield* when("a row is out", () => rowsOf(out).length === n + 1)
          yield* input.fail("0", gone)
          yield* when("it has failed", () => factsOf(handle).restarts === n + 1)
          const failed = yield* now
          yield* whenRunning(handle)
          pauses.push(Math.round(((yield* now) - failed) / 1_000))
        }
        if (!commits) yield* input.fail("0", gone)
        const exit = commits ? undefined : yield* Effect.exit(handle.await)
        return { exit, pauses }
      })
    )
    expect(found.pauses).toEqual(commits ? [1, 1, 1, 1] : [1, 2])
    expect(found.exit).toEqual(commits ? undefined : Exit.fail(gone))
  })
})

/** A store whose calls take a moment, so that phases can be seen. */
const slowStore = (): ObjectStore =>
  bent(Memory.objectStore(), (_operation, _name, call) => Effect.andThen(Effect.sleep(5), call))

/** Query `q` in a process of its own: what it reads, and what comes out; `phases` are those it was seen in. */
const running = (pid: number, options: Options = {}, filters = false) =>
  Effect.gen(function* () {
    const input = Memory.channel<Numbered>()
    const rows: Array<number> = []
    const out = Foreach.batch<Numbered>((_epoch, all) => Effect.sync(() => void rows.push(...all.map(({ v }) => v))))
    const read = EventStream.from(input.source)
    const pipeline = filters
      ? read.pipe(
          EventStream.withEventTime("v", { outOfOrderness: 0 }),
          EventStream.dedupe("v", { late: "forward" }),
          EventStream.to(out)
        )
      : read.pipe(EventStream.to(out))
    const handle = yield* asProcess({ pid })(Query.start(pipeline, { name: "q", trigger: soon, ...options }))
    const phases: Array<QueryPhase> = []
    const look = Effect.sync(() => {
      const { phase } = factsOf(handle)
      if (phases.at(-1) !== phase) phases.push(phase)
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.sleep(1))))
    return { handle, input, rows, phases }
  })

const inStore = <A, E>(
  program: (objects: ObjectStore) => Effect.Effect<A, E, Checkpoint.CheckpointStore | Scope.Scope>
): A => {
  const objects = slowStore()
  return inVirtualTime(program(objects), objects)
}

describe("C5a: a query that waits for a live owner", () => {
  it("is in phase standby, then starting, then running", () =>
    inStore(() =>
      Effect.gen(function* () {
        const first = yield* running(1)
        yield* whenRunning(first.handle)
        yield* first.input.push("0", numbers(1))
        yield* when("a row is out", () => first.rows.length === 1)
        const second = yield* running(2)
        // Both read the same: where the first stops, the second has to find its row.
        yield* second.input.push("0", numbers(1))
        yield* when("it stands by", () => factsOf(second.handle).phase === "standby")
        yield* Effect.sleep("1 minute")
        expect(second.phases).toEqual(["starting", "standby"])
        expect(factsOf(first.handle)).toMatchObject({ phase: "running", attempt: 1 })
        yield* first.handle.drain
        yield* whenRunning(second.handle)
        yield* Effect.sleep(10)
        expect(second.phases).toEqual(["starting", "standby", "starting", "running"])
        expect(factsOf(second.handle).attempt).toBeGreaterThan(1)
      })
    ))

  it("T11: ends at once when it is drained, and takes nothing over", () =>
    inStore((objects) =>
      Effect.gen(function* () {
        const first = yield* running(1)
        yield* whenRunning(first.handle)
        const second = yield* running(2)
        yield* when("it stands by", () => factsOf(second.handle).phase === "standby")
        const before = yield* now
        expect(yield* second.handle.drain).toMatchObject({ ended: "drained", epoch: 0 })
        expect((yield* now) - before).toBeLessThan(10)
        yield* first.input.push("0", numbers(1))
        yield* when("a row is out", () => first.rows.length === 1)
        expect(factsOf(first.handle)).toMatchObject({ phase: "running", attempt: 1, restarts: 0 })
        const chain = yield* readChain(objects, "q")
        expect(chain).toMatchObject({ value: { manifest: { attempt: 1, number: 2 } } })
      })
    ))
})

describe("C5: a live owner", () => {
  it.each([{}, { takeOver: 1 }])(
    "C8: is not fenced by a plan that is refused, told to take over or not: %j",
    (options) =>
      inStore(() =>
        Effect.gen(function* () {
          const first = yield* running(1, {}, true)
          yield* whenRunning(first.handle)
          yield* first.input.push("0", numbers(1))
          yield* when("a row is out", () => first.rows.length === 1)
          const second = yield* running(2, options)
          expect(yield* Effect.flip(second.handle.await)).toMatchObject({ reason: "PlanChanged" })
          yield* first.input.push("0", numbers(1, 1))
          yield* when("another row is out", () => first.rows.length === 2)
          yield* when("its epoch is made", () => factsOf(first.handle).ledger.epoch === 3)
          expect(factsOf(first.handle)).toMatchObject({ phase: "running", attempt: 1, restarts: 0 })
        })
      )
  )

  it("that was overtaken and then fails, fails with Fenced, and does not mark its heartbeat as released", () =>
    inStore((objects) =>
      Effect.gen(function* () {
        // It makes no epoch in which it would see for itself.
        const first = yield* running(1, { trigger: Trigger.every("1 hour"), restart: Schedule.spaced("1 second") })
        yield* whenRunning(first.handle)
        const second = yield* running(2, { takeOver: 1 })
        yield* whenRunning(second.handle)
        expect(factsOf(first.handle).phase).toBe("running")
        yield* first.input.fail("0", gone)
        const error = yield* Effect.flip(first.handle.await)
        expect(error).toMatchObject({ _tag: "QueryError", reason: "Fenced" })
        expect(String(error)).toMatch(/taken over by attempt 2 \(host web-1, pid 2\)/)
        expect(factsOf(first.handle).restarts).toBe(0)
        // The sweep of the second took the heartbeat of the first away, or it says that nobody left.
        expect((yield* readBeat(objects, "q", 1))?.released).not.toBe(true)
      })
    ))
})

describe("C2: a commit that an attempt left behind", () => {
  it("and that does not end within its time does not hold up the next one", () => {
    const begun: Array<readonly [epoch: number, ms: number]> = []
    let failedMs = 0
    inVirtualTime(
      Effect.gen(function* () {
        const input = Memory.channel<Numbered>()
        const sink = Foreach.batch<Numbered>((epoch) =>
          Effect.gen(function* () {
            begun.push([epoch, yield* now])
            if (begun.length === 1) yield* Effect.never
          })
        )
        const pipeline = EventStream.from(input.source).pipe(EventStream.to(sink))
        const handle = yield* Query.start(pipeline, { name: "q", trigger: soon, restart: Schedule.spaced("1 millis") })
        yield* input.push("0", numbers(1))
        yield* when("a commit", () => begun.length === 1)
        yield* input.fail("0", gone)
        yield* when("it has failed", () => factsOf(handle).restarts === 1)
        failedMs = yield* now
        yield* when("the commit of the next attempt", () => begun.length === 2)
        yield* whenRunning(handle)
      })
    )
    expect(begun.map(([epoch]) => epoch)).toEqual([2, 2])
    expect(begun[1][1] - failedMs).toBeGreaterThanOrEqual(Limits.commitPatienceMs - 100)
    expect(begun[1][1] - failedMs).toBeLessThan(Limits.commitPatienceMs + 1_000)
  })
})

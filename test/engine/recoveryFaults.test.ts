/** Faults that a review found in failures, restarts and drains: each example failed once. */
import { Effect, Exit, Schedule } from "effect"
import { describe, expect, it } from "vitest"
import { EventStream, Foreach, Memory, Query, SinkError, SourceError, Trigger, Window } from "tidemark"
import { factsOf } from "../../src/actors/QueryHandle.ts"
import { onStore, soon, soonRows, soonRunning } from "./faultsKit.ts"
import { counted } from "./kit.ts"

interface Numbered {
  readonly v: number
}

const fast = Trigger.every("1 millis")
const numbers = (n: number): Array<Numbered> => Array.from({ length: n }, (_, v) => ({ v }))
const valuesOf = (rows: ReadonlyArray<Numbered>): ReadonlyArray<number> => rows.map(({ v }) => v)

describe("what goes on from a checkpoint", () => {
  it("A1: ties are broken as before, beside a source that has no partitions", () =>
    onStore(
      Effect.gen(function* () {
        interface Row {
          readonly t: number
          readonly k: string
          readonly who: string
        }
        const input = Memory.channel<Row>({ partitions: ["p", "q"] })
        const out = Memory.sink()
        const pipeline = EventStream.from(Memory.source<Row>({ partitions: {} }, { name: "empty" })).pipe(
          EventStream.union(EventStream.from(input.source)),
          EventStream.withEventTime("t", { outOfOrderness: "1 second" }),
          EventStream.keyBy("k"),
          EventStream.window(Window.tumbling("1 minute"), { late: "drop" }),
          EventStream.aggregate(({ first }) => ({ who: first("who") })),
          EventStream.to(out)
        )
        const rowsIn = (handle: Query.QueryHandle<unknown>, n: number) =>
          soon(
            `${n} rows in`,
            Effect.sync(() =>
              factsOf(handle).ledger.operators.some((o) => o.operator.startsWith("window") && o.in === n)
            )
          )
        const one = Effect.gen(function* () {
          const handle = yield* Query.start(pipeline, { name: "q", trigger: fast })
          const pad = { t: 1_000, k: "z", who: "pad" }
          yield* input.push("p", [pad, pad, { t: 1_000, k: "a", who: "p" }])
          yield* rowsIn(handle, 3)
          yield* handle.drain
        })
        const two = Effect.gen(function* () {
          const handle = yield* Query.start(pipeline, { name: "q", trigger: fast })
          yield* input.push("q", [{ t: 1_000, k: "a", who: "q" }])
          yield* rowsIn(handle, 4)
          for (const partition of ["p", "q"]) yield* input.push(partition, [{ t: 200_000, k: "a", who: "end" }])
          yield* soonRows(out, 2)
          yield* handle.drain
        })
        yield* Effect.scoped(one)
        yield* Effect.scoped(two)
        expect((yield* out.rows).map((r) => (r as { who: string }).who).toSorted()).toEqual(["p", "pad"])
      })
    ))

  it("T11: a source whose windows have ended refuses rows, the open one beside it does not", () =>
    onStore(
      Effect.gen(function* () {
        const bounded = Memory.source(
          [1, 2].map((t) => ({ t, k: "x" })),
          { name: "a" }
        )
        const open = Memory.channel<{ readonly k: string; readonly n: number }>({ name: "b" })
        const out = Memory.sink<{ readonly k: string; readonly n: number }>()
        const pipeline = EventStream.from(bounded).pipe(
          EventStream.withEventTime("t", { outOfOrderness: "1 second" }),
          EventStream.keyBy("k"),
          EventStream.window(Window.tumbling("1 minute"), { late: "drop" }),
          counted,
          EventStream.map(({ k, n }) => ({ k, n })),
          EventStream.union(EventStream.from(open.source)),
          EventStream.to(out)
        )
        for (const [k, rows] of [
          ["b1", 2],
          ["b2", 3]
        ] as const) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const handle = yield* Query.start(pipeline, { name: "q", trigger: fast })
              yield* open.push("0", [{ k, n: 1 }])
              yield* soonRows(out, rows)
              yield* handle.drain
            })
          )
        }
        expect((yield* out.rows).map(({ k, n }) => `${k} ${n}`).toSorted()).toEqual(["b1 1", "b2 1", "x 2"])
      })
    ))

  it("T12: a partition may really be called (none)", () =>
    onStore(
      Effect.gen(function* () {
        const out = Memory.sink<Numbered>()
        const source = Memory.source({ partitions: { "(none)": [{ v: 1 }, { v: 2 }], b: [{ v: 3 }] } })
        const pipeline = EventStream.from(source).pipe(EventStream.to(out))
        for (let n = 0; n < 2; n++) yield* Query.run(pipeline, { name: "q", trigger: Trigger.availableNow() })
        expect(valuesOf(yield* out.rows).toSorted((a, b) => a - b)).toEqual([1, 2, 3])
      })
    ))

  it("T12: a connector that names a partition again while it runs is told so", () =>
    onStore(
      Effect.scoped(
        Effect.gen(function* () {
          const { source, ...input } = Memory.channel<Numbered>({ dynamicPartitions: true, partitions: ["a"] })
          let calls = 0
          const forgetful: typeof source = {
            ...source,
            partitions: (known) => Effect.map(source.partitions(known), (p) => (calls++ === 0 ? p : ["a", ...p]))
          }
          const pipeline = EventStream.from(forgetful).pipe(EventStream.to(Memory.sink<Numbered>()))
          const handle = yield* Query.start(pipeline, { name: "q", trigger: fast })
          yield* soonRunning(handle)
          yield* input.addPartition("b")
          const error = yield* Effect.flip(handle.await)
          expect(error).toBeInstanceOf(SourceError)
          expect(String(error)).toMatch(/names partition a twice/)
        })
      )
    ))
})

describe("rows that fail attempt after attempt", () => {
  it("failures to start again are none of the row's: it is not set aside", () =>
    onStore(
      Effect.gen(function* () {
        const out = Memory.sink<Numbered>()
        const source = Memory.source(numbers(3))
        let failed = 0
        let down = 0
        const broken: typeof source = {
          ...source,
          partitions: (known) =>
            Effect.suspend(() =>
              down-- > 0
                ? Effect.fail(new SourceError({ connector: "m", retryable: true, message: "planted: down" }))
                : source.partitions(known)
            )
        }
        const pipeline = EventStream.from(broken).pipe(
          EventStream.map((row) => {
            if (row.v === 1 && failed++ === 0) {
              down = 2
              throw new Error("planted: once")
            }
            return row
          }),
          EventStream.to(out)
        )
        yield* Query.run(pipeline, { name: "q", restart: Schedule.recurs(8) })
        expect(valuesOf(yield* out.rows)).toEqual([0, 1, 2])
        expect(yield* Query.deadLetters("q")).toEqual([])
      })
    ))

  it("one that the source's function throws on is set aside too", () =>
    onStore(
      Effect.gen(function* () {
        const out = Memory.sink<Numbered>()
        const checked = (row: Numbered): Numbered => {
          if (row.v === 1) throw new Error("planted: bad row")
          return row
        }
        const pipeline = EventStream.from(Memory.source(numbers(3)), checked).pipe(EventStream.to(out))
        yield* Query.run(pipeline, { name: "q", restart: Schedule.recurs(8) })
        expect(valuesOf(yield* out.rows)).toEqual([0, 2])
        expect(yield* Query.deadLetters("q")).toHaveLength(1)
      })
    ))
})

describe("a drain", () => {
  it("C10: whose last commit fails has failed, and makes no savepoint, whatever restarts there may be", () =>
    onStore(
      Effect.scoped(
        Effect.gen(function* () {
          const input = Memory.channel<Numbered>({ replayable: false })
          const out = Memory.sink<Numbered>()
          const locked = new SinkError({ connector: "m", retryable: true, message: "planted: table locked" })
          let isLocked = false
          const sink: typeof out = {
            ...out,
            commit: (prepared) => Effect.suspend(() => (isLocked ? Effect.fail(locked) : out.commit(prepared)))
          }
          const pipeline = EventStream.from(input.source).pipe(EventStream.to(sink))
          const options = { name: "q", trigger: Trigger.every("1 hour"), restart: Schedule.spaced("1 millis") }
          const handle = yield* Query.start(pipeline, options)
          yield* soonRunning(handle)
          yield* input.push("0", numbers(2))
          isLocked = true
          expect(yield* Effect.flip(handle.stopWithSavepoint("last"))).toBe(locked)
        })
      )
    ))

  it("whose last rows fail has failed", () =>
    onStore(
      Effect.scoped(
        Effect.gen(function* () {
          const input = Memory.channel<Numbered>({ replayable: false })
          const asked: Array<number> = []
          const pipeline = EventStream.from(input.source).pipe(
            EventStream.mapEffect((row) => {
              asked.push(row.v)
              return Effect.andThen(Effect.sleep(20), row.v === 1 ? Effect.fail("503" as const) : Effect.succeed(row))
            }),
            EventStream.to(Memory.sink<Numbered>())
          )
          const options = { name: "q", trigger: Trigger.every("1 hour"), restart: Schedule.spaced("1 millis") }
          const handle = yield* Query.start(pipeline, options)
          yield* input.push("0", numbers(3))
          yield* soon(
            "rows on their way",
            Effect.sync(() => asked.length > 0)
          )
          expect(yield* Effect.flip(handle.drain)).toBe("503")
        })
      )
    ))
})

describe("C2: a commit that an attempt left behind", () => {
  it("is over before the next attempt commits", () =>
    onStore(
      Effect.scoped(
        Effect.gen(function* () {
          const input = Memory.channel<Numbered>()
          const log: Array<string> = []
          const sink = Foreach.batch<Numbered>((epoch) =>
            Effect.gen(function* () {
              log.push(`begins ${epoch}`)
              if (log.length === 1) yield* Effect.sleep(200)
              log.push(`ends ${epoch}`)
            })
          )
          let fails = true
          const pipeline = EventStream.from(input.source).pipe(
            EventStream.map((row) => {
              if (row.v !== 666 || !fails) return row
              fails = false
              throw new Error("planted")
            }),
            EventStream.to(sink)
          )
          const options = { name: "q", trigger: fast, restart: Schedule.spaced("1 millis") }
          const handle = yield* Query.start(pipeline, options)
          yield* input.push("0", [{ v: 1 }])
          yield* soon(
            "a commit",
            Effect.sync(() => log.length === 1)
          )
          yield* input.push("0", [{ v: 666 }])
          yield* soon(
            "a failure",
            Effect.sync(() => !fails)
          )
          yield* input.push("0", [{ v: 2 }])
          yield* soon(
            "the commit of the next attempt",
            Effect.sync(() => log.length >= 4)
          )
          expect(Exit.isSuccess(yield* Effect.exit(handle.drain))).toBe(true)
          for (let i = 0; i < log.length; i += 2) expect(log[i + 1]).toBe(log[i].replace("begins", "ends"))
        })
      )
    ))
})

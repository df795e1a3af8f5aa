/** What one epoch does, step by step, and what becomes of a checkpoint that takes too long or cannot be written. */
import { Effect, Schedule } from "effect"
import { EventStream, Memory, Query, QueryError, Trigger } from "tidemark"
import { afterEach, describe, expect, it, vi } from "vitest"
import { factsOf } from "../../src/actors/QueryHandle.ts"
import { Limits } from "../../src/model/Limits.ts"
import { Counters } from "../../src/streams/Counters.ts"
import { bent } from "../checkpoint/chains.ts"
import { inVirtualTime, now, stepOf, storeFails, telling, when, whenRunning } from "./virtual.ts"

interface Numbered {
  readonly v: number
}

const numbers = (n: number, from = 0): Array<Numbered> => Array.from({ length: n }, (_, i) => ({ v: from + i }))
const soon = Trigger.every("10 millis")
const rowsOf = (sink: { readonly rows: Effect.Effect<ReadonlyArray<Numbered>> }): ReadonlyArray<number> =>
  Effect.runSync(sink.rows).map(({ v }) => v)

afterEach(() => {
  vi.restoreAllMocks()
})

/** A store that notes the steps of epochs that reach it; puts of state take `stateMs()`, and fail while `isFull()`. */
const noting = (
  log: Array<string>,
  o: { readonly stateMs?: () => number; readonly isFull?: () => boolean; readonly manifestMs?: () => number } = {}
) =>
  bent(Memory.objectStore(), (operation, name, call) => {
    const step = stepOf(name)
    if (step === undefined || operation === "get" || operation === "list") return call
    const isTombstone = step !== "state" && operation === "put"
    log.push(operation === "delete" ? "delete" : isTombstone ? "tombstone" : step)
    if (step === "state" && o.isFull?.() === true) return Effect.fail(storeFails("put", name))
    const ms = step === "state" ? (o.stateMs?.() ?? 0) : (o.manifestMs?.() ?? 0)
    return ms === 0 ? call : Effect.andThen(Effect.sleep(ms), call)
  })

describe("C3: an engine epoch", () => {
  it("takes its steps in order, and P(n+1) is put only after every sink committed epoch n", () => {
    const log: Array<string> = []
    const [a, b] = [Memory.sink<Numbered>(), Memory.sink<Numbered>()]
    const told = (name: string, sink: typeof a) =>
      telling(sink, (step, epoch) =>
        Effect.gen(function* () {
          log.push(`${name} ${step} ${epoch}`)
          // Rows go on to come, and epochs to be due, while a sink takes its time.
          if (step === "commit") yield* Effect.sleep(name === "a" ? 70 : 130)
          if (step === "commit") log.push(`${name} committed ${epoch}`)
        })
      )
    inVirtualTime(
      Effect.gen(function* () {
        const input = Memory.channel<Numbered>()
        const read = EventStream.from(input.source)
        const outputs = {
          a: read.pipe(EventStream.to(told("a", a))),
          b: read.pipe(EventStream.to(told("b", b)))
        }
        const handle = yield* Query.start(Query.outputs(outputs), {
          name: "q",
          trigger: soon,
          checkpoint: { retained: 1 }
        })
        yield* Effect.forkScoped(
          Effect.forEach(numbers(100), (row) => Effect.andThen(input.push("0", [row]), Effect.sleep(100)))
        )
        yield* when("five epochs", () => factsOf(handle).ledger.epoch >= 6)
        yield* handle.drain
      }),
      noting(log, { stateMs: () => 30, manifestMs: () => 20 })
    )
    const order = (n: number): ReadonlyArray<RegExp> => [
      new RegExp(`^[ab] prepare ${n}$`),
      /^state$/,
      new RegExp(`^P\\(${n}\\)$`),
      new RegExp(`^C\\(${n}\\)$`),
      new RegExp(`^[ab] commit(ted)? ${n}$`),
      /^(tombstone|delete)$/
    ]
    // Steps before the first epoch are of the takeover.
    const epochs = log.slice(log.findIndex((line) => line.endsWith(" prepare 2")))
    let n = 2
    let at = 0
    const counts = new Map<string, number>()
    for (const line of epochs) {
      if (/ prepare /.test(line) && line.endsWith(` ${n + 1}`)) {
        n++
        at = 0
      }
      while (at < order(n).length && !order(n)[at].test(line)) at++
      expect(at, `${line} of epoch ${n}, in ${epochs.join(", ")}`).toBeLessThan(order(n).length)
      counts.set(`${n} ${at}`, (counts.get(`${n} ${at}`) ?? 0) + 1)
    }
    expect(n).toBeGreaterThanOrEqual(7)
    for (let epoch = 2; epoch <= n; epoch++)
      for (const [i, times] of [2, 2, 1, 1, 4].entries())
        expect(counts.get(`${epoch} ${i}`), `step ${i} of epoch ${epoch}`).toBe(times)
    expect(counts.get(`${n - 1} 5`)).toBeGreaterThan(0)
  })

  it("whose ledger does not balance has written no state, and put no manifest", () => {
    const honest = Reflect.get(Counters.prototype, "balance")
    vi.spyOn(Counters.prototype, "balance").mockImplementation(function (this: Counters, ...args) {
      const counts = honest.apply(this, args)
      return counts.operator === "map-1" ? { ...counts, in: counts.in + 1 } : counts
    })
    const log: Array<string> = []
    const out = telling(Memory.sink<Numbered>(), (step) => Effect.sync(() => void log.push(step)))
    const pipeline = EventStream.from(Memory.source(numbers(3))).pipe(
      EventStream.map((row) => row),
      EventStream.to(out)
    )
    const error = inVirtualTime(Effect.flip(Query.run(pipeline, { name: "q" })), noting(log))
    expect(error).toMatchObject({ reason: "LedgerImbalance" })
    expect(log).toEqual(["P(1)", "C(1)", "prepare"])
  })

  it("C4: a sink that prepares under another writer's name stops the query before P(n)", () => {
    const log: Array<string> = []
    const out = Memory.sink<Numbered>()
    const misnamed: typeof out = {
      ...out,
      writer: (context) =>
        Effect.map(out.writer(context), (writer) => ({
          write: (batch) => writer.write(batch),
          prepare: (epoch) => Effect.map(writer.prepare(epoch), (prepared) => ({ ...prepared, writer: "another" }))
        }))
    }
    const pipeline = EventStream.from(Memory.source(numbers(3))).pipe(EventStream.to(misnamed))
    const error = inVirtualTime(Effect.flip(Query.run(pipeline, { name: "q" })), noting(log))
    expect(String(error)).toMatch(/prepared nothing in the name of writer/)
    expect(log.filter((step) => /^[PC]/.test(step))).toEqual(["P(1)", "C(1)"])
    expect(rowsOf(out)).toEqual([])
  })
})

describe("C9: a checkpoint that takes longer than its timeout is given up", () => {
  const late = /^it was not done after 2000 ms$/

  it("in writing; its rows come with the next epoch", () => {
    let stateMs = 5_000
    const out = Memory.sink<Numbered>()
    inVirtualTime(
      Effect.gen(function* () {
        const input = Memory.channel<Numbered>()
        const pipeline = EventStream.from(input.source).pipe(EventStream.to(out))
        const handle = yield* Query.start(pipeline, { name: "q", trigger: soon, checkpoint: { timeout: "2 seconds" } })
        yield* input.push("0", numbers(2))
        const began = yield* now
        yield* when("it is given up", () => factsOf(handle).givenUp === 1)
        expect((yield* now) - began).toBeLessThan(2_100)
        expect(factsOf(handle).givenUpWhy).toMatch(late)
        stateMs = 1_000
        yield* input.push("0", numbers(1, 2))
        yield* when("rows are out", () => rowsOf(out).length > 0)
        expect(factsOf(handle)).toMatchObject({ givenUp: 0, restarts: 0, phase: "running" })
      }),
      noting([], { stateMs: () => stateMs })
    )
    expect(Effect.runSync(out.epochs).map(({ epoch, rows }) => [epoch, rows.length])).toEqual([[2, 3]])
  })

  it("in alignment, before its state is written; its rows come with the next epoch", () => {
    const log: Array<string> = []
    let prepares = 0
    const inner = Memory.sink<Numbered>()
    const out = telling(inner, (step) => (step === "prepare" && prepares++ === 0 ? Effect.sleep(3_000) : Effect.void))
    inVirtualTime(
      Effect.gen(function* () {
        const input = Memory.channel<Numbered>()
        const pipeline = EventStream.from(input.source).pipe(EventStream.to(out))
        const handle = yield* Query.start(pipeline, { name: "q", trigger: soon, checkpoint: { timeout: "2 seconds" } })
        yield* input.push("0", numbers(2))
        yield* when("it is given up", () => factsOf(handle).givenUp === 1)
        expect(factsOf(handle).givenUpWhy).toMatch(late)
        expect(log).toEqual(["P(1)", "C(1)"])
        yield* input.push("0", numbers(1, 2))
        yield* when("rows are out", () => rowsOf(inner).length > 0)
        expect(factsOf(handle)).toMatchObject({ givenUp: 0, restarts: 0, phase: "running" })
      }),
      noting(log)
    )
    expect(Effect.runSync(inner.epochs).map(({ epoch, rows }) => [epoch, rows.length])).toEqual([[2, 3]])
  })
})

describe("C9: checkpoints given up in a row", () => {
  const failing = (restarts: boolean) => {
    let isFull = true
    const puts: Array<string> = []
    const out = Memory.sink<Numbered>()
    const result = inVirtualTime(
      Effect.gen(function* () {
        const input = Memory.channel<Numbered>()
        const pipeline = EventStream.from(input.source).pipe(EventStream.to(out))
        const restart = restarts ? { restart: Schedule.spaced("5 seconds") } : {}
        const options = { name: "q", trigger: soon, checkpoint: { failures: 3 }, ...restart }
        const handle = yield* Query.start(pipeline, options)
        yield* input.push("0", numbers(3))
        if (!restarts) return yield* Effect.flip(handle.await)
        yield* when("it restarts", () => factsOf(handle).restarts === 1)
        isFull = false
        yield* when("rows are out", () => rowsOf(out).length === 3)
        return { ...factsOf(handle) }
      }),
      noting(puts, { isFull: () => isFull })
    )
    return { result, out, tries: puts.filter((step) => step === "state").length }
  }

  it("as many as checkpoint.failures: the attempt fails with reason Checkpoint, without its rows", () => {
    const { result, out, tries } = failing(false)
    expect(result).toBeInstanceOf(QueryError)
    expect(result).toMatchObject({ reason: "Checkpoint" })
    expect(String(result)).toMatch(/the checkpoint of epoch 2 was given up.*disk full.*3 in a row/)
    // A try puts two copies side by side; the first that fails ends it.
    expect(tries).toBe(3)
    expect(rowsOf(out)).toEqual([])
  })

  it("and the query restarts, as its schedule says", () => {
    const { result, out } = failing(true)
    expect(result).toMatchObject({ restarts: 1, givenUp: 0, phase: "running" })
    expect((result as { lastFailure: string }).lastFailure).toMatch(/3 in a row/)
    expect(rowsOf(out)).toEqual([0, 1, 2])
  })

  it.each(["ended", "drained"] as const)(
    "the last epoch of an input that %s is tried again until it is made",
    (how) => {
      const out = Memory.sink<Numbered>()
      let isFull = false
      const log: Array<string> = []
      const summary = inVirtualTime(
        Effect.gen(function* () {
          const input = Memory.channel<Numbered>({ bounded: true })
          const pipeline = EventStream.from(input.source).pipe(EventStream.to(out))
          const handle = yield* Query.start(pipeline, { name: "q", trigger: Trigger.every("1 hour") })
          yield* whenRunning(handle)
          yield* input.push("0", numbers(3))
          yield* input.caughtUp("0")
          isFull = true
          if (how === "ended") yield* input.end("0")
          const ending = yield* Effect.forkScoped(how === "ended" ? handle.await : handle.drain)
          yield* when("it is given up three times", () => factsOf(handle).givenUp === 3)
          isFull = false
          void ending
          return yield* handle.await
        }),
        noting(log, { isFull: () => isFull })
      )
      expect(summary).toMatchObject({ ended: how === "ended" ? "exhausted" : "drained", epoch: 2, restarts: 0 })
      expect(rowsOf(out)).toEqual([0, 1, 2])
      expect(log.filter((step) => step === "state")).toHaveLength(3 + 2)
    }
  )
})

describe("A5, C9: after a checkpoint there is a pause", () => {
  it.each([
    [4_000, 4_000],
    [20_000, Limits.epochPauseMaxMs]
  ])("of one that took %d ms: %d ms", (tookMs, pauseMs) => {
    const barriers: Array<number> = []
    const commits: Array<number> = []
    const out = telling(Memory.sink<Numbered>(), (step) =>
      Effect.map(now, (ms) => void (step === "prepare" ? barriers : commits).push(ms))
    )
    inVirtualTime(
      Effect.gen(function* () {
        const input = Memory.channel<Numbered>()
        const pipeline = EventStream.from(input.source).pipe(EventStream.to(out))
        const handle = yield* Query.start(pipeline, { name: "q", trigger: soon })
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(input.push("0", numbers(1)), Effect.sleep(10))))
        yield* when("three epochs", () => factsOf(handle).ledger.epoch >= 4)
      }),
      noting([], { stateMs: () => tookMs })
    )
    for (let i = 0; i < 2; i++) {
      expect(commits[i] - barriers[i]).toBeGreaterThanOrEqual(tookMs)
      expect(barriers[i + 1] - commits[i]).toBeGreaterThanOrEqual(pauseMs)
      expect(barriers[i + 1] - commits[i]).toBeLessThan(pauseMs + 100)
    }
  })
})

describe("the coordinator's mailbox", () => {
  it.each(["commit", "put"])("is bounded while a %s takes long: what says that time has passed waits once", (what) => {
    let most = 0
    const isLong = { commit: what === "commit", put: what === "put" }
    const inner = Memory.sink<Numbered>()
    const out = telling(inner, (step) => (step === "commit" && isLong.commit ? Effect.sleep("1 hour") : Effect.void))
    inVirtualTime(
      Effect.gen(function* () {
        const input = Memory.channel<Numbered>()
        const pipeline = EventStream.from(input.source).pipe(EventStream.to(out))
        const handle = yield* Query.start(pipeline, { name: "q", trigger: Trigger.every("1 second") })
        yield* input.push("0", numbers(1))
        yield* when("a checkpoint is made", () => factsOf(handle).underway !== undefined)
        for (let n = 0; n < 500; n++) {
          most = Math.max(most, factsOf(handle).status?.events() ?? 0)
          yield* Effect.sleep(1_000)
        }
        expect(factsOf(handle).underway).toBe(2)
      }),
      noting([], { stateMs: () => (isLong.put ? 590_000 : 0), manifestMs: () => 1 })
    )
    expect(most).toBe(2)
  })
})

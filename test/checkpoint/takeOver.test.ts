import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { Ownership, TakeOverOptions } from "../../src/checkpoint/Chain.ts"
import { manifestName } from "../../src/checkpoint/names.ts"
import { listQueries } from "../../src/checkpoint/ReadChain.ts"
import { make } from "../../src/connectors/memory/MemoryObjectStore.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import { asProcess, bent, epochs, own, type Process, refusal, storeError } from "./chains.ts"

/** An owner whose end the test decides: `leave` as a program does, `freeze` and `crash` without a word. */
const running = (objects: ObjectStore, process: Process, over: Partial<TakeOverOptions> = {}) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    let isFrozen = false
    const store = bent(objects, (_operation, _name, call) => (isFrozen ? Effect.never : call))
    const owned = yield* asProcess(process)(Scope.provide(own(store, over), scope))
    return {
      owned,
      leave: Effect.asVoid(Scope.close(scope, Exit.void)),
      freeze: Effect.sync(() => void (isFrozen = true))
    }
  })

/** Takes over in a fiber of its own; `standby` has what it said when it had to wait. */
const coming = (objects: ObjectStore, process: Process, over: Partial<TakeOverOptions> = {}) =>
  Effect.gen(function* () {
    const standby: Array<string> = []
    const scope = yield* Scope.make()
    const onStandby = (owner: string) => Effect.sync(() => void standby.push(owner))
    const take = asProcess(process)(Scope.provide(own(objects, { onStandby, ...over }), scope))
    const fiber = yield* Effect.forkChild(take, { startImmediately: true })
    const outcome = (): string => {
      const exit: Exit.Exit<Ownership, unknown> | undefined = fiber.pollUnsafe()
      if (exit === undefined) return "waits"
      if (Exit.isSuccess(exit)) return "owns"
      const error = Cause.squash(exit.cause) as { reason?: string; message?: string }
      return `${error.reason}: ${error.message}`
    }
    return { standby, fiber, outcome, leave: Scope.close(scope, Exit.void) }
  })

const seconds = (n: number) => Effect.forEach(Array.from({ length: n * 2 }), () => TestClock.adjust("500 millis"))

describe("C5a: a live owner", () => {
  it.effect("is waited for, and taken over from at once when it leaves", () =>
    Effect.gen(function* () {
      const objects = make()
      const first = yield* running(objects, { pid: 1 })
      const second = yield* coming(objects, { pid: 2 })
      yield* seconds(20)
      expect(second.outcome()).toBe("waits")
      expect(second.standby).toEqual(["attempt 1 (host web-1, pid 1)"])
      yield* first.leave
      yield* seconds(1)
      expect(second.outcome()).toBe("owns")
    })
  )

  it.effect("or refused at the first sign of life, with what to do", () =>
    Effect.gen(function* () {
      const objects = make()
      yield* running(objects, { pid: 1 })
      const second = yield* coming(objects, { pid: 2 }, { ifOwned: "fail" })
      yield* seconds(2)
      expect(second.outcome()).toBe(
        'Owned: query q is run by attempt 1 (host web-1, pid 1), which is alive. Stop it, wait until it is gone (ifOwned: "wait"), or take over from it (takeOver: 1)'
      )
    })
  )

  it.effect("is taken for dead after three intervals without a sign, and no sooner", () =>
    Effect.gen(function* () {
      for (const ifOwned of ["wait", "fail"] as const) {
        const objects = make()
        const first = yield* running(objects, { pid: 1 })
        yield* first.freeze
        const second = yield* coming(objects, { pid: 2 }, { ifOwned })
        yield* seconds(2)
        expect(second.outcome()).toBe("waits")
        yield* seconds(1)
        expect(second.outcome()).toBe("owns")
        expect(second.standby).toEqual([])
      }
    })
  )

  it.effect("that dies while a standby waits: three intervals later it has the query", () =>
    Effect.gen(function* () {
      const objects = { ...make(), heartbeatMs: 5_000 }
      const first = yield* running(objects, { pid: 1 })
      const second = yield* coming(objects, { pid: 2 })
      yield* seconds(60)
      yield* first.freeze
      yield* seconds(14)
      expect(second.outcome()).toBe("waits")
      yield* seconds(7)
      expect(second.outcome()).toBe("owns")
    })
  )

  it.effect("shows life by its epochs alone, when its heartbeat cannot be written; that is said once", () =>
    Effect.gen(function* () {
      const said: Array<unknown> = []
      const logger = Logger.make(({ message }) => void said.push(message))
      const objects = make()
      const store = bent(objects, (operation, name, call) =>
        name.includes("/heartbeat/") && operation === "put" ? Effect.fail(storeError(operation, name)) : call
      )
      const first = yield* Effect.provide(running(store, { pid: 1 }), Logger.layer([logger]))
      const second = yield* coming(objects, { pid: 2 })
      for (let n = 2; n < 10; n++) {
        yield* epochs(first.owned, n, n)
        yield* seconds(2)
      }
      expect(second.outcome()).toBe("waits")
      expect(said.length).toBe(1)
      expect(String(said[0])).toMatch(/query q: its heartbeat could not be written \(no reply\)/)
    })
  )

  it.effect("a store that does not answer says nothing about an owner: a standby outlives it", () =>
    Effect.gen(function* () {
      const objects = make()
      let isDown = false
      const store = bent(objects, (operation, name, call) =>
        isDown ? Effect.fail(storeError(operation, name, "is down")) : call
      )
      const first = yield* running(objects, { pid: 1 })
      const second = yield* coming(store, { pid: 2 })
      yield* seconds(5)
      isDown = true
      yield* seconds(30)
      isDown = false
      yield* seconds(10)
      expect(second.outcome()).toBe("waits")
      yield* first.leave
      yield* seconds(2)
      expect(second.outcome()).toBe("owns")
      isDown = true
      const third = yield* coming(store, { pid: 3 })
      yield* seconds(3)
      expect(third.outcome()).toMatch(/^Checkpoint: checkpoint of query q: could not look for its owner: is down/)
    })
  )

  it.effect("two standbys: one gets it, the other goes on waiting", () =>
    Effect.gen(function* () {
      const objects = make()
      const first = yield* running(objects, { pid: 1 })
      const second = yield* coming(objects, { pid: 2 })
      const third = yield* coming(objects, { pid: 3 })
      yield* seconds(5)
      yield* first.freeze
      yield* seconds(20)
      expect([second.outcome(), third.outcome()].toSorted()).toEqual(["owns", "waits"])
      expect(second.standby.length + third.standby.length).toBe(2)
    })
  )
})

describe("C5a: an owner whose last epoch ends the query", () => {
  it.effect("still commits it, and makes its savepoint: who comes waits until it has left", () =>
    Effect.gen(function* () {
      const objects = make()
      const first = yield* running(objects, { pid: 1 })
      yield* epochs(first.owned, 2, 3, { ended: "drained" })
      const second = yield* coming(objects, { pid: 2 })
      yield* seconds(20)
      expect(second.outcome()).toBe("waits")
      yield* first.owned.savepoint("last")
      yield* first.leave
      yield* seconds(1)
      expect(second.outcome()).toBe("owns")
    })
  )

  it.effect("is not taken over from between the two copies of that epoch", () =>
    Effect.gen(function* () {
      const inner = make()
      const held = yield* Latch.make(false)
      const objects = bent(inner, (operation, name, call) =>
        operation === "putIfAbsent" && name === manifestName("q", "copy", 3) ? Effect.andThen(held.await, call) : call
      )
      const first = yield* running(objects, { pid: 1 })
      const ending = yield* Effect.forkChild(epochs(first.owned, 2, 3, { ended: "drained" }), {
        startImmediately: true
      })
      const second = yield* coming(inner, { pid: 2 })
      yield* seconds(10)
      expect(second.outcome()).toBe("waits")
      yield* held.open
      yield* Fiber.join(ending)
      yield* first.leave
      yield* seconds(1)
      expect(second.outcome()).toBe("owns")
      expect(second.fiber.pollUnsafe()).toMatchObject({ value: { base: { epoch: 3, ended: "drained" } } })
    })
  )

  it.effect("and was killed before it could say that it leaves: by another host after three intervals", () =>
    Effect.gen(function* () {
      const objects = make()
      const first = yield* running(objects, { pid: 1 })
      yield* epochs(first.owned, 2, 3, { ended: "exhausted" })
      yield* first.freeze
      const second = yield* coming(objects, { pid: 2, host: "web-2" }, { ifOwned: "fail" })
      yield* seconds(2)
      expect(second.outcome()).toBe("waits")
      yield* seconds(1)
      expect(second.outcome()).toBe("owns")
    })
  )
})

describe("C5a: nobody waits for an owner that is gone", () => {
  const takesAtOnce = (objects: ObjectStore, process: Process) =>
    Effect.gen(function* () {
      const second = yield* coming(objects, process, { ifOwned: "fail" })
      yield* Effect.yieldNow
      expect(second.outcome()).toBe("owns")
      expect(second.standby).toEqual([])
    })

  it.effect("that ended its input, or was drained, and left", () =>
    Effect.gen(function* () {
      for (const ended of ["exhausted", "drained"] as const) {
        const objects = make()
        const first = yield* running(objects, { pid: 1 })
        yield* epochs(first.owned, 2, 3, { ended })
        yield* first.leave
        yield* takesAtOnce(objects, { pid: 2 })
      }
    })
  )

  it.effect("that failed or was interrupted: it has left, and said so", () =>
    Effect.gen(function* () {
      const objects = make()
      const first = yield* running(objects, { pid: 1 })
      yield* epochs(first.owned, 2, 3)
      yield* first.leave
      yield* takesAtOnce(objects, { pid: 2 })
    })
  )

  it.effect("whose process is surely gone", () =>
    Effect.gen(function* () {
      const objects = make()
      const first = yield* running(objects, { pid: 1 })
      yield* first.freeze
      yield* takesAtOnce(objects, { pid: 2, believes: ({ pid }) => pid === 1 })
    })
  )

  it.effect("a takeover that carries the end of the input is still somebody's", () =>
    Effect.gen(function* () {
      const objects = make()
      const first = yield* running(objects, { pid: 1 })
      yield* epochs(first.owned, 2, 2, { ended: "exhausted" })
      yield* first.leave
      const second = yield* running(objects, { pid: 2 })
      expect(second.owned.base.ended).toBe("exhausted")
      const third = yield* coming(objects, { pid: 3 }, { ifOwned: "fail" })
      yield* seconds(3)
      expect(third.outcome()).toMatch(/^Owned: .*attempt 3 \(host web-1, pid 2\), which is alive/)
    })
  )
})

describe("C5a: one process", () => {
  it.effect("refuses a second start of a query, to wait or not, and restarts at once", () =>
    Effect.gen(function* () {
      const objects = make()
      const attempts = new Map()
      const first = yield* running(objects, { pid: 1, attempts })
      for (const ifOwned of ["wait", "fail"] as const) {
        const second = yield* coming(objects, { pid: 1, attempts }, { ifOwned })
        expect(second.outcome()).toBe("Owned: query q already runs in this process: give one of the two another name")
      }
      yield* first.freeze
      // It leaves, and cannot say so: the process knows.
      const leaving = yield* Effect.forkChild(first.leave, { startImmediately: true })
      yield* seconds(3)
      yield* Fiber.join(leaving)
      const third = yield* coming(objects, { pid: 1, attempts })
      expect(third.outcome()).toBe("owns")
      yield* third.leave
    })
  )

  it.effect("of two starts at the same time one is refused", () =>
    Effect.gen(function* () {
      const objects = bent(make(), (_operation, _name, call) => Effect.andThen(Effect.yieldNow, call))
      const attempts = new Map()
      const both = [yield* coming(objects, { pid: 1, attempts }), yield* coming(objects, { pid: 1, attempts })]
      for (let n = 0; n < 200; n++) yield* Effect.yieldNow
      const outcomes = both.map(({ outcome }) => outcome())
      expect(outcomes).toContain("owns")
      expect(outcomes.join()).toMatch(/Owned: query q already runs in this process|Fenced: /)
    })
  )
})

describe("C5a: --take-over", () => {
  it.effect("takes the query from the attempt that it names, alive or not, and works once", () =>
    Effect.gen(function* () {
      const objects = make()
      const first = yield* running(objects, { pid: 1 })
      yield* epochs(first.owned, 2, 4)
      const second = yield* coming(objects, { pid: 2 }, { takeOver: 1 })
      yield* Effect.yieldNow
      expect(second.outcome()).toBe("owns")
      const state = yield* first.owned.writeState(new Map())
      const record = { ...first.owned.base, epoch: 5 }
      expect(yield* refusal(first.owned.publish(record, state))).toMatch(/^Fenced: .*attempt 5 \(host web-1, pid 2\)/)
      const third = yield* coming(objects, { pid: 3 }, { takeOver: 1 })
      yield* Effect.yieldNow
      expect(third.outcome()).toBe(
        "Owned: query q cannot be taken over from attempt 1: its latest is attempt 5 (host web-1, pid 2). takeOver names one attempt and works once"
      )
      const fourth = yield* coming(make(), { pid: 4 }, { takeOver: 1 })
      expect(fourth.outcome()).toMatch(/^Owned: .*nobody runs it yet/)
    })
  )

  it.effect("from an owner that goes on publishing meanwhile", () =>
    Effect.gen(function* () {
      const objects = make()
      const first = yield* running(objects, { pid: 1 })
      let n = 2
      // Each listing of the newcomer is out of date when it puts.
      const store = bent(objects, (operation, name, call) =>
        operation === "putIfAbsent" && n < 8 && name.includes("/primary/")
          ? Effect.andThen(Effect.orDie(epochs(first.owned, n, n++)), call)
          : call
      )
      const second = yield* coming(store, { pid: 2 }, { takeOver: 1 })
      yield* Effect.yieldNow
      expect(second.outcome()).toBe("owns")
      expect((yield* Fiber.join(second.fiber)).base).toMatchObject({ number: 8, epoch: 7 })
    })
  )
})

describe("the list of queries", () => {
  it.effect("has all that were ever taken over", () =>
    Effect.gen(function* () {
      const objects = make()
      expect(yield* listQueries(objects)).toEqual([])
      for (const query of ["b", "a.1", "B"]) {
        const { leave } = yield* running(objects, { pid: 1 }, { query })
        yield* leave
      }
      expect(yield* listQueries(objects)).toEqual(["B", "a.1", "b"])
    })
  )
})

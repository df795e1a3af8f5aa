/** M1: the registry of the queries of a process: who runs, how it stands, stopping, waiting, failures. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { awaitAny, failures, forgetEnded, get, list, makeRegistry, QueryRegistry } from "../../src/actors/Registry.ts"
import { statusOf } from "../../src/actors/QueryStatus.ts"
import { enter, stateOf, summary, world } from "./support.ts"

describe("M1: the registry", () => {
  it("lists queries from their start to their end, in the order of their starts", async () => {
    const { registry, run } = world()
    const a = enter(registry, stateOf("a"))
    enter(registry, stateOf("b"))
    expect((await run(list)).map(({ name }) => name)).toEqual(["a", "b"])
    expect(await run(a.query.isActive)).toBe(true)
    a.end(summary("a"))
    await run(a.query.await)
    expect((await run(list)).map(({ name }) => name)).toEqual(["b"])
    expect(await run(a.query.isActive)).toBe(false)
  })

  it("finds a query by name, by the id that is stable across restarts, and by run id", async () => {
    const { registry, run } = world()
    const { query } = enter(registry, stateOf("a"))
    enter(registry, stateOf("b"))
    for (const by of ["a", "id-of-a", "run-of-a"]) expect(await run(get(by))).toBe(query)
    await expect(run(get("c"))).rejects.toThrow("no query that runs here is named c: there are a, b")
  })

  it("does not guess among queries of one name, but takes the run id", async () => {
    const { registry, run } = world()
    const first = enter(registry, stateOf("a", { runId: "r1" }))
    enter(registry, stateOf("a", { runId: "r2" }))
    await expect(run(get("a"))).rejects.toThrow("2 queries are named a: ask by run id (r1, r2)")
    expect(await run(get("r1"))).toBe(first.query)
  })

  it("gives id, last and recent progress as they come", async () => {
    const { registry, run } = world()
    const state = stateOf("a", { id: undefined, epochs: [] })
    const { query } = enter(registry, state)
    expect([await run(query.id), await run(query.lastProgress), await run(query.recentProgress)]).toEqual([
      undefined,
      undefined,
      []
    ])
    state.id = "known"
    state.epochs.push(...stateOf("a").epochs)
    expect(await run(query.id)).toBe("known")
    expect((await run(query.lastProgress))?.batchId).toBe(2)
    expect((await run(query.recentProgress)).map(({ batchId }) => batchId)).toEqual([1, 2])
  })

  it("stops by a drain, with a savepoint when asked", async () => {
    const { registry, run } = world()
    const a = enter(registry, stateOf("a"))
    expect(await run(a.query.stopWithSavepoint("before"))).toEqual({ ...summary("a"), savepoint: "before" })
    expect(a.savepoints).toEqual(["before"])
    const b = enter(registry, stateOf("b"))
    expect(await run(b.query.drain)).toEqual(summary("b"))
    expect(b.savepoints).toEqual([])
  })

  it("knows what a query failed with, until one of that name runs again", async () => {
    const { registry, run } = world()
    const a = enter(registry, stateOf("a"))
    expect(await run(a.query.exception)).toBeUndefined()
    a.end(new Error("no more"))
    await run(Effect.exit(a.query.await))
    const cause = await run(a.query.exception)
    expect(cause === undefined ? undefined : Cause.squash(cause)).toEqual(new Error("no more"))
    expect(await run(failures)).toEqual([{ name: "a", why: "Error: no more" }])
    enter(registry, stateOf("a"))
    expect(await run(failures)).toEqual([])
  })

  it("takes an interruption for no failure", async () => {
    const { registry, run } = world()
    const fiber = Effect.runFork(Effect.never)
    registry.add({ state: stateOf("a"), fiber, drain: Effect.never, stopWithSavepoint: () => Effect.never })
    await run(Fiber.interrupt(fiber))
    expect(await run(failures)).toEqual([])
    expect(await run(list)).toEqual([])
  })

  it("waits for any query to end: one that has ended already counts until it is forgotten", async () => {
    const { registry, run } = world()
    const a = enter(registry, stateOf("a"))
    const b = enter(registry, stateOf("b"))
    const waiting = run(awaitAny)
    b.end(summary("b"))
    expect((await waiting).name).toBe("b")
    expect((await run(awaitAny)).name).toBe("b")
    await run(forgetEnded)
    const next = run(Effect.exit(awaitAny))
    a.end(new Error("a is gone"))
    expect(Exit.isFailure(await next)).toBe(true)
  })

  it("remembers a bounded number of those that ended, and no query itself", async () => {
    const { registry, run } = world()
    for (let i = 0; i < 130; i++) {
      const { query, end } = enter(registry, stateOf(`q${i}`, { epochs: [] }))
      end(summary(`q${i}`))
      await run(query.await)
    }
    expect(registry.active()).toEqual([])
    expect(registry.ended().map(({ name }) => name)).toEqual(Array.from({ length: 100 }, (_, i) => `q${i + 30}`))
    expect(Object.keys(registry.ended()[0])).toEqual(["name", "runId", "exit"])
  })

  it("is one for the process unless another is provided", async () => {
    expect(await Effect.runPromise(QueryRegistry)).toBe(await Effect.runPromise(QueryRegistry))
    const own = makeRegistry()
    expect(await Effect.runPromise(Effect.provideService(QueryRegistry, QueryRegistry, own))).toBe(own)
  })
})

describe("status", () => {
  const status = (facts: Parameters<typeof stateOf>[1], live: object = {}) => {
    const state = stateOf("a", facts)
    if (state.status !== undefined) Object.assign(state.status, live)
    return statusOf(state)
  }

  it.each([
    ["starting", undefined, "Initializing"],
    ["standby", undefined, "Standing by: another process runs the query"],
    ["restarting", "disk is full", "Restarting after a failure: disk is full"],
    ["draining", undefined, "Stopping: finishing what is in flight"],
    ["ended", undefined, "Stopped"],
    ["failed", "disk is full", "Terminated with an error: disk is full"],
    ["running", undefined, "Waiting for data to arrive"]
  ] as const)("%s", (phase, lastFailure, message) => {
    expect(status({ phase, lastFailure })).toEqual({
      message,
      isDataAvailable: false,
      isTriggerActive: false,
      phase
    })
  })

  it("says whether there is data that no epoch covers, and whether one is being committed", () => {
    expect(status({}, { active: () => true })).toMatchObject({
      message: "Processing new data",
      isDataAvailable: true,
      isTriggerActive: false
    })
    const state = stateOf("a", { underway: 3 })
    expect(statusOf(state)).toMatchObject({ message: "Committing an epoch", isTriggerActive: true })
  })
})

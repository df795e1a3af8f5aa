/** A7: a query whose state outgrows its budget stops with an error that names operator, bytes and keys. */
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { budgetBytes, HeapLimit, overBudget, watchMemory } from "../../src/actors/MemoryBudget.ts"

const sizes = [
  { operator: "by-user", keys: 1_000_000, bytes: 400_000_000 },
  { operator: "dedupe-1", keys: 5, bytes: 700 },
  { operator: "by-user", keys: 1_234_567, bytes: 512_000_000 },
  { operator: "by-city", keys: 1, bytes: 500_000_000 }
]
const total = 1_412_000_700

describe("A7: the memory budget", () => {
  it("is kept up to its last byte", () => {
    expect(overBudget("q", sizes, total)).toBe(undefined)
    expect(overBudget("q", [], 0)).toBe(undefined)
  })

  it("names the operator that holds most, all its instances together, and what to do", () => {
    const error = overBudget("q", sizes, total - 1)
    expect(error).toMatchObject({ _tag: "QueryError", reason: "MemoryBudget", query: "q" })
    expect(error?.message).toBe(
      "the state of query q takes about 1.4 GB, more than its budget of 1.4 GB: by-user holds 912.0 MB for 2,234,567 keys. Let state end sooner (a shorter ttl, window, horizon or allowed lateness; fewer keys), or give it more: the option memoryBudgetBytes, and node --max-old-space-size"
    )
    expect(overBudget("q", [{ operator: "a", keys: 1, bytes: 999 }], 1)?.message).toContain(
      "takes about 999 bytes, more than its budget of 1 bytes: a holds 999 bytes for 1 key."
    )
  })

  it("is 60 % of what the process may use, unless the user says otherwise", async () => {
    const limited = Effect.provideService(budgetBytes(undefined), HeapLimit, 1001)
    expect(await Effect.runPromise(limited)).toBe(600)
    expect(await Effect.runPromise(budgetBytes(7))).toBe(7)
    const own = await Effect.runPromise(budgetBytes(undefined))
    expect(own).toBeGreaterThan(50_000_000)
  })

  it("is watched: the attempt fails with the error, and not before", async () => {
    let bytes = 10
    const watch = watchMemory("q", 10)({ keys: () => [{ operator: "a", keys: 1, bytes }] })
    await Effect.runPromise(watch)
    bytes = 11
    expect(await Effect.runPromise(Effect.flip(watch))).toMatchObject({ reason: "MemoryBudget" })
  })
})

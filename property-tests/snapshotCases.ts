/** Random keyed operators with random input, hostile keys among it, for the laws of snapshots. */
import * as fc from "fast-check"
import type { Case, Kind, SnapshotRow, Step } from "./snapshotRuns.ts"

const kinds: fc.Arbitrary<Kind> = fc.oneof(
  fc.record({
    kind: fc.constant("time" as const),
    size: fc.integer({ min: 1, max: 12 }),
    slide: fc.integer({ min: 1, max: 9 }),
    lateness: fc.constantFrom(0, 0, 1, 5),
    early: fc.boolean()
  }),
  fc.record({ kind: fc.constant("session" as const), gap: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ kind: fc.constantFrom("global" as const, "running" as const) }),
  fc.record({
    kind: fc.constant("dedupe" as const),
    horizon: fc.constantFrom(undefined, 3, 1500),
    lateness: fc.constantFrom(0, 4)
  })
)

const text = fc.constantFrom("", "__proto__", "constructor", "a", "1", "\ud800", "é", "$x", "\u0000")
const number = fc.constantFrom(0, -0, 1, -1, 1.5, 2 ** 53, -1e300, Infinity, -Infinity)
const mixed = fc.oneof(text, number, fc.constantFrom(0n, 1n, -(2n ** 70n)), fc.boolean())
/** Columns of one type, as most are, and of several. */
const keyPools = fc.oneof(
  fc.array(fc.array(fc.nat(5), { minLength: 2, maxLength: 2 }), { minLength: 1, maxLength: 5 }),
  fc.array(fc.tuple(text, number), { minLength: 1, maxLength: 5 }),
  fc.array(fc.tuple(mixed, mixed), { minLength: 1, maxLength: 6 })
)

const anyValue = fc.oneof(
  fc.constantFrom<unknown>(-0, 0, Number.NaN, Infinity, undefined, null, 1n, "", "\ud800", true, new Date(3), 1, 2),
  fc.constantFrom<unknown>({ a: [undefined, -0] }, JSON.parse('{"__proto__": 1, "$date": 2}'), new Map([[1n, "x"]])),
  fc.nat(40)
)
/** Sums of these are exact in any order. */
const value = fc.oneof(
  fc.integer({ min: -50, max: 50 }),
  fc.integer({ min: -50, max: 50 }).map((n) => n / 4),
  fc.constantFrom<number | bigint>(2 ** 53, -(2 ** 60), 3n, -(2n ** 70n), 0n, 2 ** 52, -(2 ** 52))
)

const draftRow = fc.record({
  key: fc.nat(5),
  v: value,
  x: anyValue,
  dt: fc.integer({ min: -14, max: 12 }),
  up: fc.nat(3)
})
const draftStep = fc.oneof(
  { weight: 5, arbitrary: fc.record({ rows: fc.array(draftRow, { maxLength: 14 }), edge: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ rows: fc.array(draftRow, { minLength: 40, maxLength: 60 }), edge: fc.nat(1) }) },
  { weight: 3, arbitrary: fc.record({ by: fc.integer({ min: 0, max: 9 }) }) },
  { weight: 2, arbitrary: fc.constant("barrier" as const) },
  { weight: 2, arbitrary: fc.constant("renew" as const) }
)

/** Random operators with random input; the input may end before its last step. */
export const cases: fc.Arbitrary<Case> = fc
  .record({
    operator: kinds,
    columns: fc.integer({ min: 0, max: 2 }),
    pool: keyPools,
    drafts: fc.array(draftStep, { minLength: 2, maxLength: 14 })
  })
  .map(({ operator, columns, pool, drafts }) => {
    const marks = [-Infinity, -Infinity]
    const ordinals = [0, 0]
    const clock = (): number => Math.max(0, ...marks)
    const steps = drafts.map((draft): Step => {
      if (typeof draft === "string") return { kind: draft }
      if ("by" in draft) {
        const to = clock() + draft.by
        for (const edge of [0, 1]) marks[edge] = Math.max(marks[edge], to - edge)
        return { kind: "advance", watermark: Math.min(...marks) }
      }
      const { edge } = draft
      const rows = draft.rows.map(({ key, v, x, dt, up }): SnapshotRow => {
        const row = { k: pool[key % pool.length], v, x, t: clock() + dt, w: marks[edge], ordinal: ordinals[edge]++ }
        if (marks[edge] !== -Infinity) marks[edge] += up
        return row
      })
      return { kind: "rows", edge, rows }
    })
    return {
      operator,
      columns: operator.kind === "dedupe" ? 1 : columns,
      steps: [...steps, { kind: "barrier" }, { kind: "advance", watermark: Infinity }, { kind: "barrier" }]
    }
  })

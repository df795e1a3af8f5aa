/** The two sketches against exact answers: errors stay within what is documented, and order is nothing to them. */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { hashPair } from "../src/model/Hash.ts"
import { approxDistinct } from "../src/streams/aggregates/ApproxDistinct.ts"
import {
  addHash,
  estimate,
  makeHyperLogLog,
  mergeHyperLogLog,
  sparseEntriesMax
} from "../src/streams/aggregates/HyperLogLog.ts"
import { percentiles } from "../src/streams/aggregates/Percentiles.ts"
import { rankOf } from "../src/streams/aggregates/QuantileSketch.ts"
import { resultInShape, resultOf, rowsOf } from "../test/aggregates/feed.ts"
import { anyNumber, rowsWith, shapesOf } from "./aggregatesShapes.ts"

const value = { field: "v", label: "v" }
const sigma = 1.04 / Math.sqrt(1 << 14)

const estimateOf = (n: number, valueAt: (i: number) => string | number): number => {
  const h = makeHyperLogLog()
  const pair = new Int32Array(2)
  for (let i = 0; i < n; i++) {
    hashPair(valueAt(i), pair)
    addHash(h, pair[0], pair[1])
  }
  return estimate(h)
}

/** The registers of a set of hashes by definition, in bigints: of 64 bits, 14 choose the register, the rest is ranked. */
const registersOf = (hashes: ReadonlyArray<readonly [number, number]>): Uint8Array => {
  const out = new Uint8Array(1 << 14)
  for (const [high, low] of hashes) {
    const bits = ((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)).toString(2).padStart(64, "0")
    const register = Number.parseInt(bits.slice(0, 14), 2)
    const rank = (bits.slice(14) + "1").indexOf("1") + 1
    out[register] = Math.max(out[register], rank)
  }
  return out
}

describe("HyperLogLog", () => {
  it("registers are those of the definition, for hashes with long runs of zeros, sparse or dense at the time", () => {
    const word = fc.tuple(fc.integer(), fc.nat(32)).map(([w, zeros]) => (zeros === 32 ? 0 : w >>> zeros) | 0)
    const high = fc.tuple(fc.nat(7), word).map(([register, w]) => (register << 18) | (w & 0x3ffff))
    fc.assert(
      fc.property(fc.array(fc.tuple(high, word), { maxLength: 200, size: "max" }), fc.nat(200), (hashes, at) => {
        const h = makeHyperLogLog()
        const other = makeHyperLogLog()
        hashes.forEach(([a, b], i) => addHash(i < at ? h : other, a, b))
        // Enough others, of registers that the hashes do not touch, to make `h` dense.
        const filler = Array.from({ length: sparseEntriesMax + 1 }, (_, i) => [(1 << 31) | (i << 7), 1] as const)
        for (const [a, b] of filler) addHash(h, a, b)
        mergeHyperLogLog(h, other)
        expect(h.dense).toEqual(registersOf([...hashes, ...filler]))
      }),
      { numRuns: 100 }
    )
  })
})

describe("approxDistinct", () => {
  it("is within three standard errors from 1 to 1,000,000 values, across the change of form", () => {
    for (const n of [
      1,
      2,
      10,
      100,
      1000,
      sparseEntriesMax - 1,
      sparseEntriesMax,
      sparseEntriesMax + 1,
      5000,
      16_384,
      40_000,
      150_000,
      1_000_000
    ]) {
      for (const valueAt of [(i: number) => i, (i: number) => `customer-${i}`]) {
        expect(Math.abs(estimateOf(n, valueAt) - n)).toBeLessThanOrEqual(n <= sparseEntriesMax ? 2 : 3 * sigma * n)
      }
    }
  })

  it("the standard error over many sets is 0.81 %, without bias", () => {
    const sets = 100
    const n = 8000
    let squares = 0
    let total = 0
    for (let set = 0; set < sets; set++) {
      const error = estimateOf(n, (i) => `${set}/${i}`) / n - 1
      squares += error * error
      total += error
    }
    // The root mean square of 100 errors is within 25 % of sigma, their mean within 4 sigma / sqrt(100).
    expect(Math.sqrt(squares / sets)).toBeGreaterThan(sigma * 0.5)
    expect(Math.sqrt(squares / sets)).toBeLessThan(sigma * 1.25)
    expect(Math.abs(total / sets)).toBeLessThan((4 * sigma) / 10)
  })

  it("A1: the same estimate whatever the order, merge tree, repetitions and checkpoints, dense or sparse", () => {
    for (const n of [500, 3060, 3200, 9000]) {
      const rows = rowsOf(...Array.from({ length: n }, (_, i) => i * 17))
      const expected = resultOf(approxDistinct(value), rows)
      fc.assert(
        fc.property(
          fc.array(fc.nat(n), { maxLength: 5 }),
          fc.array(fc.record({ a: fc.nat(9), b: fc.nat(9) }), { minLength: 1, maxLength: 5 }),
          fc.boolean(),
          (cuts, merges, stored) => {
            const edges = [0, ...cuts.sort((a, b) => a - b), n]
            const pieces = edges
              .slice(1)
              .map((end, i) => [...rows.slice(edges[i], end), ...rows.slice(0, 40)].reverse())
            expect(resultInShape(approxDistinct(value), { pieces, merges, typed: true, stored: [stored] })).toBe(
              expected
            )
          }
        ),
        { numRuns: 8 }
      )
    }
  })
})

/** The rank by exact arithmetic: the least k with 1000 k >= perMille * n. */
const rankExactly = (perMille: number, n: number): number => Math.max(Math.ceil((perMille * n) / 1000), 1)

describe("percentiles", () => {
  it("the rank of a quantile is that of exact arithmetic", () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 1, max: 10_000_000 }), (perMille, n) => {
        expect(rankOf(perMille / 1000, n)).toBe(rankExactly(perMille, n))
      }),
      { numRuns: 5000 }
    )
  })

  const perMilles = [0, 1, 10, 250, 500, 900, 990, 999, 1000]
  const quantiles = perMilles.map((p) => p / 1000)
  const wide = fc
    .tuple(fc.constantFrom(-1, 1), fc.double({ min: -17, max: 17, noNaN: true }))
    .map(([sign, e]) => sign * Math.exp(e))
  const kinds: ReadonlyArray<readonly [string, fc.Arbitrary<number>]> = [
    ["delays", fc.integer({ min: -60, max: 1500 })],
    ["numbers over 15 orders of magnitude of both signs", wide],
    ["money", fc.integer({ min: 0, max: 10_000_000 }).map((cents) => cents / 100)]
  ]

  it.each([0.001, 0.01, 0.05])("A1: within the relative accuracy %d of the exact percentile", (accuracy) => {
    for (const [, values] of kinds) {
      fc.assert(
        fc.property(fc.array(values, { minLength: 33, maxLength: 300, size: "max" }), (all) => {
          const result = resultOf(percentiles(value, quantiles, { accuracy }), rowsOf(...all)) as ReadonlyArray<number>
          const sorted = [...all].sort((a, b) => a - b)
          perMilles.forEach((p, i) => {
            const exact = sorted[rankExactly(p, all.length) - 1]
            expect(Math.abs(result[i] - exact)).toBeLessThanOrEqual((accuracy + 1e-9) * Math.abs(exact))
          })
        }),
        { numRuns: 60 }
      )
    }
  })

  it("A1: the same answer to the last bit whatever the order, merge tree and checkpoints, folded stores included", () => {
    const spec = percentiles(value, quantiles, { accuracy: 0.05 })
    const values = fc.oneof(
      anyNumber,
      fc.integer({ min: -300, max: 300 }).map((e) => 10 ** e),
      fc.integer({ min: -300, max: 300 }).map((e) => -(10 ** e))
    )
    fc.assert(
      fc.property(shapesOf(rowsWith(values, 300)), ({ rows, shapes }) => {
        const expected = resultOf(spec, rows)
        for (const shape of shapes) expect(resultInShape(spec, shape)).toEqual(expected)
      }),
      { numRuns: 150 }
    )
  })

  it("values more than 1e18 below the greatest keep their count and are answered with at most 1e-18 of it", () => {
    const all = [...Array.from({ length: 50 }, (_, i) => 10 ** -i), 1e20, 1e20]
    const [p10, p96, p97, p100] = resultOf(
      percentiles(value, [0.1, 0.96, 0.97, 1]),
      rowsOf(...all)
    ) as ReadonlyArray<number>
    expect(p10).toBeLessThanOrEqual(1e20 / 1e18)
    expect(p96).toBeLessThanOrEqual(1e20 / 1e18)
    expect(Math.abs(p97 / 1e20 - 1)).toBeLessThanOrEqual(0.01)
    expect(p100).toBe(1e20)
  })
})

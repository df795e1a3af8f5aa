import { Effect } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Manner, plain, runJob } from "../test/engine/run.ts"
import { type Job, multiset, type Row, type Windows } from "../test/oracle/Job.ts"
import { runs } from "./engineJobs.ts"

type Result = Record<string, unknown>

const rows = (max: number): fc.Arbitrary<ReadonlyArray<Row>> =>
  fc
    .array(fc.record({ at: fc.integer({ min: -40, max: 60 }), key: fc.constantFrom("a", "b", "c"), v: fc.nat(99) }), {
      maxLength: max
    })
    .map((all) => all.map((row, id) => ({ id, ...row })))

const windows: fc.Arbitrary<Windows> = fc.oneof(
  fc.record({
    kind: fc.constant("time" as const),
    size: fc.integer({ min: 1, max: 12 }),
    slide: fc.integer({ min: 1, max: 14 }),
    offset: fc.constant(0)
  }),
  fc.record({ kind: fc.constant("session" as const), gap: fc.integer({ min: 1, max: 6 }) })
)

const manner: fc.Arbitrary<Manner> = fc.record({
  chunkRows: fc.constantFrom(1, 7, 1024),
  parallelism: fc.constantFrom(1, 2, 3),
  epochMs: fc.constantFrom(1, 1000),
  columns: fc.boolean(),
  pace: fc.nat(1 << 20),
  order: fc.nat(1 << 20),
  mode: fc.constant<Manner["mode"]>("append")
})

const jobOf = (partitions: ReadonlyArray<ReadonlyArray<Row>>, windows: Windows, watermark: number): Job => ({
  sources: [partitions.map((rows) => ({ rows }))],
  before: [],
  watermark,
  after: [],
  keyed: true,
  windows,
  lateness: 0,
  late: "output"
})

const run = (job: Job, how: Manner = plain) => Effect.runPromise(runJob(job, how))

/** Without what depends on which row of equal times came first. */
const commutative = (results: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  multiset(
    (results as ReadonlyArray<Result>).map((r) => ({
      ...r,
      first: null,
      last: null,
      newest: null,
      folded: null
    }))
  )

describe("laws of the engine", () => {
  it("A1: the order of rows inside the bound does not matter, nor in which partition they are", async () => {
    await fc.assert(
      fc.asyncProperty(
        rows(30),
        windows,
        fc.integer({ min: 0, max: 20 }),
        fc.array(fc.record({ delay: fc.nat(20), partition: fc.nat(2) }), { minLength: 30, maxLength: 30 }),
        manner,
        async (all, w, bound, fates, how) => {
          const sorted = all.toSorted((a, b) => (a.at as number) - (b.at as number))
          // No row comes after one that is more than the bound younger.
          const shuffled = all
            .map((row, i) => ({ row, due: (row.at as number) + (fates[i].delay % (bound + 1)), p: fates[i].partition }))
            .toSorted((a, b) => a.due - b.due)
          const partitions = [0, 1, 2].map((p) => shuffled.filter((s) => s.p === p).map((s) => s.row))
          const one = await run(jobOf([sorted], w, bound))
          const other = await run(jobOf(partitions, w, bound), how)
          expect(other.late).toEqual([])
          expect(commutative(other.results)).toEqual(commutative(one.results))
        }
      ),
      { numRuns: runs(150) }
    )
  })

  it("splitting by key and putting the results together gives the whole", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(rows(15), { maxLength: 3 }),
        windows,
        fc.nat(5),
        manner,
        async (partitions, w, bound, how) => {
          // ids tell the keys apart for the filter, which stands after the watermark (T2)
          const keyed = partitions.map((of, p) =>
            of.map((row) => ({ ...row, id: (row.id as number) * 9 + p * 3 + "abc".indexOf(row.key as string) }))
          )
          const whole = await run(jobOf(keyed, w, bound), how)
          const results: Array<unknown> = []
          const late: Array<unknown> = []
          for (const key of [0, 1, 2]) {
            const others = [0, 1, 2].filter((k) => k !== key)
            const part = await run({
              ...jobOf(keyed, w, bound),
              after: others.map((rest) => ({ kind: "keep", modulo: 3, rest }))
            })
            results.push(...part.results)
            late.push(...part.late)
          }
          expect(multiset(results)).toEqual(multiset(whole.results))
          expect(multiset(late)).toEqual(multiset(whole.late))
        }
      ),
      { numRuns: runs(80) }
    )
  })

  it("shifting time by k windows shifts the results by as much, and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(rows(15), { maxLength: 3 }),
        windows,
        fc.nat(5),
        fc.integer({ min: -3_000_000, max: 3_000_000 }),
        manner,
        async (partitions, w, bound, k, how) => {
          const by = k * (w.kind === "time" ? w.slide : 1)
          const shifted = partitions.map((of) => of.map((row) => ({ ...row, at: (row.at as number) + by })))
          const here = await run(jobOf(partitions, w, bound), how)
          const there = await run(jobOf(shifted, w, bound))
          const back = (there.results as ReadonlyArray<Result>).map((r) => ({
            ...r,
            window_start: (r["window_start"] as number) - by,
            window_end: (r["window_end"] as number) - by,
            folded: null
          }))
          const plainer = (here.results as ReadonlyArray<Result>).map((r) => ({ ...r, folded: null }))
          expect(multiset(back)).toEqual(multiset(plainer))
          const times = (late: ReadonlyArray<unknown>, shift: number) =>
            multiset((late as ReadonlyArray<Row>).map((r) => ({ ...r, at: (r.at as number) - shift })))
          expect(times(there.late, by)).toEqual(times(here.late, 0))
        }
      ),
      { numRuns: runs(100) }
    )
  })

  it("T2, T4: what a partition's rows are late by is theirs: other partitions change nothing", async () => {
    await fc.assert(
      fc.asyncProperty(rows(20), rows(20), windows, fc.nat(5), manner, async (mine, others, w, bound, how) => {
        const apart = others.map((row) => ({ ...row, id: (row.id as number) + 1000, key: "other" }))
        const alone = await run(jobOf([mine], w, bound))
        const together = await run(jobOf([apart, mine], w, bound), how)
        const own = (r: unknown): boolean => (r as { key: unknown }).key !== "other"
        expect(multiset(together.results.filter(own))).toEqual(multiset(alone.results))
        expect(multiset(together.late.filter(own))).toEqual(multiset(alone.late))
      }),
      { numRuns: runs(100) }
    )
  })

  it("A4: the last complete table, with what it no longer keeps, does not depend on how it came about", async () => {
    const shape = fc.oneof(windows, fc.constant(undefined))
    await fc.assert(
      fc.asyncProperty(
        fc.array(rows(15), { minLength: 1, maxLength: 3 }),
        shape,
        fc.nat(5),
        fc.integer({ min: 1, max: 60 }),
        fc.array(manner, { minLength: 3, maxLength: 3 }),
        async (partitions, w, bound, keep, hows) => {
          const { windows: _, ...job } = jobOf(partitions, { kind: "global" }, bound)
          const of: Job = w === undefined ? job : { ...job, windows: w }
          const tables: Array<ReadonlyArray<string>> = []
          for (const how of hows) tables.push(multiset((await run(of, { ...how, mode: "complete", keep })).results))
          expect(tables[1]).toEqual(tables[0])
          expect(tables[2]).toEqual(tables[0])
        }
      ),
      { numRuns: runs(80) }
    )
  })
})

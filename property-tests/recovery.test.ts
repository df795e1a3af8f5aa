/**
 * Recovery on the whole engine: random queries, cut off at random steps again and again, each time gone on with in a
 * process of its own at another parallelism. What is committed in the end is what the oracle says of an undisturbed run.
 */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { imbalances } from "../src/model/Ledger.ts"
import { countsOf, type Cut, plain, runJob, runWithCuts } from "../test/engine/run.ts"
import { multiset } from "../test/oracle/Job.ts"
import { evaluate } from "../test/oracle/Oracle.ts"
import { Effect } from "effect"
import { job, manners, runs } from "./engineJobs.ts"

const cut: fc.Arbitrary<Cut> = fc.record({
  afterSteps: fc.integer({ min: 30, max: 1200 }),
  how: fc.constantFrom<Cut["how"]>("freeze", "freeze", "interrupt"),
  parallelism: fc.integer({ min: 1, max: 3 }),
  chunkRows: fc.integer({ min: 1, max: 6 })
})

const cases = job.chain((j) =>
  fc.record({
    job: fc.constant(j),
    how: manners(j).map((all) => ({ ...all[0], epochMs: 1, order: all[0].order === 0 ? 1 : all[0].order })),
    cuts: fc.array(cut, { minLength: 1, maxLength: 4 })
  })
)

describe("C1-C5, C11: a crash at any step does not show in what is committed", () => {
  it("whatever the query, the moments, and the parallelism of each process", async () => {
    let continued = 0
    let all = 0
    await fc.assert(
      fc.asyncProperty(cases, async ({ job, how, cuts }) => {
        const wanted = evaluate(job)
        const undisturbed = await Effect.runPromise(runJob(job, { ...plain, mode: how.mode }))
        const run = await runWithCuts(job, how, cuts)
        all++
        if (run.continued > 0) continued++
        expect(multiset(run.results)).toEqual(multiset(wanted.results))
        expect(multiset(run.late)).toEqual(multiset(wanted.late))
        expect(multiset(run.dedupeLate)).toEqual(multiset(wanted.dedupeLate))
        expect(countsOf(job, run.ledger)).toEqual(wanted.counts)
        expect(imbalances(run.ledger)).toEqual([])
        expect(run.dead.toSorted()).toEqual(undisturbed.dead.toSorted())
      }),
      { numRuns: runs(150) }
    )
    // A law about recovery that never recovers proves nothing.
    expect(continued).toBeGreaterThan(all / 5)
  })
})

import { Effect } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { imbalances } from "../src/model/Ledger.ts"
import { Limits } from "../src/model/Limits.ts"
import { countsOf, runJob } from "../test/engine/run.ts"
import { multiset } from "../test/oracle/Job.ts"
import { evaluate } from "../test/oracle/Oracle.ts"
import { job, manners, runs } from "./engineJobs.ts"

const cases = job.chain((j) => manners(j).map((how) => ({ job: j, how })))

describe("A4: results are a function of what each partition contains", () => {
  it("whatever the chunks, the parallelism, the speeds and the order of fibers: the oracle's", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ job, how }) => {
        const wanted = evaluate(job)
        for (const manner of how) {
          const run = await Effect.runPromise(runJob(job, manner))
          expect(multiset(run.results)).toEqual(multiset(wanted.results))
          expect(multiset(run.late)).toEqual(multiset(wanted.late))
          expect(multiset(run.dedupeLate)).toEqual(multiset(wanted.dedupeLate))
          expect(countsOf(job, run.ledger)).toEqual(wanted.counts)
          expect(imbalances(run.ledger)).toEqual([])
          expect(run.peak).toBeLessThanOrEqual(Limits.edgeChunksMax)
        }
      }),
      { numRuns: runs(250) }
    )
  })
})

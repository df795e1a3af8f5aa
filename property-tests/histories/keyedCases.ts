/** Random histories of what is kept by key: state and timers of functions, and ids of copies. */
import * as fc from "fast-check"
import { processJobs } from "../processJobs.ts"
import { life } from "../../src/testing/faultPlans.ts"
import { faultPlan } from "./cases.ts"
import type { CopiesCase } from "./copiesHistory.ts"
import { minimisedBy } from "./minimise.ts"
import type { ProcessCase } from "./processHistory.ts"
import { simplerCopies, simplerProcess } from "./smallerKeyed.ts"

const ways = {
  seed: fc.integer({ min: 0, max: 0x3fff_ffff }),
  paceMs: fc.constantFrom(0, 3, 8),
  epochRows: fc.integer({ min: 3, max: 20 }),
  lives: fc.array(life, { minLength: 1, maxLength: 3 })
}

/** Where the checkpoints are kept, and what befalls the processes. */
const placed = fc
  .constantFrom("files" as const, "remote" as const, "remote" as const)
  .chain((store) => fc.record({ store: fc.constant(store), faults: faultPlan({ store, toFiles: false }) }))

const process: fc.Arbitrary<ProcessCase> = fc.noBias(
  fc.tuple(fc.record({ ...ways, job: processJobs }), placed).map(([c, place]): ProcessCase => ({ ...c, ...place }))
)

/** Cases of keyed functions. */
export const processCase: fc.Arbitrary<ProcessCase> = minimisedBy(process, simplerProcess)

const copies: fc.Arbitrary<CopiesCase> = fc.noBias(
  fc
    .tuple(
      fc.record({
        ...ways,
        // Ids are forgotten second by second: times lie about the edges of seconds.
        startAt: fc.integer({ min: -20, max: 0 }).chain((at) => fc.constantFrom(at, 1000 + at)),
        partitions: fc.array(
          fc.array(fc.record({ by: fc.integer({ min: -12, max: 14 }), pick: fc.nat(1) }), {
            maxLength: 24,
            size: "max"
          }),
          { minLength: 1, maxLength: 3 }
        ),
        horizonMs: fc.integer({ min: 1, max: 30 }),
        latenessMs: fc.oneof(fc.constant(0), fc.integer({ min: 8, max: 25 }), fc.integer({ min: 8, max: 25 })),
        boundMs: fc.integer({ min: 0, max: 3 })
      }),
      placed
    )
    .map(([c, place]): CopiesCase => ({ ...c, ...place }))
)

/** Cases of copies. */
export const copiesCase: fc.Arbitrary<CopiesCase> = minimisedBy(copies, simplerCopies)

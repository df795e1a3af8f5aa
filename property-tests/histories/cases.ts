/** Random histories: jobs of a size in which things can go wrong, the ways they run, and plans of faults. */
import * as fc from "fast-check"
import { failpointNames } from "../../src/testing/failpoints.ts"
import type { Fault, Moment, ProcessFault, WorldFault } from "../../src/testing/Fault.ts"
import type { Life } from "../../src/testing/History.ts"
import type { Job } from "../../test/oracle/Job.ts"
import { jobs, modesOf } from "../engineJobs.ts"
import type { JobCase } from "./jobHistory.ts"

/** Steps that a process of a usual history takes until its end. */
const stepsUsual = 2500

const moment: fc.Arbitrary<Moment> = fc.oneof(
  fc.record({ steps: fc.integer({ min: 1, max: stepsUsual }) }),
  fc.record({
    failpoint: fc.constantFrom(...failpointNames),
    when: fc.constantFrom("before" as const, "after" as const),
    passage: fc.integer({ min: 1, max: 4 })
  })
)

const seed = fc.integer({ min: 0, max: 0x3fff_ffff })

const kind = <K extends string>(name: K): fc.Arbitrary<K> => fc.constant(name)

const processFault: fc.Arbitrary<ProcessFault> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: kind("kill"), at: moment }) },
  { weight: 3, arbitrary: fc.record({ kind: kind("power loss"), at: moment, seed }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("rot"), at: moment, seed }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("sigterm"), at: moment }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind("freeze"),
      at: moment,
      wakeAfter: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 8000 }))
    })
  },
  { weight: 1, arbitrary: fc.record({ kind: kind("second"), at: moment }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: kind("clock jump"),
      at: moment,
      byMs: fc.constantFrom(-86_400_000, -3_000, 3_000, 86_400_000)
    })
  }
)

const disk = fc.record({
  kind: fc.constantFrom("disk full" as const, "disk error" as const, "too many files" as const),
  atCall: fc.integer({ min: 0, max: 600 }),
  calls: fc.integer({ min: 1, max: 8 })
})
const sinks = fc.record({
  kind: fc.constantFrom("sink fails" as const, "sink no reply" as const, "sink slow" as const),
  atCall: fc.integer({ min: 0, max: 40 }),
  calls: fc.integer({ min: 1, max: 3 })
})

const worldFault: fc.Arbitrary<WorldFault> = fc.oneof(
  { weight: 3, arbitrary: disk },
  { weight: 3, arbitrary: sinks },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: kind("stall"),
      partition: fc.nat(5),
      row: fc.nat(20),
      ms: fc.integer({ min: 1, max: 20_000 })
    })
  },
  { weight: 1, arbitrary: fc.record({ kind: kind("read error"), partition: fc.nat(5), row: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("expired"), partition: fc.nat(5) }) }
)

/** Plans of faults, empty in one of ten. */
export const faultPlan: fc.Arbitrary<ReadonlyArray<Fault>> = fc
  .tuple(
    fc.option(
      fc.oneof<fc.Arbitrary<Fault>[]>(processFault, processFault, worldFault),
      { nil: undefined, freq: 10 }
    ),
    fc.array(fc.oneof<fc.Arbitrary<Fault>[]>(processFault, worldFault), { maxLength: 3 })
  )
  .map(([first, others]) => (first === undefined ? [] : [first, ...others]))

const life: fc.Arbitrary<Life> = fc.record({
  parallelism: fc.integer({ min: 1, max: 3 }),
  chunkRows: fc.constantFrom(1, 3, 7, 1024),
  elsewhere: fc.boolean()
})

/** Jobs of some dozens of rows in some partitions. */
const job: fc.Arbitrary<Job> = jobs({ rowsMax: 28, partitionsMin: 1, partitionsMax: 3 })

/** JSON says every result of these. */
const isPlain = (j: Job): boolean =>
  j.sources.flat().every(({ rows }) => rows.every((r) => typeof r.id === "number" && typeof r.key === "string"))

/** Cases. */
export const jobCase: fc.Arbitrary<JobCase> = job.chain((j) =>
  fc.record({
    seed,
    job: fc.constant(j),
    mode: fc.constantFrom(...modesOf(j)),
    toFiles: fc.boolean(),
    epochRows: fc.constantFrom(0, 5, 11, 25),
    everyMs: fc.constantFrom(5, 20, 60),
    paceMs: fc.constantFrom(0, 2, 6),
    endPosition: fc.boolean(),
    restarts: fc.boolean(),
    lives: fc.array(life, { minLength: 1, maxLength: 4 }),
    faults: faultPlan
  }).map((c): JobCase => ({ ...c, toFiles: c.toFiles && c.mode === "append" && isPlain(j) }))
)

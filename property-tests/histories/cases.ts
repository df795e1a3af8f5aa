/** Random histories: jobs of a size in which things can go wrong, the ways they run, and plans of faults. */
import * as fc from "fast-check"
import { failpointNames, failpointsAfterRot } from "../../src/testing/failpoints.ts"
import type { Fault, Moment, ProcessFault, WorldFault } from "../../src/testing/Fault.ts"
import type { Life } from "../../src/testing/World.ts"
import type { Job } from "../../test/oracle/Job.ts"
import { jobs, modesOf } from "../engineJobs.ts"
import type { JobCase } from "./jobHistory.ts"
import { minimisedBy } from "./minimise.ts"
import { simplerJobs } from "./smaller.ts"

/** Where checkpoints and results are kept: what decides which failpoints there are, and which faults can happen. */
export interface Place {
  readonly store: "files" | "remote"
  readonly toFiles: boolean
}

/** Steps that a process of a usual history takes until its end. */
const stepsUsual = 500

const ofFileStore: ReadonlySet<string> = new Set([
  "snapshot.fsync",
  "dir.fsync.data",
  "dir.fsync.primary",
  "dir.fsync.copy",
  "dir.fsync.parent"
])
const ofFileSink: ReadonlySet<string> = new Set([
  "stage.write",
  "stage.fsync",
  "dir.fsync.stage",
  "dir.fsync.out",
  "file.link",
  "file.unlink"
])

const failpointsOf = ({ store, toFiles }: Place): ReadonlyArray<string> =>
  failpointNames.filter((name) => {
    if (failpointsAfterRot.includes(name)) return false
    if (ofFileStore.has(name)) return store === "files"
    return !ofFileSink.has(name) || toFiles
  })

const momentIn = (names: ReadonlyArray<string>): fc.Arbitrary<Moment> =>
  fc.oneof(
    { weight: 2, arbitrary: fc.record({ steps: fc.integer({ min: 1, max: stepsUsual }) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        failpoint: fc.constantFrom(...names),
        when: fc.constantFrom("before" as const, "after" as const),
        passage: fc.constantFrom(1, 1, 2)
      })
    }
  )

const seed = fc.integer({ min: 0, max: 0x3fff_ffff })

const kind = <K extends string>(name: K): fc.Arbitrary<K> => fc.constant(name)

export const processFaultAt = (
  moment: fc.Arbitrary<Moment>,
  afterRot: fc.Arbitrary<Moment>
): fc.Arbitrary<ProcessFault> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: kind("kill"), at: moment }) },
    { weight: 3, arbitrary: fc.record({ kind: kind("power loss"), at: moment, seed }) },
    { weight: 2, arbitrary: fc.record({ kind: kind("rot"), at: moment, seed }) },
    { weight: 1, arbitrary: fc.record({ kind: kind("kill"), at: afterRot }) },
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
  atCall: fc.integer({ min: 0, max: 250 }),
  calls: fc.integer({ min: 1, max: 8 })
})
const store = fc.record({
  kind: fc.constantFrom("store fails" as const, "store no reply" as const),
  atCall: fc.integer({ min: 0, max: 50 }),
  calls: fc.integer({ min: 1, max: 6 })
})
const sinks = fc.record({
  kind: fc.constantFrom("sink fails" as const, "sink no reply" as const, "sink slow" as const),
  atCall: fc.integer({ min: 0, max: 12 }),
  calls: fc.integer({ min: 1, max: 3 })
})

const rows = { partition: fc.nat(5), row: fc.nat(12) }
const partitionFault: fc.Arbitrary<WorldFault> = fc.oneof(
  fc.record({ kind: kind("stall"), ...rows, ms: fc.integer({ min: 1, max: 20_000 }) }),
  fc.record({ kind: kind("read error"), ...rows }),
  fc.record({ kind: kind("expired"), partition: fc.nat(5) })
)

/** Plans of faults for a history in a place; empty in one of ten. */
export const faultPlan = (place: Place): fc.Arbitrary<ReadonlyArray<Fault>> => {
  const afterRot = momentIn(failpointsAfterRot)
  const process = processFaultAt(momentIn(failpointsOf(place)), afterRot)
  const ofStore: fc.Arbitrary<Fault> = place.store === "files" ? disk : fc.oneof(store, place.toFiles ? disk : store)
  const world: fc.Arbitrary<Fault> = fc.oneof(ofStore, sinks, partitionFault)
  const any: fc.Arbitrary<Fault> = fc.oneof({ weight: 3, arbitrary: process }, { weight: 2, arbitrary: world })
  return fc
    .tuple(fc.option(any, { nil: undefined, freq: 10 }), fc.array(any, { maxLength: 4, size: "max" }))
    .map(([first, others]) => (first === undefined ? [] : [first, ...others]))
}

export const life: fc.Arbitrary<Life> = fc.record({
  parallelism: fc.integer({ min: 1, max: 3 }),
  chunkRows: fc.constantFrom(1, 3, 7, 1024),
  elsewhere: fc.boolean()
})

/** Jobs of some dozens of rows in some partitions. */
const job: fc.Arbitrary<Job> = fc
  .tuple(jobs({ rowsMax: 28, partitionsMin: 1, partitionsMax: 3 }), fc.integer({ min: 0, max: 3 }))
  .map(([j, all]) => (all === 0 ? j : { ...j, few: true }))

/** JSON says every result of these. */
const isPlain = (j: Job): boolean =>
  j.sources.flat().every(({ rows }) => rows.every((r) => typeof r.id === "number" && typeof r.key === "string"))

const placeOf = (j: Job, mode: JobCase["mode"]): fc.Arbitrary<Place> =>
  fc.record({
    store: fc.constantFrom("files" as const, "remote" as const, "remote" as const, "remote" as const),
    toFiles: mode === "append" && isPlain(j) ? fc.boolean() : fc.constant(false)
  })

const biased: fc.Arbitrary<JobCase> = job
  .chain((j) => fc.record({ job: fc.constant(j), mode: fc.constantFrom(...modesOf(j)) }))
  .chain(({ job: j, mode }) => placeOf(j, mode).map((place) => ({ job: j, mode, place })))
  .chain(({ job: j, mode, place }) =>
    fc.record({
      seed,
      job: fc.constant(j),
      mode: fc.constant(mode),
      store: fc.constant(place.store),
      toFiles: fc.constant(place.toFiles),
      epochRows: fc.constantFrom(0, 7, 13, 20),
      everyMs: fc.constantFrom(20, 60, 150),
      paceMs: fc.constantFrom(0, 3, 8),
      endPosition: fc.boolean(),
      restarts: fc.boolean(),
      retained: fc.integer({ min: 1, max: 3 }),
      lives: fc.array(life, { minLength: 1, maxLength: 4 }),
      faults: faultPlan(place)
    })
  )

/** Cases. Edges are in the moves of rows already; fast-check's own bias would only make half of all cases tiny. */
export const jobCase: fc.Arbitrary<JobCase> = minimisedBy(fc.noBias(biased), simplerJobs)

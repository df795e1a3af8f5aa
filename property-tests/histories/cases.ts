/** Random histories: jobs of a size in which things can go wrong, the ways they run, and plans of faults. */
import * as fc from "fast-check"
import { failpointsAfterRot, failpointsOf, isOfFiles } from "../../src/testing/failpoints.ts"
import { life, momentAt, momentIn, processFault, seed } from "../../src/testing/faultPlans.ts"
import type { Fault, Moment, ProcessFault, WorldFault } from "../../src/testing/Fault.ts"
import type { Store } from "../../src/testing/World.ts"
import type { Job } from "../../test/oracle/Job.ts"
import { jobs, modesOf } from "../engineJobs.ts"
import type { JobCase } from "./jobHistory.ts"
import { minimisedBy } from "./minimise.ts"
import { simplerJobs } from "./smaller.ts"

/** Where checkpoints and results are kept: what decides which failpoints there are, and which faults can happen. */
export interface Place {
  readonly store: Store
  readonly toFiles: boolean
}

/** Steps that every process takes. */
const stepsSure = 150

/** Steps 5 and 6 of an epoch, then 7: each order matters to tokens. */
export const publishing = ["manifest.primary", "manifest.listed", "manifest.copy", "manifest.copy.listed"]
export const committing = ["sink[i].commit.sent", "sink[i].commit.replied"]
const takingOver = ["takeover.primary", "takeover.listed", "takeover.copy"]

/** Those that every process passes that makes an epoch: a fault there happens. */
const passedSurely = [...takingOver, "sweep", "snapshot.write", ...publishing, ...committing]

const sureMoment: fc.Arbitrary<Moment> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ steps: fc.integer({ min: 1, max: stepsSure }) }) },
  { weight: 3, arbitrary: momentAt(passedSurely, 1) }
)

const kind = <K extends string>(name: K): fc.Arbitrary<K> => fc.constant(name)

const kill = (at: fc.Arbitrary<Moment>): fc.Arbitrary<ProcessFault> => processFault("kill", at)
const powerLoss = (at: fc.Arbitrary<Moment>): fc.Arbitrary<ProcessFault> => processFault("power loss", at)
const rot = (at: fc.Arbitrary<Moment>): fc.Arbitrary<ProcessFault> => processFault("rot", at)
/** Asleep until the process that took over is gone, or for as long as that one waits for it, or longer. */
const freeze = (at: fc.Arbitrary<Moment>): fc.Arbitrary<ProcessFault> =>
  fc.record({
    kind: kind("freeze"),
    at,
    wakeAfter: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 8000 }), fc.integer({ min: 3000, max: 3600 }))
  })

const onDisk = ({ store, toFiles }: Place): boolean => store === "files" || toFiles

const processFaultAt = (place: Place, moment: fc.Arbitrary<Moment>): fc.Arbitrary<ProcessFault> =>
  fc.oneof(
    { weight: 4, arbitrary: kill(moment) },
    { weight: onDisk(place) ? 5 : 1, arbitrary: powerLoss(moment) },
    { weight: 3, arbitrary: rot(moment) },
    { weight: 2, arbitrary: processFault("sigterm", moment) },
    { weight: 2, arbitrary: freeze(moment) },
    { weight: 1, arbitrary: processFault("second", moment) },
    { weight: 1, arbitrary: processFault("clock jump", moment) }
  )

const disk = (last: number): fc.Arbitrary<WorldFault> =>
  fc.record({
    kind: fc.constantFrom("disk full" as const, "disk error" as const, "too many files" as const),
    atCall: fc.integer({ min: 0, max: last }),
    calls: fc.integer({ min: 1, max: 8 })
  })
const remote = (last: number): fc.Arbitrary<WorldFault> =>
  fc.record({
    kind: fc.constantFrom("store fails" as const, "store no reply" as const),
    atCall: fc.integer({ min: 0, max: last }),
    calls: fc.integer({ min: 1, max: 6 })
  })
const sinks = (last: number): fc.Arbitrary<WorldFault> =>
  fc.record({
    kind: fc.constantFrom("sink fails" as const, "sink no reply" as const, "sink slow" as const),
    atCall: fc.integer({ min: 0, max: last }),
    calls: fc.integer({ min: 1, max: 3 })
  })

const rows = (last: number) => ({ partition: fc.nat(5), row: fc.nat(last) })
const partitionFault = (last: number): fc.Arbitrary<WorldFault> =>
  fc.oneof(
    fc.record({ kind: kind("stall"), ...rows(last), ms: fc.integer({ min: 1, max: 7_000 }) }),
    fc.record({ kind: kind("read error"), ...rows(last) }),
    fc.record({ kind: kind("expired"), partition: fc.nat(5) })
  )

/** Faults of the world; `reach`: how far into a history the last of them lie, 1 being its end. */
const worldFault = (place: Place, reach: number): fc.Arbitrary<Fault> => {
  const onFiles = disk(Math.floor(250 * reach))
  const ofStore = place.store === "files" ? onFiles : remote(Math.floor(50 * reach))
  return fc.oneof(
    place.toFiles ? fc.oneof(ofStore, onFiles) : ofStore,
    sinks(Math.floor(12 * reach)),
    partitionFault(Math.floor(12 * reach))
  )
}

/** Faults that go ill together: what one leaves, the next one meets. */
const togetherIn = (place: Place): fc.Arbitrary<ReadonlyArray<Fault>> => {
  const pending = momentAt([...publishing, ...committing], 1, 1, 2)
  const recovering = momentAt(["list", "base.read", ...takingOver, "sweep", ...committing], 1)
  const halfPut = momentAt(["manifest.primary", "manifest.listed", "takeover.primary", "takeover.listed"], 1, 1, 2)
  const files = momentAt(
    failpointsOf(place.store, place.toFiles).filter((name) => isOfFiles(name) || publishing.includes(name)),
    1,
    1,
    2
  )
  const crash = (at: fc.Arbitrary<Moment>): fc.Arbitrary<ProcessFault> => fc.oneof(kill(at), powerLoss(at))
  /** A sync that fails: whoever goes on shows what is not durable. */
  const syncFails: fc.Arbitrary<WorldFault> = fc.record({
    kind: kind("disk error"),
    of: kind("syncs"),
    atCall: fc.integer({ min: 0, max: 6 }),
    calls: fc.constant(1)
  })
  const committed = momentAt(["sink[i].commit.replied", "manifest.copy.listed"], 1, 1, 2, 3)
  const soon = fc.record({ steps: fc.integer({ min: 1, max: stepsSure }) })
  return fc.oneof(
    { weight: 3, arbitrary: fc.tuple(crash(pending), crash(recovering)) },
    { weight: 3, arbitrary: fc.tuple(rot(fc.oneof(halfPut, pending)), rot(fc.oneof(soon, recovering))) },
    { weight: 2, arbitrary: fc.tuple(freeze(momentAt([...passedSurely, "collect.data"], 1, 1, 2)), crash(recovering)) },
    { weight: 1, arbitrary: fc.tuple(rot(recovering), kill(momentAt(failpointsAfterRot, 1))) },
    {
      weight: onDisk(place) ? 6 : 0,
      arbitrary: fc.oneof<fc.WeightedArbitrary<ReadonlyArray<Fault>>[]>(
        { weight: 2, arbitrary: fc.tuple(powerLoss(files), powerLoss(fc.oneof(soon, files))) },
        { weight: place.toFiles ? 6 : 1, arbitrary: fc.tuple(syncFails, powerLoss(committed)) }
      )
    }
  )
}

/** Plans of faults for a history in a place; empty in one of thirty, and mostly with one that happens. */
export const faultPlan = (place: Place): fc.Arbitrary<ReadonlyArray<Fault>> => {
  const anywhere = momentIn(failpointsOf(place.store, place.toFiles), 2)
  const any: fc.Arbitrary<Fault> = fc.oneof(
    { weight: 3, arbitrary: processFaultAt(place, anywhere) },
    { weight: 2, arbitrary: worldFault(place, 1) }
  )
  const sure: fc.Arbitrary<Fault> = fc.oneof(
    { weight: 3, arbitrary: processFaultAt(place, sureMoment) },
    { weight: 2, arbitrary: worldFault(place, 0.2) }
  )
  const first: fc.Arbitrary<ReadonlyArray<Fault>> = fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 18, arbitrary: sure.map((fault) => [fault]) },
    { weight: 11, arbitrary: togetherIn(place) }
  )
  return fc
    .tuple(first, fc.array(any, { maxLength: 3, size: "max" }))
    .map(([begin, others]) => (begin.length === 0 ? [] : [...begin, ...others]))
}

/** Jobs of some dozens of rows in some partitions. */
const job: fc.Arbitrary<Job> = fc
  .tuple(jobs({ rowsMax: 28, partitionsMin: 1, partitionsMax: 3 }), fc.integer({ min: 0, max: 3 }))
  .map(([j, all]) => (all === 0 ? j : { ...j, few: true }))

/** What JSON says as it is; of an event time that it has no word for, it says that it is none. */
const isSaid = (value: unknown): boolean => typeof value !== "bigint" && !Object.is(value, -0)

/** JSON says every row and every result of these. */
const isPlain = (j: Job): boolean =>
  j.sources
    .flat()
    .every(({ rows }) =>
      rows.every(({ id, key, v }) => typeof id === "number" && typeof key === "string" && isSaid(id) && isSaid(v))
    )

/** Of copies that one time calls late and the other does not it is not fixed which one is kept. */
const canBeTimedAgain = (j: Job): boolean => j.dedupe === undefined

/** Files say when nothing was appended. */
const canBeInFiles = (j: Job): boolean => isPlain(j) && j.maxFutureSkew === undefined

const sometimes = <A, B>(arbitrary: fc.Arbitrary<A>, mostly: B): fc.Arbitrary<A | B> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(mostly) }, { weight: 1, arbitrary })

const placeOf = (j: Job, mode: JobCase["mode"]): fc.Arbitrary<Place> =>
  fc.record({
    store: fc.constantFrom("files" as const, "remote" as const, "remote" as const, "remote" as const),
    toFiles: mode === "append" && isPlain(j) ? fc.boolean() : fc.constant(false)
  })

/** Cases of the usual kind. */
export const usualCase: fc.Arbitrary<JobCase> = job
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
      faults: faultPlan(place),
      inFiles: fc.constant(0),
      keepMs: fc.constant(undefined)
    })
  )

/** The same cases, some of them with rows from files, a table that keeps little, or a stream that is timed twice. */
export const oftenMore = (cases: fc.Arbitrary<JobCase>): fc.Arbitrary<JobCase> =>
  cases.chain((c) =>
    fc.noBias(
      fc
        .record({
          inFiles: canBeInFiles(c.job) ? sometimes(fc.integer({ min: 1, max: 3 }), 0) : fc.constant(0),
          keepMs:
            c.job.windows === undefined
              ? fc.constant(undefined)
              : sometimes(fc.integer({ min: 1, max: 12 }), undefined),
          again: canBeTimedAgain(c.job) ? sometimes(fc.integer({ min: 0, max: 12 }), undefined) : fc.constant(undefined)
        })
        .map(({ again, ...more }): JobCase => ({
          ...c,
          ...more,
          job: again === undefined ? c.job : { ...c.job, again }
        }))
    )
  )

/** Cases. Edges are in the moves of rows already; fast-check's own bias would only make half of all cases tiny. */
export const jobCase: fc.Arbitrary<JobCase> = minimisedBy(oftenMore(fc.noBias(usualCase)), simplerJobs)

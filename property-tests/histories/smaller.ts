/** What makes a history of a job simpler: fewer faults, partitions, rows, operators; then plainer ways to run it. */
import { type Fault, isProcessFault, type Moment } from "../../src/testing/Fault.ts"
import type { Life } from "../../src/testing/World.ts"
import type { Job, Partition } from "../../test/oracle/Job.ts"
import { modesOf } from "../engineJobs.ts"
import type { JobCase } from "./jobHistory.ts"
import { type Pass, without } from "./minimise.ts"

type Candidates = ReadonlyArray<() => JobCase>

/** The case with another job, written in a mode that it may be written in. */
const withJob = (c: JobCase, job: Job): JobCase => {
  const modes = modesOf(job)
  return { ...c, job, mode: modes.includes(c.mode) ? c.mode : modes[0] }
}

/** Fewer faults, so many at a time. */
export const fewerFaults =
  <C extends { readonly faults: ReadonlyArray<Fault> }>(size: number): Pass<C> =>
  (c) =>
    size > 1 && c.faults.length <= size
      ? []
      : without(c.faults, size).map((faults) => () => ({ ...c, faults: faults() }))

/** Fewer processes that differ, and plainer ones. */
export const plainerLives = <C extends { readonly lives: ReadonlyArray<Life> }>(c: C): ReadonlyArray<() => C> => {
  const all: Array<() => C> = []
  if (c.lives.length > 1) all.push(() => ({ ...c, lives: [c.lives[0]] }))
  for (const [i, life] of c.lives.entries()) {
    const add = (change: Partial<Life>): void =>
      void all.push(() => ({ ...c, lives: c.lives.with(i, { ...life, ...change }) }))
    if (life.parallelism > 1) add({ parallelism: life.parallelism - 1 })
    if (life.chunkRows < 1024) add({ chunkRows: 1024 })
    if (life.elsewhere) add({ elsewhere: false })
  }
  return all
}

const withSources = (c: JobCase, sources: Job["sources"]): JobCase => ({ ...c, job: { ...c.job, sources } })

const fewerPartitions: Pass<JobCase> = (c) => {
  const { sources } = c.job
  const fewerSources = sources.length === 1 ? [] : without(sources, 1).map((s) => () => withSources(c, s()))
  const fewer = sources.flatMap((partitions, s): Candidates =>
    partitions.length === 1 ? [] : without(partitions, 1).map((p) => () => withSources(c, sources.with(s, p())))
  )
  return [...fewerSources, ...fewer]
}

const cut = (partition: Partition, at: number, size: number): Partition => {
  const { rows, appendTimes } = partition
  const kept = { ...partition, rows: rows.toSpliced(at, size) }
  return appendTimes === undefined ? kept : { ...kept, appendTimes: appendTimes.toSpliced(at, size) }
}

const fewerRows =
  (size: number): Pass<JobCase> =>
  (c) =>
    c.job.sources.flatMap((partitions, s) =>
      partitions.flatMap((partition, p) =>
        Array.from({ length: Math.ceil(partition.rows.length / size) }, (_, i) => () => {
          // From the end, where what came to nothing mostly stands.
          const at = Math.max(0, partition.rows.length - (i + 1) * size)
          return withSources(c, c.job.sources.with(s, partitions.with(p, cut(partition, at, size))))
        })
      )
    )

/** Without some of its fields, which may be absent. */
const lacking = (job: Job, ...fields: ReadonlyArray<keyof Job>): Job =>
  Object.fromEntries(Object.entries(job).filter(([field]) => !fields.includes(field as keyof Job))) as unknown as Job

/** Append times alone would turn the clock guard on by itself. */
const withoutGuard = (job: Job): Job => ({
  ...lacking(job, "maxFutureSkew"),
  sources: job.sources.map((partitions) => partitions.map(({ rows }) => ({ rows })))
})

const fewerOperators: Pass<JobCase> = (c) => {
  const { job } = c
  const all: Array<() => JobCase> = []
  const add = (simpler: () => Job): void => void all.push(() => withJob(c, simpler()))
  if (job.before.length > 0) for (const before of without(job.before, 1)) add(() => ({ ...job, before: before() }))
  if (job.after.length > 0) for (const after of without(job.after, 1)) add(() => ({ ...job, after: after() }))
  for (const field of ["branches", "dedupe", "chained", "early", "again"] as const)
    if (job[field] !== undefined) add(() => lacking(job, field))
  if (job.maxFutureSkew !== undefined) add(() => withoutGuard(job))
  if (job.few !== true) add(() => ({ ...job, few: true }))
  if (job.late === "output") add(() => ({ ...job, late: "drop" }))
  if (job.keyed && isPlainKeyed(job)) add(() => ({ ...job, keyed: false }))
  return all
}

const isPlainKeyed = (job: Job): boolean =>
  job.sources.flat().every(({ rows }) => rows.every((r) => typeof r.key === "string" && typeof r.v === "number"))

const plainer: Pass<JobCase> = (c) => {
  const all: Array<() => JobCase> = [...plainerLives(c)]
  const add = (isPlain: boolean, change: Partial<JobCase>): void => {
    if (!isPlain) all.push(() => ({ ...c, ...change }))
  }
  add(c.epochRows === 0, { epochRows: 0 })
  add(c.paceMs === 0, { paceMs: 0 })
  add(!c.restarts, { restarts: false })
  add(c.endPosition, { endPosition: true })
  add(c.inFiles === 0, { inFiles: 0 })
  add(c.inFiles <= 1, { inFiles: c.inFiles - 1 })
  add(c.keepMs === undefined, { keepMs: undefined })
  add(c.seed < 1000, { seed: c.seed % 1000 })
  return all
}

/** Its faults so many passages earlier: as many epochs as the rows that are gone, where each is one. */
const earlier =
  (by: number) =>
  (c: JobCase): JobCase => ({
    ...c,
    faults: c.faults.map((fault) =>
      isProcessFault(fault) && "failpoint" in fault.at && fault.at.passage > by
        ? { ...fault, at: { ...fault.at, passage: fault.at.passage - by } }
        : fault
    )
  })

const isLaterThanFirst = (fault: Fault): boolean =>
  isProcessFault(fault) && "failpoint" in fault.at && fault.at.passage > 1

/** Other ways to run a case: with other seeds, in small epochs, row by row. */
const variations: ReadonlyArray<(c: JobCase) => JobCase> = [
  ...[1, 2, 3].map((by) => (c: JobCase) => ({ ...c, seed: (c.seed + by) % 1000 })),
  ...[1, 3].map((epochRows) => (c: JobCase) => ({ ...c, epochRows })),
  (c) => ({ ...c, epochRows: 2, lives: c.lives.map((life) => ({ ...life, chunkRows: 1 })) })
]

/** Of what a pass gives, the same with other ways to run it: where to go on when chance alone keeps a case large. */
const varied =
  (pass: Pass<JobCase>): Pass<JobCase> =>
  (c) => {
    const ways = c.faults.some(isLaterThanFirst) ? [...variations, earlier(1), earlier(2), earlier(4)] : variations
    return pass(c).flatMap((make) => ways.map((vary) => () => vary(make())))
  }

const eventsOf = (c: JobCase): number => c.job.sources.flat().reduce((n, { rows }) => n + rows.length, 0)

/** A few rows of each partition, in epochs of a few: where how many there are is what keeps a case large. */
const fewRows: Pass<JobCase> = (c) => {
  /** The first of each, or, below zero, the last. */
  const kept = (rows: number): Job["sources"] =>
    c.job.sources.map((partitions) =>
      partitions.map((p) => (rows > 0 ? cut(p, rows, p.rows.length) : cut(p, 0, Math.max(0, p.rows.length + rows))))
    )
  const seeded = (fault: Fault, by: number): Fault =>
    "seed" in fault ? { ...fault, seed: (fault.seed + by) % 1000 } : fault
  return [1, 2, 4]
    .flatMap((rows) =>
      [1, 2, 3].flatMap((epochRows) =>
        Array.from({ length: 6 }, (_, by) => () => ({
          ...withSources(c, kept(rows)),
          epochRows,
          seed: (c.seed + by) % 1000,
          faults: c.faults.map((fault) => seeded(fault, by))
        }))
      )
    )
    .filter((make) => eventsOf(make()) < eventsOf(c))
}

/** Moments at which much is left for the next process. */
const aims: ReadonlyArray<Moment> = (
  [
    ["takeover.copy", "after", 1],
    ["manifest.primary", "after", 1],
    ["manifest.copy", "after", 1],
    ["sink[i].commit.sent", "before", 1],
    ["sink[i].commit.sent", "after", 1],
    ["sink[i].commit.sent", "after", 2],
    ["sink[i].commit.sent", "after", 3]
  ] as const
).map(([failpoint, when, passage]) => ({ failpoint, when, passage }))

/** Epochs of one row each, and a fault after any of them: a place between two rows, wherever others are taken away. */
const rowByRow: Pass<JobCase> = (c) =>
  c.faults.flatMap((fault, at) =>
    isProcessFault(fault) && c.epochRows !== 1
      ? Array.from({ length: eventsOf(c) }, (_, i) => () => ({
          ...c,
          epochRows: 1,
          faults: c.faults.with(at, { ...fault, at: { failpoint: "manifest.copy", when: "after", passage: i + 1 } })
        }))
      : []
  )

/** One fault fewer, and another at a moment where it does more. */
const fewerButAimed: Pass<JobCase> = (c) =>
  fewerFaults<JobCase>(1)(c).flatMap((make) =>
    Array.from({ length: c.faults.length - 1 }, (_, at) => at).flatMap((at) =>
      aims.map((aim) => () => {
        const fewer = make()
        const fault = fewer.faults[at]
        return isProcessFault(fault) ? { ...fewer, faults: fewer.faults.with(at, { ...fault, at: aim }) } : fewer
      })
    )
  )

/** Cases that are this large are looked at no longer. */
const isSmall = (c: JobCase): boolean => c.faults.length <= 2 && eventsOf(c) <= 10

const onlyLarge =
  (pass: Pass<JobCase>): Pass<JobCase> =>
  (c) =>
    isSmall(c) ? [] : pass(c)

/** From the coarse to the fine. */
export const simplerJobs: ReadonlyArray<Pass<JobCase>> = [
  fewerFaults(2),
  fewerFaults(1),
  fewerPartitions,
  fewerRows(8),
  fewerRows(4),
  fewerRows(2),
  fewerRows(1),
  fewerOperators,
  plainer,
  onlyLarge(fewRows),
  onlyLarge(rowByRow),
  onlyLarge(varied(fewerFaults(1))),
  onlyLarge((c) => (c.faults.length > 1 ? fewerButAimed(c) : [])),
  onlyLarge(varied(fewerRows(8))),
  onlyLarge(varied(fewerRows(4))),
  onlyLarge(varied(fewerRows(1)))
]

/** Random histories of a live source, of two processes that both take themselves for the owner, and of the bank. */
import * as fc from "fast-check"
import type { Fault, ProcessFault } from "../../src/testing/Fault.ts"
import { life, momentAt, processFault, seed } from "../../src/testing/faultPlans.ts"
import { committing, faultPlan, oftenMore, publishing, usualCase } from "./cases.ts"
import type { BankCase } from "./bankHistory.ts"
import type { JobCase } from "./jobHistory.ts"
import type { LiveCase, LivePartition } from "./liveHistory.ts"
import { minimisedBy } from "./minimise.ts"
import { simplerJobs } from "./smaller.ts"
import { simplerBank, simplerLive, withPartitions } from "./smallerLive.ts"

/** Most pauses between two rows are no longer, ms. */
const usualPauseMs = 20

const partition: fc.Arbitrary<LivePartition> = fc.record({
  appearsMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2000 })),
  moves: fc.array(
    fc.record({
      by: fc.integer({ min: -8, max: 25 }),
      key: fc.nat(2),
      // Now and then a pause after which the partition is idle.
      afterMs: fc.oneof(
        { weight: 12, arbitrary: fc.nat(usualPauseMs) },
        { weight: 1, arbitrary: fc.integer({ min: 500, max: 3000 }) }
      )
    }),
    { maxLength: 28, size: "max" }
  )
})

const live: fc.Arbitrary<LiveCase> = fc.noBias(
  fc
    .record({
      seed,
      partitions: fc.array(partition, { minLength: 1, maxLength: 4, size: "max" }),
      sizeMs: fc.integer({ min: 1, max: 30 }),
      boundMs: fc.integer({ min: 0, max: 10 }),
      whenQuiet: fc.constantFrom("hold" as const, "follow the clock" as const),
      endPosition: fc.boolean(),
      everyMs: fc.constantFrom(60, 150, 400),
      restarts: fc.boolean(),
      store: fc.constantFrom("files" as const, "remote" as const, "remote" as const),
      lives: fc.array(life, { minLength: 1, maxLength: 3 })
    })
    .chain((c) => faultPlan({ store: c.store, toFiles: false }).map((faults): LiveCase => ({ ...c, faults })))
    .map((c): LiveCase => withPartitions(c, c.partitions))
)

/** Its rows come ten times as far apart: it goes on for long, and is idle in its pauses only. */
const slower = (p: LivePartition): LivePartition => ({
  ...p,
  moves: p.moves.map((m) => ({ ...m, afterMs: m.afterMs <= usualPauseMs ? m.afterMs * 10 : m.afterMs }))
})

/**
 * The same cases, a third of them with partitions that are all there from the start, and mostly slow: while one goes on,
 * others fall idle and come back.
 */
export const oftenSlow: fc.Arbitrary<LiveCase> = live.chain((c) =>
  fc
    .record({ isSlow: fc.nat(2), picks: fc.array(fc.nat(3), { minLength: 4, maxLength: 4 }) })
    .map(({ isSlow, picks }): LiveCase => {
      if (isSlow > 0) return c
      const partitions = c.partitions.map((p, i) => ({ ...(picks[i] === 0 ? p : slower(p)), appearsMs: 0 }))
      return { ...c, partitions, whenQuiet: "hold" }
    })
)

/** Cases of a live source. */
export const liveCase: fc.Arbitrary<LiveCase> = minimisedBy(fc.noBias(oftenSlow), simplerLive)

const moment = fc.oneof(
  fc.record({ steps: fc.integer({ min: 100, max: 600 }) }),
  momentAt(
    [
      ...["takeover.primary", "takeover.copy", "snapshot.write"],
      ...publishing,
      ...committing,
      ...["collect.tombstone.primary", "collect.tombstone.copy", "collect.data", "sweep"]
    ],
    ...[1, 1, 2, 3]
  )
)

/** It saw that the query is nobody's, and sleeps before it takes it over; it wakes while another one is at work. */
const atTheDoor = fc.record({
  kind: fc.constant("freeze" as const),
  at: momentAt(["list"], 1),
  wakeAfter: fc.integer({ min: 1, max: 200 })
})

/** A process is frozen, or gets a rival; it wakes while the other is at work, or long after: its numbers are collected then. */
const splitFault: fc.Arbitrary<ProcessFault> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("freeze" as const),
      at: moment,
      wakeAfter: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 30_000 }))
    })
  },
  { weight: 1, arbitrary: atTheDoor },
  { weight: 1, arbitrary: processFault("second", moment) }
)

/** Cases of split brains: small epochs, of which few are retained, so that a sleeper's numbers are soon collected. */
const split: fc.Arbitrary<JobCase> = fc
  .tuple(fc.noBias(usualCase), splitFault, fc.constantFrom(4, 7, 13))
  .map(([c, first, epochRows]): JobCase => {
    const others: ReadonlyArray<Fault> = c.faults.slice(0, 2)
    return { ...c, faults: [first, ...others], epochRows, everyMs: 20, retained: 1 }
  })

/** The same, made small as jobs are. */
export const splitCase: fc.Arbitrary<JobCase> = minimisedBy(oftenMore(split), simplerJobs)

const bank: fc.Arbitrary<BankCase> = fc.noBias(
  fc
    .record({
      seed,
      transfers: fc.integer({ min: 1, max: 70 }),
      accounts: fc.integer({ min: 2, max: 9 }),
      partitions: fc.integer({ min: 1, max: 3 }),
      epochRows: fc.integer({ min: 5, max: 25 }),
      perMs: fc.constantFrom(1, 5, 100),
      store: fc.constantFrom("files" as const, "remote" as const, "remote" as const),
      lives: fc.array(life, { minLength: 1, maxLength: 3 })
    })
    .chain((c) => faultPlan({ store: c.store, toFiles: false }).map((faults): BankCase => ({ ...c, faults })))
)

/** Cases of the bank. */
export const bankCase: fc.Arbitrary<BankCase> = minimisedBy(bank, simplerBank)

/** What makes a history of keyed functions, or of copies, simpler. */
import type { CopiesCase } from "./copiesHistory.ts"
import { type Pass, without } from "./minimise.ts"
import type { ProcessCase } from "./processHistory.ts"
import { fewerFaults, plainerLives } from "./smaller.ts"

const fewerRows =
  (size: number): Pass<ProcessCase> =>
  (c) =>
    without(c.job.rows, size).map((rows) => () => ({ ...c, job: { ...c.job, rows: rows() } }))

const fewerCopies =
  (size: number): Pass<CopiesCase> =>
  (c) =>
    c.partitions.flatMap((moves, p) =>
      without(moves, size).map((fewer) => () => ({ ...c, partitions: c.partitions.with(p, fewer()) }))
    )

const fewerPartitions: Pass<CopiesCase> = (c) =>
  c.partitions.length === 1
    ? []
    : without(c.partitions, 1).map((partitions) => () => ({ ...c, partitions: partitions() }))

const plainer = <C extends ProcessCase | CopiesCase>(c: C): ReadonlyArray<() => C> => [
  ...plainerLives(c),
  ...(c.paceMs > 0 ? [() => ({ ...c, paceMs: 0 })] : []),
  ...(c.seed < 1000 ? [] : [() => ({ ...c, seed: c.seed % 1000 })])
]

/** From the coarse to the fine. */
export const simplerProcess: ReadonlyArray<Pass<ProcessCase>> = [
  fewerFaults(2),
  fewerFaults(1),
  fewerRows(8),
  fewerRows(3),
  fewerRows(1),
  plainer
]

/** The same for copies. */
export const simplerCopies: ReadonlyArray<Pass<CopiesCase>> = [
  fewerFaults(2),
  fewerFaults(1),
  fewerPartitions,
  fewerCopies(8),
  fewerCopies(3),
  fewerCopies(1),
  plainer
]

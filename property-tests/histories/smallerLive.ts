/** What makes a history of a live source, or of the bank, simpler. */
import type { BankCase } from "./bankHistory.ts"
import type { LiveCase, LivePartition } from "./liveHistory.ts"
import { type Pass, without } from "./minimise.ts"
import { fewerFaults, plainerLives } from "./smaller.ts"

/** The case with these partitions, of which one at least is there from the start. */
export const withPartitions = (c: LiveCase, partitions: ReadonlyArray<LivePartition>): LiveCase => ({
  ...c,
  partitions: partitions.some((p) => p.appearsMs === 0)
    ? partitions
    : partitions.with(0, { ...partitions[0], appearsMs: 0 })
})

const fewerPartitions: Pass<LiveCase> = (c) =>
  c.partitions.length === 1 ? [] : without(c.partitions, 1).map((partitions) => () => withPartitions(c, partitions()))

const fewerMoves =
  (size: number): Pass<LiveCase> =>
  (c) =>
    c.partitions.flatMap((partition, p) =>
      without(partition.moves, size).map(
        (moves) => () => withPartitions(c, c.partitions.with(p, { ...partition, moves: moves() }))
      )
    )

/** A pause that is not yet one in which a partition is idle, ms, and one that is. */
const activeMs = 390
const idleMs = 450

const withMoves = (c: LiveCase, p: number, moves: LivePartition["moves"]): LiveCase =>
  withPartitions(c, c.partitions.with(p, { ...c.partitions[p], moves }))

/** Two moves of a partition as one that goes as far: where a partition must not fall silent meanwhile. */
const mergedMoves: Pass<LiveCase> = (c) =>
  c.partitions.flatMap(({ moves }, p) =>
    moves.slice(1).flatMap((second, i) => {
      const { by, afterMs } = moves[i]
      const pauses = new Set([afterMs + second.afterMs, Math.min(afterMs + second.afterMs, activeMs)])
      return [...pauses].map(
        (pause) => () => withMoves(c, p, moves.toSpliced(i, 2, { ...second, by: by + second.by, afterMs: pause }))
      )
    })
  )

/** Pauses no longer than it takes to fall idle: the others have to go on for less long. */
const shorterPauses: Pass<LiveCase> = (c) =>
  c.partitions.flatMap(({ moves }, p) =>
    moves.flatMap((move, i) =>
      move.afterMs > idleMs ? [() => withMoves(c, p, moves.with(i, { ...move, afterMs: idleMs }))] : []
    )
  )

const plainerLive: Pass<LiveCase> = (c) => [
  ...plainerLives(c),
  ...(c.restarts ? [() => ({ ...c, restarts: false })] : []),
  ...(c.endPosition ? [] : [() => ({ ...c, endPosition: true })]),
  ...(c.seed < 1000 ? [] : [() => ({ ...c, seed: c.seed % 1000 })])
]

/** One fault fewer, with other seeds: where chance alone keeps it. */
const fewerFaultsReseeded: Pass<LiveCase> = (c) =>
  c.faults.length <= 2
    ? []
    : fewerFaults<LiveCase>(1)(c).flatMap((make) =>
        Array.from({ length: 40 }, (_, i) => () => ({ ...make(), seed: (c.seed + 1 + i) % 1000 }))
      )

/** From the coarse to the fine. */
export const simplerLive: ReadonlyArray<Pass<LiveCase>> = [
  fewerFaults(2),
  fewerFaults(1),
  fewerPartitions,
  fewerMoves(8),
  fewerMoves(4),
  fewerMoves(2),
  fewerMoves(1),
  shorterPauses,
  mergedMoves,
  plainerLive,
  fewerFaultsReseeded
]

const fewerTransfers: Pass<BankCase> = (c) =>
  [c.transfers >> 1, c.transfers - 8, c.transfers - 3, c.transfers - 1]
    .filter((transfers) => transfers >= 1 && transfers < c.transfers)
    .map((transfers) => () => ({ ...c, transfers }))

const plainerBank: Pass<BankCase> = (c) => [
  ...(c.partitions > 1 ? [() => ({ ...c, partitions: c.partitions - 1 })] : []),
  ...(c.accounts > 2 ? [() => ({ ...c, accounts: c.accounts - 1 })] : []),
  ...plainerLives(c),
  ...(c.seed < 1000 ? [] : [() => ({ ...c, seed: c.seed % 1000 })])
]

/** The same for the bank. */
export const simplerBank: ReadonlyArray<Pass<BankCase>> = [fewerFaults(2), fewerFaults(1), fewerTransfers, plainerBank]

/** What many histories came to, added up. */
import { type FaultKind, isCrash } from "../../src/testing/Fault.ts"
import type { Verdict } from "./jobHistory.ts"

/** Sums over histories; plain data, so that workers can send it. */
export interface Tally {
  histories: number
  /** How many histories had so many events. */
  readonly events: { [count: number]: number }
  readonly epochs: { [count: number]: number }
  withFaults: number
  crashes: number
  readonly faults: { [kind in FaultKind]?: number }
  /** Processes ended at failpoints, by `name:side`. */
  readonly failpoints: { [failpoint: string]: number }
  schedulerSteps: number
  lost: number
  duplicated: number
  watermarkRegressions: number
  ledgerImbalances: number
}

export const emptyTally = (): Tally => ({
  histories: 0,
  events: {},
  epochs: {},
  withFaults: 0,
  crashes: 0,
  faults: {},
  failpoints: {},
  schedulerSteps: 0,
  lost: 0,
  duplicated: 0,
  watermarkRegressions: 0,
  ledgerImbalances: 0
})

const raise = (counts: { [name: string | number]: number }, name: string | number, by: number): void => {
  counts[name] = (counts[name] ?? 0) + by
}

/** Counts one history. */
export const count = (tally: Tally, { history, lost, duplicated, events }: Verdict): void => {
  tally.histories++
  raise(tally.events, events, 1)
  raise(tally.epochs, history.epochs, 1)
  if (history.faults.size > 0) tally.withFaults++
  for (const [kind, times] of history.faults) {
    raise(tally.faults, kind, times)
    if (isCrash(kind)) tally.crashes += times
  }
  for (const failpoint of history.killedAt) raise(tally.failpoints, failpoint, 1)
  tally.schedulerSteps += history.steps
  tally.lost += lost
  tally.duplicated += duplicated
  tally.watermarkRegressions += history.regressions
  tally.ledgerImbalances += history.imbalances
}

/** Adds the second to the first. */
export const add = (into: Tally, from: Tally): void => {
  for (const field of ["events", "epochs", "faults", "failpoints"] as const)
    for (const [name, times] of Object.entries(from[field])) raise(into[field], name, times)
  for (const [field, value] of Object.entries(from))
    if (typeof value === "number") (into as unknown as { [field: string]: number })[field] += value
}

/** The middle of a distribution. */
export const median = (counts: { readonly [value: number]: number }): number => {
  const values = Object.entries(counts).map(([value, times]) => [Number(value), times] as const)
  const half = values.reduce((n, [, times]) => n + times, 0) / 2
  let seen = 0
  for (const [value, times] of values.toSorted(([a], [b]) => a - b)) {
    seen += times
    if (seen >= half) return value
  }
  return 0
}

/** Notes what an epoch brought and took, for progress, metrics and the registry. */
import type { Manifest, ReaderRecord } from "../checkpoint/Manifest.ts"
import { Limits } from "../model/Limits.ts"
import type { Ledger } from "../model/Ledger.ts"
import { mergeRanges } from "../streams/EventTimeStats.ts"
import { stateFactsOf } from "./EpochProgress.ts"
import type { QueryState } from "./QueryState.ts"
import type { Report } from "./Task.ts"

/** When the steps of an epoch were done, in monotonic ms unless said otherwise. */
export interface Moments {
  /** The barrier and the last commit by the wall clock. */
  readonly atMs: number
  readonly nowMs: number
  readonly began: number
  readonly aligned: number
  readonly stateAt: number
  readonly publishedAt: number
  readonly committedAt: number
}

const readBy = (ledger: Ledger): Map<string, number> =>
  new Map(ledger.operators.filter((o) => o.partition !== undefined).map((o) => [`${o.operator}/${o.partition}`, o.in]))

const since = (now: ReadonlyMap<string, number>, before: ReadonlyMap<string, number>): { [name: string]: number } =>
  Object.fromEntries([...now].map(([name, rows]) => [name, rows - (before.get(name) ?? 0)]))

const writtenBy = (ledger: Ledger): Map<string, number> => new Map(ledger.sinks.map((s) => [s.sink, s.written]))

/** Adds the facts of a committed epoch. `from`: where the readers stood at the epoch before. */
export const noteEpoch = (
  state: QueryState,
  manifest: Manifest,
  reports: ReadonlyArray<Report>,
  from: ReadonlyArray<ReaderRecord>,
  m: Moments
): void => {
  const { ledger, readers: to } = manifest
  // What is fused to a source counts the same rows again.
  const isSource = new Set(to.map((r) => `${r.operator}/${r.partition}`))
  const read = new Map([...readBy(ledger)].filter(([name]) => isSource.has(name)))
  const rowsInOf = since(read, readBy(state.ledger))
  const last = state.epochs.at(-1)
  state.epochs.push({
    epoch: manifest.epoch,
    atMs: m.atMs,
    sinceLastMs: Math.max(0, m.atMs - (last?.atMs ?? state.startedMs)),
    times: {
      alignment: m.aligned - m.began,
      pause: reports.reduce((most, r) => Math.max(most, r.pauseMs), 0),
      state: m.stateAt - m.aligned,
      manifest: m.publishedAt - m.stateAt,
      commit: m.committedAt - m.publishedAt,
      total: m.committedAt - m.began
    },
    stateBytes: manifest.state?.bytes ?? 0,
    rowsIn: Object.values(rowsInOf).reduce((sum, rows) => sum + rows, 0),
    rowsInOf,
    rowsOutOf: since(writtenBy(ledger), writtenBy(state.ledger)),
    from,
    to,
    ledger,
    before: state.ledger,
    eventTime: mergeRanges(reports.map((report) => report.eventTime)),
    state: stateFactsOf(state.status)
  })
  if (state.epochs.length > Limits.epochsRemembered) state.epochs.shift()
  state.ledger = ledger
  state.checkpointAtMs = m.nowMs
}

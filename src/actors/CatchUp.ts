/**
 * When a query will have read what waits: from how many rows it reads, and how many come, as successive looks show it.
 *
 * Pure. Of the whole query, since its partitions share what it can do. Only what was seen is carried on: after rates have
 * changed, it takes a window of looks to follow.
 */
import { type LagFacts, rowsBehind } from "./Lag.ts"

/** All partitions of a query at one instant. */
export interface LagLook {
  /** On a clock that only passes. */
  readonly atMs: number
  /** Rows and dead rows read so far by this attempt. */
  readonly read: number
  /** Rows that wait to be read; undefined when that is not known of every partition. */
  readonly behind: number | undefined
}

/** How a query catches up. */
export interface CatchUp {
  /** Rows that wait in all partitions. */
  readonly rows: number
  readonly readPerSecond: number
  readonly comingPerSecond: number
  /**
   * Until nothing waits, if both go on so, ms: 0 when no more waits than came in the last second; `never` at this rate,
   * when rows come as fast as they are read, or faster.
   */
  readonly ms: number | "never"
}

/** Pace of the looks, ms. */
export const lagLookMs = 1_000
/** Looks older than this are forgotten. */
const windowMs = 30_000
/** Looks over less than this say nothing of rates. */
const spanMsMin = 3_000
/** More than comes in this time has to wait before a query counts as behind: the ends are looked up about once a second. */
const keepingUpMs = 1_000

/** A look at the readers of an attempt. */
export const lagLook = (readers: ReadonlyArray<LagFacts & { readonly rows: number }>, atMs: number): LagLook => {
  let read = 0
  let behind: number | undefined = 0
  for (const reader of readers) {
    read += reader.rows
    const rows = rowsBehind(reader)
    behind = behind === undefined || rows === undefined ? undefined : behind + rows
  }
  return { atMs, read, behind }
}

/** The looks with one more; those that no longer count are left out. */
export const withLook = (looks: ReadonlyArray<LagLook>, look: LagLook): ReadonlyArray<LagLook> => {
  if (look.behind === undefined) return []
  const kept = [...looks, look]
  // The window is spanned from its first look or from before it.
  const first = kept.findIndex((_, i) => i + 1 === kept.length || look.atMs - kept[i + 1].atMs < windowMs)
  return kept.slice(first)
}

/** What the looks say; undefined while they say nothing. */
export const catchUpOf = (looks: ReadonlyArray<LagLook>): CatchUp | undefined => {
  const last = looks.at(-1)
  if (last?.behind === undefined) return undefined
  const rows = last.behind
  // A row that has just come is no trend: it begins where nothing waited for the last time.
  const caughtUp =
    rows === 0
      ? 0
      : Math.max(
          0,
          looks.findLastIndex(({ behind }) => behind === 0)
        )
  const { atMs, read, behind = 0 } = looks[caughtUp]
  const spanMs = last.atMs - atMs
  if (spanMs < spanMsMin) return undefined
  const perSecond = (n: number): number => (n * 1000) / spanMs
  const readPerSecond = perSecond(last.read - read)
  const comingPerSecond = Math.max(0, perSecond(last.read - read + rows - behind))
  return { rows, readPerSecond, comingPerSecond, ms: msUntil(rows, readPerSecond, comingPerSecond) }
}

const msUntil = (rows: number, readPerSecond: number, comingPerSecond: number): number | "never" => {
  if (rows * 1000 <= comingPerSecond * keepingUpMs) return 0
  return readPerSecond > comingPerSecond ? (rows * 1000) / (readPerSecond - comingPerSecond) : "never"
}

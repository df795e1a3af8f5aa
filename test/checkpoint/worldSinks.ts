/** The sinks of a world: a table with a marker, and a folder in which files are staged and then linked. */

/** Rows of the input, by number. */
export type Rows = readonly [from: number, to: number]

/** What they hold, and how often each row has come. */
export interface Sinks {
  marker: number
  readonly staged: Map<string, Rows>
  readonly linked: Map<string, Rows>
  readonly counts: { readonly table: Array<number>; readonly files: Array<number> }
  readonly latest: { table: number; files: number }
}

/** What both sinks prepare. */
export interface Data {
  readonly id: string
  readonly rows: Rows
}

/** Empty sinks for so many rows. */
export const emptySinks = (rows: number): Sinks => {
  const zeros = () => Array.from({ length: rows }, () => 0)
  return {
    marker: 0,
    staged: new Map(),
    linked: new Map(),
    counts: { table: zeros(), files: zeros() },
    latest: { table: 0, files: 0 }
  }
}

/** The counts, for messages. */
export const shownCounts = ({ counts }: Sinks): string => `table ${counts.table.join()}, files ${counts.files.join()}`

/** What is wrong with the counts; rows may be missing at the end only. */
export const countsFault = (sinks: Sinks): string | undefined => {
  for (const counts of [sinks.counts.table, sinks.counts.files]) {
    if (counts.some((n) => n > 1)) return `a row twice: ${shownCounts(sinks)}`
    if (counts.some((n, i) => n === 0 && counts.slice(i).some((m) => m > 0))) return `a row lost: ${shownCounts(sinks)}`
  }
  return undefined
}

/** Whether every row has come once. */
export const isComplete = ({ counts }: Sinks): boolean => [...counts.table, ...counts.files].every((n) => n === 1)

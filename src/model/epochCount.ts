/** Counting the rows of an epoch, for a sink that hands them on as they come and keeps none. */

/** What one writer has taken. */
export interface EpochCount {
  /** So many rows more. */
  readonly add: (rows: number) => void
  /** A new table begins (complete mode). */
  readonly clear: () => void
  /** Rows since the epoch before; the same number again goes on with what it had (rule C9). */
  readonly of: (epoch: number) => number
}

/** Counts from nothing. */
export const epochCount = (): EpochCount => {
  let open = 0
  let last = { epoch: -1, rows: 0 }
  return {
    add: (rows: number): void => void (open += rows),
    clear: (): void => {
      open = 0
      last = { epoch: -1, rows: 0 }
    },
    of: (epoch: number): number => {
      last = { epoch, rows: (last.epoch === epoch ? last.rows : 0) + open }
      open = 0
      return last.rows
    }
  }
}

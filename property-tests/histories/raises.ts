/**
 * How far the partitions of a live source may have been raised (T7): never beyond the lowest of the others that surely were
 * not idle. Whether one was idle is a fact of the run; moments after a row has come it surely was not.
 */

/** A partition: when each of its rows came, and where its own watermark stood after it. */
export interface Seen {
  readonly arrived: ReadonlyArray<number>
  readonly watermarks: ReadonlyArray<number>
  /** It was there from the start: whoever is raised knows of it. */
  readonly isFirst: boolean
}

/** A row that has come is read by then where nothing holds its process up, ms. */
const usuallyReadWithinMs = 100

/**
 * Of each row of each partition, the highest watermark that its partition may have had before it. Where a row may be read
 * any time after it has come, none was surely not idle.
 */
export const highestBefore = (
  partitions: ReadonlyArray<Seen>,
  idleAfterMs: number,
  readWithinMs = usuallyReadWithinMs
): ReadonlyArray<ReadonlyArray<number>> => {
  const raised = partitions.map(() => -Infinity)
  const limits = partitions.map((): Array<number> => [])
  /** The highest that a partition may stand at when so many rows of it have been read. */
  const standing = (p: number, rows: number): number =>
    Math.max(raised[p], rows === 0 ? -Infinity : partitions[p].watermarks[rows - 1])
  const isActive = ({ arrived, isFirst }: Seen, now: number): boolean =>
    isFirst && arrived.some((at) => at + readWithinMs <= now && now < at + idleAfterMs)
  const moments = partitions.flatMap(({ arrived }) =>
    arrived.flatMap((at) => [at, ...(readWithinMs === Infinity ? [] : [at + readWithinMs]), at + idleAfterMs])
  )
  for (const now of [...new Set(moments)].toSorted((a, b) => a - b)) {
    const come = partitions.map(({ arrived }) => arrived.filter((at) => at <= now).length)
    for (const p of partitions.keys()) {
      if (!partitions[p].arrived.every((at) => at >= now || at + idleAfterMs <= now)) continue
      const active = [...partitions.keys()].filter((q) => q !== p && isActive(partitions[q], now))
      const bound =
        active.length > 0
          ? Math.min(...active.map((q) => standing(q, come[q])))
          : Math.max(...come.map((rows, q) => standing(q, rows)))
      raised[p] = Math.max(raised[p], bound)
    }
    for (const [p, of] of limits.entries()) while (of.length < come[p]) of.push(standing(p, of.length))
  }
  return limits
}

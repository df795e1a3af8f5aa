/** Columns of bigints in a snapshot: few slots have one, so those are listed with their numbers, as text. */
import { Later, type SnapshotValue } from "../../model/Snapshot.ts"

type Listed = ReadonlyArray<readonly [slot: number, digits: string]>

/** The bigints of a column, without those that are `empty`; encoded later. The column must not change any more. */
export const bigintsLater = (column: ReadonlyArray<bigint | undefined> | undefined, empty?: bigint): SnapshotValue => {
  if (column === undefined) return []
  return new Later(() => {
    const listed: Array<readonly [number, string]> = []
    for (let slot = 0; slot < column.length; slot++) {
      const x = column[slot]
      if (x !== undefined && x !== empty) listed.push([slot, String(x)])
    }
    return listed
  })
}

/** Hands out the bigints of slots `from[i]` as those of `at + i`. */
export const takeBigints = (
  snapshot: SnapshotValue,
  from: Int32Array,
  at: number,
  put: (slot: number, x: bigint) => void
): void => {
  const listed = new Map(snapshot as unknown as Listed)
  if (listed.size === 0) return
  for (let i = 0; i < from.length; i++) {
    const digits = listed.get(from[i])
    if (digits !== undefined) put(at + i, BigInt(digits))
  }
}

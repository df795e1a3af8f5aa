/** What a run says of a query once it owns it: where it goes on, and what it guarantees. */
import type { QueryProgress } from "../actors/Progress.ts"
import { describeGuarantee } from "../streams/Guarantee.ts"
import { count, cut, oneLine } from "./words.ts"

/** Partitions whose positions are said; of more, how many there are. */
const partitionsMax = 4
const positionMax = 60

const positionsOf = (progress: QueryProgress): string => {
  const readers = progress.continued?.readers ?? []
  const known = readers.flatMap(({ operator, partition, position, rows }) => {
    const of = `${operator} ${partition}`
    return position === undefined
      ? []
      : [`${oneLine(of)} at ${cut(oneLine(position), positionMax)} (row ${count(rows)})`]
  })
  const more = known.length > partitionsMax ? ` and ${known.length - partitionsMax} more partitions` : ""
  return `${known.slice(0, partitionsMax).join(", ")}${more}`
}

/** `transactions goes on from epoch 12: source files in 0 at 1042 (row 1,042); exactly once`. */
export const headOf = (progress: QueryProgress): string => {
  const { name, continued, guarantee } = progress
  const promise = oneLine(describeGuarantee(guarantee))
  if (continued === undefined || continued.epoch === 0) return `${name}: ${promise}`
  const positions = positionsOf(progress)
  const from = `goes on from epoch ${count(continued.epoch)}${positions === "" ? "" : `: ${positions}`}`
  return `${name} ${from}; ${promise}`
}

/** What a run says of a query once it owns it: where it goes on, and what it guarantees. */
import type { QueryProgress } from "../actors/Progress.ts"
import type { Continued } from "../actors/QueryState.ts"
import { describeGuarantee } from "../streams/Guarantee.ts"
import { count, cut, oneLine } from "./words.ts"

/** Partitions whose positions are said; of more, how many there are. */
const partitionsMax = 4
const positionMax = 60

/** `source files in: 0 at 4538 (7 dead), 1 at 12`: where each partition stood, and what of it had been dead. */
const positionsOf = ({ readers, ledger }: Continued): string => {
  const known = readers.filter(({ position }) => position !== undefined)
  const shown = known.slice(0, partitionsMax)
  const of = (operator: string): string => {
    const places = shown
      .filter((reader) => reader.operator === operator)
      .map(({ partition, position = "" }) => {
        const balance = ledger.operators.find((o) => o.operator === operator && o.partition === partition)
        const dead = balance === undefined || balance.dead === 0 ? "" : ` (${count(balance.dead)} dead)`
        return `${cut(oneLine(partition), positionMax)} at ${cut(oneLine(position), positionMax)}${dead}`
      })
    return `${oneLine(operator)}: ${places.join(", ")}`
  }
  const sources = [...new Set(shown.map(({ operator }) => operator))].map(of)
  const more = known.length > partitionsMax ? ` and ${known.length - partitionsMax} more partitions` : ""
  return `${sources.join("; ")}${more}`
}

/** `transactions goes on from epoch 12: source files in: 0 at 1042 (7 dead), 1 at 12; exactly once`. */
export const headOf = (progress: QueryProgress): string => {
  const { name, continued, guarantee } = progress
  const promise = oneLine(describeGuarantee(guarantee))
  if (continued === undefined || continued.epoch === 0) return `${name}: ${promise}`
  const positions = positionsOf(continued)
  const from = `goes on from epoch ${count(continued.epoch)}${positions === "" ? "" : `, ${positions}`}`
  return `${name} ${from}; ${promise}`
}

/**
 * A chunk as its source gave it, made the engine's: numbered, without the rows that have failed attempts again and again,
 * and with the user's `select` of row and metadata applied. One call a chunk.
 */
import { RowChunk } from "../model/RowChunk.ts"
import type { SourceChunk } from "../model/Source.ts"
import type { Counters } from "../streams/Counters.ts"
import { OperatorFailure } from "../streams/Stateless.ts"
import type { ReaderOptions } from "./ReaderOptions.ts"
import type { Task } from "./Task.ts"

type Given = Pick<ReaderOptions, "lane" | "name" | "node" | "poison">

/**
 * The rows of a chunk for the operators. `first`: ordinal of its first row in the partition. Rows set aside become dead
 * letters of `task`, and move from `forwarded` to `dead`. Throws `OperatorFailure` where `select` throws.
 */
export const engineRows = (
  task: Task,
  given: Given,
  chunk: SourceChunk<unknown>,
  first: number,
  counters: Counters
): RowChunk => {
  const { length, rows, columns, bytes, appendTimes } = chunk
  const order = { lane: given.lane, first }
  const whole = new RowChunk(length, rows, columns, order, bytes, undefined, undefined, appendTimes)
  const kept = withoutPoison(task, given, whole, first, counters)
  const plain = kept === undefined ? whole : whole.pick(kept, kept.length)
  const { select } = given.node
  if (select === undefined) return plain
  const values = plain.rows
  const out = new Array<unknown>(plain.length)
  let i = 0
  try {
    for (; i < out.length; i++) out[i] = select(values[i], chunk.meta?.(kept === undefined ? i : kept[i]))
  } catch (cause) {
    throw new OperatorFailure(given.name, plain, i, cause)
  }
  return plain.withRows(out)
}

/** Sets rows aside that have failed attempts again and again; the indices of the others, undefined for all. */
const withoutPoison = (
  task: Task,
  { poison, name }: Given,
  chunk: RowChunk,
  first: number,
  counters: Counters
): Int32Array | undefined => {
  if (poison.size === 0) return undefined
  const kept: Array<number> = []
  for (let i = 0; i < chunk.length; i++) {
    const why = poison.get(first + i)
    if (why === undefined) kept.push(i)
    else task.buryRow(name, chunk, i, "user-code", why)
  }
  if (kept.length === chunk.length) return undefined
  counters.forwarded -= chunk.length - kept.length
  counters.dead += chunk.length - kept.length
  return Int32Array.from(kept)
}

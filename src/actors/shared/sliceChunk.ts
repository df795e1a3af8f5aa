/** Part of a chunk, for a reader that asks for fewer rows than it holds. */
import type { Position } from "../../model/Position.ts"
import type { Column, SourceChunk } from "../../model/Source.ts"

/**
 * Rows `from` up to `to` of a chunk, with the dead rows that follow them; those before the first row go with it.
 * Positions within a chunk are not known: all parts but the last are followed by `before`, where the chunk began.
 */
export const sliceChunk = (
  chunk: SourceChunk<unknown>,
  from: number,
  to: number,
  before: Position | undefined
): SourceChunk<unknown> => {
  const { length, rows, columns, meta, place, appendTimes, dead } = chunk
  if (from === 0 && to === length) return chunk
  const mine = dead
    ?.filter((row) => row.before <= to && (row.before > from || (from === 0 && row.before === 0)))
    .map((row) => ({ ...row, before: row.before - from }))
  return {
    length: to - from,
    ...(rows === undefined ? {} : { rows: rows.slice(from, to) }),
    ...(columns === undefined ? {} : { columns: slicedColumns(columns, from, to) }),
    ...(meta === undefined ? {} : { meta: (i) => meta(from + i) }),
    ...(place === undefined ? {} : { place: (i) => place(from + i) }),
    ...(appendTimes === undefined ? {} : { appendTimes: appendTimes.subarray(from, to) }),
    ...(mine === undefined || mine.length === 0 ? {} : { dead: mine }),
    next: to === length || before === undefined ? chunk.next : before,
    bytes: Math.ceil((chunk.bytes * (to - from)) / length)
  }
}

const slicedColumns = (
  columns: { readonly [field: string]: Column },
  from: number,
  to: number
): { readonly [field: string]: Column } => {
  const out = Object.create(null) as { [field: string]: Column }
  for (const name of Object.keys(columns)) {
    const column = columns[name]
    out[name] = Array.isArray(column) ? column.slice(from, to) : (column as Float64Array).subarray(from, to)
  }
  return out
}

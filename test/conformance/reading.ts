/** Reads sources for the conformance suite: whole partitions, what is left after a position, and checks of each chunk. */
import { Cause, Effect, Option } from "effect"
import { expect } from "vitest"
import type { DeadRow } from "../../src/model/DeadLetter.ts"
import { Limits } from "../../src/model/Limits.ts"
import type { PartitionId, Position } from "../../src/model/Position.ts"
import { fieldOf } from "../../src/model/RowChunk.ts"
import type { PartitionCursor, Source, SourceChunk, SourceFeatures } from "../../src/model/Source.ts"

/** What a partition holds when the test begins. Keep it small (some dozens of items): some laws are quadratic. */
export interface Contents<A> {
  readonly rows: ReadonlyArray<A>
  /** How many inputs cannot be decoded; default none. */
  readonly dead?: number
}

/** Everything read from a partition, one chunk after the other. */
export interface Reading<A> {
  readonly chunks: ReadonlyArray<SourceChunk<A>>
  readonly rows: ReadonlyArray<A>
  readonly dead: ReadonlyArray<DeadRow & { readonly afterRows: number }>
}

const plenty = 1 << 20
/** A demand for rows with no bound on bytes to speak of. */
export const demand = (rows: number): { readonly rows: number; readonly bytes: number } => ({ rows, bytes: plenty })

/** The rows of a chunk, from its columns where it has only these. */
export const rowsOf = <A>(chunk: SourceChunk<A>): ReadonlyArray<A> => {
  if (chunk.rows !== undefined) return chunk.rows
  const columns = Object.entries(chunk.columns ?? {})
  return Array.from(
    { length: chunk.length },
    (_, i) => Object.fromEntries(columns.map(([name, c]) => [name, c[i]])) as A
  )
}

/** Puts chunks together. */
export const reading = <A>(chunks: ReadonlyArray<SourceChunk<A>>): Reading<A> => {
  const rows: Array<A> = []
  const dead: Array<DeadRow & { readonly afterRows: number }> = []
  for (const chunk of chunks) {
    for (const d of chunk.dead ?? []) dead.push({ ...d, afterRows: rows.length + d.before })
    rows.push(...rowsOf(chunk))
  }
  return { chunks, rows, dead }
}

/** What must not depend on how a partition was read. */
export const essence = <A>(r: Reading<A>): unknown => ({
  rows: r.rows,
  dead: r.dead.map(({ reason, detail, place, afterRows }) => ({ reason, detail, place, afterRows }))
})

/** Rows and dead rows of a chunk. */
export const items = (chunk: SourceChunk<unknown>): number => chunk.length + (chunk.dead?.length ?? 0)
/** Rows and dead rows that a partition holds. */
export const total = <A>(contents: Contents<A>): number => contents.rows.length + (contents.dead ?? 0)

/** Reads until the end of a bounded partition, or until `count` rows and dead rows came. */
export const readAll = <A>(
  features: SourceFeatures,
  cursor: PartitionCursor<A, unknown, unknown>,
  count: number,
  rowsPerPull: (n: number) => number = () => Limits.chunkRowsTarget
): Effect.Effect<Reading<A>, unknown> =>
  Effect.gen(function* () {
    const chunks: Array<SourceChunk<A>> = []
    let seen = 0
    while (features.bounded || seen < count) {
      const pulled = yield* Effect.result(cursor.pull(demand(rowsPerPull(chunks.length))))
      if (pulled._tag === "Failure") {
        if (features.bounded && Cause.isDone(pulled.failure)) break
        return yield* Effect.fail(pulled.failure)
      }
      chunks.push(pulled.success)
      seen += items(pulled.success)
      if (seen > count + 1000) throw new Error(`read ${seen} items where ${count} are`)
    }
    return reading(chunks)
  })

/** Reads what follows a position, in a scope of its own. */
export const readFrom = <A>(
  features: SourceFeatures,
  source: Source<A, unknown, unknown>,
  partition: PartitionId,
  from: Option.Option<Position>,
  count: number,
  rowsPerPull?: (n: number) => number
): Effect.Effect<Reading<A>, unknown> =>
  Effect.scoped(Effect.flatMap(source.open(partition, from), (cursor) => readAll(features, cursor, count, rowsPerPull)))

/** Milliseconds after which a pull that gave nothing is taken to wait. */
export const soon = 60

/** That a cursor has nothing to give: it is at its end, or waits. */
export const expectNothing = (
  features: SourceFeatures,
  cursor: PartitionCursor<unknown, unknown, unknown>
): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const pulled = yield* Effect.result(Effect.timeoutOption(cursor.pull(demand(100)), soon))
    if (pulled._tag === "Failure") expect(features.bounded && Cause.isDone(pulled.failure)).toBe(true)
    else {
      expect(Option.isNone(pulled.success)).toBe(true)
      expect(features.bounded).toBe(false)
    }
  })

/** What every chunk must be, whatever it holds. */
export const checkChunk = <A>(features: SourceFeatures, chunk: SourceChunk<A>, asked: number): void => {
  expect(chunk.length).toBeLessThanOrEqual(asked)
  expect(items(chunk)).toBeGreaterThan(0)
  expect(typeof chunk.next).toBe("string")
  expect(Number.isFinite(chunk.bytes) && chunk.bytes >= 0).toBe(true)
  expect(chunk.rows !== undefined || chunk.columns !== undefined).toBe(true)
  if (chunk.rows !== undefined) expect(chunk.rows.length).toBe(chunk.length)
  for (const [name, column] of Object.entries(chunk.columns ?? {})) {
    expect(column.length).toBe(chunk.length)
    if (chunk.rows !== undefined) {
      for (let i = 0; i < chunk.length; i++) expect(column[i]).toEqual(fieldOf(chunk.rows[i], name))
    }
  }
  if (features.appendTime) {
    expect(chunk.appendTimes?.length).toBe(chunk.length)
    expect(chunk.appendTimes?.every((t) => Number.isFinite(t))).toBe(true)
  } else expect(chunk.appendTimes).toBeUndefined()
  if (chunk.meta !== undefined) for (let i = 0; i < chunk.length; i++) expect(chunk.meta(i)).toBeDefined()
  let before = 0
  for (const d of chunk.dead ?? []) {
    expect(d.before).toBeGreaterThanOrEqual(before)
    expect(d.before).toBeLessThanOrEqual(chunk.length)
    before = d.before
    expect(d.bytes.byteLength).toBeLessThanOrEqual(Limits.deadLetterBytesMax)
    expect(d.detail).not.toBe("")
    expect(d.place).not.toBe("")
  }
}

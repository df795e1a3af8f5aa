/**
 * The W1 event stream: event i of N as every peer generates it, dealt to four partitions, and the checksum of results.
 * All arithmetic is 32-bit unsigned.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Sink } from "../../src/model/Sink.ts"
import { type Position, position } from "../../src/model/Position.ts"
import type { Column, Source, SourceChunk } from "../../src/model/Source.ts"

export const partitions = 4
const keys = 10_000
const base = 1_700_000_000_000

const mix = (x: number): number => {
  x ^= x >>> 16
  x = Math.imul(x, 0x85ebca6b)
  x ^= x >>> 13
  x = Math.imul(x, 0xc2b2ae35)
  x ^= x >>> 16
  return x >>> 0
}

export interface W1Event {
  readonly key: number
  readonly value: number
  readonly ts: number
}

/** A chunk and its columns as classes: literals that outlive a scavenge are made old, and keep their columns (ADR 5). */
class W1Columns {
  readonly key: Int32Array
  readonly value: Float64Array
  readonly ts: Float64Array
  constructor(rows: number) {
    this.key = new Int32Array(rows)
    this.value = new Float64Array(rows)
    this.ts = new Float64Array(rows)
  }
}
class W1Chunk implements SourceChunk<W1Event> {
  readonly length: number
  readonly columns: { readonly [field: string]: Column }
  readonly next: Position
  readonly bytes: number
  constructor(columns: W1Columns, next: Position) {
    this.length = columns.ts.length
    this.columns = columns as unknown as { readonly [field: string]: Column }
    this.next = next
    this.bytes = this.length * 20
  }
}

/** The next `rows` events of a partition, from its event number `from` (the event's i is from * 4 + partition). */
export const w1Chunk = (partition: number, from: number, rows: number): SourceChunk<W1Event> => {
  const columns = new W1Columns(rows)
  const { key, value, ts } = columns
  for (let r = 0; r < rows; r++) {
    const i = (from + r) * partitions + partition
    key[r] = mix(i) % keys
    value[r] = i % 1000
    ts[r] = base + Math.floor(i / 10) - (mix((i ^ 0x9e3779b9) >>> 0) % 2001)
  }
  return new W1Chunk(columns, position(String(from + rows)))
}

/** Events of one partition when there are `events` in all. */
export const eventsOf = (partition: number, events: number): number => Math.ceil((events - partition) / partitions)

/** W1 as a source: bounded, replayable, four partitions. */
export const w1Source = (events: number): Source<W1Event> => ({
  name: "w1",
  features: { bounded: true, appendTime: false, endPosition: false, replayable: true, dynamicPartitions: false },
  partitions: (known) =>
    Effect.succeed(Array.from({ length: partitions }, (_, p) => String(p)).filter((p) => !known.has(p))),
  open: (partition, from) =>
    Effect.sync(() => {
      const p = Number(partition)
      const total = eventsOf(p, events)
      let at = Option.isSome(from) ? Number(from.value) : 0
      return {
        pull: (demand) =>
          Effect.suspend(() => {
            const rows = Math.min(demand.rows, total - at)
            if (rows <= 0) return Effect.fail(Cause.Done())
            const chunk = w1Chunk(p, at, rows)
            at += rows
            return Effect.succeed(chunk)
          }),
        end: Effect.succeed(Option.none())
      }
    })
})

/** A result row of W1. */
export interface W1Result {
  readonly key: number
  readonly window_start: number
  readonly n: number
  readonly total: number | bigint
  readonly low: number | bigint | null
  readonly high: number | bigint | null
}

/** Adds results up as the peers do; the order of results does not matter. */
export class W1Check {
  results = 0
  checksum = 0
  sumCount = 0
  sumSum = 0

  add(rows: ReadonlyArray<W1Result>): void {
    for (const row of rows) {
      const index = (row.window_start - 1_699_999_990_000) / 10_000
      const total = Number(row.total)
      this.results++
      this.sumCount += row.n
      this.sumSum += total
      this.checksum =
        (this.checksum +
          mix((row.key ^ Math.imul(index, 0x9e3779b9)) >>> 0) +
          Math.imul(row.n, 31) +
          Math.imul(total, 17) +
          Math.imul(Number(row.low), 7) +
          Math.imul(Number(row.high), 3)) >>>
        0
    }
  }
}

/** A sink that only adds up. */
export const checkSink = (check: W1Check): Sink<W1Result, "append"> => ({
  name: "check",
  features: { modes: ["append"], guarantee: "at-least-once", multiWriter: false, deletes: false },
  writer: ({ query, writer }) =>
    Effect.succeed({
      write: ({ rows }) =>
        Effect.sync(() => {
          check.add(rows)
          return []
        }),
      prepare: (epoch) => Effect.succeed({ query, writer, epoch, data: null })
    }),
  commit: () => Effect.void,
  committed: () => Effect.succeed(Option.none())
})

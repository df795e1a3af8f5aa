/**
 * The fused operators: they take a chunk, count what becomes of its rows, and push chunks on, in one synchronous step.
 * An operator runs in the fiber of the actor before it; only keyed operators and sinks have fibers of their own.
 */
import { Limits } from "../model/Limits.ts"
import type { RowChunk } from "../model/RowChunk.ts"
import { ordinalAt, laneAt, subAt } from "../model/RowChunk.ts"
import type { DeadReason } from "../model/DeadLetter.ts"
import type { Counters } from "./Counters.ts"
import { RowFault } from "./UserCode.ts"
import type { WatermarkGenerator } from "./Watermark.ts"

/** Anything that takes chunks. */
export interface ChunkTarget {
  readonly push: (chunk: RowChunk) => void
}

/** User code threw. The task that runs the operator turns this into a `QueryError`. */
export class OperatorFailure extends Error {
  readonly operator: string
  readonly lane: string | number
  readonly ordinal: number
  /** False where only the chunk is known, of which the first row stands for all. */
  readonly isExact: boolean
  constructor(operator: string, chunk: RowChunk, i: number, cause: unknown, isExact = true) {
    super(`${operator} threw`, { cause })
    this.operator = operator
    this.isExact = isExact
    this.lane = laneAt(chunk.order, i)
    this.ordinal = ordinalAt(chunk.order, i)
  }
}

/** What an operator's step threw, with the row it was at where that is known. */
export const failureOf = (operator: string, chunk: RowChunk, thrown: unknown): OperatorFailure =>
  thrown instanceof RowFault
    ? new OperatorFailure(operator, chunk, thrown.index, thrown.cause)
    : new OperatorFailure(operator, chunk, 0, thrown, false)

/** Takes rows that an operator gives up on: `note(chunk, i, reason, detail)`. */
export type DeadRowTaker = (operator: string, chunk: RowChunk, i: number, reason: DeadReason, detail: string) => void

/** One row for each; `f` throwing is an `OperatorFailure` that names the row. */
export const mapOperator = (
  operator: string,
  f: (row: unknown) => unknown,
  counters: Counters,
  next: ChunkTarget
): ChunkTarget => ({
  push: (chunk) => {
    const { rows, length: n } = chunk
    const out = new Array<unknown>(n)
    let i = 0
    try {
      for (; i < n; i++) out[i] = f(rows[i])
    } catch (cause) {
      throw new OperatorFailure(operator, chunk, i, cause)
    }
    counters.in += n
    counters.forwarded += n
    next.push(chunk.withRows(out))
  }
})

/** Keeps rows, counts the others as filtered. */
export const filterOperator = (
  operator: string,
  keep: (row: unknown) => boolean,
  counters: Counters,
  next: ChunkTarget
): ChunkTarget => ({
  push: (chunk) => {
    const { rows, length: n } = chunk
    const kept = new Int32Array(n)
    let count = 0
    let i = 0
    try {
      for (; i < n; i++) if (keep(rows[i])) kept[count++] = i
    } catch (cause) {
      throw new OperatorFailure(operator, chunk, i, cause)
    }
    counters.in += n
    counters.forwarded += count
    counters.filtered += n - count
    if (count === n) next.push(chunk)
    else if (count > 0) next.push(chunk.pick(kept, count))
  }
})

/**
 * The input is forwarded, its outputs are new rows of the next edge (rule L1), told apart by their index; `made` counts
 * them.
 */
export const flatMapOperator = (
  operator: string,
  f: (row: unknown) => Iterable<unknown>,
  outputsPerRowMax: number,
  counters: Counters,
  made: { rows: number },
  next: ChunkTarget
): ChunkTarget => ({
  push: (chunk) => {
    const { rows, length: n } = chunk
    const out: Array<unknown> = []
    const from: Array<number> = []
    const subs: Array<number> = []
    let i = 0
    // However many outputs a row has, no chunk grows beyond its bound.
    const flush = (upTo: number): void => {
      for (let at = 0; at < upTo; at += Limits.chunkRowsTarget) {
        const to = Math.min(upTo, at + Limits.chunkRowsTarget)
        const picked = Int32Array.from(from.slice(at, to))
        next.push(chunk.pick(picked, to - at, out.slice(at, to), Float64Array.from(subs.slice(at, to))))
      }
      out.splice(0, upTo)
      from.splice(0, upTo)
      subs.splice(0, upTo)
    }
    for (; i < n; i++) {
      let sub = subAt(chunk.order, i) * outputsPerRowMax
      try {
        for (const row of f(rows[i])) {
          made.rows++
          out.push(row)
          from.push(i)
          subs.push(sub++)
        }
      } catch (cause) {
        throw new OperatorFailure(operator, chunk, i, cause)
      }
      if (out.length >= Limits.chunkRowsTarget) flush(out.length)
    }
    counters.in += n
    counters.forwarded += n
    flush(out.length)
  }
})

/** Tells the branches of a stream that is joined with itself apart in the total order. */
export const unionBranch = (branch: 0 | 1, next: ChunkTarget): ChunkTarget => ({
  push: (chunk) => {
    const subs = new Float64Array(chunk.length)
    for (let i = 0; i < subs.length; i++) subs[i] = subAt(chunk.order, i) * 2 + branch
    next.push(chunk.withSubs(subs))
  }
})

/** Gives rows their event time and W_p; refuses what has none and what the clock guard quarantines (T1, T2, T8). */
export const eventTimeOperator = (
  operator: string,
  generator: WatermarkGenerator,
  counters: Counters,
  now: () => number,
  dead: DeadRowTaker,
  next: ChunkTarget
): ChunkTarget => ({
  push: (chunk) => {
    let timed: ReturnType<WatermarkGenerator["process"]>
    try {
      timed = generator.process(chunk, now())
    } catch (thrown) {
      throw failureOf(operator, chunk, thrown)
    }
    counters.in += chunk.length
    for (const i of timed.untimed) dead(operator, chunk, i, "event-time", "event time is missing or is no instant")
    for (const i of timed.quarantined)
      dead(operator, chunk, i, "future-dated", "event time is too far ahead (clock guard)")
    counters.dead += timed.untimed.length
    counters.quarantined += timed.quarantined.length
    if (timed.chunk === undefined) return
    counters.forwarded += timed.chunk.length
    next.push(timed.chunk)
  }
})

/** Pushes to several targets in turn. */
export const fanOut = (targets: ReadonlyArray<ChunkTarget>): ChunkTarget =>
  targets.length === 1
    ? targets[0]
    : {
        push: (chunk) => {
          for (const target of targets) target.push(chunk)
        }
      }

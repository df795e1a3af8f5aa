/**
 * The pure part of `Replay`: takes rows in their old order, keeps those of one partition, and gives them in the order of
 * their release times.
 *
 * Row number n belongs to partition hash(seed, n) mod partitions. It is released at its time plus a delay: a draw from
 * [0, within), for planted late rows more. A row comes out when a row kept after it has a time at or past its release:
 * then nothing that sorts before it can follow. What comes out depends on the rows and their order alone, never on how
 * they were cut into chunks. Rows whose times go backwards, or have none, come out as soon as they can; none is lost.
 */
import type { DeadRow } from "../../model/DeadLetter.ts"
import type { SourceChunk } from "../../model/Source.ts"
import { draw, eventHash, partitionSeed, unit } from "./hash.ts"
import { makeHeap } from "./ReleaseHeap.ts"

/** What is done to the rows, in numbers. */
export interface ShuffleRules {
  readonly seed: number
  readonly partitions: number
  readonly withinMs: number
  readonly late: number
  readonly lateByMs: number
  readonly duplicates: number
}

/** Reads the time of a row of a chunk, ms; NaN when it has none. */
export type TimeReader = (i: number) => number

const partitionDraw = 0
const delayDraw = 1
const oddDraw = 2
const copyDraw = 3

/** Rows waiting and rows out, by slot; a slot is a row of a chunk that is still needed. */
export interface Shuffle<A, M> {
  /** Takes rows from a chunk, from where it stopped, until it is used up or `enough` items are out. True: used up. */
  readonly feed: (chunk: SourceChunk<A, M>, timeOf: TimeReader, enough: number) => boolean
  /** No more chunks come: lets up to `enough` items out. */
  readonly flush: (enough: number) => void
  /** Items out and not taken. */
  readonly ready: () => number
  /** Takes the first `n` items out. */
  readonly take: (n: number) => Taken<A, M>
  /** Forgets the first `n` items out. */
  readonly skip: (n: number) => void
}

/** Rows by chunk and index, in order, and dead rows between them. */
export interface Taken<A, M> {
  readonly chunks: ReadonlyArray<SourceChunk<A, M>>
  readonly indices: Int32Array
  readonly dead: ReadonlyArray<DeadRow>
}

/** An empty shuffle for partition number `partition`. */
export const makeShuffle = <A, M>(rules: ShuffleRules, partition: number): Shuffle<A, M> => {
  const seed = partitionSeed(rules.seed, 0)
  const deadSeed = partitionSeed(rules.seed, 1)
  const { withinMs, late, duplicates } = rules
  const lateMs = 2 * withinMs + rules.lateByMs + 1
  const heap = makeHeap()
  const slotChunk: Array<SourceChunk<A, M> | undefined> = []
  const slotIndex: Array<number> = []
  const free: Array<number> = []
  /** Slots of rows out; dead rows as -1 - index in `dead`. `head` is the first not taken. */
  let out: Array<number> = []
  let head = 0
  let dead: Array<DeadRow> = []
  let number = 0
  let deadNumber = 0
  let frontier = Number.NEGATIVE_INFINITY
  let nextRow = 0
  let nextDead = 0

  const slotFor = (chunk: SourceChunk<A, M>, index: number): number => {
    const slot = free.pop() ?? slotIndex.length
    slotChunk[slot] = chunk
    slotIndex[slot] = index
    return slot
  }
  const release = (slot: number): void => {
    slotChunk[slot] = undefined
    free.push(slot)
  }
  const bury = (chunk: SourceChunk<A, M>): void => {
    const list = chunk.dead ?? []
    while (nextDead < list.length && list[nextDead].before <= nextRow) {
      const row = list[nextDead++]
      if (draw(eventHash(deadSeed, deadNumber++), partitionDraw) % rules.partitions !== partition) continue
      out.push(-1 - dead.length)
      dead.push(row)
    }
  }
  const keep = (chunk: SourceChunk<A, M>, index: number, timeOf: TimeReader, event: number): void => {
    const time = timeOf(index)
    if (time > frontier) frontier = time
    while (heap.least() <= frontier) out.push(heap.pop())
    const odd = unit(event, oddDraw)
    const delay = unit(event, delayDraw) * withinMs + (odd < late ? lateMs : 0)
    const at = Number.isNaN(time) ? Number.NEGATIVE_INFINITY : time
    heap.push(at + delay, number, slotFor(chunk, index))
    if (odd >= late && odd < late + duplicates)
      heap.push(at + unit(event, copyDraw) * withinMs, number, slotFor(chunk, index))
  }
  const emptied = (): void => {
    if (head < out.length) return
    out = []
    dead = []
    head = 0
  }

  return {
    feed: (chunk, timeOf, enough) => {
      for (; nextRow < chunk.length; nextRow++) {
        bury(chunk)
        if (out.length - head >= enough) return false
        const event = eventHash(seed, number)
        if (draw(event, partitionDraw) % rules.partitions === partition) keep(chunk, nextRow, timeOf, event)
        number++
      }
      bury(chunk)
      nextRow = 0
      nextDead = 0
      return true
    },
    flush: (enough) => {
      while (heap.size() > 0 && out.length - head < enough) out.push(heap.pop())
    },
    ready: () => out.length - head,
    take: (n) => {
      const chunks: Array<SourceChunk<A, M>> = []
      const indices = new Int32Array(n)
      const buried: Array<DeadRow> = []
      for (let k = 0; k < n; k++) {
        const slot = out[head++]
        if (slot < 0) {
          buried.push({ ...dead[-1 - slot], before: chunks.length })
          continue
        }
        indices[chunks.length] = slotIndex[slot]
        chunks.push(slotChunk[slot] as SourceChunk<A, M>)
        release(slot)
      }
      emptied()
      return { chunks, indices: indices.subarray(0, chunks.length), dead: buried }
    },
    skip: (n) => {
      for (let k = 0; k < n; k++) {
        const slot = out[head++]
        if (slot >= 0) release(slot)
      }
      emptied()
    }
  }
}

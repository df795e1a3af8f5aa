/**
 * The pure operator of `EventStream.process` without fibers: rows of partitions through generators and exchanges to
 * instances, the clock by hand, snapshots as the plain values that a checkpoint would give back.
 */
import { Schema } from "effect"
import type { RowChunk as RowChunkType } from "../../src/model/RowChunk.ts"
import { RowChunk } from "../../src/model/RowChunk.ts"
import { Later, type SnapshotValue } from "../../src/model/Snapshot.ts"
import { Counters } from "../../src/streams/Counters.ts"
import { KeyedExchange } from "../../src/streams/Exchange.ts"
import { hashKey, type KeyTuple, receiverOf } from "../../src/streams/KeyDictionary.ts"
import type { ProcessNode } from "../../src/streams/Plan.ts"
import { processOperator } from "../../src/streams/state/ProcessState.ts"
import { WatermarkGenerator } from "../../src/streams/Watermark.ts"
import { EventStream, Memory } from "tidemark"

/** A row of these tests: key, event time, value. */
export interface Row {
  readonly k: string
  readonly t: number
  readonly v: number
}

/** The row of key `k` at time `t`. */
export const row = (k: string, t: number, v = 0): Row => ({ k, t, v })

/** Rows with event time, by key. */
export const timedBy = (outOfOrderness: number) =>
  EventStream.from(Memory.source<Row>([])).pipe(
    EventStream.withEventTime("t", { outOfOrderness }),
    EventStream.keyBy("k")
  )
/** Rows without event time, by key. */
export const untimedBy = EventStream.from(Memory.source<Row>([])).pipe(EventStream.keyBy("k"))

/** A state of one number. */
export const Total = Schema.Struct({ total: Schema.Number })

/** The last node of a stream, as the `process` it is. */
export const nodeOf = (stream: { readonly plan: unknown }): ProcessNode => stream.plan as ProcessNode

/** What came out: the row, its event time and its W_p. */
export interface Out {
  readonly row: unknown
  readonly time: number | undefined
  readonly watermark: number | undefined
}

/** A snapshot as it comes back: `Later`s made, columns copied, the rest through the text of JSON. */
export const readBack = (value: SnapshotValue): SnapshotValue => {
  if (value instanceof Later) return readBack(value.value())
  if (value instanceof Float64Array || value instanceof Int32Array || value instanceof Uint8Array) return value.slice()
  if (Array.isArray(value)) return (value as ReadonlyArray<SnapshotValue>).map(readBack)
  if (typeof value !== "object" || value === null) return JSON.parse(JSON.stringify(value)) as SnapshotValue
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, readBack(v as SnapshotValue)]))
}

type Operator = ReturnType<typeof processOperator>

/** What a checkpoint holds of instances and their readers. */
export interface Taken {
  readonly states: () => ReadonlyArray<SnapshotValue>
  readonly watermarks: ReadonlyArray<number>
  readonly read: ReadonlyArray<number>
  readonly marks: ReadonlyArray<number>
  readonly reached: number
}

/** Some instances of one `process` and their readers. */
export class Instances {
  readonly out: Array<Out> = []
  readonly late: Array<unknown> = []
  /** Places in the total order, where they are asked for. */
  readonly orders: Array<readonly [lane: unknown, ordinal: unknown]> = []
  readonly counters = new Counters()
  readonly operators: ReadonlyArray<Operator>
  readonly #node: ProcessNode
  readonly #ordered: boolean
  readonly #readers: ReadonlyArray<{
    readonly generator: WatermarkGenerator | undefined
    readonly exchange: KeyedExchange
    read: number
  }>
  readonly #marks: Array<number>
  readonly #output = {
    emit: (chunk: RowChunkType) => {
      chunk.rows.forEach((value, i) =>
        this.out.push({ row: value, time: chunk.times[i], watermark: chunk.watermarks[i] })
      )
      const { lanes, ordinals } = chunk.order
      if (lanes !== undefined) lanes.forEach((lane, i) => this.orders.push([lane, ordinals?.[i]]))
    },
    late: (rows: ReadonlyArray<unknown>) => void this.late.push(...rows)
  }
  reached = -Infinity

  private constructor(node: ProcessNode, instances: number, partitions: number, ordered: boolean) {
    this.#node = node
    this.#ordered = ordered
    this.operators = Array.from({ length: instances }, () =>
      processOperator(node, ordered, this.counters, () => partitions === 1)
    )
    this.#marks = new Array<number>(partitions).fill(-Infinity)
    const { input } = node.input
    this.#readers = this.#marks.map(() => ({
      generator: input.kind === "withEventTime" ? new WatermarkGenerator(input.spec, false) : undefined,
      exchange: new KeyedExchange({
        key: node.input.columns,
        aggregates: [],
        receivers: instances,
        needsRows: true,
        needsOrder: false
      }),
      read: 0
    }))
  }

  static async make(
    stream: { readonly plan: unknown },
    options: { readonly instances?: number; readonly partitions?: number; readonly ordered?: boolean } = {}
  ): Promise<Instances> {
    const node = nodeOf(stream)
    await node.spec.load()
    return new Instances(node, options.instances ?? 1, options.partitions ?? 1, options.ordered ?? false)
  }

  /** One chunk of a partition, and the watermark after it. */
  rows(rows: ReadonlyArray<unknown>, partition = 0): void {
    const reader = this.#readers[partition]
    const chunk = new RowChunk(rows.length, rows, undefined, { lane: partition, first: reader.read }, 1)
    reader.read += rows.length
    const timed = reader.generator === undefined ? chunk : reader.generator.process(chunk, 0).chunk
    if (timed !== undefined)
      reader.exchange.deal(timed, (receiver, batch) => {
        this.operators[receiver].process(partition, batch, this.#output)
        batch.release()
      })
    if (reader.generator !== undefined) this.watermark(reader.generator.watermark, partition)
  }

  /** A partition's watermark rises. */
  watermark(watermark: number, partition = 0): void {
    this.#readers[partition].generator?.raise(watermark)
    this.#marks[partition] = Math.max(this.#marks[partition], watermark)
    const least = Math.min(...this.#marks)
    if (least <= this.reached) return
    this.reached = least
    for (const operator of this.operators) while (!operator.advance(least, this.#output));
  }

  end(): void {
    for (const operator of this.operators) while (!operator.advance(Infinity, this.#output));
  }

  tick(nowMs: number): void {
    for (const operator of this.operators) while (operator.tick?.(nowMs, this.#output) === false);
  }

  /** Rows of the results. */
  get results(): ReadonlyArray<unknown> {
    return this.out.map((o) => o.row)
  }

  /** At a barrier: what is held, to be made later, as a checkpoint does, and where the readers are. */
  snapshot(): Taken {
    const taken = this.operators.map((operator) => operator.snapshot())
    const watermarks = this.#readers.map((reader) => reader.generator?.watermark ?? -Infinity)
    const read = this.#readers.map((reader) => reader.read)
    return { states: () => taken.map(readBack), watermarks, read, marks: [...this.#marks], reached: this.reached }
  }

  /** The query after a restart, with as many instances; readers go on where they were. */
  async restarted(
    from: Taken,
    instances: number,
    stream: { readonly plan: unknown } = { plan: this.#node }
  ): Promise<Instances> {
    const ordered = this.#ordered
    const next = await Instances.make(stream, { instances, partitions: this.#marks.length, ordered })
    next.#marks.splice(0, this.#marks.length, ...from.marks)
    next.reached = from.reached
    next.#readers.forEach((reader, p) => {
      reader.generator?.raise(from.watermarks[p])
      reader.read = from.read[p]
    })
    const states = from.states()
    next.operators.forEach((operator, i) => {
      operator.restore(states, (key: KeyTuple) => receiverOf(hashKey(key), instances) === i)
    })
    return next
  }
}

/** The message of what a call throws. */
export const fault = (f: () => void): string => {
  try {
    f()
  } catch (thrown) {
    return (thrown as Error).message
  }
  return "no fault"
}

/**
 * Rows on their way to a keyed operator: key numbers, event times, watermarks and the columns that its aggregates
 * read. Row values themselves travel only when someone needs them (a late output, rows kept for a reducer).
 */
import type { RowChunk, RowOrder } from "../model/RowChunk.ts"
import type { Column } from "../model/Source.ts"
import type { BatchOrder } from "./aggregates/Aggregate.ts"
import type { SnapshotValue } from "../model/Snapshot.ts"
import type { KeyDelta, KeyTuple } from "./KeyDictionary.ts"

/**
 * The message of a hash exchange: one column a field, one entry a row; columns may be longer than `length`.
 *
 * A class, since V8 moves what object literals make straight to the old generation once some of it has survived, and
 * dead batches there kept all they referred to alive (ADR 5).
 */
export class KeyedBatch {
  readonly length: number
  readonly delta: KeyDelta
  /** The sender's number of each row's key. */
  readonly numbers: Int32Array
  readonly times: Float64Array
  /** W_p before each row (rule T4). */
  readonly watermarks: Float64Array
  /** One column per aggregate; undefined for an aggregate that reads nothing. */
  readonly inputs: ReadonlyArray<Column | undefined>
  readonly rows: ReadonlyArray<unknown> | undefined
  readonly order: BatchOrder | undefined
  readonly bytes: number
  readonly #columns: BatchColumns
  readonly #pool: BatchPool

  constructor(
    length: number,
    delta: KeyDelta,
    times: Float64Array,
    columns: BatchColumns,
    pool: BatchPool,
    inputs: ReadonlyArray<Column | undefined>,
    rows: ReadonlyArray<unknown> | undefined,
    order: BatchOrder | undefined,
    bytes: number
  ) {
    this.length = length
    this.delta = delta
    this.times = times
    this.numbers = columns.numbers
    this.watermarks = columns.watermarks
    this.inputs = inputs
    this.rows = rows
    this.order = order
    this.bytes = bytes
    this.#columns = columns
    this.#pool = pool
  }

  /** Gives the columns back to the sender. Only the receiver calls it, once, when it needs nothing of the batch any more. */
  release(): void {
    this.#pool.give(this.#columns)
  }
}

/** Columns that a sender fills again once a receiver is done with them. */
export class BatchColumns {
  readonly numbers: Int32Array
  readonly watermarks: Float64Array
  constructor(rows: number) {
    this.numbers = new Int32Array(rows)
    this.watermarks = new Float64Array(rows)
  }
}

/** The columns of one sender that are not on their way; bounded by what its edges can hold. */
export class BatchPool {
  readonly #free: Array<BatchColumns> = []

  /** Columns for at least `rows` rows; what they hold is anything. */
  take(rows: number): BatchColumns {
    const columns = this.#free.pop()
    return columns !== undefined && columns.numbers.length >= rows ? columns : new BatchColumns(rows)
  }

  give(columns: BatchColumns): void {
    this.#free.push(columns)
  }
}

/** What a keyed operator does with rows; the fiber shell round it moves the messages. */
export interface KeyedOperator<In> {
  /** Takes rows of one edge. */
  readonly process: (edge: number, batch: In, out: OperatorOutput) => void
  /**
   * W_op rises to `watermark` (+Infinity: the input has ended, rule T11). Called with rising values only. Returns
   * whether it is done; if not, it has emitted a part of its results and is called again, with nothing between.
   */
  readonly advance: (watermark: number, out: OperatorOutput) => boolean
  /**
   * The time on the clock, for operators that live by processing time: before each batch, and several times a second
   * between messages. Returns whether all that was due has come out; if not, it is called again, as `advance` is.
   */
  readonly tick?: (nowMs: number, out: OperatorOutput) => boolean
  /** A barrier: an updating operator emits what changed in the epoch. */
  readonly barrier: (out: OperatorOutput) => void
  /** Rows in state now, read from the accumulators (rule L2). */
  readonly held: () => number
  /** Keys known now, for progress. */
  readonly keys: () => number
  /** Approximate bytes of state now, for the memory budget (rule A7). Cheap. */
  readonly bytes: () => number
  /** Copies of the state, at a barrier: see `model/Snapshot.ts`. */
  readonly snapshot: () => SnapshotValue
  /**
   * Takes over what instances of this operator held (rule C11): of their keys (dedupe: `[id]`) those that are `isMine`.
   * Called once, before anything else. What has no key (the watermark) is the same in all of them.
   */
  readonly restore: (snapshots: ReadonlyArray<SnapshotValue>, isMine: (key: KeyTuple) => boolean) => void
}

/** Where an operator puts its results; plain calls, no Effect. */
export interface OperatorOutput {
  readonly emit: (chunk: RowChunk) => void
  readonly late: (rows: ReadonlyArray<unknown>) => void
}

/** The order of a batch as columns, for aggregates that break ties by it. */
export const batchOrder = (times: Float64Array, order: RowOrder, n: number, at: (j: number) => number): BatchOrder => {
  const lanes = new Array<string | number>(n)
  const ordinals = new Float64Array(n)
  const subs = new Float64Array(n)
  for (let j = 0; j < n; j++) {
    const i = at(j)
    lanes[j] = order.lanes === undefined ? order.lane : order.lanes[i]
    ordinals[j] = order.ordinals === undefined ? order.first + i : order.ordinals[i]
    subs[j] = order.subs === undefined ? 0 : order.subs[i]
  }
  return { times, lanes, ordinals, subs }
}

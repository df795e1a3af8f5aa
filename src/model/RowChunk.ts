/**
 * A chunk: rows that move together through fused operators: the unit of work (ARCHITECTURE, "How it runs").
 *
 * Beside its values a chunk carries, per row, the event time, the partition's watermark *before* the row (rule T4:
 * lateness is a per-row fact), and the row's place in the total order that ties are broken by (rule A1). All are
 * columns; nothing is allocated per row. Chunks are immutable once pushed on.
 */
import type { Column } from "./Source.ts"

/** Field of a row by name; own properties only matter, so `__proto__` is a name like any other. */
export const fieldOf = (row: unknown, field: string): unknown =>
  field === "__proto__"
    ? (Object.getOwnPropertyDescriptor(row, field)?.value as unknown)
    : (row as { readonly [field: string]: unknown } | null | undefined)?.[field]

/**
 * The place of each row in the order (source, partition, position, output index).
 * `lane` numbers the partitions of a query in a fixed way; `ordinal` counts rows of a partition from its start.
 * Rows made by an operator that mixes partitions are placed by `lanes` of text or number instead (A1: after a window
 * by key and window start, after dedupe by id).
 */
export interface RowOrder {
  readonly lane: number
  /** Ordinal of row 0 when `ordinals` is absent: row i then is `first + i`. */
  readonly first: number
  readonly ordinals?: Float64Array | undefined
  /** Index among the outputs of a flatMap, or the branch of a union of one stream with itself. */
  readonly subs?: Float64Array | undefined
  /** Present on rows that no longer belong to one partition: replaces `lane`. */
  readonly lanes?: ReadonlyArray<string | number> | undefined
}

/** The lane of rows of no partition that nobody has to place: results, where no aggregate breaks ties. */
export const noLane = -1

/** The lane of row i: a number, or what replaces it on rows of no single partition. */
export const laneAt = (o: RowOrder, i: number): string | number => (o.lanes === undefined ? o.lane : o.lanes[i])
/** The ordinal of row i within its lane. */
export const ordinalAt = (o: RowOrder, i: number): number => (o.ordinals === undefined ? o.first + i : o.ordinals[i])
/** The output index of row i; 0 where each row is an only child. */
export const subAt = (o: RowOrder, i: number): number => (o.subs === undefined ? 0 : o.subs[i])

const noNumbers = new Float64Array(0)

/** Rows of one partition, or of one operator's results, as columns: see the head of this file. */
export class RowChunk {
  readonly length: number
  /** Event time of each row, ms; empty before `withEventTime`. */
  readonly times: Float64Array
  /** W_p before each row, -Infinity for "none yet"; empty before `withEventTime`. */
  readonly watermarks: Float64Array
  readonly order: RowOrder
  /** Broker append times, when the source has them. */
  readonly appendTimes: Float64Array | undefined
  readonly columns: { readonly [field: string]: Column } | undefined
  /** Approximate bytes in memory. */
  readonly bytes: number
  #rows: ReadonlyArray<unknown> | undefined

  constructor(
    length: number,
    rows: ReadonlyArray<unknown> | undefined,
    columns: { readonly [field: string]: Column } | undefined,
    order: RowOrder,
    bytes: number,
    times: Float64Array = noNumbers,
    watermarks: Float64Array = noNumbers,
    appendTimes?: Float64Array
  ) {
    this.length = length
    this.#rows = rows
    this.columns = columns
    this.order = order
    this.bytes = bytes
    this.times = times
    this.watermarks = watermarks
    this.appendTimes = appendTimes
  }

  /** The rows; made from the columns on first use when the source gave columns. */
  get rows(): ReadonlyArray<unknown> {
    return (this.#rows ??= rowsFromColumns(this.columns ?? {}, this.length))
  }

  /** The column of a field: the source's own where it gave one, else read out of the rows. */
  column(field: string): Column {
    const own = this.columns
    if (own !== undefined && Object.hasOwn(own, field)) return own[field]
    const rows = this.rows
    const out = new Array<unknown>(this.length)
    for (let i = 0; i < this.length; i++) out[i] = fieldOf(rows[i], field)
    return out
  }

  /** The same rows with event times and watermarks. */
  timed(times: Float64Array, watermarks: Float64Array): RowChunk {
    return new RowChunk(
      this.length,
      this.#rows,
      this.columns,
      this.order,
      this.bytes,
      times,
      watermarks,
      this.appendTimes
    )
  }

  /** The same timed rows, placed in the total order by `lanes`, then event time, instead of by their partition. */
  placed(lanes: ReadonlyArray<string | number>): RowChunk {
    const order: RowOrder = { lane: 0, first: 0, ordinals: this.times, lanes }
    return new RowChunk(this.length, this.#rows, this.columns, order, this.bytes, this.times, this.watermarks)
  }

  /** The same rows with other output indices. */
  withSubs(subs: Float64Array): RowChunk {
    const order: RowOrder = { ...this.order, subs }
    return new RowChunk(
      this.length,
      this.#rows,
      this.columns,
      order,
      this.bytes,
      this.times,
      this.watermarks,
      this.appendTimes
    )
  }

  /** Other values for the same rows, one for one. */
  withRows(rows: ReadonlyArray<unknown>): RowChunk {
    return new RowChunk(
      this.length,
      rows,
      undefined,
      this.order,
      this.bytes,
      this.times,
      this.watermarks,
      this.appendTimes
    )
  }

  /** The rows at `indices[0..n)`, ascending; an index may repeat (flatMap) when `subs` tells the copies apart. */
  pick(indices: Int32Array, n: number, rows?: ReadonlyArray<unknown>, subs?: Float64Array): RowChunk {
    const values = rows ?? (this.#rows === undefined ? undefined : gather(this.#rows, indices, n))
    const columns =
      rows === undefined && values === undefined ? gatherColumns(this.columns ?? {}, indices, n) : undefined
    const o = this.order
    const ordinals = new Float64Array(n)
    for (let j = 0; j < n; j++) ordinals[j] = ordinalAt(o, indices[j])
    const order: RowOrder = {
      lane: o.lane,
      first: 0,
      ordinals,
      subs: subs ?? (o.subs === undefined ? undefined : gatherNumbers(o.subs, indices, n)),
      lanes: o.lanes === undefined ? undefined : gather(o.lanes, indices, n)
    }
    const bytes = this.length === 0 ? 0 : Math.ceil((this.bytes * n) / this.length)
    const times = this.times.length === 0 ? noNumbers : gatherNumbers(this.times, indices, n)
    const watermarks = this.watermarks.length === 0 ? noNumbers : gatherNumbers(this.watermarks, indices, n)
    const appendTimes = this.appendTimes === undefined ? undefined : gatherNumbers(this.appendTimes, indices, n)
    return new RowChunk(n, values, columns, order, bytes, times, watermarks, appendTimes)
  }
}

/** Builds rows field by field; all rows of a chunk share one shape. */
const rowsFromColumns = (columns: { readonly [field: string]: Column }, n: number): ReadonlyArray<unknown> => {
  const names = Object.keys(columns)
  const cols = names.map((name) => columns[name])
  const rows = new Array<unknown>(n)
  for (let i = 0; i < n; i++) {
    const row: { [field: string]: unknown } = {}
    for (let c = 0; c < names.length; c++) {
      if (names[c] === "__proto__") defineOwn(row, names[c], cols[c][i])
      else row[names[c]] = cols[c][i]
    }
    rows[i] = row
  }
  return rows
}

/** A field whose name would otherwise set the prototype. */
const defineOwn = (row: object, name: string, value: unknown): void => {
  Object.defineProperty(row, name, { value, enumerable: true, configurable: true, writable: true })
}

const gather = <T>(from: ReadonlyArray<T>, indices: Int32Array, n: number): Array<T> => {
  const out = new Array<T>(n)
  for (let j = 0; j < n; j++) out[j] = from[indices[j]]
  return out
}

const gatherNumbers = (from: Float64Array, indices: Int32Array, n: number): Float64Array => {
  const out = new Float64Array(n)
  for (let j = 0; j < n; j++) out[j] = from[indices[j]]
  return out
}

const gatherColumns = (
  columns: { readonly [field: string]: Column },
  indices: Int32Array,
  n: number
): { readonly [field: string]: Column } => {
  const out = Object.create(null) as { [field: string]: Column }
  for (const name of Object.keys(columns)) {
    const col = columns[name]
    if (col instanceof Float64Array) out[name] = gatherNumbers(col, indices, n)
    else if (col instanceof Int32Array) {
      const ints = new Int32Array(n)
      for (let j = 0; j < n; j++) ints[j] = col[indices[j]]
      out[name] = ints
    } else out[name] = gather(col, indices, n)
  }
  return out
}

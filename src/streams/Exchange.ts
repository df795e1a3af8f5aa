/**
 * The hash exchange: deals the rows of a chunk to the receivers of a keyed operator, each key always to the same one.
 * Rows are turned into the columns that the operator reads; a row whose key or aggregate input is unfit is refused
 * here, before any state sees it.
 */
import { fieldOf, type RowChunk } from "../model/RowChunk.ts"
import type { Column } from "../model/Source.ts"
import type { AggregateInput, AggregateSpec } from "./aggregates/Aggregate.ts"
import { type BatchColumns, BatchPool, batchOrder, KeyedBatch } from "./KeyedBatch.ts"
import { hashKey, KeyDictionary, keyProblem, receiverOf } from "./KeyDictionary.ts"
import type { KeyColumnSpec, RowValue } from "./Plan.ts"
import { valuesBy } from "./UserCode.ts"

/** A row that cannot be keyed or aggregated. */
export interface RefusedRow {
  readonly index: number
  readonly reason: "key" | "aggregate-input"
  readonly detail: string
}

/** One value per row of a chunk: the source's own column where there is one. */
export const valuesOf = (chunk: RowChunk, value: RowValue): Column => {
  if (value.field !== undefined) return chunk.column(value.field)
  const rows = chunk.rows
  const get = value.get ?? ((row: unknown) => fieldOf(row, value.label))
  return valuesBy(rows, chunk.length, get)
}

const show = (value: unknown): string => {
  if (value === undefined) return "missing"
  if (typeof value === "string") return JSON.stringify(value.slice(0, 80))
  // An object's own idea of its text may throw: {"toString": 1} is JSON too.
  return typeof value === "object" && value !== null ? "an object" : String(value)
}

/** Reads an aggregate's input; rows that do not have a finite number where one is needed are refused. */
const inputOf = (chunk: RowChunk, input: AggregateInput, refuse: (i: number, detail: string) => void): Column => {
  if (input.type === "row" || input.value === undefined) return chunk.rows
  const values = valuesOf(chunk, input.value)
  if (input.type === "value" || values instanceof Int32Array) return values
  const n = chunk.length
  if (values instanceof Float64Array) {
    for (let i = 0; i < n; i++) {
      if (values[i] - values[i] !== 0) refuse(i, `${input.value.label} is ${values[i]}, not a finite number`)
    }
    return values
  }
  const numbers = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    const v = values[i]
    if (typeof v === "number" && v - v === 0) numbers[i] = v
    else if (typeof v === "bigint") return mixedOf(values, input.value.label, refuse)
    else refuse(i, `${input.value.label} is ${show(v)}, not a finite number`)
  }
  return numbers
}

const mixedOf = (
  values: ReadonlyArray<unknown>,
  label: string,
  refuse: (i: number, detail: string) => void
): Column => {
  const out = values.slice()
  for (let i = 0; i < out.length; i++) {
    const v = out[i]
    if (typeof v === "bigint" || (typeof v === "number" && v - v === 0)) continue
    refuse(i, `${label} is ${show(v)}, not a finite number`)
    out[i] = 0
  }
  return out
}

/** What the receiving operator needs of each row, and how many receivers there are. */
export interface KeyedExchangeOptions {
  readonly key: ReadonlyArray<KeyColumnSpec>
  readonly aggregates: ReadonlyArray<AggregateSpec>
  readonly receivers: number
  /** Row values travel too: for a late output. */
  readonly needsRows: boolean
  readonly needsOrder: boolean
}

/** One sender's side of a keyed exchange. */
export class KeyedExchange {
  readonly #o: KeyedExchangeOptions
  readonly #dictionary: KeyDictionary
  readonly #pool = new BatchPool()
  /** What the aggregates read, each once however many read it, and where each finds its own. */
  readonly #distinct: ReadonlyArray<AggregateInput>
  readonly #inputOf: ReadonlyArray<number>
  #entries = new Int32Array(1024)

  constructor(options: KeyedExchangeOptions) {
    this.#o = options
    const distinct: Array<AggregateInput> = []
    this.#inputOf = options.aggregates.map(({ input }) => {
      if (input === undefined) return -1
      const known = distinct.findIndex((other) => sameInput(other, input))
      return known >= 0 ? known : distinct.push(input) - 1
    })
    this.#distinct = distinct
    this.#dictionary = new KeyDictionary(options.key.length, options.receivers)
  }

  /** Deals a chunk: `send` is called at most once per receiver. Returns the rows refused, ascending by index. */
  deal(chunk: RowChunk, send: (receiver: number, batch: KeyedBatch) => void): ReadonlyArray<RefusedRow> {
    const n = chunk.length
    const { receivers, key } = this.#o
    this.#dictionary.renew()
    let refused: Map<number, RefusedRow> | undefined
    const refuse = (reason: RefusedRow["reason"]) => (index: number, detail: string) => {
      refused ??= new Map()
      if (!refused.has(index)) refused.set(index, { index, reason, detail })
    }
    const columns = key.map((column) => valuesOf(chunk, column.value))
    const inputs = this.#distinct.map((input) => inputOf(chunk, input, refuse("aggregate-input")))
    if (this.#entries.length < n) this.#entries = new Int32Array(n)
    const entries = this.#entries
    const sizes = new Int32Array(receivers)
    const dictionary = this.#dictionary
    dictionary.entriesOf(columns, n, entries)
    for (let i = 0; i < n; i++) {
      if (entries[i] < 0) this.#refuseKey(columns, i, refuse("key"))
    }
    if (receivers > 1 || refused !== undefined) this.#count(n, refused, sizes)
    if (receivers === 1 && refused === undefined) send(0, this.#whole(chunk, inputs))
    else this.#split(chunk, inputs, sizes, send)
    return refused === undefined ? [] : [...refused.values()].sort((a, b) => a.index - b.index)
  }

  /** Rows of each receiver; takes out those that are refused. */
  #count(n: number, refused: ReadonlyMap<number, RefusedRow> | undefined, sizes: Int32Array): void {
    const entries = this.#entries
    if (refused !== undefined) for (const index of refused.keys()) entries[index] = -1
    const { receivers } = this.#dictionary
    for (let i = 0; i < n; i++) if (entries[i] >= 0) sizes[receivers[entries[i]]]++
  }

  #refuseKey(columns: ReadonlyArray<Column>, i: number, refuse: (i: number, detail: string) => void): void {
    for (let c = 0; c < columns.length; c++) {
      const problem = keyProblem(columns[c][i])
      if (problem !== undefined) return refuse(i, `key column ${this.#o.key[c].name} ${problem}`)
    }
  }

  /** The columns of the aggregates, from those that differ. */
  #spread(inputs: ReadonlyArray<Column>): ReadonlyArray<Column | undefined> {
    return this.#inputOf.map((i) => (i < 0 ? undefined : inputs[i]))
  }

  /** One receiver, nothing refused: times and inputs go uncopied. */
  #whole(chunk: RowChunk, inputs: ReadonlyArray<Column>): KeyedBatch {
    const n = chunk.length
    const { needsRows, needsOrder } = this.#o
    const columns = this.#pool.take(n)
    columns.numbers.set(n === this.#entries.length ? this.#entries : this.#entries.subarray(0, n))
    columns.watermarks.set(chunk.watermarks)
    return new KeyedBatch(
      n,
      this.#dictionary.takeDelta(0),
      chunk.times,
      columns,
      this.#pool,
      this.#spread(inputs),
      needsRows ? chunk.rows : undefined,
      needsOrder ? batchOrder(chunk.times, chunk.order, n, (j) => j) : undefined,
      n * (20 + inputs.length * 8) + (needsRows ? chunk.bytes : 0)
    )
  }

  #split(
    chunk: RowChunk,
    inputs: ReadonlyArray<Column>,
    sizes: Int32Array,
    send: (receiver: number, batch: KeyedBatch) => void
  ): void {
    const n = chunk.length
    const picks = Array.from(sizes, (size) => new Int32Array(size))
    const columns = Array.from(sizes, (size) => (size === 0 ? undefined : this.#pool.take(size)))
    const at = new Int32Array(sizes.length)
    const { receivers, numbers: own } = this.#dictionary
    const { watermarks } = chunk
    const timed = watermarks.length > 0
    for (let i = 0; i < n; i++) {
      const entry = this.#entries[i]
      if (entry < 0) continue
      const receiver = receivers[entry]
      const j = at[receiver]++
      const mine = columns[receiver] as BatchColumns
      picks[receiver][j] = i
      mine.numbers[j] = own[entry]
      if (timed) mine.watermarks[j] = watermarks[i]
    }
    for (let receiver = 0; receiver < sizes.length; receiver++) {
      const mine = columns[receiver]
      if (mine !== undefined) send(receiver, this.#part(chunk, inputs, receiver, picks[receiver], mine))
    }
  }

  #part(
    chunk: RowChunk,
    inputs: ReadonlyArray<Column>,
    receiver: number,
    pick: Int32Array,
    columns: BatchColumns
  ): KeyedBatch {
    const n = pick.length
    const { needsRows, needsOrder } = this.#o
    const times = chunk.times.length === 0 ? chunk.times : gather(chunk.times, pick)
    const gathered = inputs.map((input) => gatherColumn(input, pick))
    return new KeyedBatch(
      n,
      this.#dictionary.takeDelta(receiver),
      times,
      columns,
      this.#pool,
      this.#spread(gathered),
      needsRows ? (gatherColumn(chunk.rows, pick) as ReadonlyArray<unknown>) : undefined,
      needsOrder ? batchOrder(times, chunk.order, n, (j) => pick[j]) : undefined,
      n * (20 + inputs.length * 8) + (needsRows ? Math.ceil((chunk.bytes * n) / chunk.length) : 0)
    )
  }
}

const sameInput = (a: AggregateInput, b: AggregateInput): boolean =>
  a.type === b.type && (a.value === b.value || (a.value?.field !== undefined && a.value.field === b.value?.field))

const gather = (from: Float64Array, pick: Int32Array): Float64Array => {
  const out = new Float64Array(pick.length)
  for (let j = 0; j < pick.length; j++) out[j] = from[pick[j]]
  return out
}

const gatherColumn = (from: Column, pick: Int32Array): Column => {
  if (from instanceof Float64Array) return gather(from, pick)
  const out = new Array<unknown>(pick.length)
  for (let j = 0; j < pick.length; j++) out[j] = from[pick[j]]
  return out
}

/** Deals whole rows by the hash of an id: the exchange before `dedupe`, where almost every key is new. */
export const dealById = (
  chunk: RowChunk,
  id: RowValue,
  receivers: number,
  send: (receiver: number, chunk: RowChunk) => void
): ReadonlyArray<RefusedRow> => {
  const n = chunk.length
  const ids = valuesOf(chunk, id)
  const refused: Array<RefusedRow> = []
  const picks = Array.from({ length: receivers }, () => new Int32Array(n))
  const sizes = new Int32Array(receivers)
  for (let i = 0; i < n; i++) {
    const value = ids[i]
    const problem = keyProblem(value)
    if (problem !== undefined) {
      refused.push({ index: i, reason: "key", detail: `dedupe id ${id.label} ${problem}` })
      continue
    }
    const receiver = receivers === 1 ? 0 : receiverOf(hashKey([value as string | number | boolean | bigint]), receivers)
    picks[receiver][sizes[receiver]++] = i
  }
  for (let receiver = 0; receiver < receivers; receiver++) {
    const size = sizes[receiver]
    if (size > 0) send(receiver, size === n ? chunk : chunk.pick(picks[receiver], size))
  }
  return refused
}

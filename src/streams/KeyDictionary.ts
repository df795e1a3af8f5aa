/**
 * Keys on their way through a hash exchange. The sender gives every distinct key a small number per receiver and sends
 * the key itself once; the receiver maps the sender's numbers to its own. So an event costs one map look-up, and its
 * key is hashed once in a sender's memory, not once per event.
 *
 * Bounds: a sender forgets everything after `Limits.keyDictionaryEntriesMax` keys and starts a new generation; a
 * receiver frees a key when neither its state nor any sender's generation refers to it (rule A7).
 */
import { hashValue } from "../model/Hash.ts"
import { Limits } from "../model/Limits.ts"
import type { Column } from "../model/Source.ts"
import { roughBytes, sampledBytes } from "./aggregates/StateBytes.ts"

/** A key as the values of its columns, in order. */
export type KeyTuple = ReadonlyArray<string | number | boolean | bigint>

/** Why a value cannot be a key column, or undefined when it can. */
export const keyProblem = (value: unknown): string | undefined => {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "bigint":
      return undefined
    case "number":
      return Number.isNaN(value) ? "is NaN" : undefined
    default:
      return value === null ? "is null" : `is ${typeof value === "object" ? "an object" : typeof value}`
  }
}

/** Stable across processes: decides key group and receiver (rule C11). */
export const hashKey = (tuple: KeyTuple): number => {
  let h = 0
  for (let c = 0; c < tuple.length; c++) h = hashValue(tuple[c], h)
  return h
}

/** The receiver of a key: key groups are dealt to receivers in equal runs. */
export const receiverOf = (hash: number, parallelism: number): number =>
  Math.floor(((hash % Limits.keyGroups) * parallelism) / Limits.keyGroups)

/** Integer keys below this are found by index; a power of two. */
const smallKeys = 1 << 16

type Level = Map<unknown, number | Level>

/** A map from tuples to numbers, one `Map` per column: composite keys are never concatenated, so no two read alike. */
export class TupleIndex {
  readonly #depth: number
  readonly #root: Level = new Map()
  #unkeyed = -1
  /** Numbers of the keys `0..smallKeys)`, as far as they have been looked up as a column of numbers. */
  #small: Int32Array | undefined

  constructor(depth: number) {
    this.#depth = depth
  }

  /** The number of the tuple whose column c is `columns[c][i]`, or -1. */
  getAt(columns: ReadonlyArray<Column>, i: number): number {
    if (this.#depth === 1) return (this.#root.get(columns[0][i]) as number | undefined) ?? -1
    if (this.#depth === 0) return this.#unkeyed
    let level = this.#root
    for (let c = 0; c < this.#depth - 1; c++) {
      const next = level.get(columns[c][i])
      if (next === undefined) return -1
      level = next as Level
    }
    return (level.get(columns[this.#depth - 1][i]) as number | undefined) ?? -1
  }

  /** The numbers of tuples `0..n)`, -1 for those that have none, into `out`. */
  getAll(columns: ReadonlyArray<Column>, n: number, out: Int32Array): void {
    if (this.#depth !== 1) {
      for (let i = 0; i < n; i++) out[i] = this.getAt(columns, i)
      return
    }
    const root = this.#root
    const column = columns[0]
    if (column instanceof Int32Array || column instanceof Float64Array) this.#numbers(column, n, out)
    else {
      for (let i = 0; i < n; i++) {
        const found = root.get(column[i])
        out[i] = found === undefined ? -1 : (found as number)
      }
    }
  }

  /** A column of numbers: small integers, which most are, are found by index. */
  #numbers(column: Int32Array | Float64Array, n: number, out: Int32Array): void {
    const small = (this.#small ??= new Int32Array(smallKeys).fill(-1))
    const root = this.#root
    for (let i = 0; i < n; i++) {
      const key = column[i]
      if ((key & (smallKeys - 1)) === key) {
        const found = small[key]
        if (found >= 0) {
          out[i] = found
          continue
        }
      }
      const found = root.get(key)
      out[i] = found === undefined ? -1 : (found as number)
      if (found !== undefined && (key & (smallKeys - 1)) === key) small[key] = found as number
    }
  }

  get(tuple: KeyTuple): number {
    if (this.#depth === 0) return this.#unkeyed
    let found: number | Level | undefined = this.#root
    for (let c = 0; c < this.#depth && found !== undefined; c++) found = (found as Level).get(tuple[c])
    return (found as number | undefined) ?? -1
  }

  set(tuple: KeyTuple, id: number): void {
    if (this.#depth === 0) {
      this.#unkeyed = id
      return
    }
    let level = this.#root
    for (let c = 0; c < this.#depth - 1; c++) {
      let next = level.get(tuple[c]) as Level | undefined
      if (next === undefined) level.set(tuple[c], (next = new Map()))
      level = next
    }
    level.set(tuple[this.#depth - 1], id)
  }

  delete(tuple: KeyTuple): void {
    this.#small = undefined
    if (this.#depth === 0) {
      this.#unkeyed = -1
      return
    }
    const path: Array<Level> = [this.#root]
    for (let c = 0; c < this.#depth - 1; c++) path.push(path[c].get(tuple[c]) as Level)
    for (let c = this.#depth - 1; c >= 0; c--) {
      path[c].delete(tuple[c])
      if (path[c].size > 0) return
    }
  }
}

/** The keys that a batch speaks of for the first time: numbers `first..first + keys.length)` of a generation. */
export class KeyDelta {
  readonly generation: number
  readonly first: number
  readonly keys: ReadonlyArray<KeyTuple>
  constructor(generation: number, first: number, keys: ReadonlyArray<KeyTuple>) {
    this.generation = generation
    this.first = first
    this.keys = keys
  }
}

const noKeys: ReadonlyArray<KeyTuple> = Object.freeze([])

/** The sender's side: one per exchange port of a task. */
export class KeyDictionary {
  readonly #columns: number
  readonly #receivers: number
  readonly #entriesMax: number
  #index: TupleIndex
  #size = 0
  /** Receiver of each entry, and its number there. */
  receivers = new Int32Array(64)
  numbers = new Int32Array(64)
  readonly #sizes: Array<number>
  readonly #fresh: Array<Array<KeyTuple>>
  #generation = 0

  constructor(columns: number, receivers: number, entriesMax: number = Limits.keyDictionaryEntriesMax) {
    this.#columns = columns
    this.#receivers = receivers
    this.#entriesMax = entriesMax
    this.#index = new TupleIndex(columns)
    this.#sizes = new Array<number>(receivers).fill(0)
    this.#fresh = Array.from({ length: receivers }, () => [])
  }

  /** Starts a new generation when the present one is full; call between batches. */
  renew(): void {
    if (this.#size < this.#entriesMax) return
    this.#index = new TupleIndex(this.#columns)
    this.#size = 0
    this.#sizes.fill(0)
    // Keys of refused rows alone were never sent.
    for (let receiver = 0; receiver < this.#receivers; receiver++) this.#fresh[receiver] = []
    this.#generation++
  }

  /** The entries of rows `0..n)` into `out`; -1 where a key column holds what cannot be a key (see {@link keyProblem}). */
  entriesOf(columns: ReadonlyArray<Column>, n: number, out: Int32Array): void {
    this.#index.getAll(columns, n, out)
    for (let i = 0; i < n; i++) {
      if (out[i] >= 0) continue
      // A new key, unless a row before it in this very chunk has brought it.
      const known = this.#index.getAt(columns, i)
      out[i] = known >= 0 ? known : this.#intern(columns, i)
    }
  }

  #intern(columns: ReadonlyArray<Column>, i: number): number {
    const tuple = new Array<string | number | boolean | bigint>(this.#columns)
    for (let c = 0; c < this.#columns; c++) {
      const value = columns[c][i]
      if (keyProblem(value) !== undefined) return -1
      tuple[c] = Object.is(value, -0) ? 0 : (value as string | number | boolean | bigint)
    }
    const entry = this.#size++
    if (entry >= this.receivers.length) this.#grow()
    const receiver = this.#receivers === 1 ? 0 : receiverOf(hashKey(tuple), this.#receivers)
    this.receivers[entry] = receiver
    this.numbers[entry] = this.#sizes[receiver]++
    this.#fresh[receiver].push(tuple)
    this.#index.set(tuple, entry)
    return entry
  }

  #grow(): void {
    const receivers = new Int32Array(this.receivers.length * 2)
    receivers.set(this.receivers)
    this.receivers = receivers
    const numbers = new Int32Array(this.numbers.length * 2)
    numbers.set(this.numbers)
    this.numbers = numbers
  }

  /** What `receiver` has not been told yet; telling it is the caller's duty. */
  takeDelta(receiver: number): KeyDelta {
    // Never the list that grows: the delta waits in a queue while the next keys are found.
    const keys = this.#fresh[receiver]
    if (keys.length === 0) return new KeyDelta(this.#generation, this.#sizes[receiver], noKeys)
    this.#fresh[receiver] = []
    return new KeyDelta(this.#generation, this.#sizes[receiver] - keys.length, keys)
  }
}

/** The receiver's side: one per task, with one mapping per incoming edge. */
export class KeyTable {
  readonly #index: TupleIndex
  readonly #keys: Array<KeyTuple | undefined> = []
  readonly #free: Array<number> = []
  #references = new Int32Array(64)
  readonly #edges: Array<{ generation: number; size: number; ids: Int32Array }> = []
  /** How many columns a key has. */
  readonly columns: number
  /** Keys known now. */
  size = 0

  constructor(columns: number) {
    this.columns = columns
    this.#index = new TupleIndex(columns)
  }

  /** The keys by id as they are now, for a snapshot: a copy of the list; keys themselves never change. */
  copy(): ReadonlyArray<KeyTuple | undefined> {
    return this.#keys.slice()
  }

  /** Approximate bytes, with the senders' mappings. */
  bytes(): number {
    const { length } = this.#keys
    let bytes = (length + this.#references.length) * 4 + length * 4
    for (const edge of this.#edges) bytes += (edge?.ids.length ?? 0) * 4
    // A tuple, its place in the list and in a map for each column.
    const each = sampledBytes(length, (id) => {
      const tuple = this.#keys[id]
      return tuple === undefined ? 0 : roughBytes(tuple) + tuple.length * 40
    })
    return bytes + each
  }

  keyOf(id: number): KeyTuple {
    return this.#keys[id] as KeyTuple
  }

  retain(id: number): void {
    this.#references[id]++
  }

  release(id: number): void {
    if (--this.#references[id] > 0) return
    this.#index.delete(this.keyOf(id))
    this.#keys[id] = undefined
    this.#free.push(id)
    this.size--
  }

  /** The id of a key, made when it is new. The caller retains it before it releases anything else. */
  idOf(tuple: KeyTuple): number {
    const found = this.#index.get(tuple)
    return found >= 0 ? found : this.add(tuple)
  }

  /** The id of a key that is not known yet. */
  add(tuple: KeyTuple): number {
    const id = this.#free.pop() ?? this.#keys.length
    this.#keys[id] = tuple
    if (id >= this.#references.length) {
      const references = new Int32Array(this.#references.length * 2)
      references.set(this.#references)
      this.#references = references
    }
    this.#index.set(tuple, id)
    this.size++
    return id
  }

  /** Learns a delta from edge `edge` and returns that edge's map: sender's number -> id. */
  learn(edge: number, delta: KeyDelta): Int32Array {
    let known = this.#edges[edge]
    if (known?.generation === delta.generation && known.size !== delta.first) {
      throw new Error(`edge ${edge} has brought ${known.size} keys, and the next are said to be from ${delta.first}`)
    }
    if (known === undefined)
      known = this.#edges[edge] = { generation: delta.generation, size: 0, ids: new Int32Array(64) }
    if (known.generation !== delta.generation) {
      const old = known
      known = this.#edges[edge] = { generation: delta.generation, size: 0, ids: new Int32Array(64) }
      this.#add(known, delta.keys)
      for (let n = 0; n < old.size; n++) this.release(old.ids[n])
    } else this.#add(known, delta.keys)
    return known.ids
  }

  #add(edge: { size: number; ids: Int32Array }, keys: ReadonlyArray<KeyTuple>): void {
    while (edge.size + keys.length > edge.ids.length) {
      const ids = new Int32Array(edge.ids.length * 2)
      ids.set(edge.ids)
      edge.ids = ids
    }
    for (const key of keys) {
      const id = this.idOf(key)
      this.retain(id)
      edge.ids[edge.size++] = id
    }
  }
}

/**
 * The keys of a snapshot. Ids of keys mean something in one instance only, so a snapshot numbers the keys that its
 * state uses densely, writes them once, by column, and slots refer to the numbers.
 */
import { Later, type SnapshotValue } from "../../model/Snapshot.ts"
import { inParts, storedPart, type StoredPart, valueOfPart } from "../aggregates/StoredColumn.ts"
import type { KeyTable, KeyTuple } from "../KeyDictionary.ts"

/** Keys in one part of a column. Written into snapshots, so it may change between releases. */
const keysPerPart = 8192

/** An id that is none: a slot without a key. */
export const noKey = -1

/** The keys of one instance as they are at a barrier. Only references are copied then. */
export class KeysAtBarrier {
  readonly #columns: number
  readonly #keys: ReadonlyArray<KeyTuple | undefined>
  readonly #ids: Array<Int32Array> = []
  #dense: { readonly numbers: Int32Array; readonly ids: Int32Array; readonly count: number } | undefined

  constructor(table: KeyTable) {
    this.#columns = table.columns
    this.#keys = table.copy()
  }

  /** The numbers of the keys of slots; where there is none, -1. `ids` must not change any more. */
  numbersOf(ids: Int32Array): SnapshotValue {
    this.#ids.push(ids)
    return new Later(() => {
      const { numbers } = this.#numbered()
      return ids.map((id) => (id === noKey ? noKey : numbers[id]))
    })
  }

  /** The keys themselves. Called last, when all slots have asked for their numbers. */
  stored(): SnapshotValue {
    const most = this.#ids.reduce((n, ids) => n + ids.length, 0)
    const column = (c: number): ReadonlyArray<Later> =>
      inParts(Math.min(most, this.#keys.length), keysPerPart, (from, to) => {
        const { ids, count } = this.#numbered()
        const end = Math.min(to, count)
        const values: Array<unknown> = []
        for (let number = from; number < end; number++) values.push((this.#keys[ids[number]] as KeyTuple)[c])
        return storedPart("a key", values, 0, values.length)
      })
    return {
      count: new Later(() => this.#numbered().count),
      per: keysPerPart,
      columns: Array.from({ length: this.#columns }, (_, c) => column(c))
    }
  }

  #numbered(): { readonly numbers: Int32Array; readonly ids: Int32Array; readonly count: number } {
    if (this.#dense !== undefined) return this.#dense
    const numbers = new Int32Array(this.#keys.length).fill(noKey)
    const ids = new Int32Array(this.#keys.length)
    let count = 0
    for (const some of this.#ids) {
      for (let i = 0; i < some.length; i++) {
        const id = some[i]
        if (id === noKey || numbers[id] !== noKey) continue
        numbers[id] = count
        ids[count++] = id
      }
    }
    return (this.#dense = { numbers, ids, count })
  }
}

/** Makes the keys of a snapshot known to a table: the id of each of its numbers, -1 for those that are not `isMine`. */
export const restoreKeys = (
  snapshot: SnapshotValue,
  table: KeyTable,
  isMine: (key: KeyTuple) => boolean
): Int32Array => {
  const { count, per, columns } = snapshot as unknown as {
    readonly count: number
    readonly per: number
    readonly columns: ReadonlyArray<ReadonlyArray<StoredPart>>
  }
  const ids = new Int32Array(count)
  // A snapshot has each key once, so those of the first are all new.
  const isFirst = table.size === 0
  for (let number = 0; number < count; number++) {
    const part = Math.floor(number / per)
    const at = number % per
    const key = new Array<KeyTuple[number]>(columns.length)
    for (let c = 0; c < columns.length; c++) key[c] = valueOfPart(columns[c][part], at) as KeyTuple[number]
    ids[number] = isMine(key) ? (isFirst ? table.add(key) : table.idOf(key)) : noKey
  }
  return ids
}

/** The slots whose keys, given by their numbers, are among the restored ones. */
export const slotsOfKeys = (numbers: Int32Array, ids: Int32Array): Int32Array => {
  const slots = new Int32Array(numbers.length)
  let n = 0
  for (let slot = 0; slot < numbers.length; slot++) {
    if (numbers[slot] !== noKey && ids[numbers[slot]] !== noKey) slots[n++] = slot
  }
  return n === slots.length ? slots : slots.slice(0, n)
}

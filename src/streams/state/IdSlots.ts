/**
 * A map from small non-negative integers (key ids) to dense slots, by open addressing in one `Int32Array`. Ids are
 * dense, so an id is its own hash: neighbours stay neighbours and seldom meet. Slots are handed out in the order of
 * first use; there is no removal: a slice is dropped as a whole.
 */
const empty = -1

/** Key id to slot; `size` slots are taken, 0 to `size` - 1. */
export class IdSlots {
  #table: Int32Array
  #mask: number
  /** The id of each slot. */
  ids: Int32Array
  size = 0

  constructor(expected = 16) {
    let capacity = 32
    while (capacity < expected * 2) capacity *= 2
    this.#table = new Int32Array(capacity * 2).fill(empty)
    this.#mask = capacity - 1
    this.ids = new Int32Array(capacity >> 1)
  }

  /** The slot of `id`, or -1. */
  get(id: number): number {
    const table = this.#table
    const mask = this.#mask
    let h = id
    for (;;) {
      h &= mask
      const found = table[h << 1]
      if (found === id) return table[(h << 1) | 1]
      if (found === empty) return empty
      h++
    }
  }

  /** The slot of `id`; a new one when it has none yet. */
  getOrAdd(id: number): number {
    const table = this.#table
    const mask = this.#mask
    let h = id
    for (;;) {
      h &= mask
      const found = table[h << 1]
      if (found === id) return table[(h << 1) | 1]
      if (found === empty) break
      h++
    }
    const slot = this.size++
    if (slot >= this.ids.length) {
      this.#grow()
      this.#place(id, slot)
    } else {
      table[h << 1] = id
      table[(h << 1) | 1] = slot
    }
    this.ids[slot] = id
    return slot
  }

  /** Forgets everything; the room stays. */
  clear(): void {
    this.#table.fill(empty)
    this.size = 0
  }

  /** Bytes of the tables. */
  bytes(): number {
    return this.#table.byteLength + this.ids.byteLength
  }

  #place(id: number, slot: number): void {
    const table = this.#table
    let h = id
    for (;;) {
      h &= this.#mask
      if (table[h << 1] === empty) break
      h++
    }
    table[h << 1] = id
    table[(h << 1) | 1] = slot
  }

  #grow(): void {
    const ids = this.ids
    const capacity = (this.#mask + 1) * 2
    this.#mask = capacity - 1
    this.#table = new Int32Array(capacity * 2).fill(empty)
    this.ids = new Int32Array(capacity >> 1)
    this.ids.set(ids)
    for (let slot = 0; slot < ids.length; slot++) this.#place(ids[slot], slot)
  }
}

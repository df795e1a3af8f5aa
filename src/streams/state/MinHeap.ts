/** A binary heap by numeric key; equal keys in no fixed order. */
export class MinHeap<T> {
  readonly #keys: Array<number> = []
  readonly #values: Array<T> = []

  get size(): number {
    return this.#keys.length
  }

  minKey(): number {
    return this.#keys[0]
  }

  push(key: number, value: T): void {
    const keys = this.#keys
    const values = this.#values
    let at = keys.length
    keys.push(key)
    values.push(value)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (keys[parent] <= key) break
      keys[at] = keys[parent]
      values[at] = values[parent]
      at = parent
    }
    keys[at] = key
    values[at] = value
  }

  /** Takes the value with the smallest key; the heap must not be empty. */
  pop(): T {
    const keys = this.#keys
    const values = this.#values
    const top = values[0]
    const key = keys.pop() as number
    const value = values.pop() as T
    const n = keys.length
    if (n === 0) return top
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= n) break
      if (child + 1 < n && keys[child + 1] < keys[child]) child++
      if (keys[child] >= key) break
      keys[at] = keys[child]
      values[at] = values[child]
      at = child
    }
    keys[at] = key
    values[at] = value
    return top
  }
}

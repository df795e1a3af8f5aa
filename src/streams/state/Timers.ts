/**
 * Things that are due at a time, the earliest first; those of one time in the order they were added. A binary heap whose
 * entries know their places, so that moving and cancelling leave nothing behind: a timer that each row moves on costs
 * one entry, not one a row.
 */

/** What a {@link TimeQueue} holds. `seq` and `place` are the queue's; a place of -1 is outside. */
export interface Due {
  readonly at: number
  seq: number
  place: number
}

/** A timer of owner `K`, which has one of each name. */
export class KeyTimer<K> implements Due {
  readonly owner: K
  readonly name: string
  readonly at: number
  /** It waits for the watermark, else for the clock. */
  readonly isEvent: boolean
  /** Event time of the row or timer that set it. */
  readonly since: number
  /** How many timers before it, each set by the one before, were due at this very time. */
  readonly repeats: number
  seq = 0
  place = -1

  constructor(owner: K, name: string, at: number, isEvent: boolean, since: number, repeats: number) {
    this.owner = owner
    this.name = name
    this.at = at
    this.isEvent = isEvent
    this.since = since
    this.repeats = repeats
  }
}

/** Whether `a` comes before `b`. */
export const isBefore = (a: Due, b: Due): boolean => a.at < b.at || (a.at === b.at && a.seq < b.seq)

/** A queue by time: see the head of this file. */
export class TimeQueue<T extends Due> {
  readonly #heap: Array<T> = []
  #next = 0

  get size(): number {
    return this.#heap.length
  }

  /** Whatever is added from now on has this `seq` or a higher one. */
  get nextSeq(): number {
    return this.#next
  }

  first(): T | undefined {
    return this.#heap[0]
  }

  add(item: T): void {
    item.seq = this.#next++
    this.#up(item, this.#heap.length)
  }

  /** Takes out an item that is in it. */
  remove(item: T): void {
    const heap = this.#heap
    const { place } = item
    const last = heap.pop() as T
    item.place = -1
    if (last === item) return
    if (place > 0 && isBefore(last, heap[(place - 1) >> 1])) this.#up(last, place)
    else this.#down(last, place)
  }

  #up(item: T, from: number): void {
    const heap = this.#heap
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(item, heap[parent])) break
      this.#put(heap[parent], at)
      at = parent
    }
    this.#put(item, at)
  }

  #down(item: T, from: number): void {
    const heap = this.#heap
    let at = from
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++
      if (!isBefore(heap[child], item)) break
      this.#put(heap[child], at)
      at = child
    }
    this.#put(item, at)
  }

  #put(item: T, at: number): void {
    this.#heap[at] = item
    item.place = at
  }
}

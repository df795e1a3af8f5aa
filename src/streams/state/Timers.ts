/**
 * Timers of keys, the earliest first; those of one time in the order they were set. A binary heap whose
 * entries know their places, so that moving and cancelling leave nothing behind: a timer that each row moves on costs
 * one entry, not one a row.
 */

/** A timer of a key, which has one of each name. It does not change but for its place in its queue. */
export class KeyTimer {
  /** The key's number in the table of its operator. */
  readonly id: number
  readonly name: string
  readonly at: number
  /** It waits for the watermark, else for the clock. */
  readonly isEvent: boolean
  /** Event time of the row or timer that set it. */
  readonly since: number
  /** How many timers before it, each set by the one before, were due at this very time. */
  readonly repeats: number
  /** The queue's: its number there, and its place; -1: outside. */
  seq = 0
  place = -1

  constructor(id: number, name: string, at: number, isEvent: boolean, since: number, repeats: number) {
    this.id = id
    this.name = name
    this.at = at
    this.isEvent = isEvent
    this.since = since
    this.repeats = repeats
  }
}

/** Whether `a` comes before `b`. */
export const isBefore = (a: KeyTimer, b: KeyTimer): boolean => a.at < b.at || (a.at === b.at && a.seq < b.seq)

/** A queue by time: see the head of this file. */
export class TimeQueue {
  readonly #heap: Array<KeyTimer> = []
  #next = 0

  get size(): number {
    return this.#heap.length
  }

  /** Whatever is added from now on has this `seq` or a higher one. */
  get nextSeq(): number {
    return this.#next
  }

  first(): KeyTimer | undefined {
    return this.#heap[0]
  }

  add(timer: KeyTimer): void {
    timer.seq = this.#next++
    this.#up(timer, this.#heap.length)
  }

  /** Takes out a timer that is in it. */
  remove(timer: KeyTimer): void {
    const heap = this.#heap
    const { place } = timer
    const last = heap.pop() as KeyTimer
    timer.place = -1
    if (last === timer) return
    if (place > 0 && isBefore(last, heap[(place - 1) >> 1])) this.#up(last, place)
    else this.#down(last, place)
  }

  #up(timer: KeyTimer, from: number): void {
    const heap = this.#heap
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(timer, heap[parent])) break
      this.#put(heap[parent], at)
      at = parent
    }
    this.#put(timer, at)
  }

  #down(timer: KeyTimer, from: number): void {
    const heap = this.#heap
    let at = from
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++
      if (!isBefore(heap[child], timer)) break
      this.#put(heap[child], at)
      at = child
    }
    this.#put(timer, at)
  }

  #put(timer: KeyTimer, at: number): void {
    this.#heap[at] = timer
    timer.place = at
  }
}

/**
 * A priority queue of rows by (release time, number), in typed arrays: the least comes out first, ties in the order of
 * their numbers. Nothing is allocated per row once it has grown to its size.
 */
export interface ReleaseHeap {
  readonly size: () => number
  /** The least release time; Infinity when empty. */
  readonly least: () => number
  readonly push: (release: number, number: number, slot: number) => void
  /** Takes the least out and returns its slot. Only when not empty. */
  readonly pop: () => number
}

/** An empty heap. */
export const makeHeap = (): ReleaseHeap => {
  let releases = new Float64Array(256)
  let numbers = new Float64Array(256)
  let slots = new Int32Array(256)
  let size = 0

  const grow = (): void => {
    const wider = [new Float64Array(size * 2), new Float64Array(size * 2)] as const
    wider[0].set(releases)
    wider[1].set(numbers)
    const wide = new Int32Array(size * 2)
    wide.set(slots)
    ;[releases, numbers] = wider
    slots = wide
  }

  const place = (at: number, release: number, number: number, slot: number): void => {
    releases[at] = release
    numbers[at] = number
    slots[at] = slot
  }

  return {
    size: () => size,
    least: () => (size === 0 ? Number.POSITIVE_INFINITY : releases[0]),
    push: (release, number, slot) => {
      if (size === releases.length) grow()
      let at = size++
      while (at > 0) {
        const up = (at - 1) >> 1
        if (releases[up] < release || (releases[up] === release && numbers[up] <= number)) break
        place(at, releases[up], numbers[up], slots[up])
        at = up
      }
      place(at, release, number, slot)
    },
    pop: () => {
      const out = slots[0]
      size--
      const release = releases[size]
      const number = numbers[size]
      const slot = slots[size]
      let at = 0
      for (;;) {
        let down = 2 * at + 1
        if (down >= size) break
        const right = down + 1
        if (
          right < size &&
          (releases[right] < releases[down] || (releases[right] === releases[down] && numbers[right] < numbers[down]))
        )
          down = right
        if (release < releases[down] || (release === releases[down] && number <= numbers[down])) break
        place(at, releases[down], numbers[down], slots[down])
        at = down
      }
      place(at, release, number, slot)
      return out
    }
  }
}

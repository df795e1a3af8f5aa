/**
 * What the readers of timed streams that meet know of each other: watermarks, idleness (T7), alignment (T14), and where a
 * partition that appears later starts (T12). Shared by the readers of one process; touched only between messages.
 */

interface Lane {
  watermark: number
  idle: boolean
  ended: boolean
  /** It has had rows, in this attempt. */
  moved: boolean
  /** Lets a reader that waits for slower ones go on. */
  resume: (() => void) | undefined
}

/** The partitions of one timed stream, side by side. `driftMs`: how far ahead one may be of the slowest (T14). */
export class Lanes {
  readonly #driftMs: number
  readonly #lanes: Array<Lane> = []
  /** The first watermark that any reader had; Infinity before. */
  #first = Infinity

  constructor(driftMs: number) {
    this.#driftMs = driftMs
  }

  /**
   * Adds a reader; returns its number. It starts where it stood in the checkpoint, or, when it is new, at the minimum of
   * the others (T12): none at the start.
   */
  join(restored?: number): number {
    this.#lanes.push({
      watermark: restored ?? this.#minimum(),
      idle: false,
      ended: false,
      moved: false,
      resume: undefined
    })
    if (restored !== undefined && restored !== -Infinity && this.#first === Infinity) this.#first = restored
    return this.#lanes.length - 1
  }

  /** A reader's watermark as it was last reported; at first, where it starts. */
  watermarkOf(lane: number): number {
    return this.#lanes[lane].watermark
  }

  /** A reader's watermark, which may let others go on. */
  report(lane: number, watermark: number): void {
    const mine = this.#lanes[lane]
    if (watermark === mine.watermark) return
    if (this.#first === Infinity) this.#first = watermark
    mine.watermark = watermark
    this.#resumeOthers()
  }

  /** A reader had rows: it is idle no more. */
  move(lane: number): void {
    this.#lanes[lane].moved = true
    this.setIdle(lane, false)
  }

  setIdle(lane: number, idle: boolean): void {
    if (this.#lanes[lane].idle === idle) return
    this.#lanes[lane].idle = idle
    this.#resumeOthers()
  }

  end(lane: number): void {
    this.#lanes[lane].ended = true
    this.#resumeOthers()
  }

  /** The minimum of the readers that are neither idle nor ended; undefined when there is none. */
  activeMinimum(): number | undefined {
    let min: number | undefined
    for (const lane of this.#lanes) {
      if (lane.idle || lane.ended) continue
      if (min === undefined || lane.watermark < min) min = lane.watermark
    }
    return min
  }

  /** Once all are idle: the minimum of those that have had rows. -Infinity while one is not, or none has. */
  settledMinimum(): number {
    if (this.activeMinimum() !== undefined) return -Infinity
    const moved = this.#lanes.filter((lane) => lane.moved && !lane.ended).map(({ watermark }) => watermark)
    return moved.length === 0 ? -Infinity : Math.min(...moved)
  }

  /** The minimum of all readers that have not ended, idle or not: where a new partition starts (T12). */
  #minimum(): number {
    let min = Infinity
    for (const lane of this.#lanes) if (!lane.ended && lane.watermark < min) min = lane.watermark
    return min === Infinity ? -Infinity : min
  }

  /**
   * T14: further ahead of the slowest active reader than the drift. A reader without a watermark yet counts as standing
   * where the first of all began, so that the others cannot run away before it speaks or is found idle.
   */
  isAhead(lane: number): boolean {
    let min = Infinity
    for (const other of this.#lanes) {
      if (other.idle || other.ended) continue
      min = Math.min(min, other.watermark === -Infinity ? this.#first : other.watermark)
    }
    return this.#lanes[lane].watermark - min > this.#driftMs
  }

  /** Calls `resume` once the lane is no longer ahead. */
  pause(lane: number, resume: () => void): void {
    this.#lanes[lane].resume = resume
  }

  isPaused(lane: number): boolean {
    return this.#lanes[lane].resume !== undefined
  }

  #resumeOthers(): void {
    for (let i = 0; i < this.#lanes.length; i++) {
      const resume = this.#lanes[i].resume
      if (resume === undefined || this.isAhead(i)) continue
      this.#lanes[i].resume = undefined
      resume()
    }
  }
}

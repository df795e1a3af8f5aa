/**
 * What a task knows of its incoming edges: which have brought the barrier, which have ended, and the minimum of their
 * watermarks (W_op, rule T3).
 */
import type { Edge, Inbox } from "./Edge.ts"

/** The edges of a task as barriers and watermarks see them: what aligned, what ended, the minimum. */
export class Alignment {
  readonly #inbox: Inbox
  readonly #watermarks: Array<number> = []
  readonly #ended: Array<boolean> = []
  /** The highest watermark of any edge; an end is none. */
  highest = -Infinity
  #aligned = 0
  #endedCount = 0

  constructor(inbox: Inbox) {
    this.#inbox = inbox
  }

  /** Notes a watermark; returns the minimum over the edges. An edge that has not spoken holds it at -Infinity. */
  watermark(edge: Edge, watermark: number): number {
    if (!(this.#watermarks[edge.index] >= watermark)) this.#watermarks[edge.index] = watermark
    if (watermark > this.highest && watermark !== Infinity) this.highest = watermark
    let min = Infinity
    for (let i = 0; i < this.#inbox.edges.length; i++) min = Math.min(min, this.#watermarks[i] ?? -Infinity)
    return min
  }

  /** Notes an end; returns whether all edges have ended. An ended edge no longer holds the minimum. */
  end(edge: Edge): boolean {
    if (this.#ended[edge.index] !== true) this.#endedCount++
    this.#ended[edge.index] = true
    return this.#endedCount === this.#inbox.edges.length
  }

  /** Holds the edge of a barrier; returns whether all edges have brought it. */
  barrier(edge: Edge): boolean {
    edge.held = true
    this.#aligned++
    return this.#aligned === this.#inbox.edges.length
  }

  /** After the barrier has been passed on: reads all edges again. */
  release(): void {
    this.#aligned = 0
    for (const edge of this.#inbox.edges) this.#inbox.release(edge)
  }
}

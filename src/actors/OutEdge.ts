/**
 * The sending side of an edge: what one synchronous step produces is staged here and sent when the step is done,
 * the last chunk with the watermark that holds after it. So no watermark overtakes a row (rule T13).
 */
import type { Edge } from "./Edge.ts"
import type { Data, Message, Sized } from "./Message.ts"

/** Something that has a watermark: a generator, or a task. */
export interface HasWatermark {
  readonly watermark: number
}

/** An edge as its sender sees it: stage in the step, send after it. */
export class OutEdge {
  readonly edge: Edge
  readonly #staged: Array<Data<Sized>> = []
  /** Whose watermark this edge carries: the minimum of these. None: it carries none. */
  readonly #sources = new Set<HasWatermark>()
  #sent = -Infinity

  constructor(edge: Edge) {
    this.edge = edge
  }

  follow(source: HasWatermark | undefined): void {
    if (source !== undefined) this.#sources.add(source)
  }

  stage(payload: Sized): void {
    this.#staged.push({ tag: "data", payload, watermark: undefined })
  }

  get isStaged(): boolean {
    return this.#staged.length > 0
  }

  /** Moves what is staged, and the watermark if it rose, to `to`, in order. */
  collect(to: Array<{ readonly edge: Edge; readonly message: Message<Sized> }>): void {
    let watermark = Infinity
    for (const source of this.#sources) watermark = Math.min(watermark, source.watermark)
    const rose = watermark !== Infinity && watermark > this.#sent
    if (rose) this.#sent = watermark
    const staged = this.#staged
    for (let i = 0; i < staged.length; i++) {
      if (rose && i === staged.length - 1) staged[i].watermark = watermark
      to.push({ edge: this.edge, message: staged[i] })
    }
    if (rose && staged.length === 0) to.push({ edge: this.edge, message: { tag: "watermark", watermark } })
    staged.length = 0
  }
}

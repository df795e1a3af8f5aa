/**
 * The sending side of an edge: what one synchronous step produces is staged here and sent when the step is done,
 * the last chunk with the watermark that holds after it. So no watermark overtakes a row (rule T13).
 */
import type { Edge } from "./Edge.ts"
import { Data, type Message, type Sized } from "./Message.ts"

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
    this.#staged.push(new Data(payload))
  }

  get isStaged(): boolean {
    return this.#staged.length > 0
  }

  /** Moves what is staged, and the watermark if it rose, to `to`, in order. */
  collect(to: Outbox): void {
    let watermark = Infinity
    for (const source of this.#sources) watermark = Math.min(watermark, source.watermark)
    const rose = watermark !== Infinity && watermark > this.#sent
    if (rose) this.#sent = watermark
    const staged = this.#staged
    const last = staged.length - 1
    if (rose && last >= 0) staged[last].watermark = watermark
    for (let i = 0; i <= last; i++) to.add(this.edge, staged[i])
    if (rose && last < 0) to.add(this.edge, { tag: "watermark", watermark })
    staged.length = 0
  }
}

/** Messages about to be sent, in order; one per task, used again and again. */
export class Outbox {
  readonly edges: Array<Edge> = []
  readonly messages: Array<Message<Sized>> = []

  add(edge: Edge, message: Message<Sized>): void {
    this.edges.push(edge)
    this.messages.push(message)
  }

  clear(): void {
    this.edges.length = 0
    this.messages.length = 0
  }
}

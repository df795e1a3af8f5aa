/**
 * What actors say to each other: in-band, in order, one queue per edge. Nothing else connects them.
 */

import type { EpochBudget } from "./EpochBudget.ts"

/** Rows of one edge, and, when known, the sender's watermark after them. */
export class Data<T> {
  readonly tag = "data"
  readonly payload: T
  /** The sender's watermark after these rows, or undefined when more rows of the same step follow. */
  watermark: number | undefined = undefined
  constructor(payload: T) {
    this.payload = payload
  }
}

/** No row with a lower event time will be on time any more, from this sender. */
export interface Watermark {
  readonly tag: "watermark"
  readonly watermark: number
}

/** Everything before it on this edge belongs to `epoch` or earlier ones (rule C1). */
export interface Barrier {
  readonly tag: "barrier"
  readonly epoch: number
  /** To readers: what they may read after it. */
  readonly budget?: EpochBudget
}

/** No more rows come on this edge; barriers still do (rule T11). */
export interface End {
  readonly tag: "end"
}

/** All that may stand in an edge. */
export type Message<T> = Data<T> | Watermark | Barrier | End | Command

/** What crosses an edge must know its size, for the bounds and the ledger. */
export interface Sized {
  readonly length: number
  readonly bytes: number
}

/** To a reader, from outside: look whether the partition became idle (T7); stop reading and keep what was read. */
export interface Command {
  readonly tag: "tick" | "drain"
}

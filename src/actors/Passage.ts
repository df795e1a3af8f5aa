/** A place that chunks go through inside a task, where their rows are counted: the ledger's edges between fused operators. */
import type { RowChunk } from "../model/RowChunk.ts"
import type { ChunkTarget } from "../streams/Stateless.ts"

/** Hands on what it is given. */
export class Passage implements ChunkTarget {
  /** Rows that went through since the attempt began. */
  rows = 0
  readonly #target: ChunkTarget

  constructor(target: ChunkTarget) {
    this.#target = target
  }

  push(chunk: RowChunk): void {
    this.rows += chunk.length
    this.#target.push(chunk)
  }
}

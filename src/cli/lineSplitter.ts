/**
 * Lines of a stream of bytes, as they are: a line ends with LF, CRLF or the end of the stream. Of a line that is longer
 * than can be used, only the length is kept. Pure.
 */

/** A line. */
export interface Line {
  /** From 1. */
  readonly number: number
  readonly bytes: number
  /** Undefined: it is longer than what is kept. */
  readonly body: Uint8Array | undefined
}

const LF = 10
const CR = 13

const joined = (pieces: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  if (pieces.length === 1) return pieces[0]
  const all = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}

/** Takes blocks of bytes, gives lines. */
export class LineSplitter {
  readonly #keepMax: number
  #number = 1
  #pieces: Array<Uint8Array> = []
  #bytes = 0
  #endsInCr = false

  /** @param keepMax bytes of the longest line whose body is kept */
  constructor(keepMax: number) {
    this.#keepMax = keepMax
  }

  /** Bytes of the line that has not ended yet. */
  get unfinishedBytes(): number {
    return this.#bytes
  }

  /** The lines that end in this block. */
  push(block: Uint8Array): ReadonlyArray<Line> {
    const lines: Array<Line> = []
    let from = 0
    for (;;) {
      const lf = block.indexOf(LF, from)
      if (lf < 0) break
      this.#keep(block.subarray(from, lf))
      lines.push(this.#line(true))
      from = lf + 1
    }
    if (from < block.length) this.#keep(block.subarray(from))
    return lines
  }

  /** The last line, when no LF ended it. */
  end(): ReadonlyArray<Line> {
    return this.#bytes === 0 ? [] : [this.#line(false)]
  }

  #keep(piece: Uint8Array): void {
    this.#bytes += piece.length
    this.#endsInCr = piece.at(-1) === CR || (piece.length === 0 && this.#endsInCr)
    // One byte more, for the CR that is taken off.
    if (this.#bytes > this.#keepMax + 1) this.#pieces = []
    else this.#pieces.push(piece)
  }

  #line(isEnded: boolean): Line {
    const bytes = this.#bytes - (isEnded && this.#endsInCr ? 1 : 0)
    const body = bytes > this.#keepMax ? undefined : joined(this.#pieces, this.#bytes).subarray(0, bytes)
    this.#pieces = []
    this.#bytes = 0
    this.#endsInCr = false
    return { number: this.#number++, bytes, body }
  }
}

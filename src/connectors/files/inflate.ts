/**
 * Decompression by demand, over node:zlib (in its threads): bytes go in when it is hungry, and come out in bounded pieces,
 * however much they expand. An edge.
 *
 * Files of several gzip members or zstd frames are read to their end (Node stops after the first zstd frame); what is no
 * compressed data is an error, never ignored, but for zeros behind a gzip member.
 */
import { createGunzip, createZstdDecompress } from "node:zlib"

/** How bytes are compressed. */
export type Codec = "gzip" | "zstd"

/** A decompressor. One call of `next` at a time; a pending one may be awaited again. */
export interface Inflater {
  /** Gives it compressed bytes. Only when hungry. */
  readonly feed: (block: Uint8Array) => void
  /** No more come. */
  readonly finish: () => void
  /** The next piece; `hungry`: feed or finish it; `end`: all is out. Rejects when the data is broken. */
  readonly next: () => Promise<Uint8Array | "hungry" | "end">
  readonly close: () => void
}

const pieceBytes = 32 << 10

type Engine = ReturnType<typeof createGunzip>

const explain = (codec: Codec, error: Error): string => {
  if ("code" in error && error.code === "Z_BUF_ERROR") return `the ${codec} data ends too early: the file is cut off`
  if (error.message === "incorrect data check" || error.message === "incorrect length check") {
    return `the ${codec} checksum is wrong: rows read from this file may be damaged`
  }
  return `broken ${codec} data: ${error.message}`
}

/** Bytes without the zeros they begin with. */
const behindZeros = (bytes: Uint8Array): Uint8Array => {
  let n = 0
  while (n < bytes.length && bytes[n] === 0) n++
  return bytes.subarray(n)
}

/** Begins to decompress. */
export const inflater = (codec: Codec): Inflater => {
  let wake: () => void = () => undefined
  let failed: Error | undefined
  let finished = false
  let closed = false
  /** The engine of the member or frame that is being read; none between two of them. */
  let engine: Engine | undefined
  let writing = false
  /** The block that the engine was fed last, and how many bytes it had been fed before. */
  let block = new Uint8Array(0)
  let before = 0

  const start = (): Engine => {
    const e =
      codec === "gzip" ? createGunzip({ chunkSize: pieceBytes }) : createZstdDecompress({ chunkSize: pieceBytes })
    engine = e
    block = new Uint8Array(0)
    before = 0
    e.on("readable", () => wake())
    e.on("end", () => wake())
    e.on("error", (error) => {
      if (engine === e) failed ??= error
      wake()
    })
    return e
  }

  const feed = (bytes: Uint8Array): void => {
    const useful = engine === undefined && codec === "gzip" ? behindZeros(bytes) : bytes
    if (useful.length === 0) return
    const e = engine ?? start()
    before += block.length
    block = useful.slice()
    writing = true
    e.write(block, () => {
      if (engine === e) writing = false
      wake()
    })
  }

  /** Node ends a stream where a frame ends within a block. What is left of the block begins the next one. */
  const restart = (e: Engine): boolean => {
    const left = block.subarray(e.bytesWritten - before)
    if (left.length === 0) return false
    e.destroy()
    engine = undefined
    feed(left)
    if (finished) (engine as Engine | undefined)?.end()
    return true
  }

  const next = async (): Promise<Uint8Array | "hungry" | "end"> => {
    for (;;) {
      const piece = engine?.read() as Uint8Array | null | undefined
      if (piece instanceof Uint8Array) return piece
      if (failed !== undefined) throw new Error(explain(codec, failed))
      if (engine === undefined) return finished ? "end" : "hungry"
      if (!writing && !restart(engine)) {
        if (!finished) return "hungry"
        if (engine.readableEnded) return "end"
      }
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }

  start()
  return {
    feed,
    finish: () => {
      finished = true
      engine?.end()
    },
    next,
    close: () => {
      if (closed) return
      closed = true
      failed ??= new Error("closed")
      engine?.destroy()
      wake()
    }
  }
}

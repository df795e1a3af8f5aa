/** Decodes whole inputs, as a source does: fed in blocks, taken by demand. */
import { Effect } from "effect"
import { type Mark, type RowLimits, rowLimits, type StreamFormat } from "../../src/formats/Format.ts"
import type { DeadRow } from "../../src/model/DeadLetter.ts"

export interface DecodeOptions {
  /** Bytes of each block, in turn; default all at once. */
  readonly blocks?: ReadonlyArray<number>
  /** Rows to take at a time. */
  readonly rows?: number
  /** Bytes to decode at a time. */
  readonly bytes?: number
  readonly limits?: Partial<RowLimits>
  /** Ends as a broken stream does. */
  readonly broken?: string
  readonly from?: Mark
}

export interface Whole<A> {
  readonly rows: ReadonlyArray<A>
  readonly lines: ReadonlyArray<number>
  readonly dead: ReadonlyArray<DeadRow>
  /** The mark after each time rows were taken, and how many rows and dead rows had come by then. */
  readonly marks: ReadonlyArray<{ readonly mark: Mark; readonly rows: number; readonly dead: number }>
}

export const bytesOf = (input: string | Uint8Array): Uint8Array =>
  typeof input === "string" ? new TextEncoder().encode(input) : input

/** Everything that a format makes of an input. */
export const decode = async <A>(
  format: StreamFormat<A>,
  input: string | Uint8Array,
  options: DecodeOptions = {}
): Promise<Whole<A>> => {
  const make = await Effect.runPromise(format.load)
  const decoder = make("in", { ...rowLimits, ...options.limits })
  const bytes = bytesOf(input)
  const blocks = options.blocks ?? [bytes.length + 1]
  const rows: Array<A> = []
  const lines: Array<number> = []
  const dead: Array<DeadRow> = []
  const marks: Array<{ readonly mark: Mark; readonly rows: number; readonly dead: number }> = []
  let at = 0
  const { from } = options
  if (from !== undefined) {
    // The head of the stream first, as the file source does it.
    if (from.offset > 0 && !decoder.headRead()) {
      decoder.feed(bytes.slice())
      decoder.take(1, 1)
    }
    decoder.seek(from)
    at = from.offset
  }
  for (let n = 0; ;) {
    const enough = decoder.take(options.rows ?? 1000, options.bytes ?? 1 << 20)
    if (enough || decoder.ended()) {
      const part = decoder.drain()
      for (const d of part.dead) dead.push({ ...d, before: rows.length + d.before })
      rows.push(...part.rows)
      lines.push(...part.lines)
      marks.push({ mark: decoder.mark(), rows: rows.length, dead: dead.length })
    }
    if (decoder.ended()) return { rows, lines, dead, marks }
    if (!decoder.hungry()) continue
    if (at >= bytes.length) decoder.finish(options.broken)
    else {
      const size = Math.max(1, blocks[n++ % blocks.length])
      decoder.feed(bytes.slice(at, at + size))
      at += size
    }
  }
}

/** What is wrong with an input's dead rows, in short. */
export const told = (dead: ReadonlyArray<DeadRow>): ReadonlyArray<string> =>
  dead.map((d) => `${d.before} ${d.place} ${d.reason}: ${d.detail}`)

export const bytesText = (row: DeadRow): string => new TextDecoder().decode(row.bytes)

/**
 * The contract of formats: bytes to rows, bad input as values. Pure and synchronous but for loading, so that files,
 * sockets and brokers use the same decoders.
 *
 * A format is a description. It is loaded once per cursor (schemas are compiled, libraries imported then, not when the
 * program starts) and makes decoders. How the bytes are cut into blocks never changes rows, dead rows or marks.
 */
import type * as Effect from "effect/Effect"
import type { DeadReason, DeadRow } from "../model/DeadLetter.ts"
import { Limits } from "../model/Limits.ts"
import type { OptionProblem } from "../model/Errors.ts"
import type { Column } from "../model/Source.ts"

/** Bounds that a source puts on one row. */
export interface RowLimits {
  /** Bytes of one line, record, element or message; longer ones are dead rows. Default `Limits.lineBytesMax`. */
  readonly lineBytesMax: number
  /** Nesting of JSON; deeper rows are dead. Default `Limits.jsonDepthMax`. */
  readonly jsonDepthMax: number
}

/** The bounds that apply when a source sets none. */
export const rowLimits: RowLimits = { lineBytesMax: Limits.lineBytesMax, jsonDepthMax: Limits.jsonDepthMax }

/** A place between two rows of one stream of bytes: enough to go on there. */
export interface Mark {
  /** Bytes before it, after decompression. */
  readonly offset: number
  /** Number of the line (JSON arrays, Parquet: of the row) that comes next, from 1. */
  readonly line: number
  /** What the decoder has to know beside; 0 at the start. */
  readonly state: number
}

/** Where every stream begins. */
export const startMark: Mark = { offset: 0, line: 1, state: 0 }

/** Rows as a decoder collects them, in order. */
export interface Decoded<out A> {
  readonly rows: Array<A>
  /** Parallel to `rows`: line (JSON arrays, Parquet: row) number, from 1. */
  readonly lines: Array<number>
  readonly dead: Array<DeadRow>
  /** Bytes of input that they took. */
  readonly bytes: number
}

/** What was wrong with one row. */
export interface Fault {
  readonly reason: DeadReason
  readonly detail: string
}

/** Decodes one stream of bytes, fed in blocks. */
export interface StreamDecoder<out A> {
  /** Gives it the bytes that follow; the decoder may keep the array. Only when it is hungry. */
  readonly feed: (block: Uint8Array) => void
  /** No more bytes come. `broken` says why, when it is not the end: it becomes one dead row. */
  readonly finish: (broken?: string) => void
  /**
   * Decodes until `rows` rows (dead ones count) or `bytes` bytes were decoded since the last `drain`, or it is hungry.
   * True when there is enough.
   */
  readonly take: (rows: number, bytes: number) => boolean
  /** Rows, dead ones too, that were decoded and not drained. */
  readonly pending: () => number
  /** Hands over what was decoded since the last time. */
  readonly drain: () => Decoded<A>
  /** It can do nothing more until it is fed or finished. */
  readonly hungry: () => boolean
  /** Finished, and everything was taken. */
  readonly ended: () => boolean
  /** Where the next row begins; right after a `drain`. */
  readonly mark: () => Mark
  /** Goes on at a mark, as if everything before it had been read; what it was fed is forgotten. */
  readonly seek: (mark: Mark) => void
  /** Whether it has read what it needs of the start of the stream (a header), so that it may be sent elsewhere. */
  readonly headRead: () => boolean
}

/** A format read from front to back. */
export interface StreamFormat<out A> {
  readonly kind: "stream"
  /** In the user's words: `JSON lines`. */
  readonly name: string
  readonly problems: ReadonlyArray<OptionProblem>
  /** Compiles the schema. The function makes a decoder for one stream; `source` names it in dead rows. */
  readonly load: Effect.Effect<(source: string, limits: RowLimits) => StreamDecoder<A>>
}

/** Reads a file of known size at any place. */
export interface RandomAccess<E> {
  readonly size: number
  readonly read: (offset: number, length: number) => Effect.Effect<Uint8Array, E>
}

/** Rows of a table: `columns` or `rows`, and what could not be read. */
export interface TablePart<out A> {
  readonly length: number
  readonly rows?: ReadonlyArray<A>
  readonly columns?: { readonly [field: string]: Column }
  /** Row number of row `i` in the file, from 1. */
  readonly lineAt: (i: number) => number
  readonly dead: ReadonlyArray<DeadRow>
  readonly bytes: number
  /** Rows of the file before the next part. */
  readonly next: number
  /** Nothing comes after this part. */
  readonly last: boolean
}

/** Reads one table from a row on: get ready, then take, which cannot be interrupted. */
export interface TableCursor<out A, out E> {
  /** Reads what the next part is made of; false at the end. */
  readonly ready: Effect.Effect<boolean, E>
  /** At least one row or dead row, at most `rows` of both. Once, after `ready` said true. */
  readonly take: (rows: number) => TablePart<A>
}

/** A format that needs to read at any place of a file: no streams, no compression from outside. */
export interface TableFormat<out A> {
  readonly kind: "table"
  readonly name: string
  readonly problems: ReadonlyArray<OptionProblem>
  readonly load: Effect.Effect<<E>(file: RandomAccess<E>, source: string, from: number) => TableCursor<A, E>>
}

/** How bytes become rows. */
export type Format<A> = StreamFormat<A> | TableFormat<A>

/** What a batch of messages became. */
export interface DecodedMessages<out A> {
  readonly rows: Array<A>
  /** Parallel to `rows`: which of the bodies it was. */
  readonly bodies: Array<number>
  readonly dead: Array<DeadRow>
}

/** Decodes messages of a broker, one row each. */
export interface MessageFormat<out A> {
  readonly name: string
  readonly problems: ReadonlyArray<OptionProblem>
  /** Compiles the schema. `place` names body `i` for its dead row: `offset 17`; called for bad ones only. */
  readonly load: Effect.Effect<
    (bodies: ReadonlyArray<Uint8Array>, place: (i: number) => string, limits?: RowLimits) => DecodedMessages<A>
  >
}

/** What a dead row keeps of its bytes: a copy of the first `Limits.deadLetterBytesMax`. */
export const deadRow = (before: number, fault: Fault, place: string, bytes: Uint8Array, more = false): DeadRow => ({
  before,
  reason: fault.reason,
  detail: fault.detail,
  place,
  bytes: bytes.slice(0, Limits.deadLetterBytesMax),
  truncated: more || bytes.length > Limits.deadLetterBytesMax
})

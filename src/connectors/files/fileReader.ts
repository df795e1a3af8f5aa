/**
 * Reads the rows of one open file, by demand: a stream format block by block, a table format by row groups.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { DeadRow } from "../../model/DeadLetter.ts"
import type { FileError, OpenFile } from "../../model/FileSystem.ts"
import type { Column, Demand } from "../../model/Source.ts"
import type { Format, Mark, RandomAccess, RowLimits, StreamDecoder, TableCursor } from "../../formats/Format.ts"
import { byteStream, type ByteStream, type Compression } from "./byteStream.ts"

/** Rows of one file. */
export interface FilePart<out A> {
  readonly length: number
  readonly rows?: ReadonlyArray<A>
  readonly columns?: { readonly [field: string]: Column }
  readonly lineAt: (i: number) => number
  readonly dead: ReadonlyArray<DeadRow>
  readonly bytes: number
  /** Where the rest of the file begins. */
  readonly mark: Mark
  /** There is no rest. */
  readonly last: boolean
}

/** Gets ready, then hands over, which cannot be interrupted: so a pull that is interrupted loses nothing. */
export interface FileReader<out A> {
  /** Reads and decodes as much as is asked for; false at the end of the file. */
  readonly ready: (demand: Demand) => Effect.Effect<boolean, FileError>
  /** At least one row or dead row. Once, after `ready` with the same demand said true. */
  readonly take: (demand: Demand) => FilePart<A>
}

/** Opens readers for files of one format; the schema was compiled. */
export type OpenReader<A> = (
  file: OpenFile,
  path: string,
  from: Mark
) => Effect.Effect<FileReader<A>, FileError, Scope.Scope>

/** `open` gives the bytes from an offset on. The decoder stands at `from`. */
const streamReader = <A>(
  open: (offset: number) => Effect.Effect<ByteStream, FileError>,
  decoder: StreamDecoder<A>,
  from: Mark
): Effect.Effect<FileReader<A>, FileError> =>
  Effect.map(open(from.offset), (first) => {
    let stream = first
    let taken = from

    const more = Effect.suspend(() =>
      Effect.map(stream.read, (block) => {
        if (block === "end") decoder.finish()
        else if ("broken" in block) decoder.finish(block.broken)
        else decoder.feed(block.bytes)
      })
    )
    /** An interrupted pull had asked for more than is wanted now: decodes again from what was last handed over. */
    const rewind = Effect.map(
      Effect.suspend(() => open(taken.offset)),
      (again) => {
        stream = again
        decoder.seek(taken)
      }
    )
    return {
      ready: (demand) =>
        Effect.gen(function* () {
          if (decoder.pending() > demand.rows) yield* rewind
          for (;;) {
            const enough = decoder.take(demand.rows, demand.bytes)
            if (decoder.ended()) return decoder.pending() > 0
            // Enough, but nothing more at hand: looks whether this was the end, so that the position can say so.
            if (decoder.hungry()) yield* more
            else if (enough) return true
          }
        }),
      take: () => {
        const { rows, lines, dead, bytes } = decoder.drain()
        taken = decoder.mark()
        return { length: rows.length, rows, lineAt: (i) => lines[i], dead, bytes, mark: taken, last: decoder.ended() }
      }
    }
  })

/** Reads the head of a stream (a header), which has to be known wherever in the file reading goes on. */
const readHead = <A>(
  decoder: StreamDecoder<A>,
  open: Effect.Effect<ByteStream, FileError, Scope.Scope>
): Effect.Effect<void, FileError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const stream = yield* open
      for (;;) {
        decoder.take(1, 1)
        if (decoder.headRead() || decoder.ended()) return
        decoder.drain()
        const block = yield* stream.read
        if (block === "end" || "broken" in block) return
        decoder.feed(block.bytes)
      }
    })
  )

const tableReader = <A>(table: TableCursor<A, FileError>): FileReader<A> => ({
  ready: () => table.ready,
  take: (demand) => {
    const part = table.take(demand.rows)
    return { ...part, mark: { offset: part.next, line: part.next + 1, state: 0 } }
  }
})

/** Loads a format, and gives what opens readers for it. */
export const readers = <A>(
  format: Format<A>,
  limits: RowLimits,
  compression: Compression
): Effect.Effect<OpenReader<A>> =>
  format.kind === "table"
    ? Effect.map(
        format.load,
        (make): OpenReader<A> =>
          (file, path, from) =>
            Effect.map(file.info, ({ size }) => {
              const access: RandomAccess<FileError> = { size, read: file.read }
              return tableReader(make(access, path, from.offset))
            })
      )
    : Effect.map(
        format.load,
        (make): OpenReader<A> =>
          (file, path, from) =>
            Effect.gen(function* () {
              const scope = yield* Effect.scope
              const decoder = make(path, limits)
              if (from.offset > 0) {
                if (!decoder.headRead()) yield* readHead(decoder, byteStream(file, path, compression, 0))
                decoder.seek(from)
              }
              return yield* streamReader(
                (offset) => Scope.provide(byteStream(file, path, compression, offset), scope),
                decoder,
                from
              )
            })
      )

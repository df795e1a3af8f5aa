/**
 * The bytes of one file from front to back, decompressed, read when they are asked for.
 *
 * Reads are positioned and state only changes when bytes have arrived, so that an interrupted read is simply done again.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Limits } from "../../model/Limits.ts"
import type { FileError, OpenFile } from "../../model/FileSystem.ts"
import type { Inflater } from "./inflate.ts"

/** How files are compressed; `auto`: by their first bytes, and by `.gz` and `.zst`. */
export type Compression = "auto" | "none" | "gzip" | "zstd"

/** What a read gives: bytes, or that there are no more, or why there are none although the file is not at its end. */
export type Block = { readonly bytes: Uint8Array } | { readonly broken: string } | "end"

/** The bytes of one file, block by block. One read at a time; an interrupted one is done again by the next. */
export interface ByteStream {
  readonly read: Effect.Effect<Block, FileError>
}

const end = "end"
const tooShort = (offset: number, size: number): Block => ({
  broken: `the file has ${size} bytes, but ${offset} were read of it before: it was cut off or replaced`
})

const plain = (file: OpenFile, size: number, from: number): ByteStream => {
  let offset = from
  const read = Effect.suspend((): Effect.Effect<Block, FileError> => {
    const at = offset
    return Effect.map(file.read(at, Limits.fileReadBytes), (bytes): Block => {
      if (bytes.length === 0) return at < size ? tooShort(size, at) : end
      offset = at + bytes.length
      return { bytes }
    })
  })
  return { read: from > size ? Effect.succeed(tooShort(from, size)) : read }
}

/** Decompresses from the start of the file, and leaves out the first `from` bytes. */
const compressed = (file: OpenFile, inflate: Inflater, from: number): ByteStream => {
  let offset = 0
  let skip = from
  let pending: Promise<Uint8Array | "hungry" | "end"> | undefined

  const fill = Effect.suspend(() => {
    const at = offset
    return Effect.map(file.read(at, Limits.fileReadBytes), (bytes) => {
      if (bytes.length === 0) inflate.finish()
      else inflate.feed(bytes)
      offset = at + bytes.length
    })
  })
  const take = Effect.map(
    Effect.promise(() =>
      (pending ??= inflate.next()).catch((error: unknown) =>
        error instanceof Error ? error : new Error(String(error))
      )
    ),
    (piece) => {
      pending = undefined
      return piece
    }
  )
  const read: Effect.Effect<Block, FileError> = Effect.gen(function* () {
    for (;;) {
      const piece = yield* take
      if (piece instanceof Error) return { broken: piece.message }
      if (piece === "end") return skip > 0 ? tooShort(from, from - skip) : end
      if (piece === "hungry") {
        yield* fill
        continue
      }
      if (piece.length <= skip) {
        skip -= piece.length
        continue
      }
      const bytes = piece.subarray(skip)
      skip = 0
      return { bytes }
    }
  })
  return { read }
}

const startsWith = (bytes: Uint8Array, magic: ReadonlyArray<number>): boolean => magic.every((b, i) => bytes[i] === b)

const codecOf = (path: string, head: Uint8Array, compression: Compression): "gzip" | "zstd" | undefined => {
  if (compression !== "auto") return compression === "none" ? undefined : compression
  if (startsWith(head, [0x1f, 0x8b])) return "gzip"
  if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) return "zstd"
  return path.endsWith(".gz") ? "gzip" : path.endsWith(".zst") ? "zstd" : undefined
}

/** The bytes of an open file from `offset` on. Node's zlib is loaded for compressed files only. */
export const byteStream = (
  file: OpenFile,
  path: string,
  compression: Compression,
  offset: number
): Effect.Effect<ByteStream, FileError, Scope.Scope> =>
  Effect.gen(function* () {
    const codec = codecOf(path, yield* file.read(0, 4), compression)
    if (codec === undefined) return plain(file, (yield* file.info).size, offset)
    const { inflater } = yield* Effect.promise(() => import("./inflate.ts"))
    const inflate = inflater(codec)
    yield* Effect.addFinalizer(() => Effect.sync(inflate.close))
    return compressed(file, inflate, offset)
  })

/**
 * Decompression of Parquet pages by node:zlib. An edge: the only file of the formats that uses a module of Node's.
 * A page may not claim more than `Limits.parquetPageBytesMax`, whatever its header says.
 */
import { snappyUncompress, type Compressors } from "hyparquet"
import { brotliDecompressSync, crc32, gunzipSync, zstdDecompressSync } from "node:zlib"
import { Limits } from "../model/Limits.ts"

type Decompress = (input: Uint8Array, outputLength: number) => Uint8Array

const bounded =
  (decompress: Decompress): Decompress =>
  (input, outputLength) => {
    if (outputLength > Limits.parquetPageBytesMax) {
      throw new Error(`a page of ${outputLength} bytes is over the limit of ${Limits.parquetPageBytesMax}`)
    }
    return decompress(input, outputLength)
  }

/** For hyparquet: every codec that Node has, and its own Snappy. */
export const compressors: Compressors = {
  SNAPPY: bounded((input, outputLength) => {
    const output = new Uint8Array(outputLength)
    snappyUncompress(input, output)
    return output
  }),
  GZIP: bounded((input, outputLength) => gunzipSync(input, { maxOutputLength: outputLength + 1 })),
  ZSTD: bounded((input, outputLength) => zstdDecompressSync(input, { maxOutputLength: outputLength + 1 })),
  BROTLI: bounded((input, outputLength) => brotliDecompressSync(input, { maxOutputLength: outputLength + 1 }))
}

/** Checksum of a page, as Parquet has it. */
export const checksum = (bytes: Uint8Array): number => crc32(bytes)

/**
 * Looks through the pages of one column before hyparquet decodes them, which trusts what it reads: a corrupt size sends
 * it in circles, a corrupt run length fills memory. What passes here ends, within bounds, with values or an error.
 *
 * Checked: the sizes of pages, their checksums where the writer made some, their numbers of values, Snappy's elements,
 * and every run of the run-length encoding (levels and dictionary indices). A changed value inside a page without a
 * checksum cannot be seen by anyone.
 */
import type { PageHeader, ParquetType } from "hyparquet"
import { Limits } from "../model/Limits.ts"

/** What the footer says of a column in a row group. */
export interface ColumnShape {
  readonly type: ParquetType
  readonly typeLength: number
  /** Values, with those that are null. */
  readonly values: number
  readonly maxDefinition: number
  readonly maxRepetition: number
}

/** What is needed of the libraries. */
export interface PageTools {
  readonly header: (reader: { view: DataView; offset: number }) => PageHeader
  readonly crc32: (bytes: Uint8Array) => number
  /** Of the column's codec; absent: not compressed. */
  readonly decompress: ((bytes: Uint8Array, length: number) => Uint8Array) | undefined
}

const fail = (what: string): never => {
  throw new Error(what)
}

const within = (what: string, value: number, max: number): number =>
  Number.isSafeInteger(value) && value >= 0 && value <= max
    ? value
    : fail(`${what} of ${value}, at most ${max} is possible`)

const bitWidth = (max: number): number => 32 - Math.clz32(max)

/** Reads one unsigned varint of at most 32 bits at `at`; gives it and what follows. */
const varint = (bytes: Uint8Array, at: number, end: number): readonly [number, number] => {
  let value = 0
  for (let i = 0; i < 5; i++) {
    if (at + i >= end) break
    const b = bytes[at + i]
    value += (b & 0x7f) * 2 ** (7 * i)
    if (b < 0x80) return [value, at + i + 1]
  }
  return fail("a run that has no end")
}

/** How many of `n` bit-packed values of `width` bits at `at` are `wanted`. */
const countPacked = (bytes: Uint8Array, at: number, width: number, n: number, wanted: number): number => {
  let count = 0
  let bit = 0
  for (let i = 0; i < n; i++) {
    let value = 0
    for (let b = 0; b < width; b++, bit++) value |= ((bytes[at + (bit >> 3)] >> (bit & 7)) & 1) << b
    if (value === wanted) count++
  }
  return count
}

/** Walks a run-length encoding of `n` values; gives how many are `wanted`, when asked. */
const walkRuns = (bytes: Uint8Array, from: number, end: number, width: number, n: number, wanted?: number): number => {
  let at = from
  let seen = 0
  let count = 0
  while (seen < n) {
    const [header, next] = varint(bytes, at, end)
    at = next
    const runs = Math.floor(header / 2)
    if (runs === 0) fail("a run of no values")
    if (header % 2 === 1) {
      const used = Math.min(runs * 8, n - seen)
      // The last run may be padded; nobody pads by more than a few values.
      if (runs * 8 - used > 512 || at + Math.ceil((used * width) / 8) > end)
        fail(`a run of ${runs * 8} values where ${n - seen} are left`)
      if (wanted !== undefined) count += countPacked(bytes, at, width, used, wanted)
      at += runs * width
      seen += used
    } else {
      if (runs > n - seen || at + ((width + 7) >> 3) > end) fail(`a run of ${runs} values where ${n - seen} are left`)
      let value = 0
      for (let i = 0; i < (width + 7) >> 3; i++) value |= bytes[at + i] << (8 * i)
      if (value === wanted) count += runs
      at += (width + 7) >> 3
      seen += runs
    }
  }
  return count
}

/** Levels with their length in front, as in pages of version 1; gives what follows, and how many are at `max`. */
const walkLevels = (page: Uint8Array, at: number, max: number, n: number): readonly [number, number] => {
  if (at + 4 > page.length) return fail("levels beyond the page")
  const end =
    at + 4 + within("levels", new DataView(page.buffer, page.byteOffset).getUint32(at, true), page.length - at - 4)
  return [end, walkRuns(page, at + 4, end, bitWidth(max), n, max)]
}

/** The values of a data page, from `at`. */
const walkValues = (
  page: Uint8Array,
  at: number,
  shape: ColumnShape,
  encoding: string | undefined,
  n: number
): void => {
  if (n === 0) return
  if (encoding === "PLAIN_DICTIONARY" || encoding === "RLE_DICTIONARY") {
    if (at >= page.length) fail("indices beyond the page")
    const width = within("index width", page[at], 32)
    if (width > 0) walkRuns(page, at + 1, page.length, width, n)
  } else if (encoding === "RLE") {
    walkLevels(page, at, 1, n)
  } else if (encoding === "BYTE_STREAM_SPLIT") {
    const width =
      shape.type === "FIXED_LEN_BYTE_ARRAY"
        ? shape.typeLength
        : shape.type === "INT32" || shape.type === "FLOAT"
          ? 4
          : 8
    within("values", n * width, page.length - at)
  }
}

const walkSnappy = (input: Uint8Array, length: number): void => {
  let [, at] = varint(input, 0, input.length)
  let out = 0
  while (at < input.length) {
    const tag = input[at++]
    const kind = tag & 3
    let size = (tag >>> 2) + 1
    if (kind === 0) {
      const extra = Math.max(0, size - 60)
      if (extra > 0) {
        size = 1
        for (let i = 0; i < extra; i++) size += (input[at + i] ?? 0) * 2 ** (8 * i)
      }
      at += extra + size
    } else {
      if (kind === 1) size = ((tag >>> 2) & 7) + 4
      at += kind === 3 ? 4 : kind
    }
    out += size
    if (at > input.length || out > length) fail("broken Snappy data")
  }
  if (out !== length) fail("broken Snappy data")
}

/** A page of bytes that belong to it alone, so that nothing beyond it can be read by a wrong length. */
const decompressed = (bytes: Uint8Array, length: number, codec: string, tools: PageTools): Uint8Array => {
  if (tools.decompress === undefined) return bytes
  if (codec === "SNAPPY") walkSnappy(bytes, length)
  const page = tools.decompress(bytes, length)
  if (page.length !== length) fail(`a page of ${page.length} bytes where ${length} were announced`)
  return page.byteLength === page.buffer.byteLength ? page : page.slice()
}

type DataV2 = NonNullable<PageHeader["data_page_header_v2"]>

/** A data page of version 2: its levels are not compressed. */
const pageV2 = (
  bytes: Uint8Array,
  length: number,
  h: DataV2,
  codec: string,
  shape: ColumnShape,
  tools: PageTools
): Uint8Array | undefined => {
  const repetition = within("repetition levels", h.repetition_levels_byte_length, bytes.length)
  const levels = repetition + within("definition levels", h.definition_levels_byte_length, bytes.length - repetition)
  within("nulls", h.num_nulls, h.num_values)
  within("rows", h.num_rows, h.num_values)
  if (shape.maxRepetition > 0) walkRuns(bytes, 0, repetition, bitWidth(shape.maxRepetition), h.num_values)
  if (shape.maxDefinition > 0) walkRuns(bytes, repetition, levels, bitWidth(shape.maxDefinition), h.num_values)
  const body = bytes.subarray(levels)
  const compressed = h.is_compressed !== false && tools.decompress !== undefined
  const page = compressed
    ? decompressed(body, within("page", length - levels, Limits.parquetPageBytesMax), codec, tools)
    : body
  walkValues(page, 0, shape, h.encoding, h.num_values - h.num_nulls)
  return compressed ? page : undefined
}

const pageV1 = (page: Uint8Array, shape: ColumnShape, encoding: string, values: number): void => {
  let at = 0
  let present = values
  if (shape.maxRepetition > 0) [at] = walkLevels(page, at, shape.maxRepetition, values)
  if (shape.maxDefinition > 0) [at, present] = walkLevels(page, at, shape.maxDefinition, values)
  walkValues(page, at, shape, encoding, present)
}

/**
 * Checks the pages of a column. Gives them decompressed, in the order in which hyparquet will ask for them. Throws an
 * `Error` that says what is wrong.
 */
export const checkedPages = (
  chunk: Uint8Array,
  codec: string,
  shape: ColumnShape,
  tools: PageTools
): Array<Uint8Array> => {
  const reader = { view: new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength), offset: 0 }
  const pages: Array<Uint8Array> = []
  let values = 0
  let total = 0
  while (values < shape.values) {
    if (reader.offset >= chunk.length) fail(`${values} values where there should be ${shape.values}`)
    const h = tools.header(reader)
    const size = within("page", h.compressed_page_size, chunk.length - reader.offset)
    const length = within("page", h.uncompressed_page_size, Limits.parquetPageBytesMax)
    total = within("pages", total + length, Limits.parquetColumnBytesMax)
    const bytes = chunk.subarray(reader.offset, reader.offset + size)
    reader.offset += size
    if (h.crc !== undefined && (h.crc | 0) !== (tools.crc32(bytes) | 0)) fail("a page with a wrong checksum")
    if (h.data_page_header_v2 !== undefined && h.type === "DATA_PAGE_V2") {
      values += within("values", h.data_page_header_v2.num_values, shape.values - values)
      const page = pageV2(bytes, length, h.data_page_header_v2, codec, shape, tools)
      if (page !== undefined) pages.push(page)
      continue
    }
    const page = decompressed(bytes, length, codec, tools)
    if (tools.decompress !== undefined) pages.push(page)
    if (h.data_page_header !== undefined && h.type === "DATA_PAGE") {
      const n = within("values", h.data_page_header.num_values, shape.values - values)
      pageV1(page, shape, h.data_page_header.encoding, n)
      values += n
    } else if (h.dictionary_page_header !== undefined && h.type === "DICTIONARY_PAGE")
      within("values", h.dictionary_page_header.num_values, page.length * 8)
    else fail("a page of no known kind")
  }
  return pages
}

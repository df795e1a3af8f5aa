/**
 * One column of one row group: checked by `parquetGuard.ts`, decoded by hyparquet, converted by `parquetColumn.ts`.
 */
import type * as Hyparquet from "hyparquet"
import type { AsyncBuffer, ColumnMetaData, Compressors, FileMetaData, SchemaTree } from "hyparquet"
import { Limits } from "../model/Limits.ts"
import type { Column } from "../model/Source.ts"
import type * as Codecs from "./parquetCodecs.ts"
import { columnOf, nestedParsers, readFlat, type Want } from "./parquetColumn.ts"
import { checkedPages, type ColumnShape, type PageTools } from "./parquetGuard.ts"

/** The libraries that reading a column takes. */
export interface ColumnEngine {
  readonly parquet: Pick<typeof Hyparquet, "parquetScan">
  readonly codecs: typeof Codecs
  /** `parquetHeader` of hyparquet. */
  readonly header: PageTools["header"]
}

const isFlat = (tree: SchemaTree): boolean => tree.children.length === 0 && tree.element.repetition_type !== "REPEATED"

/** The part of a column's name that is below its top. */
const shapeOf = (tree: SchemaTree, meta: ColumnMetaData): ColumnShape => {
  let at = tree
  let maxDefinition = 0
  let maxRepetition = 0
  for (const name of [undefined, ...meta.path_in_schema.slice(1)]) {
    const next = name === undefined ? tree : at.children.find((c) => c.element.name === name)
    if (next === undefined) throw new Error("a column that is not in the schema")
    at = next
    if (at.element.repetition_type !== "REQUIRED") maxDefinition++
    if (at.element.repetition_type === "REPEATED") maxRepetition++
  }
  return {
    type: meta.type,
    typeLength: at.element.type_length ?? 0,
    values: countOf(meta.num_values),
    maxDefinition,
    maxRepetition
  }
}

const countOf = (n: bigint): number => {
  if (n < 0n || n > BigInt(Limits.parquetGroupRowsMax))
    throw new Error(`${n} values, at most ${Limits.parquetGroupRowsMax} can be read at once`)
  return Number(n)
}

/** Reads the bytes of one leaf and checks them. */
const checkLeaf = async (engine: ColumnEngine, buffer: AsyncBuffer, tree: SchemaTree, meta: ColumnMetaData) => {
  const offset =
    meta.dictionary_page_offset === undefined || meta.dictionary_page_offset === 0n
      ? meta.data_page_offset
      : meta.dictionary_page_offset
  const [start, end] = [Number(offset), Number(offset + meta.total_compressed_size)]
  const bytes = await buffer.slice(start, end)
  const decompress = engine.codecs.compressors[meta.codec]
  if (decompress === undefined && meta.codec !== "UNCOMPRESSED")
    throw new Error(`compressed with ${meta.codec}, which cannot be read`)
  const tools: PageTools = {
    header: engine.header,
    crc32: engine.codecs.checksum,
    decompress: meta.codec === "UNCOMPRESSED" ? undefined : decompress
  }
  return {
    start,
    end,
    bytes,
    codec: meta.codec,
    pages: checkedPages(new Uint8Array(bytes), meta.codec, shapeOf(tree, meta), tools)
  }
}

/** Reads a column of a row group. Rejects with an `Error` that says what is wrong. */
export const readGroupColumn = async (
  engine: ColumnEngine,
  metadata: FileMetaData,
  index: number,
  tree: SchemaTree,
  want: Want,
  buffer: AsyncBuffer
): Promise<{ readonly column: Column }> => {
  const group = metadata.row_groups[index]
  const length = countOf(group.num_rows)
  const { name } = tree.element
  const flat = isFlat(tree)
  const { element, parsers } = flat ? readFlat(tree.element, want) : { element: tree.element, parsers: nestedParsers }
  const leaves = []
  for (const { meta_data: meta } of group.columns) {
    if (meta?.path_in_schema[0] === name) leaves.push(await checkLeaf(engine, buffer, tree, meta))
  }
  // A flat column has one leaf: its bytes and pages, once read and decompressed, are not read again.
  const only = flat && leaves.length === 1 ? leaves[0] : undefined
  const file: AsyncBuffer = {
    byteLength: buffer.byteLength,
    slice: (start, end) => (only?.start === start && only.end === end ? only.bytes : buffer.slice(start, end))
  }
  const next = (): Uint8Array => only?.pages.shift() ?? new Uint8Array(0)
  const compressors: Compressors = only === undefined ? engine.codecs.compressors : { [only.codec]: next }
  const scan = await engine.parquet.parquetScan({
    file,
    metadata: {
      ...metadata,
      num_rows: group.num_rows,
      row_groups: [group],
      schema: metadata.schema.map((e) => (e === tree.element ? element : e))
    },
    columns: [name],
    compressors,
    parsers,
    utf8: false,
    geoparquet: false,
    useOffsetIndex: false
  })
  return { column: columnOf(tree, await scan.readColumn({ column: name, rowStart: 0, rowEnd: length }), length) }
}

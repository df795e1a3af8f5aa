/**
 * One column of Parquet to a column of rows: what each physical and logical type becomes, exactly.
 *
 * | Parquet | without a schema, or for a number | schema takes text | bigint | Date |
 * |---|---|---|---|---|
 * | TIMESTAMP, INT96 | ms since the epoch, whole (finer units are cut) | ISO | ms | Date |
 * | DATE | ms of its midnight, UTC | ISO date | ms | Date |
 * | INT64, UINT64 | number within 2^53, else bigint | digits | bigint | - |
 * | DECIMAL | number up to 15 digits, else text | exact text | bigint when whole | - |
 * | STRING, ENUM, JSON | text | text | | |
 * | bytes without a type | Uint8Array | text | | |
 * | BOOLEAN, INT32, FLOAT, DOUBLE, FLOAT16, UUID | as they are | | | |
 *
 * hyparquet reads the pages; its own conversions, which round decimals and let invalid UTF-8 pass, are replaced. They run
 * on the dictionary where there is one, so that 100,000 rows of ten values are ten conversions.
 */
import type { ParquetParsers, SchemaElement, SchemaTree } from "hyparquet"
import type * as SchemaAST from "effect/SchemaAST"
import { instantMax } from "../model/EventTime.ts"
import type { Column } from "../model/Source.ts"
import { textOf } from "./bytes.ts"

/** What a schema wants of a column. */
export type Want = "any" | "number" | "text" | "bigint" | "date"

/** What the encoded side of a field takes. */
export const wantOf = (ast: SchemaAST.AST): Want => {
  switch (ast._tag) {
    case "Number":
      return "number"
    case "String":
    case "TemplateLiteral":
      return "text"
    case "BigInt":
      return "bigint"
    case "Declaration":
      return "date"
    case "Literal":
      return typeof ast.literal === "string" ? "text" : typeof ast.literal === "bigint" ? "bigint" : "number"
    case "Union": {
      const wants = new Set(ast.types.filter((t) => t._tag !== "Null" && t._tag !== "Undefined").map(wantOf))
      return wants.size === 1 ? [...wants][0] : "any"
    }
    default:
      return "any"
  }
}

/** How one column is read: its element as hyparquet is told it, and the conversions. */
export interface ColumnRead {
  readonly element: SchemaElement
  readonly parsers: Partial<ParquetParsers>
}

const asMs =
  (want: Want, isoLength?: number) =>
  (ms: bigint): unknown => {
    if (want === "bigint") return ms
    const n = Number(ms)
    if (want === "date") return new Date(n)
    if (want !== "text") return n
    // Out of the range of dates it stays a number, which the schema then refuses.
    return Math.abs(n) > instantMax ? n : new Date(n).toISOString().slice(0, isoLength)
  }

const floorDiv = (a: bigint, b: bigint): bigint => (a < 0n && a % b !== 0n ? a / b - 1n : a / b)

const integer =
  (want: Want) =>
  (value: bigint): unknown => {
    if (want === "text") return String(value)
    if (want === "bigint") return value
    const n = Number(value)
    return Number.isSafeInteger(n) ? n : value
  }

const decimalText = (unscaled: bigint, scale: number): string => {
  const digits = String(unscaled < 0n ? -unscaled : unscaled)
  const sign = unscaled < 0n ? "-" : ""
  if (scale <= 0) return sign + digits + "0".repeat(Math.min(-scale, 400))
  const padded = digits.padStart(scale + 1, "0")
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
}

const decimal =
  (want: Want, scale: number) =>
  (unscaled: bigint): unknown => {
    const text = decimalText(unscaled, scale)
    if (want === "text") return text
    if (want === "bigint" && scale === 0) return unscaled
    const digits = unscaled < 0n ? -unscaled : unscaled
    // 15 digits survive a double and back.
    return digits < 1_000_000_000_000_000n && Math.abs(scale) < 300 ? Number(text) : text
  }

/** Big-endian two's complement. */
const bigintOf = (bytes: Uint8Array): bigint => {
  let value = 0n
  for (const b of bytes) value = (value << 8n) | BigInt(b)
  return BigInt.asIntN(bytes.length * 8, value)
}

const text = (bytes: Uint8Array): unknown => (bytes instanceof Uint8Array ? (textOf(bytes) ?? bytes.slice()) : bytes)

/** Conversions that are used inside lists, structs and maps. */
export const nestedParsers: Partial<ParquetParsers> = {
  timestampFromMilliseconds: asMs("any"),
  timestampFromMicroseconds: (v) => asMs("any")(floorDiv(v, 1_000n)),
  timestampFromNanoseconds: (v) => asMs("any")(floorDiv(v, 1_000_000n)),
  dateFromDays: (days) => days * 86_400_000,
  stringFromBytes: text,
  jsonFromBytes: text
}

const bare = (element: SchemaElement): SchemaElement => {
  const { converted_type: _, logical_type: __, ...rest } = element
  return rest as SchemaElement
}

/** Has hyparquet hand every integer of the column to `convert`. */
const throughIntegers = (element: SchemaElement, convert: (value: bigint) => unknown): ColumnRead => ({
  element: { ...bare(element), converted_type: "TIMESTAMP_MILLIS" },
  parsers: { ...nestedParsers, timestampFromMilliseconds: (value) => convert(BigInt(value)) }
})

/** Has hyparquet hand the bytes of every value of the column to `convert`. */
const throughBytes = (element: SchemaElement, convert: (bytes: Uint8Array) => unknown): ColumnRead => ({
  element: { ...bare(element), converted_type: "JSON" },
  parsers: { ...nestedParsers, jsonFromBytes: convert }
})

const unitDivisor = (element: SchemaElement): bigint | undefined => {
  const { converted_type: c, logical_type: l } = element
  if (l?.type === "TIMESTAMP") return l.unit === "NANOS" ? 1_000_000n : l.unit === "MICROS" ? 1_000n : 1n
  return c === "TIMESTAMP_MILLIS" ? 1n : c === "TIMESTAMP_MICROS" ? 1_000n : undefined
}

const readDecimal = (element: SchemaElement, want: Want): ColumnRead => {
  const l = element.logical_type
  const scale = (l?.type === "DECIMAL" ? l.scale : element.scale) ?? 0
  const convert = decimal(want, scale)
  const inBytes = element.type === "BYTE_ARRAY" || element.type === "FIXED_LEN_BYTE_ARRAY"
  return inBytes ? throughBytes(element, (bytes) => convert(bigintOf(bytes))) : throughIntegers(element, convert)
}

/** How to read a column that is not nested. */
export const readFlat = (element: SchemaElement, want: Want): ColumnRead => {
  const { type, converted_type: c, logical_type: l } = element
  const divisor = unitDivisor(element)
  if (type === "INT64" && divisor !== undefined) {
    const ms = asMs(want)
    return throughIntegers(element, divisor === 1n ? ms : (v) => ms(floorDiv(v, divisor)))
  }
  if (type === "INT96") {
    const ms = asMs(want)
    return {
      element: bare(element),
      parsers: { ...nestedParsers, timestampFromNanoseconds: (v) => ms(floorDiv(v, 1_000_000n)) }
    }
  }
  if (c === "DATE" || l?.type === "DATE") {
    const ms = asMs(want, 10)
    return throughIntegers(element, (days) => ms(days * 86_400_000n))
  }
  if (c === "DECIMAL" || l?.type === "DECIMAL") return readDecimal(element, want)
  if (type === "INT64") {
    const convert = integer(want)
    const unsigned = c === "UINT_64" || (l?.type === "INTEGER" && !l.isSigned)
    return throughIntegers(element, unsigned ? (v) => convert(BigInt.asUintN(64, v)) : convert)
  }
  if (
    type === "BYTE_ARRAY" &&
    (c === "UTF8" ||
      c === "ENUM" ||
      c === "JSON" ||
      l?.type === "STRING" ||
      l?.type === "ENUM" ||
      l?.type === "JSON" ||
      want === "text")
  ) {
    return throughBytes(element, text)
  }
  return { element, parsers: nestedParsers }
}

const nested = (value: unknown): unknown => {
  if (typeof value === "bigint") return integer("any")(value)
  if (Array.isArray(value)) return value.map(nested)
  if (typeof value !== "object" || value === null || value instanceof Date || ArrayBuffer.isView(value))
    return value ?? null
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, nested(item)]))
}

/** Whether every value is a number: then it can be a `Float64Array`. */
const allNumbers = (data: ReadonlyArray<unknown>): data is ReadonlyArray<number> => {
  for (let i = 0; i < data.length; i++) if (typeof data[i] !== "number") return false
  return true
}

/** What hyparquet read, as a column of `length` rows. Throws when it cannot be what the file said. */
export const columnOf = (tree: SchemaTree, data: ArrayLike<unknown>, length: number): Column => {
  if (data.length !== length) throw new Error(`${data.length} values where the row group has ${length} rows`)
  if (data instanceof Float64Array || data instanceof Int32Array) return data
  if (data instanceof Float32Array || data instanceof Uint32Array) return Float64Array.from(data)
  const values = Array.isArray(data) ? (data as ReadonlyArray<unknown>) : Array.from(data)
  if (tree.children.length > 0 || tree.element.repetition_type === "REPEATED") return values.map(nested)
  if (allNumbers(values)) return Float64Array.from(values)
  // An index beyond the dictionary reads as undefined: only a corrupt page has one. Missing values are null.
  for (let i = 0; i < values.length; i++)
    if (values[i] === undefined) throw new Error(`no value for row ${i + 1} of the row group`)
  return values
}

/**
 * Rows to text, exactly or not at all: what file sinks write.
 *
 * bigint: its digits. Date, and everything with a `toJSON` of its own (Effect's DateTime): what that gives, ISO text.
 * `undefined`: no field in JSON (null inside an array), nothing in CSV; null: nothing in CSV. Lone surrogates: as \u
 * escapes in JSON; CSV has no form for them. Refused, as dead rows that name the field: NaN and the infinities (JSON has
 * no form for them, and writing null would be a lie), an invalid Date, functions, symbols, Map, Set, bytes, what refers to
 * itself or nests deeper than `Limits.jsonDepthMax`: give the sink a schema that says how to write them.
 */
import * as Effect from "effect/Effect"
import type { OptionProblem } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import { flag, names } from "../model/Options.ts"
import { delimiterProblem } from "./Csv.ts"
import { quoteCell } from "./csvText.ts"
import type { Fault } from "./Format.ts"
import { compile, type RowCodec, type RowSchema } from "./RowSchema.ts"

/** Turns rows into the text of a file: one function per file, since a file may begin with a header. */
export interface RowEncoding {
  /** Of the files: `.jsonl`, `.csv`. */
  readonly extension: string
  readonly problems: ReadonlyArray<OptionProblem>
  /** Compiles the schema. The text ends with a line end. */
  readonly load: Effect.Effect<() => (row: unknown) => string | Fault>
}

/** Thrown inside this module only: what cannot be written. */
class Refusal {
  readonly detail: string
  constructor(detail: string) {
    this.detail = detail
  }
}

const refused = (path: string, what: string): Refusal =>
  new Refusal(path === "" ? `${what} cannot be written` : `${path}: ${what} cannot be written`)

const loneSurrogate = /\p{Surrogate}/u

const number = (value: number, path: string): string => {
  if (!Number.isFinite(value)) throw refused(path, String(value))
  return String(value)
}

const kindOf = (value: object): string | undefined => {
  if (value instanceof Map) return "a Map"
  if (value instanceof Set) return "a Set"
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return "bytes"
  if (value instanceof Date && Number.isNaN(value.getTime())) return "an invalid Date"
  return undefined
}

/** What `toJSON` makes of a value; the value itself without one. */
const plain = (value: object, path: string): unknown => {
  const kind = kindOf(value)
  if (kind !== undefined) throw refused(path, kind)
  const toJSON = (value as { readonly toJSON?: unknown }).toJSON
  return typeof toJSON === "function" ? (toJSON.call(value) as unknown) : value
}

const under = (path: string, key: string | number): string => (path === "" ? String(key) : `${path}.${key}`)

/** JSON text of a value; `undefined` where there is nothing to write. */
const json = (value: unknown, path: string, depth: number): string | undefined => {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value)
    case "number":
      return number(value, path)
    case "boolean":
      return value ? "true" : "false"
    case "bigint":
      return String(value)
    case "undefined":
      return undefined
    case "object": {
      if (value === null) return "null"
      const inner = plain(value, path)
      if (inner !== value) return json(inner, path, depth + 1)
      if (depth > Limits.jsonDepthMax)
        throw refused(path.slice(0, 60), `a value nested deeper than ${Limits.jsonDepthMax}`)
      return Array.isArray(value) ? jsonArray(value, path, depth) : jsonObject(value, path, depth)
    }
    default:
      throw refused(path, `a ${typeof value}`)
  }
}

const jsonArray = (values: ReadonlyArray<unknown>, path: string, depth: number): string => {
  let out = "["
  for (let i = 0; i < values.length; i++)
    out += `${i === 0 ? "" : ","}${json(values[i], under(path, i), depth + 1) ?? "null"}`
  return `${out}]`
}

const jsonObject = (value: object, path: string, depth: number): string => {
  let out = "{"
  for (const key of Object.keys(value)) {
    const item = (value as { readonly [key: string]: unknown })[key]
    // Paths of fields are only built on the way down.
    const text =
      typeof item === "string" ? JSON.stringify(item) : json(item, path === "" ? key : under(path, key), depth + 1)
    if (text !== undefined) out += `${out.length === 1 ? "" : ","}${JSON.stringify(key)}:${text}`
  }
  return `${out}}`
}

/** Text of one CSV cell, quoted as needed; nested values as JSON. */
const cell = (value: unknown, name: string, delimiter: string): string => {
  if (value === undefined || value === null) return ""
  if (typeof value === "number") return quoteCell(number(value, name), delimiter)
  if (typeof value === "boolean" || typeof value === "bigint") return quoteCell(String(value), delimiter)
  if (typeof value === "string") {
    if (loneSurrogate.test(value)) throw refused(name, "a lone surrogate")
    return quoteCell(value, delimiter)
  }
  if (typeof value !== "object") throw refused(name, `a ${typeof value}`)
  const inner = plain(value, name)
  if (inner !== value) return cell(inner, name, delimiter)
  return quoteCell(json(value, name, 0) ?? "", delimiter)
}

const guarded = (write: () => string): string | Fault => {
  try {
    return write()
  } catch (error) {
    if (error instanceof Refusal) return { reason: "sink", detail: error.detail }
    return {
      reason: "sink",
      detail: `a toJSON or getter of the row failed: ${error instanceof Error ? error.message : String(error)}`
    }
  }
}

/** What a schema makes of a row, or why it refuses it. */
const shaped = (schema: RowSchema<unknown> | undefined, row: unknown): { readonly value: unknown } | Fault => {
  const encoded = schema === undefined ? { value: row } : schema.encode(row)
  if (!("value" in encoded)) return { reason: "sink", detail: encoded.detail }
  if (typeof encoded.value === "object" && encoded.value !== null && !Array.isArray(encoded.value)) return encoded
  return schema === undefined ? { reason: "sink", detail: "a row must be an object" } : encoded
}

/** One JSON object a line. With a schema rows are encoded by it, and refused when they do not fit or have other fields. */
export const jsonLines = (schema?: RowCodec<unknown>): RowEncoding => ({
  extension: ".jsonl",
  problems: [],
  load: Effect.map(
    schema === undefined ? Effect.succeed(undefined) : compile(schema, "json"),
    (compiled) => () => (row) => {
      const value = shaped(compiled, row)
      return "value" in value ? guarded(() => `${json(value.value, "", 0) ?? "null"}\n`) : value
    }
  )
})

/** Options of CSV output. */
export interface CsvEncodeOptions {
  /** Names and order of the columns; default those of the schema, else the fields of a file's first row. */
  readonly columns?: ReadonlyArray<string>
  /** Whether each file begins with the names of its columns. Default true. */
  readonly header?: boolean
  /** One ASCII character; default a comma. */
  readonly delimiter?: string
}

const csvProblems = ({ columns, header, delimiter = "," }: CsvEncodeOptions): ReadonlyArray<OptionProblem> => {
  const problems: Array<OptionProblem> = [...delimiterProblem("Files.csv.delimiter", delimiter)]
  if (columns !== undefined) names("Files.csv.columns", columns, problems)
  if (header !== undefined) flag("Files.csv.header", header, problems)
  return problems
}

/** One record a row. Fields that are no column are refused, absent ones leave an empty cell. */
export const csv = (schema?: RowCodec<unknown>, options: CsvEncodeOptions = {}): RowEncoding => {
  const delimiter = options.delimiter ?? ","
  return {
    extension: ".csv",
    problems: csvProblems(options),
    load: Effect.map(schema === undefined ? Effect.succeed(undefined) : compile(schema, "json"), (compiled) => () => {
      let columns = options.columns ?? compiled?.fields?.map((f) => f.name)
      let known = new Set(columns)
      let headed = options.header === false
      const record = (cells: ReadonlyArray<string>): string => {
        const text = cells.join(delimiter)
        // One empty cell alone would be an empty line, which is no record.
        return `${text === "" ? '""' : text}\n`
      }
      return (row) => {
        const value = shaped(compiled, row)
        if (!("value" in value)) return value
        const fields = value.value as { readonly [field: string]: unknown }
        return guarded(() => {
          const names = columns ?? Object.keys(fields)
          if (names.length === 0) throw new Refusal("a row without fields cannot be a record")
          if (columns !== undefined)
            for (const key of Object.keys(fields)) if (!known.has(key)) throw refused(key, "a field that is no column")
          const text = record(
            names.map((name) => cell(Object.hasOwn(fields, name) ? fields[name] : undefined, name, delimiter))
          )
          const header = headed ? "" : record(names.map((name) => cell(name, name, delimiter)))
          if (columns === undefined) known = new Set(names)
          columns = names
          headed = true
          return header + text
        })
      }
    })
  }
}

/**
 * CSV (RFC 4180): records of text cells, typed by a schema.
 *
 * With a schema cells are read by its canonical codec for strings: `Schema.Number` takes `1`, `-1.5e3`, `NaN`, but not an
 * empty cell, and never rounds an integer beyond 2^53 (it is dead; `Schema.BigInt` takes it). A cell with nothing in it,
 * not even quotes, is an absent key where the schema has an optional one, else `null` where it takes null, else the empty
 * text. Columns that the schema does not name are dropped. Without a schema every cell is text.
 */
import * as Effect from "effect/Effect"
import type { OptionProblem } from "../model/Errors.ts"
import { flag, names, show } from "../model/Options.ts"
import { csvScanner, splitRecord } from "./csvText.ts"
import type { Fault, StreamFormat } from "./Format.ts"
import { lineDecoder, type LineRules } from "./lines.ts"
import { compile, type EncodedField, type RowCodec, type RowSchema } from "./RowSchema.ts"

/** A row without a schema: every cell as text. */
export interface CsvRow {
  readonly [column: string]: string
}

/** Options of {@link rows}. */
export interface CsvOptions {
  /** Whether the first record names the columns. Default true; false needs `columns`, or a schema of a plain struct. */
  readonly header?: boolean
  /** Names of the columns when there is no header. */
  readonly columns?: ReadonlyArray<string>
  /** One ASCII character; default a comma. */
  readonly delimiter?: string
}

/** Why a delimiter cannot be one, if so. */
export const delimiterProblem = (option: string, delimiter: string): ReadonlyArray<OptionProblem> =>
  typeof delimiter === "string" && /^[\t\x20-\x7e]$/.test(delimiter) && delimiter !== '"'
    ? []
    : [
        {
          option,
          value: show(delimiter),
          fix: 'must be one ASCII character other than a quote (try "," or "\\t")'
        }
      ]

const problemsOf = (options: CsvOptions, hasSchema: boolean): ReadonlyArray<OptionProblem> => {
  const problems: Array<OptionProblem> = [...delimiterProblem("Csv.rows.delimiter", options.delimiter ?? ",")]
  const { columns } = options
  if (options.header === false && columns === undefined && !hasSchema) {
    problems.push({
      option: "Csv.rows.header",
      value: "false",
      fix: "needs columns: [...], the names of the columns in order"
    })
  }
  if (columns !== undefined && options.header !== false) {
    problems.push({
      option: "Csv.rows.columns",
      value: show(columns),
      fix: "is for files without a header: add header: false"
    })
  }
  if (columns !== undefined) names("Csv.rows.columns", columns, problems)
  if (options.header !== undefined) flag("Csv.rows.header", options.header, problems)
  return problems
}

type Row = { [column: string]: unknown }

/** Own property whatever the name: a column may be called `__proto__`. */
const setField = (row: Row, name: string, value: unknown): void => {
  if (name === "__proto__")
    Object.defineProperty(row, name, { value, writable: true, enumerable: true, configurable: true })
  else row[name] = value
}

const acceptsNull = (ast: EncodedField["ast"]): boolean =>
  ast._tag === "Null" || (ast._tag === "Union" && ast.types.some(acceptsNull))

const max = Number.MAX_SAFE_INTEGER

/** A number that is not what its cell says. */
const rounded = (value: unknown, cell: string): boolean => {
  if (typeof value !== "number" || (value <= max && value >= -max)) return false
  if (!Number.isFinite(value)) return !/^[+-]?(NaN|Infinity)$/.test(cell)
  return /^[+-]?\d+$/.test(cell)
}

/** What becomes of an empty cell, per column: the text, null, or nothing. */
type Empty = "text" | "null" | "absent"

interface Columns {
  readonly names: ReadonlyArray<string>
  readonly empties: ReadonlyArray<Empty>
}

const columnsOf = (names: ReadonlyArray<string>, fields: ReadonlyArray<EncodedField> | undefined): Columns => ({
  names,
  empties: names.map((name) => {
    const field = fields?.find((f) => f.name === name)
    if (field === undefined) return "text"
    return field.optional ? "absent" : acceptsNull(field.ast) ? "null" : "text"
  })
})

const malformed = (detail: string): Fault => ({ reason: "malformed", detail })

const rules = <A>(
  schema: RowSchema<A> | undefined,
  given: ReadonlyArray<string> | undefined,
  delimiter: string
): LineRules<A> => {
  let columns = given === undefined ? undefined : columnsOf(given, schema?.fields)

  const header = (cells: ReadonlyArray<string>): Fault | undefined => {
    const twice = cells.find((name, i) => cells.indexOf(name) < i)
    if (twice !== undefined) return malformed(`the header names the column ${JSON.stringify(twice)} twice`)
    const missing = schema?.fields?.find((f) => !f.optional && !cells.includes(f.name))
    if (missing !== undefined) return malformed(`the header lacks the column ${JSON.stringify(missing.name)}`)
    columns = columnsOf(cells, schema?.fields)
    return undefined
  }

  const typed = (
    row: Row,
    cells: ReadonlyArray<string>,
    names: ReadonlyArray<string>,
    s: RowSchema<A>,
    rows: Array<A>
  ): Fault | undefined => {
    const fault = s.decode(row, rows)
    if (fault !== undefined) return fault
    const decoded = rows[rows.length - 1] as Row
    if (typeof decoded !== "object" || decoded === null) return undefined
    for (let i = 0; i < names.length; i++) {
      if (!rounded(decoded[names[i]], cells[i])) continue
      rows.pop()
      return {
        reason: "schema",
        detail: `${names[i]}: ${cells[i].slice(0, 60)} does not fit a number exactly: give the column the type Schema.BigInt`
      }
    }
    return undefined
  }

  return {
    scanner: csvScanner(delimiter),
    skips: (_, __, length) => length === 0,
    headRead: () => columns !== undefined,
    decode: (text, rows) => {
      const split = splitRecord(text, delimiter)
      if (!("cells" in split)) return split
      const { cells, wasQuoted } = split
      if (columns === undefined) return header(cells)
      const { names, empties } = columns
      if (cells.length !== names.length) {
        return malformed(`${cells.length} fields where there are ${names.length} columns`)
      }
      const row: Row = {}
      for (let i = 0; i < names.length; i++) {
        const cell = cells[i]
        const empty = cell === "" && wasQuoted?.[i] !== true ? empties[i] : "text"
        if (empty !== "absent") setField(row, names[i], empty === "null" ? null : cell)
      }
      if (schema !== undefined) return typed(row, cells, names, schema, rows)
      rows.push(row as A)
      return undefined
    }
  }
}

/**
 * CSV records as rows. The header is the first record unless `header: false`; one that names a column twice, or lacks a
 * column of the schema, makes the whole file one dead row. Records with too many or too few fields, with a quote that is
 * not closed or followed by text, and with invalid UTF-8, are dead rows of their own. Empty lines are skipped.
 */
export const rows: {
  (schema?: undefined, options?: CsvOptions): StreamFormat<CsvRow>
  <A>(schema: RowCodec<A>, options?: CsvOptions): StreamFormat<A>
} = <A = CsvRow>(schema?: RowCodec<A>, options: CsvOptions = {}): StreamFormat<A> => ({
  kind: "stream",
  name: "CSV",
  problems: problemsOf(options, schema !== undefined),
  load: Effect.map(
    schema === undefined ? Effect.succeed(undefined) : compile(schema, "text"),
    (compiled) => (source, limits) => {
      const names =
        options.header === false ? (options.columns ?? compiled?.fields?.map((f) => f.name) ?? []) : undefined
      return lineDecoder<A>(source, limits, rules<A>(compiled, names, options.delimiter ?? ","))
    }
  )
})

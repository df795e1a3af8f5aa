/**
 * Parquet: typed columns, read by position, a row group at a time.
 *
 * Rows without a schema hold what `parquetColumn.ts` tells: timestamps as milliseconds since the epoch (the event time
 * of tidemark), integers as numbers within 2^53 and as bigints beyond. A schema has its say: a timestamp is a `Date` for
 * `Schema.Date`, an integer a bigint for `Schema.BigInt`, a decimal exact text for `Schema.String`. Numbers stand in
 * `Float64Array`s as long as no row is looked at as a whole.
 *
 * Line numbers of rows, in metadata and dead letters, are row numbers from 1.
 */
import * as Effect from "effect/Effect"
import type * as SchemaAST from "effect/SchemaAST"
import type { OptionProblem } from "../model/Errors.ts"
import { names } from "../model/Options.ts"
import type { TableFormat } from "./Format.ts"
import type { TablePlan } from "./parquetTable.ts"
import { compile, type RowCodec } from "./RowSchema.ts"

/** A row without a schema. */
export interface ParquetRow {
  readonly [column: string]: unknown
}

/** Options of {@link rows}. */
export interface ParquetOptions {
  /** The columns to read; default those of the schema, else all. What is not read costs nothing. */
  readonly columns?: ReadonlyArray<string>
}

type Test = (value: unknown) => boolean

/** A type test that is all a schema asks of a field; `undefined` when it asks more. */
const testOf = (ast: SchemaAST.AST): Test | undefined => {
  if (ast.encoding !== undefined || ast.checks !== undefined) return undefined
  switch (ast._tag) {
    case "Number":
      return (v) => typeof v === "number"
    case "String":
      return (v) => typeof v === "string"
    case "Boolean":
      return (v) => typeof v === "boolean"
    case "BigInt":
      return (v) => typeof v === "bigint"
    case "Null":
      return (v) => v === null
    case "Unknown":
    case "Any":
      return () => true
    case "Union": {
      const tests = ast.types.map(testOf)
      return tests.every((t) => t !== undefined) ? (v) => tests.some((t) => t(v)) : undefined
    }
    default:
      return undefined
  }
}

/** Type tests by column, for a plain struct of plain types. */
const testsOf = (ast: SchemaAST.AST): ReadonlyMap<string, Test> | undefined => {
  if (
    ast._tag !== "Objects" ||
    ast.encoding !== undefined ||
    ast.checks !== undefined ||
    ast.indexSignatures.length > 0
  )
    return undefined
  const tests = new Map<string, Test>()
  for (const p of ast.propertySignatures) {
    const test = testOf(p.type)
    if (typeof p.name !== "string" || test === undefined) return undefined
    tests.set(p.name, test)
  }
  return tests
}

const problemsOf = (columns: ReadonlyArray<string> | undefined): ReadonlyArray<OptionProblem> => {
  const problems: Array<OptionProblem> = []
  if (columns !== undefined) names("Parquet.rows.columns", columns, problems)
  return problems
}

/**
 * The rows of Parquet files. A corrupt footer is one dead row for the file, a corrupt page one for its row group, a row
 * that does not fit the schema one for itself. Compression: Snappy, gzip, zstd, Brotli.
 */
export const rows: {
  (schema?: undefined, options?: ParquetOptions): TableFormat<ParquetRow>
  <A>(schema: RowCodec<A>, options?: ParquetOptions): TableFormat<A>
} = <A = ParquetRow>(schema?: RowCodec<A>, options: ParquetOptions = {}): TableFormat<A> => ({
  kind: "table",
  name: "Parquet",
  problems: problemsOf(options.columns),
  load: Effect.gen(function* () {
    const [parquet, pages, codecs, table] = yield* Effect.promise(() =>
      Promise.all([
        import("hyparquet"),
        import("hyparquet/src/column.js"),
        import("./parquetCodecs.ts"),
        import("./parquetTable.ts")
      ])
    )
    const tests = schema === undefined ? undefined : testsOf(schema.ast)
    const plan: TablePlan<A> = {
      ...(options.columns === undefined ? {} : { columns: options.columns }),
      ...(schema === undefined ? {} : { schema: yield* compile(schema, "values") }),
      ...(tests === undefined ? {} : { tests })
    }
    return (file, source, from) =>
      table.tableCursor({ parquet, codecs, header: pages.parquetHeader }, plan, file, source, from)
  })
})

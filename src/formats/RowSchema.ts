/**
 * An Effect Schema, compiled once to check and convert rows: by generated code where the platform allows it
 * (`SchemaJITCompiler`, eleven times faster), else by Effect's interpreter, with the same results.
 *
 * Text formats cannot carry every value a schema may ask for. Fields whose encoded side is a bigint, a Date or another
 * value without a form in JSON are read and written through the schema's canonical JSON codec (ISO text for a Date,
 * digits for a bigint), and all fields of CSV through its canonical codec for strings. What a row has beside the
 * schema's fields is dropped when reading, and refused when writing.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import type { Fault } from "./Format.ts"

/** The schemas that formats take: decoding and encoding need no services. */
export type RowCodec<A> = Schema.Codec<A, unknown>

/** Which form the encoded side takes. */
export type Carrier = "json" | "text" | "values"

/** A compiled schema. */
export interface RowSchema<A> {
  /** Decodes one value. `undefined` means: it was pushed on `rows`. */
  readonly decode: (value: unknown, rows: Array<A>) => Fault | undefined
  /** Encodes one row; a `Fault` means that the row does not fit. */
  readonly encode: (row: unknown) => { readonly value: unknown } | Fault
  /** Names and types of the encoded side, when it is a struct; before any codec of the carrier. */
  readonly fields: ReadonlyArray<EncodedField> | undefined
  /** Where the encoded side takes bigints. */
  readonly bigints: BigintPlan
}

/** One field of the encoded side. */
export interface EncodedField {
  readonly name: string
  readonly ast: SchemaAST.AST
  readonly optional: boolean
}

/** Where bigints may stand: here, in these fields, in the elements; or anything goes, or nothing. */
export type BigintPlan =
  | "here"
  | "any"
  | "none"
  | { readonly fields: ReadonlyMap<string, BigintPlan>; readonly rest: BigintPlan; readonly items: BigintPlan }

const detailMax = 400

const oneLine = (text: string): string => {
  const line = text.replace(/\s*\n\s*/g, " ")
  return line.length > detailMax ? `${line.slice(0, detailMax)}...` : line
}

const planOf = (ast: SchemaAST.AST, depth = 0): BigintPlan => {
  // A recursive schema is followed far enough; below that, its bigints must be written as text.
  if (depth > 16) return "none"
  switch (ast._tag) {
    case "BigInt":
      return "here"
    case "Unknown":
    case "Any":
      return "any"
    case "Literal":
      return typeof ast.literal === "bigint" ? "here" : "none"
    case "Suspend":
      return planOf(ast.thunk(), depth + 1)
    case "Objects": {
      const fields = new Map<string, BigintPlan>()
      for (const p of ast.propertySignatures)
        if (typeof p.name === "string") fields.set(p.name, planOf(p.type, depth + 1))
      const rest = ast.indexSignatures.map((s) => planOf(s.type, depth + 1)).find((p) => p !== "none") ?? "none"
      return rest === "none" && [...fields.values()].every((p) => p === "none")
        ? "none"
        : { fields, rest, items: "none" }
    }
    case "Arrays": {
      const items = [...ast.elements, ...ast.rest].map((e) => planOf(e, depth + 1)).find((p) => p !== "none") ?? "none"
      return items === "none" ? "none" : { fields: new Map(), rest: "none", items }
    }
    case "Union": {
      const plans = ast.types.map((t) => planOf(t, depth + 1)).filter((p) => p !== "none")
      // Where a number would do as well, numbers stay numbers.
      return plans.length === 0 || ast.types.some((t) => t._tag === "Number") ? "none" : plans[0]
    }
    default:
      return "none"
  }
}

/** Whether JSON has no form for some value of this encoded side. */
const beyondJson = (ast: SchemaAST.AST, depth = 0): boolean => {
  if (depth > 16) return false
  switch (ast._tag) {
    case "BigInt":
    case "Declaration":
    case "Symbol":
    case "UniqueSymbol":
      return true
    case "Literal":
      return typeof ast.literal === "bigint"
    case "Suspend":
      return beyondJson(ast.thunk(), depth + 1)
    case "Objects":
      return [...ast.propertySignatures, ...ast.indexSignatures].some((p) => beyondJson(p.type, depth + 1))
    case "Arrays":
      return [...ast.elements, ...ast.rest].some((e) => beyondJson(e, depth + 1))
    case "Union":
      return ast.types.some((t) => beyondJson(t, depth + 1))
    default:
      return false
  }
}

type AnySchema = Schema.Constraint
type Fields = { readonly [name: string]: AnySchema }

const own = (value: unknown, key: string): unknown =>
  typeof value === "object" || typeof value === "function"
    ? (value as { readonly [key: string]: unknown } | null)?.[key]
    : undefined

const isSchema = (value: unknown): value is AnySchema => own(value, "ast") !== undefined

/** The fields of a plain struct: no transformation of its keys, no checks on the whole. */
const plainFields = (schema: AnySchema): Fields | undefined => {
  const fields = own(schema, "fields")
  const { ast } = schema
  if (
    ast._tag !== "Objects" ||
    ast.encoding !== undefined ||
    ast.checks !== undefined ||
    ast.indexSignatures.length > 0
  )
    return undefined
  return typeof fields === "object" && fields !== null ? (fields as Fields) : undefined
}

interface Modules {
  readonly S: typeof Schema
  readonly AST: typeof SchemaAST
}

/** One cell of CSV. `null` stays `null` (an empty cell), where the canonical codec would read the word "null". */
const cellCodec = ({ S }: Modules, field: AnySchema): AnySchema => {
  const inner = own(field, "schema")
  if (field.ast.context?.isOptional === true && isSchema(inner))
    return S.optionalKey(cellCodec({ S } as Modules, inner))
  const members = own(field, "members")
  if (Array.isArray(members) && members.every(isSchema)) {
    const rest = members.filter((m) => m.ast._tag !== "Null" && m.ast._tag !== "Undefined")
    if (rest.length < members.length && rest.length > 0) {
      const kept = rest.length === 1 ? rest[0] : S.Union(rest)
      const cell = S.toCodecStringTree(kept)
      const nulls = members.some((m) => m.ast._tag === "Null")
      return nulls ? S.NullOr(cell) : cell
    }
  }
  return S.toCodecStringTree(field)
}

const carried = (modules: Modules, schema: AnySchema, carrier: Carrier): AnySchema => {
  const { S, AST } = modules
  if (carrier === "values") return schema
  const fields = plainFields(schema)
  const fits = (ast: SchemaAST.AST): boolean => !beyondJson(AST.toEncoded(ast))
  if (fields === undefined)
    return carrier === "text" ? S.toCodecStringTree(schema) : fits(schema.ast) ? schema : S.toCodecJson(schema)
  if (carrier === "json" && fits(schema.ast)) return schema
  const out = Object.entries(fields).map(([name, field]): [string, AnySchema] =>
    carrier === "text" ? [name, cellCodec(modules, field)] : [name, fits(field.ast) ? field : S.toCodecJson(field)]
  )
  return S.Struct(Object.fromEntries(out))
}

const fieldsOf = (encoded: SchemaAST.AST): ReadonlyArray<EncodedField> | undefined => {
  if (encoded._tag !== "Objects" || encoded.indexSignatures.length > 0) return undefined
  const out: Array<EncodedField> = []
  for (const p of encoded.propertySignatures) {
    if (typeof p.name !== "string") return undefined
    out.push({ name: p.name, ast: p.type, optional: p.type.context?.isOptional === true })
  }
  return out
}

const codecOf = <A>(modules: Modules, schema: RowCodec<A>, carrier: Carrier): RowCodec<A> => {
  try {
    return carried(modules, schema, carrier) as RowCodec<A>
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`the schema has a field that has no form in ${carrier === "text" ? "CSV" : "JSON"}: ${why}`, {
      cause: error
    })
  }
}

/** Compiles a schema for one carrier; dies with an `Error` when it has no form there. Loads Effect's schema modules when it runs, not before. */
export const compile = <A>(schema: RowCodec<A>, carrier: Carrier): Effect.Effect<RowSchema<A>> =>
  Effect.promise(async () => {
    const [S, AST, Parser, Issue, JIT] = await Promise.all([
      import("effect/Schema"),
      import("effect/SchemaAST"),
      import("effect/SchemaParser"),
      import("effect/SchemaIssue"),
      import("effect/schema/SchemaJITCompiler")
    ])
    const codec = codecOf({ S, AST }, schema, carrier)
    JIT.enable(codec.ast)
    JIT.enable(AST.flip(codec.ast))
    const format = Issue.makeFormatterDefault()
    const faultOf = (cause: Cause.Cause<unknown>): Fault => {
      const error = Cause.squash(cause)
      try {
        if (Issue.isIssue(error)) return { reason: "schema", detail: oneLine(format(error)) }
        return {
          reason: "schema",
          detail: oneLine(`the schema failed on it: ${error instanceof Error ? error.message : String(error)}`)
        }
      } catch {
        return { reason: "schema", detail: "the schema refuses it" }
      }
    }
    const decodeExit = Parser.decodeUnknownExit(codec, { reportInput: true })
    const encodeExit = Parser.encodeUnknownExit(codec, { reportInput: true, onExcessProperty: "error" })
    const encoded = AST.toEncoded(schema.ast)
    return {
      decode: (value, rows) => {
        let exit: Exit.Exit<A, unknown>
        try {
          exit = decodeExit(value)
        } catch (thrown) {
          return faultOf(Cause.die(thrown))
        }
        if (Exit.isFailure(exit)) return faultOf(exit.cause)
        rows.push(exit.value)
        return undefined
      },
      encode: (row) => {
        try {
          const exit = encodeExit(row)
          return Exit.isSuccess(exit) ? { value: exit.value } : faultOf(exit.cause)
        } catch (thrown) {
          return faultOf(Cause.die(thrown))
        }
      },
      fields: fieldsOf(encoded),
      bigints: planOf(encoded)
    }
  })

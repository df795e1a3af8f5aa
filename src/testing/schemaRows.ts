/**
 * Rows of a Schema for fast-check, as the source delivers them: decoded. They shrink to small ones.
 *
 * Keys have few values, some of them hostile; ids have one for each row; numbers are multiples of a quarter, so that sums
 * do not depend on their order. What is not known here comes from effect's own `Arbitrary`, by seed: such values are
 * random, and do not shrink.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as fc from "fast-check"
import type { OptionProblem } from "../model/Errors.ts"

/** Fields that are not just anything. */
export interface Roles {
  readonly timeField: string | undefined
  readonly keyFields: ReadonlySet<string>
  readonly idFields: ReadonlySet<string>
  /** Distinct values of a key, hostile ones apart. */
  readonly keys: number
}

/** Makes rows: everything but time and ids is random, these are given. */
export interface RowMaker {
  readonly fields: fc.Arbitrary<{ readonly [field: string]: unknown }>
  readonly finish: (fields: { readonly [field: string]: unknown }, timeMs: number, id: string) => unknown
}

type Constraint = {
  readonly number?: string
  readonly minimum?: unknown
  readonly maximum?: unknown
  readonly minLength?: number
  readonly maxLength?: number
  readonly patterns?: ReadonlyArray<{ readonly source: string; readonly flags: string }>
}

const hostileTexts: ReadonlyArray<string> = ["", "__proto__", "constructor", "1", "a\u0000b"]
/** Values that all pass a check, out of so many that were tried. */
const trials = 200
const passingMin = 10
/** Where dates that are no event times begin. */
const dateMs = Date.UTC(2026, 0, 1)

const constraintsOf = (ast: SchemaAST.AST): Constraint => {
  let all: Constraint = {}
  const read = (check: SchemaAST.Check<never>): void => {
    if (check._tag === "FilterGroup") for (const inner of check.checks) read(inner as SchemaAST.Check<never>)
    const found: unknown = check.annotations?.["arbitraryConstraint"]
    if (typeof found === "object" && found !== null) all = { ...all, ...(found as Constraint) }
  }
  for (const check of ast.checks ?? []) read(check as unknown as SchemaAST.Check<never>)
  return all
}

const declared = (ast: SchemaAST.AST): string => {
  const found: unknown = ast.annotations?.["representation"]
  const id: unknown = typeof found === "object" && found !== null ? Reflect.get(found, "id") : undefined
  return typeof id === "string" ? id.replace("effect/schema/", "") : ""
}

const numberOr = (value: unknown, standard: number): number => (typeof value === "number" ? value : standard)

const numbers = (c: Constraint): fc.Arbitrary<number> => {
  const min = numberOr(c.minimum, -1000)
  const max = numberOr(c.maximum, Math.max(min + 2000, 1000))
  if (c.number === "integer") return fc.integer({ min: Math.ceil(min), max: Math.floor(max) })
  return fc.integer({ min: Math.ceil(min * 4), max: Math.floor(max * 4) }).map((n) => n / 4)
}

const texts = (c: Constraint): fc.Arbitrary<string> => {
  const [pattern] = c.patterns ?? []
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern.source, pattern.flags))
  const minLength = c.minLength ?? 0
  const maxLength = c.maxLength ?? minLength + 6
  const any = fc.string({ minLength, maxLength })
  const few = ["a", "b", "c"].map((letter) => letter.repeat(Math.max(1, minLength)))
  if (maxLength < few[0].length) return any
  return fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...few) }, { weight: 1, arbitrary: any })
}

const keyTexts = (keys: number): fc.Arbitrary<string> => {
  const plain = Array.from({ length: keys }, (_, i) => (i < 26 ? String.fromCharCode(97 + i) : `k${i}`))
  return fc.oneof(
    { weight: 10, arbitrary: fc.constantFrom(...plain) },
    { weight: 1, arbitrary: fc.constantFrom(...hostileTexts) }
  )
}

/** Values of a Schema that is not known here, by effect's own generator. */
const others = (ast: SchemaAST.AST): fc.Arbitrary<unknown> => {
  const made = Arbitrary.schema(Schema.make(ast) as unknown as Schema.Schema<unknown>)
  return fc
    .integer({ min: 0, max: 0x3fff_ffff })
    .map((seed) => Effect.runSync(Arbitrary.sampleEffect(made, { seed, count: 1, size: 4 }))[0])
}

/** Lets only values through that pass the checks, if enough of them do. */
const checked = (ast: SchemaAST.AST, values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => {
  if (ast.checks === undefined) return values
  const passes = Schema.is(Schema.make(ast) as unknown as Schema.Schema<unknown>)
  const tried = fc.sample(values, { seed: 1, numRuns: trials }).filter((value) => passes(value))
  return tried.length < passingMin ? others(ast) : values.filter((value) => passes(value))
}

const unchecked = (ast: SchemaAST.AST): fc.Arbitrary<unknown> => {
  switch (ast._tag) {
    case "String":
      return texts(constraintsOf(ast))
    case "Number":
      return numbers(constraintsOf(ast))
    case "Boolean":
      return fc.boolean()
    case "BigInt":
      return fc.bigInt({ min: -1000n, max: 1000n })
    case "Null":
      return fc.constant(null)
    case "Undefined":
    case "Void":
      return fc.constant(undefined)
    case "Literal":
      return fc.constant(ast.literal)
    case "Enum":
      return fc.constantFrom(...ast.enums.map(([, value]) => value))
    case "Union":
      return fc.oneof(...ast.types.map((type) => valuesOf(type)))
    case "Suspend":
      return others(ast)
    case "Arrays": {
      if (ast.rest.length > 1) return others(ast)
      const head = fc.tuple(...ast.elements.map((element) => valuesOf(element)))
      const { minLength = 0, maxLength = minLength + 3 } = constraintsOf(ast)
      const tail = ast.rest.length === 0 ? fc.constant([]) : fc.array(valuesOf(ast.rest[0]), { minLength, maxLength })
      return fc.tuple(head, tail).map(([first, rest]) => [...first, ...rest])
    }
    case "Objects":
      return ast.indexSignatures.length > 0 ? others(ast) : structOf(ast, (_, type) => valuesOf(type))
    case "Declaration": {
      const moment = fc.integer({ min: 0, max: 86_400 }).map((seconds) => dateMs + seconds * 1000)
      if (declared(ast) === "Date") return moment.map((ms) => new Date(ms))
      if (declared(ast) === "DateTimeUtc") return moment.map((ms) => DateTime.makeUnsafe(ms))
      return others(ast)
    }
    default:
      return others(ast)
  }
}

const valuesOf = (ast: SchemaAST.AST): fc.Arbitrary<unknown> => checked(ast, unchecked(ast))

const structOf = (
  ast: SchemaAST.Objects,
  fieldOf: (name: string, type: SchemaAST.AST) => fc.Arbitrary<unknown> | undefined
): fc.Arbitrary<{ readonly [field: string]: unknown }> => {
  const fields: { [name: string]: fc.Arbitrary<unknown> } = {}
  const requiredKeys: Array<string> = []
  for (const { name, type } of ast.propertySignatures) {
    const values = fieldOf(String(name), type)
    if (values === undefined) continue
    fields[String(name)] = values
    if (!SchemaAST.isOptional(type)) requiredKeys.push(String(name))
  }
  return fc.record(fields, { requiredKeys, noNullPrototype: true })
}

/** How a time is said in a field of this type; undefined: it cannot. */
const sayTime = (ast: SchemaAST.AST): ((ms: number) => unknown) | undefined => {
  switch (ast._tag) {
    case "Number":
      return (ms) => ms
    case "BigInt":
      return (ms) => BigInt(ms)
    case "String":
      return (ms) => new Date(ms).toISOString()
    case "Declaration":
      if (declared(ast) === "Date") return (ms) => new Date(ms)
      return declared(ast) === "DateTimeUtc" ? (ms) => DateTime.makeUnsafe(ms) : undefined
    case "Union":
      return ast.types.map(sayTime).find((say) => say !== undefined)
    default:
      return undefined
  }
}

/** How an id is said. Numbers count up. */
const sayId = (ast: SchemaAST.AST): ((id: string) => unknown) | undefined => {
  const number = (id: string): number => id.split("-").reduce((n, part) => n * 1000 + Number(part), 0)
  if (ast._tag === "Number") return number
  if (ast._tag === "BigInt") return (id) => BigInt(number(id))
  return ast._tag === "String" ? (id) => id : undefined
}

/** Makes rows of a Schema; adds what cannot be made to `problems`. */
export const rowMaker = (schema: Schema.Top, roles: Roles, problems: Array<OptionProblem>): RowMaker | undefined => {
  const ast = SchemaAST.toType(schema.ast)
  if (ast._tag !== "Objects") {
    const fix = "must be a Struct: for other rows, give an Arbitrary of fast-check in its place"
    problems.push({ option: "feed.schema", value: ast._tag, fix })
    return undefined
  }
  const says: Array<readonly [field: string, say: (timeMs: number, id: string) => unknown]> = []
  const special = (name: string, type: SchemaAST.AST): boolean => {
    if (name === roles.timeField) {
      const say = sayTime(type)
      if (say !== undefined) says.push([name, (ms) => say(ms)])
      else problems.push({ option: "feed.eventTime", value: name, fix: `cannot be an event time, being ${type._tag}` })
      return true
    }
    const say = roles.idFields.has(name) ? sayId(type) : undefined
    if (say !== undefined) says.push([name, (_, id) => say(id)])
    return say !== undefined
  }
  const fields = structOf(ast, (name, type) => {
    if (special(name, type)) return undefined
    const isKeyText = roles.keyFields.has(name) && type._tag === "String" && type.checks === undefined
    return isKeyText ? keyTexts(roles.keys) : valuesOf(type)
  })
  if (roles.timeField !== undefined && !ast.propertySignatures.some(({ name }) => name === roles.timeField)) {
    const fix = "is no field of the schema: eventTime says which one holds the event time"
    problems.push({ option: "feed.eventTime", value: roles.timeField, fix })
  }
  return {
    fields,
    finish: (made, timeMs, id) => {
      const row: { [field: string]: unknown } = {}
      for (const { name } of ast.propertySignatures) {
        const say = says.find(([field]) => field === name)
        if (say !== undefined) row[String(name)] = say[1](timeMs, id)
        else if (Object.hasOwn(made, name)) row[String(name)] = made[String(name)]
      }
      return row
    }
  }
}

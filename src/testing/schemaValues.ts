/**
 * Values of a Schema for fast-check, decoded. They shrink to small ones.
 *
 * Numbers are multiples of a quarter where the checks leave room, so that sums do not depend on their order. What is not
 * known here comes from effect's own `Arbitrary`, by seed: such values are random, and do not shrink.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as fc from "fast-check"
import { setField } from "./copyOf.ts"

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

/** What its checks say of a type, as far as effect knows. */
export const constraintsOf = (ast: SchemaAST.AST): Constraint => {
  let all: Constraint = {}
  const read = (check: SchemaAST.Check<never>): void => {
    if (check._tag === "FilterGroup") for (const inner of check.checks) read(inner as SchemaAST.Check<never>)
    const found: unknown = check.annotations?.["arbitraryConstraint"]
    if (typeof found === "object" && found !== null) all = { ...all, ...(found as Constraint) }
  }
  for (const check of ast.checks ?? []) read(check as unknown as SchemaAST.Check<never>)
  return all
}

/** Which of effect's own types it is; empty: none. */
export const declared = (ast: SchemaAST.AST): string => {
  const found: unknown = ast.annotations?.["representation"]
  const id: unknown = typeof found === "object" && found !== null ? Reflect.get(found, "id") : undefined
  return typeof id === "string" ? id.replace("effect/schema/", "") : ""
}

const numberOr = (value: unknown, standard: number): number => (typeof value === "number" ? value : standard)

const numbers = (c: Constraint): fc.Arbitrary<number> => {
  const min = numberOr(c.minimum, Math.min(numberOr(c.maximum, 1000) - 2000, -1000))
  const max = numberOr(c.maximum, Math.max(min + 2000, 1000))
  const steps = c.number === "integer" ? 1 : 4
  const [first, last] = [Math.ceil(min * steps), Math.floor(max * steps)]
  if (first <= last && Number.isSafeInteger(first) && Number.isSafeInteger(last))
    return fc.integer({ min: first, max: last }).map((n) => n / steps)
  return fc.double({ min, max, noNaN: true })
}

const texts = (c: Constraint): fc.Arbitrary<string> => {
  const [pattern] = c.patterns ?? []
  if (pattern !== undefined) {
    try {
      return fc.stringMatching(new RegExp(pattern.source, pattern.flags))
    } catch {
      // It reads no flags and no lookahead: a plain text may be what is asked for all the same.
    }
  }
  const minLength = c.minLength ?? 0
  const maxLength = c.maxLength ?? minLength + 6
  const any = fc.string({ minLength, maxLength })
  const few = ["a", "b", "c"].map((letter) => letter.repeat(Math.max(1, minLength)))
  if (maxLength < few[0].length) return any
  return fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...few) }, { weight: 1, arbitrary: any })
}

/** Values of a key: a few, and hostile ones. */
export const keyTexts = (keys: number): fc.Arbitrary<string> => {
  const plain = Array.from({ length: keys }, (_, i) => (i < 26 ? String.fromCharCode(97 + i) : `k${i}`))
  return fc.oneof(
    { weight: 10, arbitrary: fc.constantFrom(...plain) },
    { weight: 1, arbitrary: fc.constantFrom(...hostileTexts) }
  )
}

/** Seeds that are tried where effect's generator finds nothing by one. */
const seedsMax = 5

/** Values of a Schema by effect's own generator, one for each seed; `size`: how far they may be from the smallest. */
export const sampler = (ast: SchemaAST.AST, size = 4): ((seed: number) => unknown) => {
  const made = Arbitrary.schema(Schema.make(ast) as unknown as Schema.Schema<unknown>)
  return (seed) => {
    for (let i = 0; i < seedsMax; i++) {
      const found = Effect.runSync(Effect.result(Arbitrary.sampleEffect(made, { seed: seed + i, count: 1, size })))
      if (Result.isSuccess(found)) return found.success[0]
    }
    throw new Error("no value that was tried passes its checks")
  }
}

/** Values of a Schema that is not known here. */
const others = (ast: SchemaAST.AST): fc.Arbitrary<unknown> => fc.integer({ min: 0, max: 0x3fff_ffff }).map(sampler(ast))

/** Whether a value is one of a Schema, its checks included. */
export const passes = (ast: SchemaAST.AST): ((value: unknown) => boolean) =>
  Schema.is(Schema.make(ast) as unknown as Schema.Schema<unknown>)

/** Whether enough values pass a check that the others can be left out. */
export const passEnough = <A>(values: fc.Arbitrary<A>, check: (value: A) => boolean): boolean =>
  fc.sample(values, { seed: 1, numRuns: trials }).filter((value) => check(value)).length >= passingMin

/** Lets only values through that pass the checks, if enough of them do. */
const checked = (ast: SchemaAST.AST, values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => {
  if (ast.checks === undefined) return values
  const check = passes(ast)
  return passEnough(values, check) ? values.filter(check) : others(ast)
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

/** Random values of a Schema. Throws where there are none. */
export const valuesOf = (ast: SchemaAST.AST): fc.Arbitrary<unknown> => {
  try {
    return checked(ast, unchecked(ast))
  } catch {
    // A pattern that fast-check cannot read, bounds with nothing between them.
    return others(ast)
  }
}

/** Random structs; fields for which there is nothing are left to the caller. */
export const structOf = (
  ast: SchemaAST.Objects,
  fieldOf: (name: string, type: SchemaAST.AST) => fc.Arbitrary<unknown> | undefined
): fc.Arbitrary<{ readonly [field: string]: unknown }> => {
  // By number: fast-check would take a field named __proto__ for something else.
  const fields: { [number: string]: fc.Arbitrary<unknown> } = {}
  const names: { [number: string]: string } = {}
  const requiredKeys: Array<string> = []
  for (const [i, { name, type }] of ast.propertySignatures.entries()) {
    const values = fieldOf(String(name), type)
    if (values === undefined) continue
    const key = `f${i}`
    fields[key] = values
    names[key] = String(name)
    if (!SchemaAST.isOptional(type)) requiredKeys.push(key)
  }
  return fc.record(fields, { requiredKeys, noNullPrototype: true }).map((made) => {
    const row: { [field: string]: unknown } = {}
    for (const [key, value] of Object.entries(made)) setField(row, names[key], value)
    return row
  })
}

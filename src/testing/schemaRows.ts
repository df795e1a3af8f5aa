/**
 * Rows of a Schema for fast-check, as the source delivers them: decoded. They shrink to small ones.
 *
 * Keys have few values, some of them hostile; ids have one for each row; all else is as its type has it. Every row passes
 * the checks of the Schema, those of the whole struct included.
 */
import * as DateTime from "effect/DateTime"
import type * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as fc from "fast-check"
import type { OptionProblem } from "../model/Errors.ts"
import { setField } from "./copyOf.ts"
import { constraintsOf, declared, keyTexts, passEnough, passes, sampler, structOf, valuesOf } from "./schemaValues.ts"
import { timeAfter } from "./times.ts"

/** Fields that are not just anything. */
export interface Roles {
  readonly timeField: string | undefined
  readonly keyFields: ReadonlySet<string>
  readonly idFields: ReadonlySet<string>
  /** Distinct values of a key, hostile ones apart. */
  readonly keys: number
}

/** What no other row of the same history has, as text and as a small number. */
export interface RowId {
  readonly text: string
  readonly number: number
}

type Fields = { readonly [field: string]: unknown }

/** Makes rows: everything but time and ids is random, these are given. */
export interface RowMaker {
  readonly fields: fc.Arbitrary<Fields>
  /** Undefined: there is no such row at this time, by the checks of the struct. */
  readonly finish: (fields: Fields, timeMs: number, id: RowId) => unknown
}

/** Rows that are made of a field before any history, to see whether there are some. */
const samples = 50

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

/** How large ids of a type with checks may be: small ones are soon used up. */
const idSize = 1000

/** Ids of a type with checks of its own: the values that effect's generator finds, each once. */
const foundIds = (ast: SchemaAST.AST): ((id: RowId) => unknown) => {
  const sample = sampler(ast, idSize)
  const found: Array<unknown> = []
  const known = new Set<unknown>()
  let seed = 0
  return ({ number }) => {
    // One after the other, so that an id is the same whoever is asked for first.
    while (found.length <= number) {
      let value = sample(seed++)
      for (let i = 0; i < samples && known.has(value); i++) value = sample(seed++)
      known.add(value)
      found.push(value)
    }
    return found[number]
  }
}

/** How an id is said; undefined: not at all, the field is like any other. */
const sayId = (ast: SchemaAST.AST): ((id: RowId) => unknown) | undefined => {
  if (ast._tag !== "Number" && ast._tag !== "BigInt" && ast._tag !== "String") return undefined
  const { minimum } = constraintsOf(ast)
  const first = typeof minimum === "number" ? Math.floor(minimum) + 1 : 0
  const say = ({ text, number }: RowId): unknown =>
    ast._tag === "String" ? text : ast._tag === "BigInt" ? BigInt(number) : first + number
  const check = passes(ast)
  const isFree = [0, 1, samples].every((number) => check(say({ text: `0-${number}`, number })))
  return isFree ? say : foundIds(ast)
}

/** Makes rows of a Schema; adds what cannot be made to `problems`. */
export const rowMaker = (schema: Schema.Top, roles: Roles, problems: Array<OptionProblem>): RowMaker | undefined => {
  const ast = SchemaAST.toType(schema.ast)
  if (ast._tag !== "Objects") {
    const fix = "must be a Struct: for other rows, give an Arbitrary of fast-check in its place"
    problems.push({ option: "feed.schema", value: ast._tag, fix })
    return undefined
  }
  const instead = "for such rows, give an Arbitrary of fast-check in its place"
  const says = new Map<string, (timeMs: number, id: RowId) => unknown>()
  const special = (name: string, type: SchemaAST.AST): boolean => {
    if (name === roles.timeField) {
      const say = sayTime(type)
      if (say === undefined || !passes(type)(say(timeAfter.start))) {
        const why = say === undefined ? `being ${type._tag}` : "by its checks"
        problems.push({ option: "feed.eventTime", value: name, fix: `cannot be an event time, ${why}` })
      } else says.set(name, (ms) => say(ms))
      return true
    }
    const say = roles.idFields.has(name) ? sayId(type) : undefined
    if (say !== undefined) says.set(name, (_, id) => say(id))
    return say !== undefined
  }
  const tried = (name: string, type: SchemaAST.AST): fc.Arbitrary<unknown> => {
    try {
      const values = valuesOf(type)
      fc.sample(values, { seed: 1, numRuns: samples })
      return values
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      problems.push({ option: "feed.schema", value: name, fix: `has no values that can be made: ${why}; ${instead}` })
      return fc.constant(undefined)
    }
  }
  const fields = structOf(ast, (name, type) => {
    if (special(name, type)) return undefined
    const isKeyText = roles.keyFields.has(name) && type._tag === "String" && type.checks === undefined
    return isKeyText ? keyTexts(roles.keys) : tried(name, type)
  })
  if (roles.timeField !== undefined && !ast.propertySignatures.some(({ name }) => name === roles.timeField)) {
    const fix = "is no field of the schema: eventTime says which one holds the event time"
    problems.push({ option: "feed.eventTime", value: roles.timeField, fix })
  }
  const whole = (made: Fields, timeMs: number, id: RowId): Fields => {
    const row: { [field: string]: unknown } = {}
    for (const { name } of ast.propertySignatures) {
      const field = String(name)
      const say = says.get(field)
      if (say !== undefined) setField(row, field, say(timeMs, id))
      else if (Object.hasOwn(made, field)) setField(row, field, made[field])
    }
    return row
  }
  if (ast.checks === undefined || problems.length > 0) return { fields, finish: whole }
  const check = passes(ast)
  const isRowAt =
    (timeMs: number) =>
    (made: Fields): boolean =>
      check(whole(made, timeMs, { text: "0-0", number: 0 }))
  const times = [0, 1, 60_000, 3_600_000].map((later) => timeAfter.start + later)
  if (!times.some((time) => passEnough(fields, isRowAt(time)))) {
    const fix = `has checks that hardly any of its rows passes: ${instead}`
    problems.push({ option: "feed.schema", value: "Struct", fix })
  }
  const isRow = isRowAt(times[0])
  // What passes at one time and not at another is left out when the time is known.
  const isTimeless = fc
    .sample(fields, { seed: 1, numRuns: samples })
    .every((made) => times.every((time) => isRowAt(time)(made) === isRow(made)))
  return {
    fields: isTimeless ? fields.filter(isRow) : fields,
    finish: (made, timeMs, id) => {
      const row = whole(made, timeMs, id)
      return check(row) ? row : undefined
    }
  }
}

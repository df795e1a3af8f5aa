/**
 * The text of one JSON row to its value, exactly or not at all.
 *
 * `JSON.parse`, and what it leaves to its caller: nesting is bounded, and a number is never rounded on the way. Integers
 * beyond 2^53 become bigints where the schema takes one, else the row is dead; so does a number too large for a double.
 * Numbers with a fraction or an exponent are doubles, as everywhere. `__proto__` is a key like any other, of duplicate
 * keys the last one stands (as in JSON.parse), lone surrogates written as \u escapes stay as they are. Without a schema a
 * row must be an object.
 */
import type { Fault } from "./Format.ts"
import type { BigintPlan, RowSchema } from "./RowSchema.ts"

const max = Number.MAX_SAFE_INTEGER

/** Whether some number in a value may not be what its text said: beyond 2^53, or infinite. */
const hasBigNumber = (value: object): boolean => {
  for (const key in value) {
    const item = (value as { readonly [key: string]: unknown })[key]
    if (typeof item === "number") {
      if (item > max || item < -max) return true
    } else if (typeof item === "object" && item !== null && hasBigNumber(item)) return true
  }
  return false
}

/** Whether a text nests deeper than `depthMax`; strings do not count. */
export const nestsDeeper = (text: string, depthMax: number): boolean => {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === 34) {
      for (i++; i < text.length && text.charCodeAt(i) !== 34; i++) if (text.charCodeAt(i) === 92) i++
    } else if (c === 91 || c === 123) {
      if (++depth > depthMax) return true
    } else if (c === 93 || c === 125) depth--
  }
  return false
}

const tooDeep = (depthMax: number): Fault => ({
  reason: "too-large",
  detail: `nested deeper than ${depthMax} (jsonDepthMax)`
})

interface Exact {
  readonly value: unknown
  readonly fault: Fault | undefined
  readonly bigints: number
}

type Reviver = (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown

/** Parses again with the source text of each number at hand: slow, and only for rows that need it. */
const parseExactly = (text: string): Exact => {
  let fault: Fault | undefined
  let bigints = 0
  const revive: Reviver = (key, value, context) => {
    if (typeof value !== "number" || (value <= max && value >= -max) || context.source === undefined) return value
    if (/^-?\d+$/.test(context.source)) {
      bigints++
      return BigInt(context.source)
    }
    if (!Number.isFinite(value))
      fault = { reason: "schema", detail: `${JSON.stringify(key)}: ${clip(context.source)} is too large for a number` }
    return value
  }
  return { value: JSON.parse(text, revive as (key: string, value: unknown) => unknown) as unknown, fault, bigints }
}

const clip = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}...` : text)

const unsafe = (path: string, value: bigint): Fault => ({
  reason: "schema",
  detail: `${path === "" ? "" : `${path}: `}the integer ${clip(String(value))} does not fit a number exactly: give the field the type Schema.BigInt`
})

/** The first bigint of a value, as a fault. */
const firstBigint = (value: unknown, path: string): Fault | undefined => {
  if (typeof value === "bigint") return unsafe(path, value)
  if (typeof value !== "object" || value === null) return undefined
  for (const key of Object.keys(value)) {
    const found = firstBigint((value as { readonly [key: string]: unknown })[key], path === "" ? key : `${path}.${key}`)
    if (found !== undefined) return found
  }
  return undefined
}

/** Writes integers as digits where the schema takes bigints (its JSON codec reads text); changes `value` in place. */
const lift = (value: unknown, plan: BigintPlan): unknown => {
  if (plan === "none" || plan === "any") return value
  if (plan === "here") {
    if (typeof value === "bigint") return String(value)
    return typeof value === "number" && Number.isSafeInteger(value) ? String(value) : value
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = lift(value[i], plan.items)
  } else if (typeof value === "object" && value !== null) {
    for (const key of Object.keys(value)) {
      const sub = plan.fields.get(key) ?? plan.rest
      if (sub === "none" || sub === "any") continue
      const lifted = lift((value as { readonly [key: string]: unknown })[key], sub)
      Object.defineProperty(value, key, { value: lifted, writable: true, enumerable: true, configurable: true })
    }
  }
  return value
}

const kindOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`

/** A function from text to row: pushes the row, or says what is wrong with it. */
export const jsonReader = <A>(schema: RowSchema<A> | undefined, depthMax: number) => {
  const lifts = schema !== undefined && typeof schema.bigints === "object"
  const plan = schema?.bigints ?? "none"

  const finish = (value: unknown, rows: Array<A>): Fault | undefined => {
    if (schema !== undefined) return schema.decode(lifts || plan === "here" ? lift(value, plan) : value, rows)
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return { reason: "schema", detail: `a row must be an object, this is ${kindOf(value)}` }
    }
    rows.push(value as A)
    return undefined
  }

  const slowly = (text: string, rows: Array<A>): Fault | undefined => {
    const exact = parseExactly(text)
    if (exact.fault !== undefined) return exact.fault
    if (exact.bigints === 0) return finish(exact.value, rows)
    if (schema === undefined) return firstBigint(exact.value, "")
    const fault = finish(exact.value, rows)
    if (fault === undefined) return undefined
    return { reason: fault.reason, detail: `${fault.detail} (an integer beyond 2^53 is exact only as Schema.BigInt)` }
  }

  return (text: string, rows: Array<A>): Fault | undefined => {
    // A text shorter than the bound cannot nest deeper than it.
    if (text.length > depthMax && nestsDeeper(text, depthMax)) return tooDeep(depthMax)
    let value: unknown
    try {
      value = JSON.parse(text) as unknown
    } catch (error) {
      return {
        reason: "malformed",
        detail: error instanceof Error ? error.message.replace(/\s+/g, " ").slice(0, 400) : "not JSON"
      }
    }
    const big =
      typeof value === "number"
        ? value > max || value < -max
        : typeof value === "object" && value !== null && hasBigNumber(value)
    return big ? slowly(text, rows) : finish(value, rows)
  }
}

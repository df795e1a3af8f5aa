/**
 * Values of rows as plain JSON and back, exactly: whatever of a row goes into a checkpoint or a prepared epoch.
 *
 * Beside JSON it keeps undefined, bigints, NaN, the infinities, -0, `Date`, effect's `DateTime`, bytes, `Map`, `Set` and
 * objects without a prototype. Those are objects with one key that starts with `$`; a plain object with such keys is
 * written as a list of entries. `__proto__` is a key like any other. It is not for instances of other classes,
 * functions, symbols or cycles: there is no exact form for them. They are refused, with their place in the value:
 * {@link encodeStored} throws a {@link NotStorable}, {@link tryEncodeStored} returns it.
 */
import * as DateTime from "effect/DateTime"
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import { Limits } from "./Limits.ts"

/** A value as plain JSON: what {@link encodeStored} gives. Its numbers are finite, and none is -0. */
export type StoredValue =
  | null
  | boolean
  | number
  | string
  | ReadonlyArray<StoredValue>
  | { readonly [field: string]: StoredValue }

/** What in a value has no exact form, and where: `a.b[0]`, empty for the value itself. */
export interface StoredProblem {
  readonly path: string
  /** `an instance of Money`, `a function`, `a cycle`. */
  readonly what: string
}

/** A value that cannot be stored. Thrown, never shown as it is: who knows the operator and the row says so. */
export class NotStorable extends Error {
  readonly problem: StoredProblem
  constructor(problem: StoredProblem) {
    const where = problem.path === "" ? "it" : `field ${problem.path}`
    super(
      `${where} is ${problem.what}, which cannot be kept in a checkpoint: map rows to plain data first, or give the reducer a merge`
    )
    this.problem = problem
  }
}

/** Where an encoding is in its value. */
interface Walk {
  /** Names and indices from the root to the present value. */
  readonly path: Array<string | number>
  readonly parents: Set<object>
  /** What was refused first. */
  problem: StoredProblem | undefined
  readonly throws: boolean
}

const pathText = (path: ReadonlyArray<string | number>): string =>
  path.map((at, i) => (typeof at === "number" ? `[${at}]` : i === 0 ? at : `.${at}`)).join("")

const refuse = (walk: Walk, what: string): null => {
  const problem = { path: pathText(walk.path), what }
  if (walk.throws) throw new NotStorable(problem)
  walk.problem ??= problem
  return null
}

const encodeNumber = (value: number): StoredValue =>
  value - value === 0 && !Object.is(value, -0) ? value : { $number: Object.is(value, -0) ? "-0" : String(value) }

const at = (key: string | number, value: unknown, walk: Walk): StoredValue => {
  walk.path.push(key)
  const out = encode(value, walk)
  walk.path.pop()
  return out
}

const each = (values: Iterable<unknown>, walk: Walk): ReadonlyArray<StoredValue> =>
  Array.from(values, (value, i) => at(i, value, walk))

const encodePlain = (value: object, walk: Walk): StoredValue => {
  const keys = Object.keys(value)
  const get = (key: string): StoredValue => at(key, (value as { readonly [key: string]: unknown })[key], walk)
  if (keys.some((key) => key.startsWith("$"))) return { $entries: keys.map((key) => [key, get(key)]) }
  const out: { [key: string]: StoredValue } = {}
  for (const key of keys) {
    // A plain assignment to `__proto__` would change the prototype instead.
    if (key === "__proto__") define(out, key, get(key))
    else out[key] = get(key)
  }
  return out
}

const classOf = (value: object): string => {
  const made = (value as { readonly constructor?: { readonly name?: unknown } }).constructor?.name
  return typeof made === "string" && made !== "" ? made : "a class without a name"
}

const encodeObject = (value: object, walk: Walk): StoredValue => {
  if (Array.isArray(value)) return each(value, walk)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype) return encodePlain(value, walk)
  if (prototype === null) return { $bare: encodePlain(value, walk) }
  if (value instanceof Date) return { $date: encodeNumber(value.getTime()) }
  if (DateTime.isDateTime(value)) {
    return DateTime.isZoned(value)
      ? { $zoned: [value.epochMilliseconds, DateTime.zoneToString(value.zone)] }
      : { $utc: value.epochMilliseconds }
  }
  if (value instanceof Uint8Array) return { $bytes: Base64.encode(value) }
  if (value instanceof Map) return { $map: each(value, walk) }
  if (value instanceof Set) return { $set: each(value, walk) }
  return refuse(walk, `an instance of ${classOf(value)}`)
}

const encode = (value: unknown, walk: Walk): StoredValue => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      return encodeNumber(value)
    case "bigint":
      return { $bigint: String(value) }
    case "undefined":
      return { $undefined: true }
    case "object": {
      if (value === null) return null
      if (walk.parents.has(value)) return refuse(walk, "a cycle")
      if (walk.parents.size >= Limits.jsonDepthMax) return refuse(walk, `nested deeper than ${Limits.jsonDepthMax}`)
      walk.parents.add(value)
      const out = encodeObject(value, walk)
      walk.parents.delete(value)
      return out
    }
    default:
      return refuse(walk, `a ${typeof value}`)
  }
}

/** A value as plain JSON. Throws {@link NotStorable} on what has no exact form. */
export const encodeStored = (value: unknown): StoredValue => {
  if (typeof value === "string") return value
  if (typeof value === "number") return encodeNumber(value)
  return encode(value, { path: [], parents: new Set(), problem: undefined, throws: true })
}

/** The same without a throw. `problem` says what has no exact form, if anything; `stored` then has null in its place. */
export const tryEncodeStored = (
  value: unknown
): { readonly stored: StoredValue; readonly problem: StoredProblem | undefined } => {
  const walk: Walk = { path: [], parents: new Set(), problem: undefined, throws: false }
  const stored = encode(value, walk)
  return { stored, problem: walk.problem }
}

const define = (object: object, key: string, value: unknown): void => {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
}

const decodePlain = (stored: object, into: object): object => {
  for (const key of Object.keys(stored)) {
    const value = decodeStored((stored as { readonly [key: string]: unknown })[key])
    if (key === "__proto__") define(into, key, value)
    else (into as { [key: string]: unknown })[key] = value
  }
  return into
}

const decodeEntries = (entries: ReadonlyArray<readonly [string, unknown]>, into: object): object => {
  for (const [key, value] of entries) define(into, key, decodeStored(value))
  return into
}

const decodeBare = (body: unknown): object => {
  const into = Object.create(null) as object
  const tagged = tagOf(body)
  return tagged === undefined
    ? decodePlain(body as object, into)
    : decodeEntries(tagged[1] as ReadonlyArray<readonly [string, unknown]>, into)
}

const decodeTagged = (tag: string, body: unknown): unknown => {
  switch (tag) {
    case "$undefined":
      return undefined
    case "$number":
      return Number(body)
    case "$bigint":
      return BigInt(body as string)
    case "$date":
      return new Date(decodeStored(body) as number)
    case "$utc":
      return DateTime.makeUnsafe(body as number)
    case "$zoned": {
      const [ms, timeZone] = body as readonly [number, string]
      return DateTime.makeZonedUnsafe(ms, { timeZone })
    }
    case "$bytes":
      return Result.getOrThrow(Base64.decode(body as string))
    case "$map":
      return new Map(
        (body as ReadonlyArray<readonly [unknown, unknown]>).map(([k, v]) => [decodeStored(k), decodeStored(v)])
      )
    case "$set":
      return new Set((body as ReadonlyArray<unknown>).map(decodeStored))
    case "$entries":
      return decodeEntries(body as ReadonlyArray<readonly [string, unknown]>, {})
    case "$bare":
      return decodeBare(body)
    default:
      throw new Error(`"${tag}" is not a kind of stored value: the checkpoint is from another version, or damaged`)
  }
}

/** The tag and the body of an encoded object that stands for something else. */
const tagOf = (stored: unknown): readonly [string, unknown] | undefined => {
  const keys = Object.keys(stored as object)
  return keys.length === 1 && keys[0].startsWith("$")
    ? [keys[0], (stored as { readonly [key: string]: unknown })[keys[0]]]
    : undefined
}

/** The value that was encoded. Throws on what {@link encodeStored} cannot have written. */
export const decodeStored = (stored: unknown): unknown => {
  if (typeof stored !== "object" || stored === null) return stored
  if (Array.isArray(stored)) return stored.map(decodeStored)
  const tagged = tagOf(stored)
  return tagged === undefined ? decodePlain(stored, {}) : decodeTagged(tagged[0], tagged[1])
}

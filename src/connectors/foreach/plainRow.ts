/**
 * Rows as JSON that loses nothing, so that an epoch's rows can stand in a manifest and be handed out by any process.
 *
 * Takes what rows are made of: JSON values, `undefined`, every number (NaN, infinities, -0), bigint, `Date`,
 * `DateTime.Utc`, bytes, arrays, `Map`, `Set` and plain objects, nested. Anything else (a class instance, a function, a
 * cycle) is named and refused rather than changed.
 */
import * as DateTime from "effect/DateTime"
import { Limits } from "../../model/Limits.ts"

/** A value that cannot be kept: which, and where in the row. */
export interface NotPlain {
  readonly path: string
  readonly what: string
}

/** Marks values that JSON has no word for: `{ "$": "bigint", "v": "12" }`. Objects with an own `$` are wrapped too. */
const mark = "$"

const tagged = (type: string, v: unknown): unknown => ({ [mark]: type, v })

const define = (object: object, key: string, value: unknown): void => {
  // A plain assignment to `__proto__` would change the prototype instead.
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
}

interface Walk {
  refused: NotPlain | undefined
  readonly parents: Set<object>
}

const encodeNumber = (n: number): unknown =>
  Number.isFinite(n) && !Object.is(n, -0) ? n : tagged("number", Object.is(n, -0) ? "-0" : String(n))

const encodeObject = (value: object, path: string, walk: Walk): unknown => {
  const each = (v: unknown, i: number): unknown => encode(v, `${path}[${i}]`, walk)
  if (Array.isArray(value)) return Array.from(value, each)
  if (value instanceof Date) return tagged("Date", encodeNumber(value.getTime()))
  if (value instanceof Uint8Array)
    return tagged("bytes", Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64"))
  if (value instanceof Map)
    return tagged(
      "Map",
      Array.from(value, (entry, i) => each(entry, i))
    )
  if (value instanceof Set) return tagged("Set", Array.from(value, each))
  if (DateTime.isDateTime(value) && DateTime.isUtc(value)) return tagged("DateTime.Utc", DateTime.toEpochMillis(value))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    const made = (value as { readonly constructor?: { readonly name?: unknown } }).constructor?.name
    walk.refused ??= { path, what: `an instance of ${typeof made === "string" ? made : "a class"}` }
    return null
  }
  const out: object = {}
  for (const key of Object.keys(value)) {
    define(
      out,
      key,
      encode((value as { readonly [key: string]: unknown })[key], path === "" ? key : `${path}.${key}`, walk)
    )
  }
  if (prototype === null) return tagged("null-prototype", out)
  return Object.hasOwn(value, mark) ? tagged("object", out) : out
}

const encode = (value: unknown, path: string, walk: Walk): unknown => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value
  if (typeof value === "number") return encodeNumber(value)
  if (value === undefined) return tagged("undefined", null)
  if (typeof value === "bigint") return tagged("bigint", String(value))
  if (typeof value !== "object") {
    walk.refused ??= { path, what: `a ${typeof value}` }
    return null
  }
  if (walk.parents.has(value) || walk.parents.size >= Limits.jsonDepthMax) {
    walk.refused ??= { path, what: walk.parents.has(value) ? "a cycle" : `nested deeper than ${Limits.jsonDepthMax}` }
    return null
  }
  walk.parents.add(value)
  const out = encodeObject(value, path, walk)
  walk.parents.delete(value)
  return out
}

/** A row as JSON text. `refused` says what in it cannot be kept; the text then has null in its place. */
export interface EncodedRow {
  readonly json: string
  readonly refused: NotPlain | undefined
}

/** Encodes a row; never throws but for getters that do. */
export const encodeRow = (row: unknown): EncodedRow => {
  const walk: Walk = { refused: undefined, parents: new Set() }
  const out = encode(row, "", walk)
  return { json: JSON.stringify(out), refused: walk.refused }
}

const decodeTagged = (type: unknown, v: unknown): unknown => {
  switch (type) {
    case "undefined":
      return undefined
    case "number":
      return Number(v)
    case "bigint":
      return BigInt(v as string)
    case "Date":
      return new Date(decode(v) as number)
    case "DateTime.Utc":
      return DateTime.makeUnsafe(v as number)
    case "bytes":
      return new Uint8Array(Buffer.from(v as string, "base64"))
    case "Map":
      return new Map(decode(v) as ReadonlyArray<readonly [unknown, unknown]>)
    case "Set":
      return new Set(decode(v) as ReadonlyArray<unknown>)
    case "null-prototype":
      return decodeObject(v as object, Object.create(null) as object)
    default:
      return decodeObject(v as object, {})
  }
}

const decodeObject = (from: object, into: object): object => {
  for (const key of Object.keys(from)) {
    define(into, key, decode(Object.getOwnPropertyDescriptor(from, key)?.value))
  }
  return into
}

const decode = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(decode)
  const marked = value as { readonly $?: unknown; readonly v?: unknown }
  return Object.hasOwn(value, mark) ? decodeTagged(marked.$, marked.v) : decodeObject(value, {})
}

/** The row that {@link encodeRow} encoded. */
export const decodeRow = (json: string): unknown => decode(JSON.parse(json))

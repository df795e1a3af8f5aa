/**
 * Values of rows as plain JSON and back, exactly: what `first`, `last` and kept rows put into checkpoints.
 *
 * Beside JSON it keeps undefined, bigints, NaN, the infinities, -0, `Date`, effect's `DateTime`, bytes, `Map` and
 * `Set`. Those are objects with one key that starts with `$`; a plain object with such keys is written as a list of
 * entries. `__proto__` is a key like any other. It is not for instances of other classes, functions, symbols or cycles:
 * there is no exact form for them, so `encodeStored` throws and says what to do instead.
 */
import * as DateTime from "effect/DateTime"
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import { Limits } from "../../model/Limits.ts"

const noForm = (what: string): Error =>
  new Error(`${what} cannot be stored in a checkpoint: map rows to plain values first, or give the reducer a merge`)

const encodeNumber = (value: number): unknown =>
  Number.isFinite(value) && !Object.is(value, -0) ? value : { $number: Object.is(value, -0) ? "-0" : String(value) }

const isPlain = (value: object): boolean => {
  const proto: unknown = Object.getPrototypeOf(value)
  return proto === Object.prototype || proto === null
}

const encodePlain = (value: object, depth: number): unknown => {
  const entries = Object.entries(value).map(([key, v]) => [key, encode(v, depth)] as const)
  return entries.some(([key]) => key.startsWith("$")) ? { $entries: entries } : Object.fromEntries(entries)
}

const encodeObject = (value: object, depth: number): unknown => {
  if (Array.isArray(value)) return Array.from(value, (v) => encode(v, depth))
  if (isPlain(value)) return encodePlain(value, depth)
  if (value instanceof Date) return { $date: encodeNumber(value.getTime()) }
  if (DateTime.isDateTime(value)) {
    return DateTime.isZoned(value)
      ? { $zoned: [value.epochMilliseconds, DateTime.zoneToString(value.zone)] }
      : { $utc: value.epochMilliseconds }
  }
  if (value instanceof Uint8Array) return { $bytes: Base64.encode(value) }
  if (value instanceof Map) return { $map: Array.from(value, ([k, v]) => [encode(k, depth), encode(v, depth)]) }
  if (value instanceof Set) return { $set: Array.from(value, (v) => encode(v, depth)) }
  throw noForm(`a value of class ${value.constructor?.name ?? "without a name"}`)
}

const encode = (value: unknown, depth: number): unknown => {
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
    case "object":
      if (value === null) return null
      if (depth >= Limits.jsonDepthMax) throw noForm(`a value nested deeper than ${Limits.jsonDepthMax}`)
      return encodeObject(value, depth + 1)
    default:
      throw noForm(`a ${typeof value}`)
  }
}

/** A value as plain JSON. Throws on what has no exact form. */
export const encodeStored = (value: unknown): unknown => encode(value, 0)

const decodeEntries = (entries: ReadonlyArray<readonly [string, unknown]>): unknown => {
  const out = {}
  for (const [key, value] of entries) {
    Object.defineProperty(out, key, {
      value: decodeStored(value),
      enumerable: true,
      configurable: true,
      writable: true
    })
  }
  return out
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
      return decodeEntries(body as ReadonlyArray<readonly [string, unknown]>)
    default:
      throw new Error(`"${tag}" is not a kind of stored value: the checkpoint is from another version, or damaged`)
  }
}

/** The value that {@link encodeStored} was given. Throws on what it cannot have written. */
export const decodeStored = (stored: unknown): unknown => {
  if (typeof stored !== "object" || stored === null) return stored
  if (Array.isArray(stored)) return stored.map(decodeStored)
  const entries = Object.entries(stored)
  return entries.length === 1 && entries[0][0].startsWith("$")
    ? decodeTagged(entries[0][0], entries[0][1])
    : decodeEntries(entries)
}

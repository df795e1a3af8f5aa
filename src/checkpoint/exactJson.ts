/**
 * JSON that loses nothing: what JSON cannot say stands in objects with the one key `$`, and keys of the user's that
 * begin with `$` have one more. Pure.
 *
 * Exact for every number (-0, NaN and the infinities too), bigint, undefined, dates, lone surrogates, and keys such as
 * `__proto__`. Columns stay outside of the text: `{"$":3}` is the fourth. Written piece by piece, so that a large value
 * never holds the event loop; nothing but plain values comes back, however the text reads.
 */
import { Later, type SnapshotColumn } from "../model/Snapshot.ts"

/** Arrays and objects within each other beyond this are refused, in both directions. */
export const exactDepthMax = 2_000

/** Characters after which a piece ends: well below a millisecond of work. */
const pieceChars = 32_768

/** What a `Later` counts for: nobody knows what it costs to evaluate. */
const laterChars = 1_024

/** A value cannot be kept, or a text cannot be read back. The message says where and why. */
export class NotExact extends Error {}

interface Open {
  readonly of: ReadonlyArray<unknown> | { readonly [key: string]: unknown }
  readonly keys: ReadonlyArray<string> | undefined
  readonly length: number
  next: number
}

const isColumn = (value: object): value is SnapshotColumn =>
  value instanceof Float64Array || value instanceof Int32Array || value instanceof Uint8Array

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Nodes that `simple` still looks at: beyond them a value is taken apart. */
let looks = 0

const simpleItems = (items: ReadonlyArray<unknown>): boolean => {
  // by index: a hole is undefined, which `every` would pass over
  for (let i = 0; i < items.length; i++) if (!simple(items[i])) return false
  return true
}

const simpleFields = (object: object): boolean => {
  for (const key of Object.keys(object)) {
    if (key.charCodeAt(0) === 36 || !simple((object as { readonly [key: string]: unknown })[key])) return false
  }
  return true
}

/** Whether JSON itself says the value exactly. */
const simple = (value: unknown): boolean => {
  if (--looks < 0) return false
  switch (typeof value) {
    case "string":
    case "boolean":
      return true
    case "number":
      return Number.isFinite(value) && (value !== 0 || 1 / value > 0)
    case "object":
      if (value === null) return true
      return Array.isArray(value) ? simpleItems(value) : isPlain(value) && simpleFields(value)
    default:
      return false
  }
}

const textOfNumber = (n: number): string =>
  Number.isFinite(n) && !Object.is(n, -0) ? String(n) : `{"$":"${Object.is(n, -0) ? "-0" : String(n)}"}`

const pathOf = (stack: ReadonlyArray<Open>): string =>
  stack
    .slice(0, 20)
    .map(({ keys, next }) => (keys === undefined ? `[${next - 1}]` : `.${keys[next - 1]}`))
    .join("")

/**
 * Writes a value: each call gives the next piece of text, and undefined when all was given. A column is handed to
 * `onColumn`, which says its index. Throws {@link NotExact} where it meets a value that is none of the above.
 */
export const exactPieces = (
  root: unknown,
  onColumn: (column: SnapshotColumn) => number
): (() => string | undefined) => {
  const stack: Array<Open> = []
  let text = ""
  let cost = 0
  let begun = false

  const refuse = (what: string): never => {
    throw new NotExact(`${pathOf(stack) || "the value"}: ${what}`)
  }
  const push = (open: Open): void => {
    if (stack.length >= exactDepthMax) refuse(`is nested deeper than ${exactDepthMax}`)
    stack.push(open)
  }
  const writeObject = (value: object): void => {
    if (Array.isArray(value)) {
      text += "["
      push({ of: value, keys: undefined, length: value.length, next: 0 })
    } else if (isColumn(value)) text += `{"$":${onColumn(value)}}`
    else if (value instanceof Date) text += `{"$":"d${value.getTime()}"}`
    else if (isPlain(value)) {
      text += "{"
      const keys = Object.keys(value)
      push({ of: value as { readonly [key: string]: unknown }, keys, length: keys.length, next: 0 })
    } else refuse(`${value.constructor?.name ?? "an object"} is not a plain value`)
  }
  const write = (given: unknown): void => {
    let value = given
    for (let n = 0; value instanceof Later; n++) {
      if (n === exactDepthMax) refuse("is put off for ever")
      value = value.value()
      cost += laterChars
    }
    if (typeof value === "string") text += JSON.stringify(value)
    else if (typeof value === "number") text += textOfNumber(value)
    else if (typeof value === "boolean" || value === null) text += String(value)
    else if (value === undefined) text += '{"$":"undefined"}'
    else if (typeof value === "bigint") text += `{"$":"${value}n"}`
    else if (typeof value === "object") writeObject(value)
    else refuse(`${typeof value} is not a value that can be kept`)
  }
  const stepArray = (open: Open, items: ReadonlyArray<unknown>): void => {
    if (open.next > 0) text += ","
    looks = 512
    let end = open.next
    while (end < open.length && simple(items[end])) end++
    if (end > open.next) {
      text += JSON.stringify(items.slice(open.next, end)).slice(1, -1)
      open.next = end
    } else write(items[open.next++])
  }
  const stepObject = (open: Open, keys: ReadonlyArray<string>): void => {
    const key = keys[open.next]
    text += `${open.next > 0 ? "," : ""}${JSON.stringify(key.charCodeAt(0) === 36 ? `$${key}` : key)}:`
    open.next++
    write((open.of as { readonly [key: string]: unknown })[key])
  }

  return () => {
    if (!begun) {
      begun = true
      write(root)
    }
    while (stack.length > 0 && text.length + cost < pieceChars) {
      const open = stack[stack.length - 1]
      if (open.next >= open.length) {
        text += open.keys === undefined ? "]" : "}"
        stack.pop()
      } else if (open.keys === undefined) stepArray(open, open.of as ReadonlyArray<unknown>)
      else stepObject(open, open.keys)
    }
    if (text === "") return undefined
    const piece = text
    text = ""
    cost = 0
    return piece
  }
}

/** The whole text at once, for small values. Columns are refused. */
export const exactText = (value: unknown): string => {
  const next = exactPieces(value, () => {
    throw new NotExact("a column has no place here")
  })
  let text = ""
  for (let piece = next(); piece !== undefined; piece = next()) text += piece
  return text
}

const define = (object: object, key: string, value: unknown): void => {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
  } else (object as { [key: string]: unknown })[key] = value
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

const specials = new Map<unknown, unknown>([
  ["-0", -0],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["undefined", undefined]
])

const special = (said: unknown, columnOf: (index: number) => SnapshotColumn): unknown => {
  if (specials.has(said)) return specials.get(said)
  if (typeof said === "number") return columnOf(said)
  if (typeof said === "string") {
    if (/^-?[0-9]+n$/.test(said)) return BigInt(said.slice(0, -1))
    if (/^d(-?[0-9]+|NaN)$/.test(said)) return new Date(Number(said.slice(1)))
  }
  throw new NotExact(`{"$":${isObject(said) ? "..." : JSON.stringify(said)?.slice(0, 40)}} stands for no value`)
}

/** Reads what {@link exactPieces} wrote. Throws {@link NotExact} at what it never writes. */
export const parseExact = (text: string, columnOf: (index: number) => SnapshotColumn): unknown => {
  const revive = (value: object, depth: number): unknown => {
    if (depth > exactDepthMax) throw new NotExact(`is nested deeper than ${exactDepthMax}`)
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        const each: unknown = value[i]
        if (isObject(each)) value[i] = revive(each, depth + 1)
      }
      return value
    }
    const object = value as { readonly [key: string]: unknown }
    const keys = Object.keys(object)
    if (keys.length === 1 && keys[0] === "$") return special(object["$"], columnOf)
    const isMarked = keys.some((key) => key.charCodeAt(0) === 36)
    const out: object = isMarked ? {} : value
    for (const key of keys) {
      const each = object[key]
      const revived = isObject(each) ? revive(each, depth + 1) : each
      if (!isMarked) {
        if (revived !== each) define(out, key, revived)
        continue
      }
      if (key.charCodeAt(0) === 36 && key.charCodeAt(1) !== 36) {
        throw new NotExact(`${JSON.stringify(key).slice(0, 40)} is no key`)
      }
      define(out, key.charCodeAt(0) === 36 ? key.slice(1) : key, revived)
    }
    return out
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw new NotExact(`is not JSON: ${cause instanceof Error ? cause.message.slice(0, 120) : "unreadable"}`)
  }
  return isObject(parsed) ? revive(parsed, 1) : parsed
}

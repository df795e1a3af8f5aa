/**
 * Values as text that tells different values apart, whatever the order of their fields and of what has no order: for rows
 * to be compared by, and to be shown.
 */
import * as BigDecimal from "effect/BigDecimal"
import * as Chunk from "effect/Chunk"
import * as DateTime from "effect/DateTime"
import * as Hash from "effect/Hash"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"

/** Says a number: as it is, or as a place that another number may take. */
type SayNumber = (n: number) => string

const sayNumber: SayNumber = (n) => (Object.is(n, -0) ? "-0" : String(n))

/** A value as text that tells different values apart. */
export const textOf = (value: unknown): string => textWith(value, sayNumber)

/** The same, numbers said otherwise. */
export const textWith = (value: unknown, say: SayNumber): string => new Texts(say).of(value)

const plainName = /^[\w$~/-]+$/
const nameOf = (field: string): string => (plainName.test(field) ? field : JSON.stringify(field))

const isPlain = (value: object): boolean => {
  const proto: unknown = Object.getPrototypeOf(value)
  return proto === null || proto === Object.prototype
}

const className = (value: object): string => {
  const { _tag, constructor } = value as { readonly _tag?: unknown; readonly constructor?: unknown }
  if (typeof _tag === "string") return _tag
  return typeof constructor === "function" && constructor.name !== "Object" ? constructor.name : ""
}

/** What a class shows by getters: all there is to see of one whose fields are private. */
const gettersOf = (value: object): ReadonlyArray<string> => {
  const found = new Set<string>()
  for (let at: object = value; at !== Object.prototype;) {
    const proto: unknown = Object.getPrototypeOf(at)
    if (typeof proto !== "object" || proto === null) break
    at = proto
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (property.get !== undefined && at !== Object.prototype) found.add(name)
  }
  return [...found].sort()
}

class Texts {
  readonly #say: SayNumber
  /** What is being said: a value within itself is said to be one. */
  readonly #within = new Set<object>()

  constructor(say: SayNumber) {
    this.#say = say
  }

  of(value: unknown): string {
    switch (typeof value) {
      case "string":
        return JSON.stringify(value)
      case "number":
        return this.#say(value)
      case "bigint":
        return `${value}n`
      case "object": {
        if (value === null) return "null"
        if (this.#within.has(value)) return "(itself)"
        this.#within.add(value)
        const text = this.#object(value)
        this.#within.delete(value)
        return text
      }
      default:
        return String(value)
    }
  }

  #object(value: object): string {
    if (Array.isArray(value)) return this.#list(value)
    if (isPlain(value)) return this.#fields(value, Object.keys(value).toSorted())
    return this.#known(value) ?? this.#effects(value) ?? this.#instance(value)
  }

  #list(values: Iterable<unknown>): string {
    return `[${Array.from(values, (one) => this.of(one)).join(", ")}]`
  }

  /** What has no order. */
  #bag(values: Iterable<unknown>): string {
    return `[${Array.from(values, (one) => this.of(one))
      .sort()
      .join(", ")}]`
  }

  #fields(value: object, names: ReadonlyArray<string>): string {
    const said = names.map((field) => `${nameOf(field)}: ${this.of(Reflect.get(value, field))}`)
    return `{ ${said.join(", ")} }`
  }

  /** JavaScript's own. */
  #known(value: object): string | undefined {
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Date(NaN)" : value.toISOString()
    if (value instanceof Map) return `Map${this.#bag(value)}`
    if (value instanceof Set) return `Set${this.#bag(value)}`
    if (value instanceof RegExp) return String(value)
    if (value instanceof Error) {
      const { name, message, cause } = value
      const own = Object.keys(value).filter((field) => !["name", "message", "stack", "cause"].includes(field))
      const fields = own.length === 0 ? "" : ` ${this.#fields(value, own.toSorted())}`
      return `${name}(${JSON.stringify(message)})${fields}${cause === undefined ? "" : ` of ${this.of(cause)}`}`
    }
    if (value instanceof ArrayBuffer) return `ArrayBuffer${this.#list(new Uint8Array(value))}`
    if (value instanceof DataView)
      return `DataView${this.#list(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))}`
    if (ArrayBuffer.isView(value)) return `${className(value)}${this.#list(value as unknown as Iterable<unknown>)}`
    return undefined
  }

  /** Effect's own, whose fields say how they are made rather than what they are. */
  #effects(value: object): string | undefined {
    if (DateTime.isDateTime(value))
      return DateTime.isZoned(value) ? DateTime.formatIsoZoned(value) : DateTime.formatIso(value)
    if (Chunk.isChunk(value)) return `Chunk${this.#list(value)}`
    if (HashMap.isHashMap(value)) return `HashMap${this.#bag(value)}`
    if (HashSet.isHashSet(value)) return `HashSet${this.#bag(value)}`
    if (BigDecimal.isBigDecimal(value)) return `${BigDecimal.format(value)}d`
    // Told apart, and still not shown.
    if (Redacted.isRedacted(value)) return `Redacted(${Hash.string(textOf(Redacted.value(value))) >>> 0})`
    return undefined
  }

  /** Of a class: by its fields; one that has none by what it says of itself, or by its getters. */
  #instance(value: object): string {
    const own = Object.keys(value)
    if (own.length > 0) return this.#fields(value, own.toSorted())
    const { toJSON, toString } = value as { readonly toJSON?: unknown; readonly toString?: unknown }
    const name = className(value)
    if (Predicate.hasProperty(value, "_tag")) return name
    if (typeof toJSON === "function") return `${name}(${this.of(toJSON.call(value))})`
    if (typeof toString === "function" && toString !== Object.prototype.toString) return `${name}(${String(value)})`
    const getters = gettersOf(value)
    return `${name === "" ? "" : `${name} `}${this.#fields(value, getters)}`
  }
}

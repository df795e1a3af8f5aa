/**
 * The state of a user's operator as checkpoints hold it: JSON, by the Schema of the state.
 *
 * The JSON is a copy that shares nothing with the value it was made of, and is frozen: whoever holds it may keep it.
 */
import type * as Schema from "effect/Schema"

/** JSON by a state's Schema, and about how many bytes it takes in memory. */
export interface Sealed {
  readonly json: unknown
  readonly bytes: number
}

/** A state to JSON and back. Both throw on what does not fit the Schema, with its words. */
export interface StateCodec {
  readonly seal: (state: unknown) => Sealed
  readonly open: (json: unknown) => unknown
}

// effect/Schema costs every start 14 MB and 50 ms: it is loaded by queries that need it, before they run.
let schema: typeof Schema | undefined

/** Loads what {@link stateCodec} needs. */
export const loadStateCodec = (): Promise<void> | undefined =>
  schema === undefined
    ? import("effect/Schema").then((loaded) => {
        schema = loaded
      })
    : undefined

/** The codec of a Schema; {@link loadStateCodec} must have been awaited. */
export const stateCodec = (state: unknown): StateCodec => {
  if (schema === undefined) throw new Error("a state is encoded before its Schema was loaded")
  const codec = schema.toCodecJson(state as Schema.Codec<unknown, unknown>)
  const encode = schema.encodeUnknownSync(codec)
  return { seal: (value) => sealed(encode(value)), open: schema.decodeUnknownSync(codec) }
}

const numberBytes = 8
const textBytes = 24
const objectBytes = 32

/**
 * A frozen copy of plain JSON. Copied because a Schema such as `Schema.Unknown` hands on the value it was given; frozen
 * because it hands on what is decoded, too.
 */
export const sealed = (json: unknown): Sealed => {
  let bytes = 0
  const copy = (value: unknown): unknown => {
    if (typeof value === "string") {
      bytes += textBytes + value.length
      return value
    }
    bytes += numberBytes
    if (typeof value !== "object" || value === null) return value
    bytes += objectBytes
    return Object.freeze(Array.isArray(value) ? value.map(copy) : copyObject(value))
  }
  const copyObject = (value: object): object => {
    const out: { [key: string]: unknown } = {}
    for (const key of Object.keys(value)) {
      const field = copy((value as { readonly [key: string]: unknown })[key])
      if (key === "__proto__") Object.defineProperty(out, key, { value: field, enumerable: true })
      else out[key] = field
    }
    return out
  }
  return { json: copy(json), bytes }
}

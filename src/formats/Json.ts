/**
 * JSON: one row a line, one array of rows, and single messages.
 *
 * Bad input is a dead row that says what was wrong: malformed JSON, invalid UTF-8, a row that does not fit the schema, a
 * line over `lineBytesMax`, nesting over `jsonDepthMax`. Numbers are exact or dead, never rounded: an integer beyond 2^53
 * needs `Schema.BigInt`. A `Schema.Date` is read from ISO text. Without a schema a row is any JSON object, and integers
 * beyond 2^53 are dead. Details: `jsonValue.ts`.
 */
import * as Effect from "effect/Effect"
import { textOf } from "./bytes.ts"
import {
  deadRow,
  type DecodedMessages,
  type Fault,
  type MessageFormat,
  rowLimits,
  type StreamFormat
} from "./Format.ts"
import { arrayDecoder } from "./jsonArray.ts"
import { jsonReader } from "./jsonValue.ts"
import { badUtf8, isBlank, lineDecoder, tooLong } from "./lines.ts"
import { compile, type RowCodec, type RowSchema } from "./RowSchema.ts"

/** Any JSON value. */
export type JsonValue = string | number | boolean | null | ReadonlyArray<JsonValue> | JsonObject

/** A row without a schema. */
export interface JsonObject {
  readonly [field: string]: JsonValue
}

const compiled = <A>(schema: RowCodec<A> | undefined): Effect.Effect<RowSchema<A> | undefined> =>
  schema === undefined ? Effect.succeed(undefined) : compile(schema, "json")

/**
 * One JSON value a line, as `jq -c` writes it. Lines of nothing but blanks are no rows and are skipped.
 * With a schema, rows have its type; without, they are objects.
 */
export const lines: {
  (): StreamFormat<JsonObject>
  <A>(schema: RowCodec<A>): StreamFormat<A>
} = <A = JsonObject>(schema?: RowCodec<A>): StreamFormat<A> => ({
  kind: "stream",
  name: "JSON lines",
  problems: [],
  load: Effect.map(
    compiled(schema),
    (row) => (source, limits) =>
      lineDecoder<A>(source, limits, { decode: jsonReader(row, limits.jsonDepthMax), skips: isBlank })
  )
})

/**
 * One array of rows, `[{...}, {...}]`, read element by element: the file is never held whole, however large. A bad
 * element is a dead row, and the next one is read. Line numbers count rows.
 */
export const array: {
  (): StreamFormat<JsonObject>
  <A>(schema: RowCodec<A>): StreamFormat<A>
} = <A = JsonObject>(schema?: RowCodec<A>): StreamFormat<A> => ({
  kind: "stream",
  name: "JSON array",
  problems: [],
  load: Effect.map(
    compiled(schema),
    (row) => (source, limits) => arrayDecoder<A>(source, limits, jsonReader(row, limits.jsonDepthMax))
  )
})

const isBom = (body: Uint8Array): boolean =>
  body.length >= 3 && body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf

/** Decodes the bodies of messages by a schema, one row each: what brokers and sockets use. */
export const schema = <A>(codec: RowCodec<A>): MessageFormat<A> => ({
  name: "JSON",
  problems: [],
  load: Effect.map(compile(codec, "json"), (row) => (bodies, place, limits = rowLimits): DecodedMessages<A> => {
    const out: DecodedMessages<A> = { rows: [], bodies: [], dead: [] }
    const decode = jsonReader(row, limits.jsonDepthMax)
    for (let i = 0; i < bodies.length; i++) {
      const body = isBom(bodies[i]) ? bodies[i].subarray(3) : bodies[i]
      let fault: Fault | undefined
      if (body.length > limits.lineBytesMax) fault = tooLong(limits, "message")
      else {
        const text = textOf(body)
        fault = text === undefined ? badUtf8 : decode(text, out.rows)
      }
      if (fault === undefined) out.bodies.push(i)
      else out.dead.push(deadRow(out.rows.length, fault, place(i), bodies[i]))
    }
    return out
  })
})

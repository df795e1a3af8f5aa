/** Plain text: one row a line, in the field `value`, as in Spark. */
import * as Effect from "effect/Effect"
import type { StreamFormat } from "./Format.ts"
import { lineDecoder } from "./lines.ts"

/** A line of text, without its line end. */
export interface TextLine {
  readonly value: string
}

/**
 * Every line is a row `{ value }`, empty ones too; LF and CRLF end a line, and the end of the file. A BOM at the start is
 * no part of the first line. Invalid UTF-8 and lines over `lineBytesMax` are dead rows.
 */
export const lines = (): StreamFormat<TextLine> => ({
  kind: "stream",
  name: "text",
  problems: [],
  load: Effect.succeed((source, limits) =>
    lineDecoder<TextLine>(source, limits, {
      decode: (text, rows) => {
        rows.push({ value: text })
        return undefined
      },
      skips: () => false
    })
  )
})

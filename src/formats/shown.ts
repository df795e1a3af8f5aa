/** A row that has no bytes of its own, as the bytes of its dead letter: JSON as far as it goes, never a failure. */
import { Limits } from "../model/Limits.ts"
import { jsonText } from "../model/Text.ts"
import { utf8 } from "./bytes.ts"

/** The bytes; long ones are for `deadRow` to cut. */
export const shown = (row: unknown): Uint8Array =>
  utf8(
    jsonText(row)
      .slice(0, Limits.deadLetterBytesMax + 1)
      .toWellFormed()
  )

/** A row that has no bytes of its own, as the bytes of its dead letter: JSON as far as it goes, never a failure. */
import { Limits } from "../model/Limits.ts"
import { utf8 } from "./bytes.ts"

const legible = (_: string, value: unknown): unknown => {
  if (typeof value === "bigint" || typeof value === "symbol" || typeof value === "function") return String(value)
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value
}

/** The bytes; long ones are for `deadRow` to cut. */
export const shown = (row: unknown): Uint8Array => {
  let text: string
  try {
    text = JSON.stringify(row, legible) ?? String(row)
  } catch {
    // It refers to itself, or its toJSON fails.
    text = Object.prototype.toString.call(row)
  }
  return utf8(text.slice(0, Limits.deadLetterBytesMax + 1).toWellFormed())
}
